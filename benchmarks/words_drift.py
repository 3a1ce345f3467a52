"""Drift over an hour: packets with 5 % loss and jitter through the real receiver, conversation and recorder.

The far party gives a mark (400 ms of a loud level) every five seconds by its own clock, which is the media clock's; the
agent answers each. Where a mark lies in the recording (decoded from the MP3) and in the transcript is compared with
when it was sent. Drift is how far the median of the last marks has moved against that of the first.
"""

import asyncio
import audioop
import os
import random
import statistics
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import av
import numpy as np

from benchmarks import report
from ringdown.media.receiver import Receiver
from ringdown.media.recording import Recorder
from ringdown.media.stream import StreamSettings
from ringdown.voice import ports
from ringdown.voice.conversation import Conversation
from ringdown.voice.events import Event, Turn, TurnFinished
from ringdown.voice.model_brain import ModelBrain
from ringdown.voice.settings import ConversationSettings, GreetingSettings
from tests.fakes import virtual_time
from tests.fakes.voices import FakeDetector, FakeModel

_FRAME_MS = 20
_LOSS = 0.05
_MOST_JITTER_MS = 30.0
_MARK_EVERY_MS, _MARK_MS = 5000, 400
_LEVEL = 8000
_LIMIT_MS = 20.0
_FLUSH_TICKS = 1000
_MARKS_COMPARED = 30
_SILENCE = bytes(320)


class _Ears:
    """Writes "mark." for whatever is heard."""

    def open(self, *, sample_rate_hz: int, language: str, expectation: ports.Expectation) -> "_Ears":
        del sample_rate_hz, language, expectation
        return self

    def push(self, pcm: bytes) -> None:
        del pcm

    def partial(self) -> str:
        return ""

    async def final(self) -> ports.Recognition:
        await asyncio.sleep(0.1)
        return ports.Recognition("mark.")

    async def close(self) -> None:
        pass


