"""The offline voice with its real child process."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import numpy
import pytest
import structlog

from ringdown.providers import frames
from ringdown.providers.espeak import EspeakServer, EspeakVoice
from ringdown.voice.ports import ProviderError, Speech

SENTENCE = "Hello Zoë, it's 3:45 on 12/24. Call Dr. Smith (urgent) at $1,200 – ok? Yes... and of the rest."
LONG = " ".join(f"This is sentence number {number} of a rather long text that somebody wrote." for number in range(150))


@pytest.fixture
async def server() -> AsyncIterator[EspeakServer]:
    running = EspeakServer()
    await running.start()
    yield running
    await running.close()


@pytest.fixture
def voice(server: EspeakServer) -> EspeakVoice:
    return EspeakVoice("en-us", server=server)


async def listen(stream: AsyncIterator[Speech]) -> list[Speech]:
    return [piece async for piece in stream]


async def kill_child(server: EspeakServer) -> None:
    """Kill the child that runs, or the next one once it does."""
    async with asyncio.timeout(30):
        while (pid := server.child_pid) is None:
            await asyncio.sleep(0.005)
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("rate", [8_000, 16_000])
async def test_the_words_are_those_of_the_text_with_times_in_the_audio(voice: EspeakVoice, rate: int) -> None:
    pieces = await listen(voice.speak(SENTENCE, sample_rate_hz=rate))
    words = [word for piece in pieces for word in piece.words]
    duration_ms = sum(len(piece.pcm) for piece in pieces) // 2 * 1000 // rate
    assert [word.text for word in words] == SENTENCE.split()
    times = [time_ms for word in words for time_ms in (word.start_ms, word.end_ms)]
    assert times == sorted(times) and times[0] >= 0 and times[-1] <= duration_ms
    assert 5_000 < duration_ms < 20_000


async def test_words_start_in_the_piece_that_carries_them(voice: EspeakVoice) -> None:
    at_ms = 0.0
    for piece in await listen(voice.speak(SENTENCE, sample_rate_hz=8_000)):
        length_ms = len(piece.pcm) / 16
        for word in piece.words:
            assert at_ms - 5 <= word.start_ms <= at_ms + length_ms + 5
        at_ms += length_ms


async def test_word_times_stand_where_the_sound_is(voice: EspeakVoice) -> None:
    pieces = await listen(voice.speak("Stop. Go.", sample_rate_hz=8_000))
    samples = numpy.abs(numpy.frombuffer(b"".join(piece.pcm for piece in pieces), "<i2").astype(int))
    first, second = [word for piece in pieces for word in piece.words]
    assert samples[(first.end_ms + 20) * 8 : (second.start_ms - 5) * 8].max() < 200, "the pause belongs to no word"
    assert samples[first.start_ms * 8 : first.end_ms * 8].max() > 2_000
    assert samples[second.start_ms * 8 : second.end_ms * 8].max() > 2_000


async def test_pieces_join_without_a_click(voice: EspeakVoice) -> None:
    pieces = await listen(voice.speak("I am well, you are well, we are all well.", sample_rate_hz=8_000))
    samples = numpy.frombuffer(b"".join(piece.pcm for piece in pieces), "<i2").astype(int)
    steps = numpy.abs(numpy.diff(samples, n=2))
    seams = numpy.cumsum([len(piece.pcm) // 2 for piece in pieces])[:-1]
    at_seams = [int(steps[max(0, seam - 2) : seam + 1].max()) for seam in seams if seam < len(steps)]
    assert max(at_seams) <= numpy.percentile(steps, 99.9)


async def test_audio_comes_before_the_text_is_spoken(voice: EspeakVoice) -> None:
    stream = voice.speak(LONG, sample_rate_hz=8_000)
    began = time.monotonic()
    first = await anext(stream)
    assert first.pcm and time.monotonic() - began < 0.5
    await stream.aclose()  # type: ignore[attr-defined]


async def test_a_short_text_gets_in_between_the_sentences_of_a_long_one(voice: EspeakVoice) -> None:
    done: list[str] = []

    async def run(name: str, text: str) -> None:
        await listen(voice.speak(text, sample_rate_hz=8_000))
        done.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(run("long", LONG))
        for number in range(10):
            group.create_task(run(f"short {number}", "Good morning."))
    assert done[-1] == "long" and len(done) == 11


async def test_closing_a_stream_stops_the_child_speaking_it(voice: EspeakVoice) -> None:
    for _ in range(20):
        stream = voice.speak(LONG, sample_rate_hz=8_000)
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
    began = time.monotonic()
    await listen(voice.speak("Hello.", sample_rate_hz=8_000))
    assert time.monotonic() - began < 1, "twenty long texts take many seconds"


async def test_a_crash_in_the_middle_of_a_text_is_not_heard(server: EspeakServer, voice: EspeakVoice) -> None:
    undisturbed = await listen(voice.speak(LONG, sample_rate_hz=8_000))
    pieces: list[Speech] = []
    with structlog.testing.capture_logs() as logs:
        async for piece in voice.speak(LONG, sample_rate_hz=8_000):
            pieces.append(piece)
            if len(pieces) == 5:
                await kill_child(server)
    words = [word for piece in pieces for word in piece.words]
    assert [word.text for word in words] == LONG.split()
    starts = [word.start_ms for word in words]
    assert starts == sorted(starts)
    length, usual = (sum(len(piece.pcm) for piece in run) for run in (pieces, undisturbed))
    assert length == pytest.approx(usual, rel=0.01)
    assert any(entry["event"] == "provider child ended" for entry in logs) and "sentence" not in str(logs)


async def test_a_second_crash_fails_the_text_but_not_the_next_one(server: EspeakServer, voice: EspeakVoice) -> None:
    async def kill_each_child() -> None:
        seen: set[int | None] = {None}
        while True:
            if server.child_pid not in seen:
                seen.add(server.child_pid)
                await asyncio.sleep(0.03)
                await kill_child(server)
            await asyncio.sleep(0.002)

    killer = asyncio.create_task(kill_each_child())
    with pytest.raises(ProviderError) as raised:
        await listen(voice.speak(LONG * 4, sample_rate_hz=8_000))
    killer.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await killer
    assert raised.value.retryable
    assert await listen(voice.speak("Hello.", sample_rate_hz=8_000))


async def test_a_child_that_hangs_is_replaced(
    server: EspeakServer, voice: EspeakVoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringdown.providers.espeak._IDLE_TIMEOUT_S", 0.5)
    assert server.child_pid is not None
    os.kill(server.child_pid, signal.SIGSTOP)
    assert await listen(voice.speak("Hello.", sample_rate_hz=8_000))


async def test_an_unknown_voice_is_refused_and_the_others_go_on(server: EspeakServer, voice: EspeakVoice) -> None:
    with pytest.raises(ProviderError, match="no voice named klingon-x") as raised:
        await listen(EspeakVoice("klingon-x", server=server).speak("Hello.", sample_rate_hz=8_000))
    assert not raised.value.retryable
    assert await listen(voice.speak("Hello.", sample_rate_hz=8_000))


@pytest.mark.parametrize("name", ["en-us", "en-gb", "de", "fr", "es", "it", "pt-br", "en-us+f2"])
async def test_voices_have_names_of_languages(server: EspeakServer, name: str) -> None:
    pieces = await listen(EspeakVoice(name, server=server).speak("Hallo 12, amigo.", sample_rate_hz=8_000))
    assert [word.text for piece in pieces for word in piece.words] == ["Hallo", "12,", "amigo."]


async def test_the_list_of_voices_names_their_languages(server: EspeakServer) -> None:
    names = {voice.name: voice.display_name for voice in await server.list_voices()}
    assert len(names) > 80
    assert names["de"] == "German" and names["en-us"].startswith("English")


async def test_the_rate_of_speech_can_be_set(server: EspeakServer) -> None:
    lengths = []
    for words_per_minute in (100, 200):
        slow_or_fast = EspeakVoice("en-us", words_per_minute=words_per_minute, server=server)
        lengths.append(
            sum(len(piece.pcm) for piece in await listen(slow_or_fast.speak(SENTENCE, sample_rate_hz=8_000)))
        )
    assert lengths[0] > 1.5 * lengths[1]


@pytest.mark.parametrize("text", ["", "   ", "–", "\0", "😀 \ud800 ok", "a" * 3_000])
async def test_odd_texts_do_no_harm(voice: EspeakVoice, text: str) -> None:
    pieces = await listen(voice.speak(text, sample_rate_hz=8_000))
    assert [word.text for piece in pieces for word in piece.words] == text.split()


def test_the_library_is_never_loaded_into_the_parent() -> None:
    program = """
import asyncio, pathlib, sys
from ringdown.providers.espeak import EspeakVoice
async def speak():
    voice = EspeakVoice("en-us")
    await voice.start()
    assert [piece async for piece in voice.speak("Hello.", sample_rate_hz=8000)]
    await voice.close()
asyncio.run(speak())
assert "espeakng_loader" not in sys.modules
assert "libespeak" not in pathlib.Path("/proc/self/maps").read_text()
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


def test_the_child_ends_with_its_parent_but_not_at_a_signal() -> None:
    command = [sys.executable, "-m", "ringdown.providers.espeak_process"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdin is not None
        assert frames.read_blocking(process.stdout) == ({"ready": True}, b"")  # type: ignore[arg-type]
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        process.stdin.write(frames.serialize({"do": "phonemes", "id": 1, "words": ["yes"], "voice": "en-us"}))
        process.stdin.flush()
        assert frames.read_blocking(process.stdout)[0]["phonemes"] == ["j_ˈɛ_s"]  # type: ignore[arg-type]
        process.stdin.close()
        assert process.wait(timeout=5) == 0
