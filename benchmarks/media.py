"""Media benchmark: one pinned process echoes G.711 calls that another feeds over loopback; measures cost and delay.

Calls per core, plain, by SRTP and recorded, then call set-ups by SIP alone; beside each a peer, measured in the same
run where it can be installed.
"""

import argparse
import array
import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

from benchmarks import media_feeder, pair, peer, report, setups
from ringdown import collector
from ringdown.media.clock import MediaClock
from ringdown.media.recording import Recorder
from ringdown.media.session import MediaSession
from ringdown.media.stream import StreamSettings

_WARM_UP_S = 1.5
_LATE_US = 40_000


Kind = Literal["plain", "recorded", "encrypted", "peer"]
_NAMES: dict[Kind, str] = {
    "plain": "media {} calls",
    "recorded": "media {} calls, recorded",
    "encrypted": "media {} calls, SRTP",
    "peer": f"media {{}} calls, {peer.NAME}",
}
_CPU_LIMITS: dict[tuple[Kind, int], float] = {("plain", 50): 0.6, ("plain", 300): 0.08, ("encrypted", 300): 0.10}
_SET_UPS_PER_S, _PEER_SET_UPS_PER_S = 100, 30  # the peer loses calls at more than 35


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one run of `calls` calls cost: CPU seconds of the process under test, its growth, gaps of its packets."""

    calls: int
    kind: Kind
    cpu_s_per_call_minute: float
    rss_kib_per_call: float
    gap_p99_ms: float
    late_percent: float
    received_percent: float
    fed_late_percent: float
    preempted_percent: float


def run_subject(connection: Connection, calls: int, kind: Kind) -> None:
    """The process under test: gets the feeder's ports, sends its own, measures from begin to end."""
    asyncio.run(_run_subject(connection, calls, kind))


async def _run_subject(connection: Connection, calls: int, kind: Kind) -> None:
    far_ports = connection.recv()
    gc.collect()
    rss_before = pair.read_rss_bytes()
    clock = MediaClock()
    await clock.start()
    with tempfile.TemporaryDirectory() as folder:
        sessions, recorders = [], []
        for index in range(calls):
            session = await MediaSession.open(clock=clock, host="127.0.0.1", port_min=20000, port_max=29999)
            recorder = Recorder.open(Path(folder) / f"{index}.mp3") if kind == "recorded" else None
            stream = StreamSettings(
                remote=("127.0.0.1", far_ports[index]),
                encoding="PCMU",
                payload_type=0,
                dtmf_payload_type=101,
                srtp=media_feeder.SUBJECT_KEYS if kind == "encrypted" else None,
            )
            session.start(stream, exchange=_echo(recorder))
            sessions.append(session)
            if recorder is not None:
                recorders.append(recorder)
        collector.settle()  # as the gateway does
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


def measure(*, calls: int, seconds: float, kind: Kind, folder: Path | None = None) -> Measurement:
    """Runs subject and feeder, each on a core of its own where there are two; the peer is installed in `folder`."""
    cost, heard = pair.run_pair(
        subject=peer.run_media if kind == "peer" else run_subject,
        arguments=(calls, folder if kind == "peer" else kind),
        feeder=partial(media_feeder.run, is_encrypted=kind == "encrypted"),
        seconds=seconds,
        warm_up_s=_WARM_UP_S,
    )
    cpu_s, rss_bytes, preempted_percent = cost
    gaps, sent, sent_late = heard
    gaps_us = array.array("I", gaps)
    ordered = sorted(gaps_us) or [0]
    print(f"measured {_NAMES[kind].format(calls)}", file=sys.stderr)
    return Measurement(
        calls=calls,
        kind=kind,
        cpu_s_per_call_minute=cpu_s * 60 / seconds / calls,
        rss_kib_per_call=rss_bytes / calls / 1024,
        gap_p99_ms=ordered[int(len(ordered) * 0.99)] / 1000,
        late_percent=100 * sum(gap > _LATE_US for gap in ordered) / len(ordered),
        received_percent=100 * len(gaps_us) / max(1, sent),
        fed_late_percent=100 * sent_late / max(1, sent),
        preempted_percent=preempted_percent,
    )


def to_figures(measurement: Measurement) -> list[report.Figure]:
    """The figures of one run with the targets that apply to its kind and number of calls."""
    name = _NAMES[measurement.kind].format(measurement.calls)
    limit = _CPU_LIMITS.get((measurement.kind, measurement.calls))
    cpu = (f"{name}: CPU", measurement.cpu_s_per_call_minute, "CPU-s per call-minute")
    late = (f"{name}: later than 40 ms", measurement.late_percent, "%")
    return [
        report.Figure(*cpu) if limit is None else report.at_most(*cpu, limit),
        report.Figure(*late) if limit is None else report.below(*late, 1.0),
        report.Figure(f"{name}: p99 packet gap", measurement.gap_p99_ms, "ms"),
        report.Figure(f"{name}: packets returned", measurement.received_percent, "%"),
        report.Figure(f"{name}: fed late (feeder held up)", measurement.fed_late_percent, "%"),
        report.Figure(f"{name}: waited for its core", measurement.preempted_percent, "% of time"),
        report.Figure(f"{name}: RSS", measurement.rss_kib_per_call, "KiB per call"),
    ]


def measure_all(*, is_quick: bool, seconds: float) -> list[report.Figure]:
    """Everything: our media, our set-ups, and the peer's where it can be installed."""
    calls = (50, 300) if is_quick else (10, 50, 100, 300)
    runs: list[tuple[int, Kind]] = [(each, "plain") for each in calls]
    runs += [(300, "encrypted"), (50, "recorded")]
    figures: list[report.Figure] = []
    for count, kind in runs:
        figures += to_figures(measure(calls=count, seconds=seconds, kind=kind))
    figures += setups.to_figures(setups.measure(rate=_SET_UPS_PER_S, seconds=seconds))
    with tempfile.TemporaryDirectory() as folder:
        if peer.install(Path(folder)):
            figures += to_figures(measure(calls=50, seconds=seconds, kind="peer", folder=Path(folder)))
            theirs = setups.measure(
                rate=_PEER_SET_UPS_PER_S, seconds=seconds, callee=peer.run_callee, arguments=(Path(folder),)
            )
            figures += setups.to_peer_figures(theirs, peer.NAME)
    return figures


def main(arguments: list[str] | None = None) -> int:
    """Runs the benchmark; the exit status is 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="benchmarks.media", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs, under 50 seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--calls", type=int, action="append", help="only so many calls (may be repeated)")
    parser.add_argument("--seconds", type=float, help="measured time of each run")
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--record", action="store_true", help="with --calls: record every call")
    kinds.add_argument("--srtp", action="store_true", help="with --calls: by SRTP")
    options = parser.parse_args(arguments)
    seconds = options.seconds or (2.0 if options.quick else 20)
    kind: Kind = "recorded" if options.record else "encrypted" if options.srtp else "plain"
    if options.calls:
        figures = [
            figure for calls in options.calls for figure in to_figures(measure(calls=calls, seconds=seconds, kind=kind))
        ]
    else:
        figures = measure_all(is_quick=options.quick, seconds=seconds)
    return report.print_figures(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
