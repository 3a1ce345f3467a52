"""The doubles keep what they promise: virtual time, and providers whose audio can be read back."""

import asyncio
import time

import pytest

from ringdown.voice.detector import WINDOW_MS
from ringdown.voice.ports import Expectation, ProviderError, Recognition, TextDelta, ToolRequest
from tests.fakes import virtual_time
from tests.fakes.voices import (
    NOISE,
    SILENCE,
    Codebook,
    FakeDetector,
    FakeModel,
    FakeRecognizer,
    FakeSpeaker,
)


def test_virtual_time_jumps_over_sleeps_and_keeps_their_order() -> None:
    order: list[str] = []

    async def wait(name: str, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        order.append(name)

    async def scenario() -> float:
        async with asyncio.TaskGroup() as group:
            for name, delay_s in (("late", 3600), ("early", 1), ("middle", 60)):
                group.create_task(wait(name, delay_s))
        return asyncio.get_running_loop().time()

    started = time.monotonic()
    assert virtual_time.run(scenario()) == pytest.approx(3600)
    assert order == ["early", "middle", "late"]
    assert time.monotonic() - started < 2


def test_virtual_time_runs_out_timeouts() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(30):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        virtual_time.run(scenario())


def test_virtual_time_refuses_to_wait_for_ever() -> None:
    async def scenario() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="waits for ever"):
        virtual_time.run(scenario())


def test_words_are_read_back_from_audio_with_their_times() -> None:
    book = Codebook()
    pcm = book.frame("hello") * 3 + SILENCE * 2 + book.frame("you") * 2 + book.frame("hello")
    assert book.decode(pcm) == [("hello", 0, 60), ("you", 100, 140), ("hello", 140, 160)]


def test_the_fake_detector_hears_sound_one_window_late() -> None:
    book, heard = Codebook(), list[tuple[float, int]]()
    stream = FakeDetector(lag_windows=1).open(lambda probability, end_ms: heard.append((probability, end_ms)))
    for frame in [SILENCE] * 8 + [book.frame("a")] * 8:
        stream.push(frame)
    assert heard == [
        (0.0, 32),
        (0.0, 64),
        (0.0, 96),
        (0.0, 128),
        (0.0, 160),
        (1.0, 192),
        (1.0, 224),
        (1.0, 256),
        (1.0, 288),
    ]
    stream.close()
    stream.push(book.frame("a") * 10)
    assert heard[-1][1] == 9 * WINDOW_MS


def test_the_fake_recognizer_hears_words_but_not_noise_and_raises_its_faults_first() -> None:
    async def scenario() -> tuple[Recognition, str]:
        book = Codebook()
        recognizer = FakeRecognizer(book, faults=[ProviderError("test", "busy", retryable=True)], has_partials=True)
        utterance = recognizer.open(sample_rate_hz=8000, language="en", expectation=Expectation())
        utterance.push(book.frame("tea") * 5 + book.frame(NOISE) * 5)
        with pytest.raises(ProviderError):
            await utterance.final()
        return await utterance.final(), utterance.partial()

    recognition, partial = virtual_time.run(scenario())
    assert (recognition.text, recognition.words[0].end_ms, partial) == ("tea", 100, "tea")


def test_the_fake_voice_can_be_understood() -> None:
    async def scenario() -> tuple[list[str], list[int]]:
        book = Codebook()
        pieces = [piece async for piece in FakeSpeaker(book).speak("one two", sample_rate_hz=8000)]
        words = book.decode(b"".join(piece.pcm for piece in pieces))
        return [word for word, _, _ in words], [word.start_ms for piece in pieces for word in piece.words]

    assert virtual_time.run(scenario()) == (["one", "two"], [0, 200])


def test_the_fake_model_streams_its_replies_in_order() -> None:
    async def scenario() -> list[object]:
        model = FakeModel([["one two"], [ToolRequest("1", "end_call", "{}")]])
        return [part async for part in model.reply([])] + [part async for part in model.reply([])]

    assert virtual_time.run(scenario()) == [TextDelta("one "), TextDelta("two "), ToolRequest("1", "end_call", "{}")]
