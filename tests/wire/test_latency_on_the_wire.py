"""A turn's latency is what lies between the packets: the last voiced one in, the first voiced one out.

The packets go over loopback, the time is virtual: each instant is known to the millisecond.
"""

import array
import asyncio
import audioop
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest

from ringdown.media import rtp
from ringdown.media.clock import MediaClock
from ringdown.media.session import MediaSession
from ringdown.media.stream import StreamSettings
from ringdown.voice import ports
from ringdown.voice.conversation import Conversation
from ringdown.voice.events import Event, TurnFinished, TurnLatency
from ringdown.voice.model_brain import ModelBrain
from ringdown.voice.settings import ConversationSettings, GreetingSettings
from tests.fakes import virtual_time
from tests.fakes.voices import FakeDetector

_VOICED = array.array("h", [1000] * 160).tobytes()
_SILENT = bytes(320)
_SPEECH = range(25, 75)  # of the caller's frames


class _Recognizer:
    def open(self, *, sample_rate_hz: int, language: str, expectation: ports.Expectation) -> "_Utterance":
        return _Utterance()


class _Utterance:
    def push(self, pcm: bytes) -> None:
        pass

    def partial(self) -> str:
        return ""

    async def final(self) -> ports.Recognition:
        await asyncio.sleep(0.1)
        return ports.Recognition("Tell me more.")

    async def close(self) -> None:
        pass


class _Model:
    async def reply(
        self, messages: Sequence[ports.Message], *, tools: Sequence[ports.ToolSpec] = (), temperature: float = 0.3
    ) -> AsyncIterator[ports.TextDelta | ports.ToolRequest]:
        await asyncio.sleep(0.15)
        yield ports.TextDelta("There is more.")


@dataclass
class _Voice:
    silent_frames: int

    async def speak(self, text: str, *, sample_rate_hz: int) -> AsyncIterator[ports.Speech]:
        await asyncio.sleep(0.05)
        yield ports.Speech(_SILENT * self.silent_frames + _VOICED * 25)


def _is_voiced(datagram: bytes) -> bool:
    return audioop.max(audioop.ulaw2lin(rtp.parse(datagram).payload, 2), 2) > 500


@dataclass
class _Line:
    """A caller whose frame `n` leaves at `20 n + phase_ms`, and every other one `jitter_ms` later."""

    phase_ms: int
    jitter_ms: int = 0
    ptime_ms: int = 20
    silent_frames: int = 0
    stalls_ms: int = 0

    def send_at_ms(self, frame: int) -> int:
        """When the frame leaves."""
        return 20 * frame + self.phase_ms + frame % 2 * self.jitter_ms

    async def talk(self) -> tuple[TurnLatency, int]:
        """The latency that the answer's turn told, and the true one, in milliseconds."""
        loop, latencies = asyncio.get_running_loop(), list[TurnLatency]()

        def keep(event: Event) -> None:
            if isinstance(event, TurnFinished) and event.turn.latency is not None:
                latencies.append(event.turn.latency)

        far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        far.setblocking(False)
        far.bind(("127.0.0.1", 0))
        clock = MediaClock(now=loop.time)
        session = await MediaSession.open(clock=clock, host="127.0.0.1", port_min=20000, port_max=29999)
        conversation = Conversation(
            settings=ConversationSettings(greeting=GreetingSettings(first_speaker="user")),
            brain=ModelBrain(model=_Model(), system_prompt="You are a test."),
            recognizer=_Recognizer(),
            speaker=_Voice(self.silent_frames),
            detector=FakeDetector(),
            on_event=keep,
        )
        conversation.attach(session)
        running = asyncio.create_task(conversation.run())
        stream = StreamSettings(
            remote=far.getsockname(), encoding="PCMU", payload_type=0, dtmf_payload_type=101, ptime_ms=self.ptime_ms
        )
        session.start(stream, exchange=conversation.tick, on_digit=conversation.press)
        answered_ms = await self._run(clock, far, session.local_port)
        await session.close()
        await clock.close()
        await conversation.finish()
        await running
        far.close()
        assert answered_ms is not None and len(latencies) == 1
        return latencies[0], answered_ms - max(map(self.send_at_ms, _SPEECH))

    async def _run(self, clock: MediaClock, far: socket.socket, port: int) -> int | None:
        """Each millisecond: what is due is sent, the clock runs, what comes back is looked at."""
        loop = asyncio.get_running_loop()
        began_s, frame, answered_ms = loop.time(), 0, None
        for now_ms in range(4000):
            while self.send_at_ms(frame) <= now_ms:
                pcm = _VOICED if frame in _SPEECH else _SILENT
                packet = rtp.RtpPacket(0, False, frame, frame * 160, 7, audioop.lin2ulaw(pcm, 2))
                far.sendto(rtp.serialize(packet), ("127.0.0.1", port))
                frame += 1
            if not self._is_stalled(now_ms):
                clock.run_due()
            while True:
                try:
                    datagram = far.recv(2048)
                except BlockingIOError:
                    break
                if answered_ms is None and _is_voiced(datagram):
                    answered_ms = now_ms
            await asyncio.sleep(began_s + (now_ms + 1) / 1000 - loop.time())
        return answered_ms

    def _is_stalled(self, now_ms: int) -> bool:
        """Whether the process stands still, as it does for a while now and then."""
        return now_ms % 100 < self.stalls_ms


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(_Line(phase_ms=3), id="just-before-its-tick"),
        pytest.param(_Line(phase_ms=12), id="between-ticks"),
        pytest.param(_Line(phase_ms=17, jitter_ms=9), id="jitter"),
        pytest.param(_Line(phase_ms=5, jitter_ms=26), id="more-jitter-than-a-frame"),
        pytest.param(_Line(phase_ms=9, ptime_ms=40), id="packets-of-40-ms"),
        pytest.param(_Line(phase_ms=9, silent_frames=4), id="a-voice-that-begins-with-silence"),
        pytest.param(_Line(phase_ms=9, stalls_ms=15), id="a-process-that-stalls"),
    ],
)
def test_the_latency_of_a_turn_is_what_lies_between_its_packets(line: _Line) -> None:
    told, true_ms = virtual_time.run(line.talk())
    assert told.total_ms == pytest.approx(true_ms, abs=5)
    stages = (told.endpoint_ms, told.recognition_ms, told.model_ms, told.speech_ms, told.playout_ms)
    assert sum(stages) == told.total_ms
    assert min(stages) >= 0
