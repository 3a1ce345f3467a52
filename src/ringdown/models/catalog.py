"""The open models that are known by name: where they are offered, and under which licence. Downloads nothing.

All are packages of the sherpa-onnx project's releases. A size is that of the package in megabytes, where it is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_RELEASES = "https://github.com/k2-fsa/sherpa-onnx/releases/download"
_RECOGNIZERS, _VOICES = f"{_RELEASES}/asr-models/sherpa-onnx", f"{_RELEASES}/tts-models"


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that can be pulled. `licence_url` says what its use is subject to; no `languages` means many."""

    name: str
    kind: Literal["speech_to_text", "text_to_speech"]
    url: str
    licence: str
    licence_url: str
    languages: tuple[str, ...]
    description: str
    size_mb: int | None = None


_APACHE_ZIPFORMER = "https://huggingface.co/csukuangfj/sherpa-onnx-streaming-zipformer"
_WHISPER_LICENCE = "https://github.com/openai/whisper/blob/main/LICENSE"
_PIPER_CARDS = "https://huggingface.co/rhasspy/piper-voices/blob/main"

KNOWN_MODELS: Sequence[KnownModel] = (
    KnownModel(
        name="zipformer-en",
        kind="speech_to_text",
        url=f"{_RECOGNIZERS}-streaming-zipformer-en-2023-06-26.tar.bz2",
        licence="Apache-2.0",
        licence_url=f"{_APACHE_ZIPFORMER}-en-2023-06-26",
        languages=("en",),
        description="Words while the caller speaks, in capitals without punctuation.",
    ),
    KnownModel(
        name="zipformer-zh-en",
        kind="speech_to_text",
        url=f"{_RECOGNIZERS}-streaming-zipformer-bilingual-zh-en-2023-02-20.tar.bz2",
        licence="Apache-2.0",
        licence_url=f"{_APACHE_ZIPFORMER}-bilingual-zh-en-2023-02-20",
        languages=("zh", "en"),
        description="Words while the caller speaks, Chinese and English mixed.",
    ),
    KnownModel(
        name="parakeet-en",
        kind="speech_to_text",
        url=f"{_RECOGNIZERS}-nemo-parakeet-tdt-0.6b-v2-int8.tar.bz2",
        licence="CC-BY-4.0",
        licence_url="https://huggingface.co/nvidia/parakeet-tdt-0.6b-v2",
        languages=("en",),
        description="Whole utterances, with punctuation and word times; large.",
    ),
    KnownModel(
        name="moonshine-tiny-en",
        kind="speech_to_text",
        url=f"{_RECOGNIZERS}-moonshine-tiny-en-int8.tar.bz2",
        licence="MIT",
        licence_url="https://github.com/usefulsensors/moonshine/blob/main/LICENSE",
        languages=("en",),
        description="Whole utterances, small and fast.",
        size_mb=108,
    ),
    KnownModel(
        name="whisper-tiny-en",
        kind="speech_to_text",
        url=f"{_RECOGNIZERS}-whisper-tiny.en.tar.bz2",
        licence="MIT",
        licence_url=_WHISPER_LICENCE,
        languages=("en",),
        description="Whole utterances, with punctuation.",
        size_mb=113,
    ),
    KnownModel(
        name="whisper-tiny",
        kind="speech_to_text",
        url=f"{_RECOGNIZERS}-whisper-tiny.tar.bz2",
        licence="MIT",
        licence_url=_WHISPER_LICENCE,
        languages=(),
        description="Whole utterances in about a hundred languages, which it detects.",
        size_mb=116,
    ),
    KnownModel(
        name="sense-voice",
        kind="speech_to_text",
        url=f"{_RECOGNIZERS}-sense-voice-zh-en-ja-ko-yue-2024-07-17.tar.bz2",
        licence="FunASR Model License 1.1",
        licence_url="https://github.com/modelscope/FunASR/blob/main/MODEL_LICENSE",
        languages=("zh", "en", "ja", "ko", "yue"),
        description="Whole utterances with punctuation; detects the language.",
    ),
    KnownModel(
        name="piper-en-ljspeech",
        kind="text_to_speech",
        url=f"{_VOICES}/vits-piper-en_US-ljspeech-medium.tar.bz2",
        licence="MIT; recordings in the public domain",
        licence_url=f"{_PIPER_CARDS}/en/en_US/ljspeech/medium/MODEL_CARD",
        languages=("en-US",),
        description="One American woman; fast on any processor.",
        size_mb=67,
    ),
    KnownModel(
        name="piper-de-thorsten",
        kind="text_to_speech",
        url=f"{_VOICES}/vits-piper-de_DE-thorsten-medium.tar.bz2",
        licence="MIT; recordings CC0",
        licence_url=f"{_PIPER_CARDS}/de/de_DE/thorsten/medium/MODEL_CARD",
        languages=("de-DE",),
        description="One German man; fast on any processor.",
    ),
    KnownModel(
        name="kokoro-en",
        kind="text_to_speech",
        url=f"{_VOICES}/kokoro-en-v0_19.tar.bz2",
        licence="Apache-2.0",
        licence_url="https://huggingface.co/hexgrad/Kokoro-82M",
        languages=("en",),
        description="Eleven American and British voices; natural, and slower.",
        size_mb=320,
    ),
    KnownModel(
        name="kokoro-multi",
        kind="text_to_speech",
        url=f"{_VOICES}/kokoro-multi-lang-v1_0.tar.bz2",
        licence="Apache-2.0",
        licence_url="https://huggingface.co/hexgrad/Kokoro-82M",
        languages=("en", "zh"),
        description="Voices of several languages; natural, and slower.",
    ),
)


def find_known(name: str) -> KnownModel | None:
    """The known model of this name."""
    return next((model for model in KNOWN_MODELS if model.name == name), None)
