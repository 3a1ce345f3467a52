"""Conversation benchmark: a pinned process talks on many calls over RTP, with stub providers; measures cost and delay.

The feeder runs on another core and is not counted. Overhead is the answer's first packet minus the true end of speech,
minus the 200 ms silence rule, the detector's own tail and the stubs' delays.
"""

import argparse
import array
import asyncio
import gc
import math
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection

from benchmarks import conversation_feeder, pair, report
from ringdown.media.clock import MediaClock
from ringdown.media.session import MediaSession
from ringdown.media.stream import StreamSettings
from ringdown.voice import ports, turns
from ringdown.voice.activity import VoiceTracker
from ringdown.voice.conversation import Conversation
from ringdown.voice.detector import WINDOW_MS, WINDOW_SAMPLES, SpeechDetector
from ringdown.voice.events import Event
from ringdown.voice.model_brain import ModelBrain
from ringdown.voice.settings import ConversationSettings, GreetingSettings

_RECOGNITION_S, _MODEL_S, _VOICE_S = 0.100, 0.150, 0.050
_STUBS_MS = round((_RECOGNITION_S + _MODEL_S + _VOICE_S) * 1000)
_WARM_UP_S = 3.0
_LATE_US = 40_000
_TONE_MS = 1000
_FRAME_BYTES = 320


class _Recognizer:
    """Understands "Tell me more." in anything."""

    def open(self, *, sample_rate_hz: int, language: str, expectation: ports.Expectation) -> "_Utterance":
        """Begin an utterance."""
        del sample_rate_hz, language, expectation
        return _Utterance()


class _Utterance:
    def push(self, pcm: bytes) -> None:
        del pcm

    def partial(self) -> str:
        return ""

    async def final(self) -> ports.Recognition:
        await asyncio.sleep(_RECOGNITION_S)
        return ports.Recognition("Tell me more.")

    async def close(self) -> None:
        pass


class _Model:
    """Answers with one sentence."""

    async def reply(
        self, messages: Sequence[ports.Message], *, tools: Sequence[ports.ToolSpec] = (), temperature: float = 0.3
    ) -> AsyncIterator[ports.TextDelta | ports.ToolRequest]:
        """Stream the sentence in pieces."""
        del messages, tools, temperature
        await asyncio.sleep(_MODEL_S)
        for piece in ("There ", "is ", "more ", "to ", "tell."):
            yield ports.TextDelta(piece)


class _Voice:
    """Speaks one second of tone, in pieces of 100 ms."""

    def __init__(self) -> None:
        steps = range(8 * _TONE_MS)
        self._tone = array.array("h", [round(8000 * math.sin(step * math.pi / 10)) for step in steps]).tobytes()

    async def speak(self, text: str, *, sample_rate_hz: int) -> AsyncIterator[ports.Speech]:
        """Stream the tone."""
        del text, sample_rate_hz
        await asyncio.sleep(_VOICE_S)
        for start in range(0, len(self._tone), 1600):
            yield ports.Speech(self._tone[start : start + 1600])


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one run cost, and how long its callers waited beyond what rule and stubs explain."""

    calls: int
    cpu_s_per_call_minute: float
    rss_mb_per_call: float
    gap_p99_ms: float
    late_percent: float
    overhead_p50_ms: float
    overhead_p99_ms: float
    answered_percent: float
    core_lost_percent: float


def run_subject(connection: Connection, calls: int) -> None:
    """The process under test: gets the feeder's ports, sends its own, measures from begin to end."""
    asyncio.run(_run_subject(connection, calls))


async def _run_subject(connection: Connection, calls: int) -> None:
    far_ports = connection.recv()
    clock, detector, voice = MediaClock(), SpeechDetector(), _Voice()
    await clock.start()
    await detector.start()
    tail_ms = await _measure_tail(detector)
    gc.collect()
    rss_before = pair.read_rss_bytes()
    sessions: list[MediaSession] = []
    async with asyncio.TaskGroup() as group:
        conversations = []
        for port in far_ports:
            session = await MediaSession.open(clock=clock, host="127.0.0.1", port_min=20000, port_max=29999)
            conversation = _make_conversation(detector, voice)
            group.create_task(conversation.run())
            remote = ("127.0.0.1", port)
            stream = StreamSettings(remote=remote, encoding="PCMU", payload_type=0, dtmf_payload_type=101)
            session.start(stream, exchange=conversation.tick, on_digit=conversation.press)
            sessions.append(session)
            conversations.append(conversation)
        connection.send([session.local_port for session in sessions])
        begin_s, end_s = connection.recv()
        await asyncio.sleep(begin_s - time.monotonic())
        cpu_before, lost_before = pair.read_cpu_s(), pair.read_core_wait_s()
        await asyncio.sleep(end_s - time.monotonic())
        cpu_s, lost_s = pair.read_cpu_s() - cpu_before, pair.read_core_wait_s() - lost_before
        connection.send((cpu_s, lost_s, pair.read_rss_bytes() - rss_before, tail_ms))
        for session in sessions:
            await session.close()
        await asyncio.gather(*(conversation.finish() for conversation in conversations))
    await detector.close()
    await clock.close()
    assert len(sessions) == calls


