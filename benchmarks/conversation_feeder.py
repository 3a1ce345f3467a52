"""The far ends of the conversation benchmark: callers who say a sentence every few seconds and time the answer.

Between their sentences is the faint noise of a line, never exact silence, which a detector could pass over for nothing.
"""

import array
import random
import select
import socket
import struct
import time
import wave
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from ringdown.media import codecs, rtp

SPEECH = Path(__file__).parents[1] / "tests" / "data" / "speech.wav"
CYCLE_FRAMES = 250  # five seconds: 2.3 s of speech, the answer, a pause
_FRAME_S = 0.020
_FRAME_BYTES = 320
_SLOTS = 20
_SO_TIMESTAMPNS = 35  # Linux; the socket module does not name it
_TIMESTAMP = struct.Struct("@qq")
_HEADER_BYTES = 12
_NOISE_RMS, _NOISE_FRAMES = 26, 97


@dataclass
class FeederResult:
    """Gaps between packets and waits for answers, in microseconds; `unanswered` counts sentences without one."""

    gaps_us: "array.array[int]" = field(default_factory=lambda: array.array("q"))
    waits_us: "array.array[int]" = field(default_factory=lambda: array.array("q"))
    unanswered: int = 0


def read_frames() -> list[bytes]:
    """The sentence as 20 ms frames of PCM."""
    with wave.open(str(SPEECH)) as file:
        pcm = file.readframes(file.getnframes())
    return [pcm[start : start + _FRAME_BYTES] for start in range(0, len(pcm), _FRAME_BYTES)]


def make_noise() -> list[bytes]:
    """Frames of a quiet line as PCM, about 62 dB below full scale; the same at each run."""
    source = random.Random(1)
    return [
        array.array("h", (round(source.gauss(0, _NOISE_RMS)) for _ in range(_FRAME_BYTES // 2))).tobytes()
        for _ in range(_NOISE_FRAMES)
    ]


class _Caller:
    """One caller: its socket, its stream, and when it waits for an answer."""

    def __init__(self, speech: list[bytes], pause: list[bytes], silence: bytes, phase: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.socket.bind(("127.0.0.1", 0))
        self._speech = speech
        self._pause = pause
        # What an agent sends that does not speak.
        self._silence = silence
        self._frame = -phase
        self._packet = rtp.RtpPacket(0, False, 0, 0, self.socket.fileno(), silence)
        self._arrived_ns = 0
        self._finished_ns = 0

    def send(self, result: FeederResult) -> None:
        """The next packet; the last one of the sentence starts the wait."""
        place = self._frame % CYCLE_FRAMES if self._frame >= 0 else CYCLE_FRAMES - 1
        self._frame += 1
        packet = self._packet
        self._packet = packet._replace(
            sequence_number=(packet.sequence_number + 1) & 0xFFFF,
            timestamp=(packet.timestamp + 160) & 0xFFFFFFFF,
            payload=self._speech[place] if place < len(self._speech) else self._pause[place % len(self._pause)],
        )
        if place == 0:
            result.unanswered += self._finished_ns != 0
            self._finished_ns = 0
        elif place == len(self._speech) - 1:
            self._finished_ns = time.time_ns()
        try:
            self.socket.send(rtp.serialize(self._packet))
        except OSError:
            return

    def receive(self, result: FeederResult) -> None:
        """Read one packet; instants are the kernel's, not ours."""
        try:
            packet, ancillary, _, _ = self.socket.recvmsg(256, 64)
        except OSError:
            return
        seconds, nanoseconds = _TIMESTAMP.unpack_from(ancillary[0][2])
        arrived_ns = seconds * 1_000_000_000 + nanoseconds
        if self._arrived_ns:
            result.gaps_us.append(max(0, arrived_ns - self._arrived_ns) // 1000)
        self._arrived_ns = arrived_ns
        if self._finished_ns and packet[_HEADER_BYTES:] != self._silence:
            result.waits_us.append((arrived_ns - self._finished_ns) // 1000)
            self._finished_ns = 0


def run(connection: Connection, calls: int) -> None:
    """Sends its ports, gets the subject's ports and (begin, end) instants; sends the result."""
    silence = codecs.encode_pcmu(bytes(_FRAME_BYTES))
    speech = [codecs.encode_pcmu(frame) for frame in read_frames()]
    pause = [codecs.encode_pcmu(frame) for frame in make_noise()]
    callers = [_Caller(speech, pause, silence, index * CYCLE_FRAMES // calls) for index in range(calls)]
    connection.send([caller.socket.getsockname()[1] for caller in callers])
    ports, begin_s, end_s = connection.recv()
    epoll = select.epoll()
    by_descriptor = {caller.socket.fileno(): caller for caller in callers}
    for caller, port in zip(callers, ports, strict=True):
        caller.socket.connect(("127.0.0.1", port))
        epoll.register(caller.socket.fileno(), select.EPOLLIN)
    result, slots = FeederResult(), [callers[index::_SLOTS] for index in range(_SLOTS)]
    deadline_s, tick, is_measuring = time.monotonic(), 0, False
    while (now_s := time.monotonic()) < end_s:
        if now_s >= begin_s and not is_measuring:
            is_measuring = True
            result = FeederResult()
        if now_s < deadline_s:
            # Not waiting in `poll`: there each packet of the subject would have to wake us, at the subject's cost.
            time.sleep(deadline_s - now_s)
            while ready := epoll.poll(0, calls):
                for descriptor, _ in ready:
                    by_descriptor[descriptor].receive(result)
            continue
        for caller in slots[tick % _SLOTS]:
            caller.send(result)
        tick += 1
        deadline_s += _FRAME_S / _SLOTS
    connection.send(result)
