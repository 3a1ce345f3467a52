"""Our own engine under the conversation benchmark: real RTP, real conversations, stub providers."""

import array
import asyncio
import gc
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from multiprocessing.connection import Connection

from benchmarks import conversation_feeder, pair
from benchmarks import conversation_stubs as stubs
from ringdown import collector
from ringdown.media.clock import MediaClock
from ringdown.media.session import MediaSession
from ringdown.media.stream import StreamSettings
from ringdown.voice import ports
from ringdown.voice.activity import VoiceTracker
from ringdown.voice.conversation import Conversation
from ringdown.voice.detector import WINDOW_MS, WINDOW_SAMPLES, SpeechDetector
from ringdown.voice.events import Event, TurnFinished
from ringdown.voice.model_brain import ModelBrain
from ringdown.voice.settings import ConversationSettings, GreetingSettings


class _Recognizer:
    """Understands the same question in anything."""

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
        await asyncio.sleep(stubs.RECOGNITION_S)
        return ports.Recognition(stubs.QUESTION)

    async def close(self) -> None:
        pass


class _Model:
    """Answers with one sentence."""

    async def reply(
        self, messages: Sequence[ports.Message], *, tools: Sequence[ports.ToolSpec] = (), temperature: float = 0.3
    ) -> AsyncIterator[ports.TextDelta | ports.ToolRequest]:
        """Stream the sentence in pieces."""
        del messages, tools, temperature
        await asyncio.sleep(stubs.MODEL_S)
        for piece in stubs.ANSWER:
            yield ports.TextDelta(piece)


class _Voice:
    """Speaks one second of tone, in pieces of 100 ms."""

    def __init__(self) -> None:
        self._tone = stubs.make_tone()

    async def speak(self, text: str, *, sample_rate_hz: int) -> AsyncIterator[ports.Speech]:
        """Stream the tone."""
        del text, sample_rate_hz
        await asyncio.sleep(stubs.VOICE_S)
        for piece in self._tone:
            yield ports.Speech(piece)


class _Sums:
    """How far the stages of the turns are from their totals."""

    def __init__(self) -> None:
        self.turns = 0
        self.worst_ms = 0.0

    def take(self, event: Event) -> None:
        """Note the stages of an agent's turn that answers."""
        if isinstance(event, TurnFinished) and event.turn.latency is not None:
            latency = event.turn.latency
            stages = (latency.endpoint_ms, latency.recognition_ms, latency.model_ms, latency.speech_ms)
            self.turns += 1
            self.worst_ms = max(self.worst_ms, abs(sum(stages) + latency.playout_ms - latency.total_ms))


def run_subject(connection: Connection, calls: int) -> None:
    """The process under test: gets the feeder's ports, sends its own, measures from begin to end."""
    asyncio.run(_run_subject(connection, calls))


async def _run_subject(connection: Connection, calls: int) -> None:
    far_ports = connection.recv()
    clock, detector, voice, sums = MediaClock(), SpeechDetector(), _Voice(), _Sums()
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
            conversation = _make_conversation(detector, voice, sums)
            group.create_task(conversation.run())
            conversation.attach(session)
            remote = ("127.0.0.1", port)
            stream = StreamSettings(remote=remote, encoding="PCMU", payload_type=0, dtmf_payload_type=101)
            session.start(stream, exchange=conversation.tick, on_digit=conversation.press)
            sessions.append(session)
            conversations.append(conversation)
        collector.settle()  # as the gateway does
        connection.send([session.local_port for session in sessions])
        begin_s, end_s = connection.recv()
        await asyncio.sleep(begin_s - time.monotonic())
        cpu_before, lost_before = pair.read_cpu_s(), pair.read_core_wait_s()
        await asyncio.sleep(end_s - time.monotonic())
        cpu_s, lost_s = pair.read_cpu_s() - cpu_before, pair.read_core_wait_s() - lost_before
        rss_bytes = pair.read_rss_bytes() - rss_before
        connection.send(
            stubs.Cost(cpu_s, lost_s, rss_bytes, tail_ms=tail_ms, turns=sums.turns, worst_sum_ms=sums.worst_ms)
        )
        for session in sessions:
            await session.close()
        await asyncio.gather(*(conversation.finish() for conversation in conversations))
    await detector.close()
    await clock.close()
    assert len(sessions) == calls


def _make_conversation(detector: SpeechDetector, voice: _Voice, sums: _Sums) -> Conversation:
    return Conversation(
        settings=ConversationSettings(greeting=GreetingSettings(first_speaker="user")),
        brain=ModelBrain(model=_Model(), system_prompt="You are a benchmark."),
        recognizer=_Recognizer(),
        speaker=voice,
        detector=detector,
        on_event=sums.take,
    )


def _feed(tracker: VoiceTracker, probability: float, end_ms: int) -> None:
    tracker.feed(probability, end_ms=end_ms, window_ms=WINDOW_MS)


async def _measure_tail(detector: SpeechDetector) -> float:
    """How long after its true end the model takes the sentence for speech; mean over the window's phases.

    On a line that is not quite silent: for pure silence the model is not asked.
    """
    speech, quiet = b"".join(conversation_feeder.read_frames()), array.array("h", [24, *[0] * 127]).tobytes() * 125
    leads_ms = [1000 + phase * WINDOW_MS // 4 for phase in range(4)]
    trackers = [VoiceTracker(stubs.THRESHOLD) for _ in leads_ms]
    streams = [detector.open(partial(_feed, tracker)) for tracker in trackers]
    padded = [quiet[: lead_ms * 16] + speech + quiet[:16_000] for lead_ms in leads_ms]
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
