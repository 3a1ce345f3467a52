"""The real detector on real audio: it hears speech, not tones or hiss, for many calls at once."""

import array
import asyncio
import math
import random
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringdown.voice.activity import VoiceTracker
from ringdown.voice.detector import WINDOW_MS, WINDOW_SAMPLES, SpeechDetector, WindowStream, infer, load_session

SPEECH = Path(__file__).parents[2] / "data" / "speech.wav"
SECOND = 16_000


@pytest.fixture
async def detector() -> AsyncIterator[SpeechDetector]:
    detector = SpeechDetector()
    await detector.start()
    yield detector
    await detector.close()


def read_speech() -> bytes:
    with wave.open(str(SPEECH)) as file:
        return file.readframes(file.getnframes())


def make_hiss(seconds: float) -> bytes:
    source = random.Random(1)
    return array.array("h", [source.randint(-150, 150) for _ in range(int(8000 * seconds))]).tobytes()


def make_tone(seconds: float) -> bytes:
    steps = range(int(8000 * seconds))
    return array.array("h", [round(6000 * math.sin(2 * math.pi * 440 * step / 8000)) for step in steps]).tobytes()


async def until(counts: list[int], heard: list[list[tuple[float, int]]]) -> None:
    """Wait for so many windows of each call."""
    async with asyncio.timeout(60):
        while [len(windows) for windows in heard] != counts:
            await asyncio.sleep(0.01)


async def listen(detector: SpeechDetector, *calls: bytes) -> list[list[tuple[float, int]]]:
    """The windows of each call, all pushed at once in pieces of 20 ms."""
    heard: list[list[tuple[float, int]]] = [[] for _ in calls]

    def keep(windows: list[tuple[float, int]]):  # type: ignore[no-untyped-def]
        return lambda probability, end_ms: windows.append((probability, end_ms))

    streams = [detector.open(keep(windows)) for windows in heard]
    expected = [len(pcm) // 512 for pcm in calls]
    for start in range(0, max(map(len, calls)), 320):
        for stream, pcm in zip(streams, calls, strict=True):
            stream.push(pcm[start : start + 320])
        if start % 6400 == 0:
            # A detector that falls behind skips windows: a busy machine is waited for.
            await until([min(start + 320, len(pcm)) // 512 for pcm in calls], heard)
    await until(expected, heard)
    for stream in streams:
        stream.close()
        stream.close()
    return heard


async def test_speech_between_silences_is_found_at_its_place(detector: SpeechDetector) -> None:
    speech = read_speech()
    (windows,) = await listen(detector, bytes(SECOND) + speech + bytes(SECOND))
    tracker = VoiceTracker(0.5)
    for probability, end_ms in windows:
        tracker.feed(probability, end_ms=end_ms, window_ms=WINDOW_MS)
    assert tracker.started_ms is not None
    assert abs(tracker.started_ms - 1000) <= 100
    assert abs(tracker.last_voiced_ms - (1000 + len(speech) // 16)) <= 150
    assert tracker.voiced_ms >= 0.7 * len(speech) // 16


async def test_neither_hiss_nor_silence_nor_a_tone_is_speech(detector: SpeechDetector) -> None:
    for windows in await listen(detector, make_hiss(2), bytes(2 * SECOND), make_tone(2)):
        tracker = VoiceTracker(0.5)
        for probability, end_ms in windows:
            tracker.feed(probability, end_ms=end_ms, window_ms=WINDOW_MS)
        assert tracker.voiced_ms <= 100


async def test_calls_of_one_batch_do_not_mix(detector: SpeechDetector) -> None:
    speech = read_speech()
    alone = (await listen(detector, speech))[0]
    together = await listen(detector, make_hiss(2.4), speech, bytes(len(speech)), speech)
    for (expected, _), (first, _), (second, _) in zip(alone, together[1], together[3], strict=True):
        assert first == pytest.approx(expected, abs=1e-3)
        assert second == pytest.approx(expected, abs=1e-3)


def test_the_model_is_not_asked_about_silence_and_begins_anew_after_it() -> None:
    session, new = load_session(), WindowStream(lambda _probability, _end_ms: None, lambda _stream: None).state
    window = read_speech()[SECOND:][: WINDOW_SAMPLES * 2]
    ((first, heard),) = infer(session, window, [new])
    ((second, _),) = infer(session, window, [heard])
    ((silence, after), (beside, _)) = infer(session, bytes(len(window)) + window, [heard, heard])
    ((alone, _),) = infer(None, bytes(len(window)), [heard])
    ((again, _),) = infer(session, window, [after])
    assert silence == alone == 0.0
    assert beside == pytest.approx(second, abs=1e-5)
    assert again == pytest.approx(first, abs=1e-5) != pytest.approx(second, abs=1e-5)


async def test_a_closed_call_hears_nothing_more(detector: SpeechDetector) -> None:
    heard: list[float] = []
    stream = detector.open(lambda probability, end_ms: heard.append(probability))
    stream.push(bytes(SECOND))
    stream.close()
    await asyncio.sleep(0.1)
    assert heard == []


async def test_a_call_that_was_paused_keeps_its_place_in_time(detector: SpeechDetector) -> None:
    ends: list[int] = []
    stream = detector.open(lambda probability, end_ms: ends.append(end_ms))
    stream.push(bytes(5 * SECOND))
    async with asyncio.timeout(30):
        while not ends or ends[-1] < 4960:
            await asyncio.sleep(0.02)
    assert ends == sorted(ends)
    assert ends[0] > 4000


async def test_an_error_in_one_call_leaves_the_others_their_ears(detector: SpeechDetector) -> None:
    errors: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(str(context["exception"])))

    def fail(probability: float, end_ms: int) -> None:
        raise ValueError("broken call")

    detector.open(fail).push(bytes(1024))
    assert len((await listen(detector, bytes(SECOND)))[0]) == 31
    assert errors == ["broken call"] * 2