class _Voice:
    """Half a second of the level, whatever the text."""

    async def speak(self, text: str, *, sample_rate_hz: int) -> AsyncIterator[ports.Speech]:
        await asyncio.sleep(0.05)
        yield ports.Speech(np.full(sample_rate_hz // 2, _LEVEL, np.int16).tobytes(), (ports.Word(text, 0, 500),))


class _Far:
    """The far party's packets with their instants of arrival, lost and late as on a bad line."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._number = 0
        self._is_losing = False
        self._on_the_way: list[tuple[float, int, bytes]] = []

    def arrivals(self, until_ms: float) -> list[tuple[float, int, bytes]]:
        """What arrives before `until_ms`: instant, number, payload."""
        while self._number * _FRAME_MS <= until_ms:
            at_ms, number = self._number * _FRAME_MS, self._number
            self._number += 1
            # One in three lost packets is followed by another one: bursts, and 5 % of all.
            self._is_losing = self._random.random() < (1 / 3 if self._is_losing else _LOSS * (2 / 3) / (1 - _LOSS))
            if self._is_losing:
                continue
            is_mark = at_ms % _MARK_EVERY_MS < _MARK_MS and at_ms >= _MARK_EVERY_MS
            pcm = np.full(160, _LEVEL if is_mark else 0, np.int16).tobytes()
            arrival_ms = at_ms + 40 + self._random.uniform(0, _MOST_JITTER_MS)
            self._on_the_way.append((arrival_ms, number, audioop.lin2ulaw(pcm, 2)))
        arrived = sorted(packet for packet in self._on_the_way if packet[0] <= until_ms)
        self._on_the_way = [packet for packet in self._on_the_way if packet[0] > until_ms]
        return arrived


async def _call(minutes: int, path: Path) -> tuple[list[Turn], int]:
    """One call; its turns, and the recording's length in milliseconds."""
    turns: list[Turn] = []

    def keep(event: Event) -> None:
        if isinstance(event, TurnFinished):
            turns.append(event.turn)

    conversation = Conversation(
        settings=ConversationSettings(greeting=GreetingSettings(text="Hello."), max_duration_ms=2 * 3_600_000),
        brain=ModelBrain(model=FakeModel([["Yes."] for _ in range(minutes * 13)]), system_prompt=""),
        recognizer=_Ears(),
        speaker=_Voice(),
        detector=FakeDetector(),
        on_event=keep,
    )
    receiver = Receiver(StreamSettings(remote=("127.0.0.1", 9), encoding="PCMU", payload_type=0))
    # Without the thread that serves all recorders: it keeps real time.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    recorder = Recorder(path, sample_rate_hz=8000, descriptor=descriptor)
    running = asyncio.create_task(conversation.run())
    await asyncio.sleep(0)
    loop, far = asyncio.get_running_loop(), _Far(seed=1)
    started_s = loop.time()
    for tick in range(minutes * 60_000 // _FRAME_MS):
        at_ms = tick * _FRAME_MS
        for arrival_ms, number, payload in far.arrivals(at_ms + _FRAME_MS):
            fields = (0, False, number & 0xFFFF, number * 160 & 0xFFFFFFFF, 77, payload)
            receiver.receive(fields, arrival_ms / 1000)
        pcm = receiver.pull()
        frame = conversation.tick(pcm, at_ms)
        recorder.write(pcm, frame or _SILENCE)
        if tick % _FLUSH_TICKS == 0:
            recorder.flush(is_last=False)
        await asyncio.sleep(started_s + (at_ms + _FRAME_MS) / 1000 - loop.time())
    await conversation.finish()
    await running
    recorder.flush(is_last=True)
    recorder.release()
    if recorder.failure is not None:
        raise RuntimeError(recorder.failure)
    return turns, recorder.duration_ms


def _find_onsets(path: Path) -> tuple[list[float], list[float]]:
    """Where sound begins in the recording's left and right channel, in milliseconds."""
    pieces = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            pieces.append(frame.to_ndarray().reshape(2, -1))
    samples = np.abs(np.concatenate(pieces, axis=1))
    samples = samples / samples.max()
    return _list_onsets(samples[0]), _list_onsets(samples[1])


def _list_onsets(samples: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> list[float]:
    """The first samples of sounds that follow half a second of silence."""
    loud = np.flatnonzero(samples > 0.3)
    first = np.concatenate([[True], np.diff(loud) > 4000])
    return [float(position) / 8 for position in loud[first]]


def _offset_ms(found: list[float], sent: list[float]) -> list[float]:
    """By how much each sent mark appears later; a mark without a sound near it is left out."""
    offsets, places = [], np.asarray(found)
    for mark in sent:
        nearest = places[int(np.argmin(np.abs(places - mark)))]
        if abs(nearest - mark) <= 400:
            offsets.append(float(nearest) - mark)
    return offsets


def _drift_ms(offsets: list[float]) -> float:
    return abs(statistics.median(offsets[-_MARKS_COMPARED:]) - statistics.median(offsets[:_MARKS_COMPARED]))


def run(*, minutes: int) -> list[report.Figure]:
    """Play a call of so many minutes and measure it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "call.mp3"
        turns, recorded_ms = virtual_time.run(_call(minutes, path))
        left, right = _find_onsets(path)
    sent = [float(mark) for mark in range(_MARK_EVERY_MS, minutes * 60_000 - _MARK_EVERY_MS, _MARK_EVERY_MS)]
    written = [float(turn.start_ms) for turn in turns if turn.speaker == "contact"]
    replies = [float(turn.start_ms) for turn in turns if turn.speaker == "agent"]
    name = f"{minutes} min, 5 % loss"
    recorded, transcribed, answered = _offset_ms(left, sent), _offset_ms(written, sent), _offset_ms(right, replies)
    return [
        report.at_most(f"{name}: drift of the recording", _drift_ms(recorded), "ms", _LIMIT_MS),
        report.at_most(f"{name}: drift of the transcript", _drift_ms(transcribed), "ms", _LIMIT_MS),
        report.at_most(f"{name}: drift of the agent's turns to the recording", _drift_ms(answered), "ms", _LIMIT_MS),
        report.at_most(f"{name}: recording longer or shorter", abs(recorded_ms - minutes * 60_000), "ms", _LIMIT_MS),
        report.Figure(f"{name}: mark in the recording, after it was sent", statistics.median(recorded), "ms"),
        report.Figure(f"{name}: mark in the transcript, after it was sent", statistics.median(transcribed), "ms"),
        report.at_least(f"{name}: marks in the transcript", 100 * len(transcribed) / len(sent), "%", 99),
    ]
