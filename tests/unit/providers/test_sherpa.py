"""sherpa-onnx for real, on tiny models with random weights that the test writes: loading, words, speech, faults."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import numpy
import pytest

from ringdown.config import Settings
from ringdown.models.library import ModelLibrary
from ringdown.providers import sherpa_files, sherpa_loading
from ringdown.providers.opening import OpenProviders
from ringdown.providers.registry import read_providers
from ringdown.providers.sherpa import SherpaRecognizer, open_sherpa_recognizer
from ringdown.providers.sherpa_voice import SherpaVoice, open_sherpa_voice
from ringdown.providers.sherpa_words import join_words
from ringdown.voice.ports import Expectation, ProviderError, Recognition, Word
from tests.fakes import onnx_models

PATIENCE_S = 60.0
FREE = Expectation()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    onnx_models.write_online_transducer(folder / "tiny-streaming-lstm")
    onnx_models.write_offline_ctc(folder / "tiny-nemo-ctc")
    onnx_models.write_vits(folder / "vits-tiny")
    return folder


@pytest.fixture
async def online(models: Path) -> AsyncIterator[SherpaRecognizer]:
    recognizer = open_sherpa_recognizer(models / "tiny-streaming-lstm", {})
    await recognizer.start()
    yield recognizer
    await recognizer.close()


@pytest.fixture
async def offline(models: Path) -> AsyncIterator[SherpaRecognizer]:
    recognizer = open_sherpa_recognizer(models / "tiny-nemo-ctc", {})
    yield recognizer
    await recognizer.close()
    await recognizer.close()


@pytest.fixture
async def voice(models: Path) -> AsyncIterator[SherpaVoice]:
    speaker = open_sherpa_voice(models / "vits-tiny", {})
    yield speaker
    await speaker.close()
    await speaker.close()


def noise(duration_ms: int, *, rate_hz: int = 8000, seed: int = 1) -> bytes:
    samples = numpy.random.default_rng(seed).normal(0, 6000, rate_hz * duration_ms // 1000)
    return numpy.clip(samples, -32768, 32767).astype("<i2").tobytes()


async def test_an_online_model_gives_words_while_somebody_speaks(online: SherpaRecognizer) -> None:
    utterance = online.open(sample_rate_hz=8000, language="en-US", expectation=FREE)
    async with asyncio.timeout(PATIENCE_S):
        while not utterance.partial():
            utterance.push(noise(20))
            await asyncio.sleep(0.001)
        early = utterance.partial()
        final = await utterance.final()
    assert final.text.startswith(early)
    assert set(final.text.split()) <= {"yes", "no", "please", "call", "me", "back", "now", "<unk>"}
    await utterance.close()
    await utterance.close()


async def test_words_of_an_online_model_lie_within_what_was_said(online: SherpaRecognizer) -> None:
    utterance = online.open(sample_rate_hz=16000, language="en-US", expectation=FREE)
    utterance.push(noise(1500, rate_hz=16000))
    async with asyncio.timeout(PATIENCE_S):
        final = await utterance.final()
    assert [word.text for word in final.words] == final.text.split()
    assert final.words == tuple(sorted(final.words, key=lambda word: word.start_ms))
    assert 0 <= final.words[0].start_ms <= final.words[-1].start_ms <= 1500
    await utterance.close()


async def test_an_online_utterance_goes_on_after_its_words_were_asked_for(online: SherpaRecognizer) -> None:
    utterance = online.open(sample_rate_hz=8000, language="en-US", expectation=FREE)
    utterance.push(noise(1000))
    async with asyncio.timeout(PATIENCE_S):
        first = await utterance.final()
        assert await utterance.final() == first
        utterance.push(noise(1000, seed=2))
        second = await utterance.final()
    assert len(second.words) > len(first.words)
    assert [word.text for word in second.words][: len(first.words)] == [word.text for word in first.words]
    assert second.words[-1].start_ms <= 2000
    await utterance.close()


async def test_an_offline_model_hears_the_whole_utterance(offline: SherpaRecognizer) -> None:
    utterance = offline.open(sample_rate_hz=8000, language="en-US", expectation=FREE)
    utterance.push(noise(800))
    assert utterance.partial() == ""
    async with asyncio.timeout(PATIENCE_S):
        final = await utterance.final()
        assert await utterance.final() is final
        utterance.push(noise(400))
        longer = await utterance.final()
    assert final.text
    assert len(longer.text) > len(final.text)
    await utterance.close()
    await utterance.close()


@pytest.mark.parametrize(("told", "tag"), [("de", "de"), ("<|yue|>", "yue"), ("", None)])
async def test_the_language_that_a_model_tells_comes_with_the_words(
    offline: SherpaRecognizer, monkeypatch: pytest.MonkeyPatch, told: str, tag: str | None
) -> None:
    result = SimpleNamespace(text=" Hallo ", tokens=[], timestamps=[], lang=told)
    stream = SimpleNamespace(accept_waveform=lambda _rate, _samples: None, result=result)
    whisper = SimpleNamespace(create_stream=lambda: stream, decode_stream=lambda _stream: None)

    async def engine() -> SimpleNamespace:
        return whisper

    monkeypatch.setattr(offline, "engine", engine)
    utterance = offline.open(sample_rate_hz=8000, language="en-US", expectation=FREE)
    utterance.push(noise(400))
    assert await utterance.final() == Recognition("Hallo", language=tag)
    await utterance.close()


async def test_an_utterance_too_short_for_a_word_is_not_decoded(offline: SherpaRecognizer) -> None:
    utterance = offline.open(sample_rate_hz=8000, language="en-US", expectation=FREE)
    utterance.push(noise(60))
    assert (await utterance.final()).text == ""


async def test_utterances_of_many_calls_are_decoded_at_once(online: SherpaRecognizer) -> None:
    utterances = [online.open(sample_rate_hz=8000, language="en-US", expectation=FREE) for _ in range(8)]
    for utterance in utterances:
        utterance.push(noise(700))
    async with asyncio.timeout(PATIENCE_S):
        found = await asyncio.gather(*(utterance.final() for utterance in utterances))
    assert len({recognition.text for recognition in found}) == 1
    assert found[0].text


async def test_models_work_in_threads_of_their_own(
    offline: SherpaRecognizer, voice: SherpaVoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = set[str]()
    decode, clip = numpy.frombuffer, numpy.clip
    monkeypatch.setattr(
        numpy, "frombuffer", lambda *a, **k: (used.add(threading.current_thread().name), decode(*a, **k))[1]
    )
    monkeypatch.setattr(numpy, "clip", lambda *a, **k: (used.add(threading.current_thread().name), clip(*a, **k))[1])
    utterance = offline.open(sample_rate_hz=16000, language="en-US", expectation=FREE)
    utterance.push(bytes(32_000))
    async with asyncio.timeout(PATIENCE_S):
        await utterance.final()
        _ = [piece async for piece in voice.speak("hello", sample_rate_hz=16000)]
    assert {name.rpartition("_")[0] for name in used if name != "MainThread"} == {"sherpa", "sherpa-voice"}


async def test_the_event_loop_lives_while_a_model_speaks_for_long(voice: SherpaVoice) -> None:
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0)
            beats += 1

    await voice.start()
    beating = asyncio.create_task(beat())
    async with asyncio.timeout(PATIENCE_S):
        pieces = [piece async for piece in voice.speak("hello there. " * 100, sample_rate_hz=16000)]
    beating.cancel()
    assert len(pieces) >= 50
    assert beats > len(pieces)


@pytest.mark.parametrize("rate_hz", [8000, 16000])
async def test_a_voice_speaks_sentence_by_sentence_at_the_rate_of_the_call(voice: SherpaVoice, rate_hz: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        pieces = [piece.pcm async for piece in voice.speak("hello there. yes no.", sample_rate_hz=rate_hz)]
    assert len([pcm for pcm in pieces if pcm]) >= 2
    samples = numpy.frombuffer(b"".join(pieces), "<i2")
    assert 0.3 < len(samples) / rate_hz < 1.5
    assert numpy.abs(samples.astype(float)).max() > 1000


async def test_a_sentence_that_is_not_wanted_any_more_stops_the_voice(voice: SherpaVoice) -> None:
    speech = voice.speak("hello there. " * 200, sample_rate_hz=16000)
    async with asyncio.timeout(PATIENCE_S):
        first = await anext(speech)
        await speech.aclose()  # type: ignore[attr-defined]
        again = [piece async for piece in voice.speak("yes.", sample_rate_hz=16000)]
    assert first.pcm
    assert again


async def test_a_speaker_that_the_model_lacks_is_refused(voice: SherpaVoice) -> None:
    assert [piece async for piece in voice.with_speaker(1).speak("yes.", sample_rate_hz=16000)]
    with pytest.raises(ProviderError, match="no speaker 2; there are 2"):
        _ = [piece async for piece in voice.with_speaker(2).speak("yes.", sample_rate_hz=16000)]


async def test_a_broken_model_says_so(models: Path, tmp_path: Path) -> None:
    onnx_models.write_offline_ctc(tmp_path / "broken-nemo")
    (tmp_path / "broken-nemo" / "model.onnx").write_bytes(b"no model at all")
    recognizer = open_sherpa_recognizer(tmp_path / "broken-nemo", {})
    with pytest.raises(ProviderError, match="cannot be loaded"):
        await recognizer.start()
    with pytest.raises(ProviderError, match="cannot be loaded"):
        await recognizer.start()
    await recognizer.close()


async def test_a_model_that_ends_the_process_of_whoever_loads_it_ends_only_the_trial(tmp_path: Path) -> None:
    onnx_models.write_offline_ctc(tmp_path / "foreign-nemo")
    graph = onnx_models.Graph({})
    graph.input("x", onnx_models.FLOAT, [None, 80])
    graph.node("Identity", ["x"], "y")
    graph.output("y", onnx_models.FLOAT, [None, 80])
    graph.write(tmp_path / "foreign-nemo" / "model.onnx")
    recognizer = open_sherpa_recognizer(tmp_path / "foreign-nemo", {})
    with pytest.raises(ProviderError, match="cannot be loaded: 'vocab_size' does not exist in the metadata"):
        await recognizer.start()
    await recognizer.close()


async def test_a_missing_package_names_the_line_that_mends_it(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(sherpa_loading.importlib, "import_module", refuse)
    recognizer = open_sherpa_recognizer(models / "tiny-nemo-ctc", {})
    with pytest.raises(ProviderError, match=r'pip install "ringdown\[local\]"'):
        await recognizer.start()
    await recognizer.close()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"thread": 2}, "thread is not known; known are kind, language"),
        ({"num_threads": 0}, "num_threads: "),
        ({"kind": "magic"}, "kind must be one of"),
    ],
)
def test_wrong_parameters_are_named(models: Path, parameters: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_sherpa_recognizer(models / "tiny-nemo-ctc", parameters)


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("name", "files", "kind", "chosen"),
    [
        (
            "sherpa-onnx-streaming-zipformer-en-2023-06-26",
            ["encoder-epoch-99.onnx", "encoder-epoch-99.int8.onnx", "decoder-epoch-99.onnx", "joiner-epoch-99.onnx"],
            "online_transducer",
            {"encoder": "encoder-epoch-99.int8.onnx", "joiner": "joiner-epoch-99.onnx"},
        ),
        ("sherpa-onnx-zipformer-en", ["encoder.onnx", "decoder.onnx", "joiner.onnx"], "transducer", {}),
        (
            "sherpa-onnx-nemo-parakeet-tdt-0.6b-v2-int8",
            ["encoder.int8.onnx", "decoder.int8.onnx", "joiner.int8.onnx"],
            "nemo_transducer",
            {},
        ),
        (
            "sherpa-onnx-whisper-tiny.en",
            ["tiny.en-encoder.onnx", "tiny.en-encoder.int8.onnx", "tiny.en-decoder.onnx", "tiny.en-tokens.txt"],
            "whisper",
            {"encoder": "tiny.en-encoder.int8.onnx", "tokens": "tiny.en-tokens.txt"},
        ),
        (
            "sherpa-onnx-moonshine-tiny-en-int8",
            ["preprocess.onnx", "encode.int8.onnx", "uncached_decode.int8.onnx", "cached_decode.int8.onnx"],
            "moonshine",
            {"uncached_decoder": "uncached_decode.int8.onnx", "cached_decoder": "cached_decode.int8.onnx"},
        ),
        ("sherpa-onnx-sense-voice-zh-en-ja-ko-yue", ["model.onnx"], "sense_voice", {"model": "model.onnx"}),
        ("sherpa-onnx-paraformer-en", ["model.int8.onnx"], "paraformer", {"paraformer": "model.int8.onnx"}),
        ("sherpa-onnx-streaming-paraformer-en", ["encoder.onnx", "decoder.onnx"], "online_paraformer", {}),
        (
            "sherpa-onnx-streaming-zipformer-ctc-small",
            ["ctc-epoch-30-chunk-16.int8.onnx"],
            "online_zipformer2_ctc",
            {"model": "ctc-epoch-30-chunk-16.int8.onnx"},
        ),
        ("sherpa-onnx-nemo-streaming-fast-conformer-ctc-en-80ms", ["model.onnx"], "online_nemo_ctc", {}),
    ],
)
def test_the_kind_of_a_recognizer_is_told_by_its_files(
    tmp_path: Path, name: str, files: list[str], kind: str, chosen: dict[str, str]
) -> None:
    names = [*files, *([] if any("tokens" in file for file in files) else ["tokens.txt"])]
    folder = touch(tmp_path / name, *names)
    found = sherpa_files.find_recognizer(folder)
    assert found.kind == kind
    assert {argument: found.files[argument] for argument in chosen} == {
        argument: str(folder / file) for argument, file in chosen.items()
    }


@pytest.mark.parametrize(
    ("name", "files", "kind"),
    [
        ("vits-piper-en_US-lessac-medium", ["en_US-lessac-medium.onnx", "espeak-ng-data/phontab"], "vits"),
        ("kokoro-en-v0_19", ["model.onnx", "voices.bin", "espeak-ng-data/phontab"], "kokoro"),
        ("kitten-nano-en-v0_1-fp16", ["model.fp16.onnx", "voices.bin", "espeak-ng-data/phontab"], "kitten"),
        (
            "matcha-icefall-en_US-ljspeech",
            ["model-steps-3.onnx", "hifigan_v2.onnx", "espeak-ng-data/phontab"],
            "matcha",
        ),
    ],
)
def test_the_kind_of_a_voice_is_told_by_its_files(tmp_path: Path, name: str, files: list[str], kind: str) -> None:
    folder = touch(tmp_path / name, *files, "tokens.txt")
    found = sherpa_files.find_voice(folder)
    assert found.kind == kind
    assert found.files["data_dir"] == str(folder / "espeak-ng-data")
    assert sherpa_files.is_voice(folder)


def test_folders_that_hold_no_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no folder"):
        sherpa_files.find_recognizer(tmp_path / "away")
    with pytest.raises(ValueError, match=r"lacks its tokens\.txt"):
        sherpa_files.find_recognizer(touch(tmp_path / "a", "model.onnx"))
    with pytest.raises(ValueError, match="holds no recognizer"):
        sherpa_files.find_recognizer(touch(tmp_path / "b", "unknown.onnx", "tokens.txt"))
    with pytest.raises(ValueError, match="holds no voice"):
        sherpa_files.find_voice(touch(tmp_path / "c", "tokens.txt"))
    with pytest.raises(ValueError, match="lacks its vocoder"):
        sherpa_files.find_voice(touch(tmp_path / "matcha", "model.onnx", "tokens.txt"))


def test_tokens_become_words_with_times() -> None:
    words = join_words([" hel", "lo", "▁world"], [0.0, 0.1, 0.5], text="hello world")
    assert words == (Word("hello", 0, 300), Word("world", 500, 700))
    assert join_words([" a"], [0.0, 0.1], text="a") == ()
    assert join_words([" a"], [0.0], text="b") == ()
    assert join_words([], [], text="") == ()


async def test_a_provider_is_opened_by_the_name_of_its_model(models: Path, tmp_path: Path) -> None:
    library = ModelLibrary(tmp_path)
    library.add("ears", models / "tiny-nemo-ctc")
    library.add("mouth", models / "vits-tiny")
    tables = (
        {"name": "local", "kind": "speech_to_text", "type": "sherpa", "model": "ears"},
        {"name": "voice", "kind": "text_to_speech", "type": "sherpa", "model": "mouth", "parameters": {"speaker": 1}},
        {"name": "away", "kind": "speech_to_text", "type": "sherpa", "model": "nowhere"},
    )
    settings = Settings(data_dir=tmp_path, providers=tables)
    providers = OpenProviders(settings, read_providers(settings))
    try:
        utterance = providers.open_recognizer("local").open(sample_rate_hz=8000, language="en", expectation=FREE)
        utterance.push(noise(500))
        async with asyncio.timeout(PATIENCE_S):
            assert (await utterance.final()).text
            speaker = providers.open_speaker("voice", "0", language="en")
            assert [piece async for piece in speaker.speak("yes.", sample_rate_hz=8000)]
        with pytest.raises(ValueError, match="no model nowhere here; get it with: ringdown models pull nowhere"):
            providers.open_recognizer("away")
    finally:
        await providers.close()


def test_each_parameter_is_in_the_documentation() -> None:
    page = (Path(__file__).parents[3] / "docs" / "models.md").read_text(encoding="utf-8")
    kinds = (sherpa_loading.RecognizerParameters, sherpa_loading.VoiceParameters)
    for name in {name for kind in kinds for name in kind.model_fields}:
        assert f"| `{name}` |" in page, name
    for kind_name in sherpa_files.VOICE_KINDS:
        assert f"`{kind_name}`" in page, kind_name
