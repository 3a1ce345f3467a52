"""Soak: many calls through the media path for a long time, half of them renewed again and again; nothing may grow.

Each call sends a tone to a far end that echoes it, hears it, and is recorded. The other half lasts from beginning to
end: their media time is held against the machine's clock.
"""

import argparse
import asyncio
import contextlib
import json
import math
import struct
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks import pair, report, soak_peers
from ringdown.media import codecs
from ringdown.media.clock import MediaClock
from ringdown.media.recording import Recorder
from ringdown.media.session import MediaSession
from ringdown.media.stream import StreamSettings

_PAYLOAD_TYPES = {"PCMU": 0, "PCMA": 8, "G722": 9, "OPUS": 111}
_WARM_UP_S = 2.0
_SAMPLES = 20
# The allocator's and the encoders' own ups and downs; a call that leaked its session would pass this within minutes.
_MAX_GROWTH_MIB = 8.0
_MAX_DRIFT_MS = 20.0
_TONE_HZ = 500


@dataclass(frozen=True, slots=True)
class Sample:
    """The process under test at one moment; `drift_ms` is the worst of the lasting calls since the first sample."""

    at_s: float
    rss_mib: float
    descriptors: int
    drift_ms: float
    calls_made: int


@dataclass(frozen=True, slots=True)
class Course:
    """What the process under test saw of itself."""

    samples: tuple[Sample, ...]
    cpu_s: float
    preempted_percent: float
    heard_percent: float
    descriptors_left: int


class _Call:
    """One call: a tone out, its echo in, both recorded."""

    def __init__(self, session: MediaSession, recorder: Recorder) -> None:
        self.session = session
        self.recorder = recorder
        self.frames = self.frames_heard = 0
        # The least that a tick was behind media time since it was last asked for; lateness only adds to it.
        self._behind_ms = math.inf
        self._first_behind_ms: float | None = None

    @classmethod
    async def start(cls, clock: MediaClock, *, far_port: int, encoding: str, path: Path) -> "_Call":
        session = await MediaSession.open(clock=clock, host="127.0.0.1", port_min=20000, port_max=29999)
        rate_hz = codecs.pcm_rate_hz(encoding)
        call = cls(session, Recorder.open(path, rate_hz))
        frame = _make_tone(rate_hz)

        def exchange(far_pcm: bytes, at_ms: int) -> bytes:
            call.frames += 1
            call.frames_heard += any(far_pcm[:64])
            call._behind_ms = min(call._behind_ms, time.monotonic() * 1000 - at_ms)
            call.recorder.write(far_pcm, frame)
            return frame

        stream = StreamSettings(
            remote=("127.0.0.1", far_port), encoding=encoding, payload_type=_PAYLOAD_TYPES[encoding]
        )
        session.start(stream, exchange=exchange)
        return call

    def read_drift_ms(self) -> float:
        """How far media time has moved against the clock since the first reading."""
        behind_ms, self._behind_ms = self._behind_ms, math.inf
        if self._first_behind_ms is None:
            self._first_behind_ms = behind_ms
        return abs(behind_ms - self._first_behind_ms)

    async def close(self) -> None:
        await self.session.close()
        await self.recorder.close()
        self.recorder.path.unlink()


class _Subject:
    """The process under test: the lasting calls, and those that are renewed."""

    def __init__(self, clock: MediaClock, folder: Path, encoding: str) -> None:
        self._clock = clock
        self._folder = folder
        self._encoding = encoding
        self._lasting: list[_Call] = []
        self._renewed: deque[tuple[int, _Call]] = deque()
        self._made = self._frames = self._frames_heard = 0

    async def start_calls(self, far_ports: Sequence[int]) -> None:
        half = len(far_ports) // 2
        self._lasting = [await self._start(port) for port in far_ports[:half]]
        self._renewed.extend([(port, await self._start(port)) for port in far_ports[half:]])

    async def renew_one(self) -> None:
        """Hang up the oldest of those that are renewed and call again."""
        port, call = self._renewed.popleft()
        await self._end(call)
        self._renewed.append((port, await self._start(port)))

    async def close(self) -> float:
        """End all calls; the percentage of ticks in which something was heard."""
        for call in [*self._lasting, *(call for _, call in self._renewed)]:
            await self._end(call)
        return 100 * self._frames_heard / max(1, self._frames)

    def sample(self, began_s: float) -> Sample:
        return Sample(
            at_s=round(time.monotonic() - began_s, 1),
            rss_mib=round(pair.read_rss_bytes() / 2**20, 2),
            descriptors=_count_descriptors(),
            drift_ms=round(max((call.read_drift_ms() for call in self._lasting), default=0.0), 2),
            calls_made=self._made,
        )

    async def _start(self, port: int) -> _Call:
        self._made += 1
        path = self._folder / f"{self._made}.mp3"
        return await _Call.start(self._clock, far_port=port, encoding=self._encoding, path=path)

    async def _end(self, call: _Call) -> None:
        self._frames += call.frames
        self._frames_heard += call.frames_heard
        await call.close()


