"""Media benchmark: one pinned process echoes G.711 calls that another feeds over loopback; measures cost and delay."""

import argparse
import array
import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks import media_feeder, pair, report
from ringdown.media.clock import MediaClock
from ringdown.media.recording import Recorder
from ringdown.media.session import MediaSession

_WARM_UP_S = 1.5
_LATE_US = 40_000


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one run of `calls` calls cost: CPU seconds of the process under test, its growth, gaps of its packets."""

    calls: int
    is_recorded: bool
    cpu_s_per_call_minute: float
    rss_kib_per_call: float
    gap_p99_ms: float
    late_percent: float
    received_percent: float
    fed_late_percent: float
    preempted_percent: float


def run_subject(connection: Connection, calls: int, is_recorded: bool) -> None:
    """The process under test: gets the feeder's ports, sends its own, measures from begin to end."""
    asyncio.run(_run_subject(connection, calls, is_recorded))


async def _run_subject(connection: Connection, calls: int, is_recorded: bool) -> None:
    far_ports = connection.recv()
    gc.collect()
    rss_before = pair.read_rss_bytes()
    clock = MediaClock()
    await clock.start()
    with tempfile.TemporaryDirectory() as folder:
        sessions, recorders = [], []
        for index in range(calls):
            session = await MediaSession.open(clock=clock, host="127.0.0.1", port_min=20000, port_max=29999)
            recorder = Recorder.open(Path(folder) / f"{index}.mp3") if is_recorded else None
            session.start(
                remote=("127.0.0.1", far_ports[index]),
                encoding="PCMU",
                payload_type=0,
                dtmf_payload_type=101,
                exchange=_echo(recorder),
            )
            sessions.append(session)
            if recorder is not None:
                recorders.append(recorder)
        connection.send([session.local_port for session in sessions])
        begin_s, end_s = connection.recv()
        await asyncio.sleep(begin_s - time.monotonic())
        cpu_before, waited_before = pair.read_cpu_s(), pair.read_core_wait_s()
        await asyncio.sleep(end_s - time.monotonic())
        waited_s = pair.read_core_wait_s() - waited_before
        cpu_s, rss_bytes = pair.read_cpu_s() - cpu_before, pair.read_rss_bytes() - rss_before
        connection.send((cpu_s, rss_bytes, 100 * waited_s / (end_s - begin_s)))
        for session in sessions:
            await session.close()
        for recorder in recorders:
            await recorder.close()
    await clock.close()


def _echo(recorder: Recorder | None) -> Callable[[bytes, int], bytes]:
    def exchange(far_pcm: bytes, _at_ms: int) -> bytes:
        if recorder is not None:
            recorder.write(far_pcm, far_pcm)
        return far_pcm

    return exchange


def measure(*, calls: int, seconds: float, is_recorded: bool) -> Measurement:
    """Runs subject and feeder, each on a core of its own where there are two."""
    cost, heard = pair.run_pair(
        subject=run_subject,
        arguments=(calls, is_recorded),
        feeder=media_feeder.run,
        seconds=seconds,
        warm_up_s=_WARM_UP_S,
    )
    cpu_s, rss_bytes, preempted_percent = cost
    gaps, sent, sent_late = heard
    gaps_us = array.array("I", gaps)
    ordered = sorted(gaps_us) or [0]
    return Measurement(
        calls=calls,
        is_recorded=is_recorded,
        cpu_s_per_call_minute=cpu_s * 60 / seconds / calls,
        rss_kib_per_call=rss_bytes / calls / 1024,
        gap_p99_ms=ordered[int(len(ordered) * 0.99)] / 1000,
        late_percent=100 * sum(gap > _LATE_US for gap in ordered) / len(ordered),
        received_percent=100 * len(gaps_us) / max(1, sent),
        fed_late_percent=100 * sent_late / max(1, sent),
        preempted_percent=preempted_percent,
    )


def to_figures(measurement: Measurement) -> list[report.Figure]:
    """The figures of one run with the targets that apply to its number of calls."""
    name = f"media {measurement.calls} calls" + (", recorded" if measurement.is_recorded else "")
    limits = {50: 0.6}
    cpu = (f"{name}: CPU", measurement.cpu_s_per_call_minute, "CPU-s per call-minute")
    late = (f"{name}: later than 40 ms", measurement.late_percent, "%")
    limit = None if measurement.is_recorded else limits.get(measurement.calls)
    return [
        report.Figure(*cpu) if limit is None else report.at_most(*cpu, limit),
        report.below(*late, 1.0) if measurement.calls in limits else report.Figure(*late),
        report.Figure(f"{name}: p99 packet gap", measurement.gap_p99_ms, "ms"),
        report.Figure(f"{name}: packets returned", measurement.received_percent, "%"),
        report.Figure(f"{name}: fed late (feeder held up)", measurement.fed_late_percent, "%"),
        report.Figure(f"{name}: waited for its core", measurement.preempted_percent, "% of time"),
        report.Figure(f"{name}: RSS", measurement.rss_kib_per_call, "KiB per call"),
    ]


def main(arguments: list[str] | None = None) -> int:
    """Runs the benchmark; the exit status is 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="benchmarks.media", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10, 50 and 100 calls, under 50 seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--calls", type=int, action="append", help="only so many calls (may be repeated)")
    parser.add_argument("--seconds", type=float, help="measured time of each run")
    parser.add_argument("--record", action="store_true", help="record every run")
    options = parser.parse_args(arguments)
    seconds = options.seconds or (7 if options.quick else 20)
    runs = [
        (calls, options.record) for calls in options.calls or ([10, 50, 100] if options.quick else [10, 50, 100, 300])
    ]
    if not options.calls and not options.record:
        runs.append((50, True))
    figures: list[report.Figure] = []
    for calls, is_recorded in runs:
        figures += to_figures(measure(calls=calls, seconds=seconds, is_recorded=is_recorded))
        print(f"measured {calls} calls" + (", recorded" if is_recorded else ""), file=sys.stderr)
    return report.print_figures(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
