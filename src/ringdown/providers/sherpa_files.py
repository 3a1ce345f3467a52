"""What kind of sherpa-onnx model a folder holds, told by the names of its files; loads nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# The arguments of sherpa's constructors, with the beginnings of the names of their files.
_TRANSDUCER = ("encoder", "decoder", "joiner")
_MOONSHINE = {
    "preprocessor": ("preprocess",),
    "encoder": ("encode",),
    "uncached_decoder": ("uncached_decode",),
    "cached_decoder": ("cached_decode",),
}
_VOCODERS = ("vocos", "hifigan")
# The first that is part of the folder's name, or of the model's file, decides what a single file is.
_OFFLINE_SINGLES = (
    ("sense-voice", "sense_voice"),
    ("paraformer", "paraformer"),
    ("telespeech", "telespeech_ctc"),
    ("dolphin", "dolphin_ctc"),
    ("omnilingual", "omnilingual_asr_ctc"),
    ("medasr", "medasr_ctc"),
    ("wenet", "wenet_ctc"),
    ("zipformer", "zipformer_ctc"),
    ("nemo", "nemo_ctc"),
    ("parakeet", "nemo_ctc"),
)
_ONLINE_SINGLES = (
    ("t-one", "online_t_one_ctc"),
    ("nemo", "online_nemo_ctc"),
    ("wenet", "online_wenet_ctc"),
    ("zipformer", "online_zipformer2_ctc"),
)
RECOGNIZER_KINDS = frozenset(
    (
        *("transducer", "nemo_transducer", "whisper", "moonshine", "nemo_canary", "fire_red_asr"),
        *("online_transducer", "online_paraformer"),
        *(kind for _, kind in (*_OFFLINE_SINGLES, *_ONLINE_SINGLES)),
    )
)
VOICE_KINDS = frozenset(("vits", "kokoro", "kitten", "matcha"))


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model: its kind, and its files by the name of sherpa's argument; several are joined by commas."""

    kind: str
    files: Mapping[str, str]

    @property
    def is_online(self) -> bool:
        """Whether it gives words while somebody speaks."""
        return self.kind.startswith("online_")


def find_recognizer(folder: Path, *, kind: str | None = None) -> ModelFiles:
    """The recognizer in `folder`; `kind` wins over what the names say. Raises `ValueError`."""
    _check_folder(folder, kind, RECOGNIZER_KINDS)
    names = _list_models(folder)
    tokens = _find_tokens(folder)
    moonshine = {argument: _pick(names, *starts) for argument, starts in _MOONSHINE.items()}
    if all(moonshine.values()):
        return _describe(folder, kind or "moonshine", {**moonshine, "tokens": tokens})
    parts = {part: _pick(names, part, ends=(f"-{part}", f"_{part}")) for part in _TRANSDUCER}
    if all(parts.values()):
        found = "online_transducer" if _is_streaming(folder, names) else "transducer"
        if found == "transducer" and _is_named(folder, names, "nemo", "parakeet"):
            found = "nemo_transducer"
        return _describe(folder, kind or found, {**parts, "tokens": tokens})
    if parts["encoder"] and parts["decoder"]:
        pair = {"encoder": parts["encoder"], "decoder": parts["decoder"], "tokens": tokens}
        return _describe(folder, kind or _judge_pair(folder, names), pair)
    singles = _ONLINE_SINGLES if _is_streaming(folder, names) else _OFFLINE_SINGLES
    found_kind = kind or next((known for part, known in singles if _is_named(folder, names, part)), None)
    if found_kind is None or not names:
        raise ValueError(f"{folder.name} holds no recognizer that is known by its files; name its kind in parameters")
    argument = "paraformer" if found_kind == "paraformer" else "model"
    return _describe(folder, found_kind, {argument: _prefer(names), "tokens": tokens})


def find_voice(folder: Path, *, kind: str | None = None) -> ModelFiles:
    """The voice in `folder`; `kind` wins over what the names say. Raises `ValueError`."""
    _check_folder(folder, kind, VOICE_KINDS)
    names = _list_models(folder)
    vocoder = _pick(names, *_VOCODERS)
    models = [name for name in names if name != vocoder and not name.startswith(_VOCODERS)]
    if not models:
        raise ValueError(f"{folder.name} holds no voice: there is no .onnx file")
    files: dict[str, str] = {"tokens": _find_tokens(folder), "model": _prefer(models)}
    found = "vits"
    if (folder / "voices.bin").is_file():
        found, files["voices"] = ("kitten" if _is_named(folder, names, "kitten") else "kokoro"), "voices.bin"
    elif vocoder or _is_named(folder, names, "matcha"):
        if not vocoder:
            raise ValueError(
                f"{folder.name} lacks its vocoder, a file such as hifigan_v2.onnx or vocos-22khz-univ.onnx"
            )
        found, files["vocoder"] = "matcha", vocoder
        files["acoustic_model"] = files.pop("model")
    lexicons = sorted(path.name for path in folder.glob("lexicon*.txt"))
    described = _describe(folder, kind or found, files)
    extra = {"lexicon": ",".join(str(folder / name) for name in lexicons)} if lexicons else {}
    if (folder / "espeak-ng-data").is_dir():
        extra["data_dir"] = str(folder / "espeak-ng-data")
    if not extra and described.kind != "vits":
        raise ValueError(f"{folder.name} lacks espeak-ng-data or a lexicon")
    return ModelFiles(described.kind, {**described.files, **extra})


def is_voice(folder: Path) -> bool:
    """Whether a folder rather holds a voice than a recognizer."""
    marks = ("espeak-ng-data", "voices.bin", "lexicon.txt")
    return any((folder / mark).exists() for mark in marks) or _is_named(
        folder, [], "vits", "kokoro", "matcha", "kitten"
    )


def _check_folder(folder: Path, kind: str | None, known: frozenset[str]) -> None:
    if kind is not None and kind not in known:
        raise ValueError(f"kind must be one of {', '.join(sorted(known))}")
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")


def _list_models(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.onnx"))


def _find_tokens(folder: Path) -> str:
    names = sorted(path.name for path in folder.glob("*tokens.txt"))
    if not names:
        raise ValueError(f"{folder.name} lacks its tokens.txt")
    return names[0]


def _judge_pair(folder: Path, names: Sequence[str]) -> str:
    if _is_named(folder, names, "paraformer"):
        return "online_paraformer"
    if _is_named(folder, names, "canary"):
        return "nemo_canary"
    return "fire_red_asr" if _is_named(folder, names, "fire-red") else "whisper"


def _is_streaming(folder: Path, names: Sequence[str]) -> bool:
    return _is_named(folder, names, "streaming", "chunk-", "t-one")


def _is_named(folder: Path, names: Sequence[str], *parts: str) -> bool:
    text = " ".join((folder.name, *names)).lower()
    return any(part in text for part in parts)


def _pick(names: Sequence[str], *starts: str, ends: tuple[str, ...] = ()) -> str:
    """The best file whose name begins, or without its suffixes ends, like this; "" when there is none."""
    found = [name for name in names if name.startswith(starts) or (ends and _stem(name).endswith(ends))]
    return _prefer(found)


def _prefer(names: Sequence[str]) -> str:
    """The quantized file: it is faster on a processor, and hardly worse."""
    quantized = [name for name in names if ".int8." in name]
    return next(iter([*quantized, *names]), "")


def _stem(name: str) -> str:
    return name.removesuffix(".onnx").removesuffix(".int8")


def _describe(folder: Path, kind: str, files: Mapping[str, str]) -> ModelFiles:
    return ModelFiles(kind, {argument: str(folder / name) for argument, name in files.items()})