def run_subject(connection: Connection, calls: int, encoding: str, call_s: float) -> None:
    """The process under test: gets the far ends' ports and the instants of begin and end, sends its `Course`."""
    asyncio.run(_run_subject(connection, calls, encoding, call_s))


async def _run_subject(connection: Connection, calls: int, encoding: str, call_s: float) -> None:
    far_ports = connection.recv()
    clock = MediaClock()
    await clock.start()
    descriptors_before = _count_descriptors()
    with tempfile.TemporaryDirectory() as folder:
        subject = _Subject(clock, Path(folder), encoding)
        await subject.start_calls(far_ports)
        connection.send([])
        begin_s, end_s = connection.recv()
        await asyncio.sleep(begin_s - time.monotonic())
        cpu_before, waited_before = pair.read_cpu_s(), pair.read_core_wait_s()
        samples = await _soak(subject, begin_s, end_s, renewal_s=call_s / max(1, calls - calls // 2))
        cpu_s, waited_s = pair.read_cpu_s() - cpu_before, pair.read_core_wait_s() - waited_before
        heard_percent = await subject.close()
    left = _count_descriptors() - descriptors_before
    connection.send(Course(tuple(samples), cpu_s, 100 * waited_s / (end_s - begin_s), heard_percent, left))
    await clock.close()


async def _soak(subject: _Subject, begin_s: float, end_s: float, *, renewal_s: float) -> list[Sample]:
    samples: list[Sample] = []
    sample_s = (end_s - begin_s) / _SAMPLES
    next_sample_s, next_renewal_s = begin_s + sample_s, begin_s + renewal_s
    while len(samples) < _SAMPLES:
        await asyncio.sleep(min(next_sample_s, next_renewal_s) - time.monotonic())
        if time.monotonic() >= next_renewal_s:
            next_renewal_s += renewal_s
            await subject.renew_one()
        if time.monotonic() >= next_sample_s:
            next_sample_s += sample_s
            samples.append(subject.sample(begin_s))
    return samples


def _count_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def _make_tone(rate_hz: int) -> bytes:
    """20 ms of a tone that fits into them."""
    count = rate_hz // 50
    steps = (round(8000 * math.sin(2 * math.pi * _TONE_HZ * step / rate_hz)) for step in range(count))
    return struct.pack(f"<{count}h", *steps)


def to_figures(course: Course, *, calls: int, seconds: float, echoed: int) -> list[report.Figure]:
    """The figures with their targets; growth is counted from the first quarter's end, when everything is warm."""
    settled, last = course.samples[len(course.samples) // 4], course.samples[-1]
    name = f"soak {calls} calls, {seconds / 60:g} min"
    drift_ms = max(sample.drift_ms for sample in course.samples)
    return [
        report.at_most(f"{name}: RSS growth", last.rss_mib - settled.rss_mib, "MiB", _MAX_GROWTH_MIB),
        report.at_most(f"{name}: descriptor growth", last.descriptors - settled.descriptors, "", 0),
        report.at_most(f"{name}: descriptors left after the last call", course.descriptors_left, "", 0),
        report.at_most(f"{name}: clock drift", drift_ms, "ms", _MAX_DRIFT_MS),
        report.Figure(f"{name}: ticks with the echo", course.heard_percent, "%"),
        report.Figure(f"{name}: calls made", last.calls_made, ""),
        report.Figure(f"{name}: packets echoed", echoed, ""),
        report.Figure(f"{name}: CPU", course.cpu_s * 60 / seconds / calls, "CPU-s per call-minute"),
        report.Figure(f"{name}: waited for its core", course.preempted_percent, "% of time"),
    ]


def render_samples(samples: Sequence[Sample]) -> str:
    """The course of the run as a table."""
    lines = ["    time    RSS  descriptors   drift  calls made"]
    lines += [
        f"{row.at_s:7.0f} s {row.rss_mib:6.1f} {row.descriptors:12} {row.drift_ms:7.2f} {row.calls_made:11}"
        for row in samples
    ]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Runs the soak; the exit status is 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="benchmarks.soak", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20 calls, under 50 seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--calls", type=int, help="how many calls at once (50)")
    parser.add_argument("--minutes", type=float, help="how long (60)")
    parser.add_argument("--call-seconds", type=float, help="how long a renewed call lasts (60)")
    parser.add_argument("--encoding", choices=_PAYLOAD_TYPES, default="PCMU")
    options = parser.parse_args(arguments)
    calls = options.calls or (20 if options.quick else 50)
    seconds = 60 * (options.minutes or (0.6 if options.quick else 60))
    call_s = options.call_seconds or (4 if options.quick else 60)
    course, echoed = pair.run_pair(
        subject=run_subject,
        arguments=(calls, options.encoding, call_s),
        feeder=soak_peers.run,
        seconds=seconds,
        warm_up_s=_WARM_UP_S,
    )
    figures = to_figures(course, calls=calls, seconds=seconds, echoed=echoed)
    if not options.json:
        print(render_samples(course.samples) + "\n")
        return report.print_figures(figures, as_json=False)
    samples = [asdict(sample) for sample in course.samples]
    print(json.dumps({"figures": [asdict(figure) for figure in figures], "samples": samples}))
    return 1 if any(figure.met is False for figure in figures) else 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