def _make_conversation(detector: SpeechDetector, voice: _Voice) -> Conversation:
    return Conversation(
        settings=ConversationSettings(greeting=GreetingSettings(first_speaker="user")),
        brain=ModelBrain(model=_Model(), system_prompt="You are a benchmark."),
        recognizer=_Recognizer(),
        speaker=voice,
        detector=detector,
        on_event=_ignore,
    )


def _feed(tracker: VoiceTracker, probability: float, end_ms: int) -> None:
    tracker.feed(probability, end_ms=end_ms, window_ms=WINDOW_MS)


def _ignore(event: Event) -> None:
    del event


async def _measure_tail(detector: SpeechDetector) -> float:
    """How long after its true end the detector takes the sentence for speech; mean over the window's phases."""
    speech = b"".join(conversation_feeder.read_frames())
    leads_ms = [1000 + phase * WINDOW_MS // 4 for phase in range(4)]
    trackers = [VoiceTracker(0.5) for _ in leads_ms]
    streams = [detector.open(partial(_feed, tracker)) for tracker in trackers]
    padded = [bytes(lead_ms * 16) + speech + bytes(16_000) for lead_ms in leads_ms]
    piece_bytes = WINDOW_SAMPLES * 2 * 8
    for start in range(0, len(padded[-1]), piece_bytes):
        for stream, pcm in zip(streams, padded, strict=True):
            stream.push(pcm[start : start + piece_bytes])
        await asyncio.sleep(2 * WINDOW_MS / 1000)
    for stream in streams:
        stream.close()
    tails = [
        tracker.last_voiced_ms - lead_ms - len(speech) / 16 for tracker, lead_ms in zip(trackers, leads_ms, strict=True)
    ]
    return sum(tails) / len(tails)


def measure(*, calls: int, seconds: float) -> Measurement:
    """Run subject and feeder, each on a core of its own where there are two."""
    cost, result = pair.run_pair(
        subject=run_subject, arguments=(calls,), feeder=conversation_feeder.run, seconds=seconds, warm_up_s=_WARM_UP_S
    )
    cpu_s, lost_s, rss_bytes, tail_ms = cost
    gaps, waits = sorted(result.gaps_us) or [0], sorted(result.waits_us) or [0]
    explained_ms = turns.SPECULATION_SILENCE_MS + tail_ms + _STUBS_MS
    return Measurement(
        calls=calls,
        cpu_s_per_call_minute=cpu_s * 60 / seconds / calls,
        rss_mb_per_call=rss_bytes / calls / 1e6,
        gap_p99_ms=_quantile(gaps, 0.99) / 1000,
        late_percent=100 * sum(gap > _LATE_US for gap in gaps) / len(gaps),
        overhead_p50_ms=_quantile(waits, 0.5) / 1000 - explained_ms,
        overhead_p99_ms=_quantile(waits, 0.99) / 1000 - explained_ms,
        answered_percent=100 * len(result.waits_us) / max(len(result.waits_us) + result.unanswered, 1),
        core_lost_percent=100 * lost_s / seconds,
    )


def to_figures(measurement: Measurement) -> list[report.Figure]:
    """The figures of one run; the targets apply at 50 calls."""
    name, is_judged = f"conversation {measurement.calls} calls", measurement.calls == 50
    cpu = (f"{name}: CPU", measurement.cpu_s_per_call_minute, "CPU-s per call-minute")
    late = (f"{name}: later than 40 ms", measurement.late_percent, "%")
    return [
        report.at_most(*cpu, 0.6) if is_judged else report.Figure(*cpu),
        report.below(*late, 1.0) if is_judged else report.Figure(*late),
        report.Figure(f"{name}: p99 packet gap", measurement.gap_p99_ms, "ms"),
        report.Figure(f"{name}: overhead p50", measurement.overhead_p50_ms, "ms"),
        report.Figure(f"{name}: overhead p99", measurement.overhead_p99_ms, "ms"),
        report.Figure(f"{name}: turns answered", measurement.answered_percent, "%"),
        report.Figure(f"{name}: RSS", measurement.rss_mb_per_call, "MB per call"),
        report.Figure(f"{name}: core lost to other programs", measurement.core_lost_percent, "%"),
    ]


def _quantile(ordered: Sequence[int], share: float) -> int:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; the exit status is 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="benchmarks.conversation", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under 50 seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--calls", type=int, action="append", help="only so many calls (may be repeated)")
    parser.add_argument("--seconds", type=float, help="measured time of each run")
    options = parser.parse_args(arguments)
    seconds = options.seconds or (6 if options.quick else 30)
    figures: list[report.Figure] = []
    for calls in options.calls or [10, 50, 100]:
        figures += to_figures(measure(calls=calls, seconds=seconds))
        print(f"measured {calls} calls", file=sys.stderr)
    return report.print_figures(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
