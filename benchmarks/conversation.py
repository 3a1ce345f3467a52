"""Conversation benchmark: a pinned process talks on many calls with stub providers; measures cost and delay.

Ours beside Pipecat and LiveKit Agents in the same run: the same feeder (RTP of 8 kHz G.711 from another core, not
counted), the same stub providers with fixed delays, and the same rule: 200 ms of silence, told by Silero at a
threshold of 0.5. Counted is the whole process under test: our RTP, jitter buffer and clock; the peers' thin RTP edge
(`conversation_edge`) and their engine. How the audio gets into each peer, and what was left out in its favour, is said
in `conversation_pipecat` and `conversation_livekit`. Overhead is the answer's first packet minus the true end of
speech, minus the 200 ms silence rule, Silero's own tail and the stubs' delays; these are the same for every engine."""

import argparse
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Literal

from benchmarks import conversation_feeder, conversation_own, pair, report
from benchmarks import conversation_stubs as stubs

_WARM_UP_S = 2.5
_LATE_US = 40_000
_JUDGED_CALLS, _COMPARED_CALLS, _SUMMED_CALLS = 100, 20, 200

Engine = Literal["ringdown", "pipecat", "livekit"]
_NAMES: dict[Engine, str] = {"ringdown": "conversation", "pipecat": "Pipecat", "livekit": "LiveKit Agents"}
_MODULES: dict[Engine, str] = {"pipecat": "pipecat", "livekit": "livekit.agents"}
_RATIOS: dict[Engine, float] = {"pipecat": 5.0, "livekit": 4.0}


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one run cost, and how long its callers waited beyond what rule and stubs explain."""

    engine: Engine
    calls: int
    cpu_s_per_call_minute: float
    rss_mb_per_call: float
    gap_p99_ms: float
    late_percent: float
    overhead_p50_ms: float
    overhead_p99_ms: float
    answered_percent: float
    core_lost_percent: float
    tail_ms: float
    turns: int
    worst_sum_ms: float | None


def run_subject(connection: Connection, calls: int, engine: Engine) -> None:
    """The process under test of an engine; a peer is imported there and nowhere else."""
    if engine == "ringdown":
        conversation_own.run_subject(connection, calls)
    else:
        importlib.import_module(f"benchmarks.conversation_{engine}").run_subject(connection, calls)


def measure(*, calls: int, seconds: float, engine: Engine = "ringdown", tail_ms: float = 0.0) -> Measurement:
    """Run subject and feeder, each on a core of its own where there are two; a peer is given our detector's tail."""
    cost, result = pair.run_pair(
        subject=run_subject,
        arguments=(calls, engine),
        feeder=conversation_feeder.run,
        seconds=seconds,
        warm_up_s=_WARM_UP_S,
    )
    gaps, waits = sorted(result.gaps_us) or [0], sorted(result.waits_us) or [0]
    tail_ms = tail_ms if cost.tail_ms is None else cost.tail_ms
    explained_ms = stubs.SILENCE_S * 1000 + tail_ms + stubs.DELAYS_MS
    print(f"measured {_NAMES[engine]}, {calls} calls", file=sys.stderr)
    return Measurement(
        engine=engine,
        calls=calls,
        cpu_s_per_call_minute=cost.cpu_s * 60 / seconds / calls,
        rss_mb_per_call=cost.rss_bytes / calls / 1e6,
        gap_p99_ms=_quantile(gaps, 0.99) / 1000,
        late_percent=100 * sum(gap > _LATE_US for gap in gaps) / len(gaps),
        overhead_p50_ms=_quantile(waits, 0.5) / 1000 - explained_ms,
        overhead_p99_ms=_quantile(waits, 0.99) / 1000 - explained_ms,
        answered_percent=100 * len(result.waits_us) / max(len(result.waits_us) + result.unanswered, 1),
        core_lost_percent=100 * cost.core_lost_s / seconds,
        tail_ms=tail_ms,
        turns=cost.turns,
        worst_sum_ms=cost.worst_sum_ms,
    )


def to_figures(measured: Measurement) -> list[report.Figure]:
    """The figures of one run of ours; the targets apply at 100 calls, and to the stages at any number."""
    name, is_judged = f"conversation {measured.calls} calls", measured.calls == _JUDGED_CALLS
    cpu = (f"{name}: CPU", measured.cpu_s_per_call_minute, "CPU-s per call-minute")
    late = (f"{name}: later than 40 ms", measured.late_percent, "%")
    middle = (f"{name}: overhead p50", measured.overhead_p50_ms, "ms")
    slowest = (f"{name}: overhead p99", measured.overhead_p99_ms, "ms")
    figures = [
        report.at_most(*cpu, 0.35) if is_judged else report.Figure(*cpu),
        report.below(*late, 1.0) if is_judged else report.Figure(*late),
        report.Figure(f"{name}: p99 packet gap", measured.gap_p99_ms, "ms"),
        report.at_most(*middle, 45) if is_judged else report.Figure(*middle),
        report.at_most(*slowest, 150) if is_judged else report.Figure(*slowest),
        report.Figure(f"{name}: turns answered", measured.answered_percent, "%"),
        report.at_most(f"{name}: RSS", measured.rss_mb_per_call, "MB per call", 0.5),
        report.Figure(f"{name}: core lost to other programs", measured.core_lost_percent, "%"),
    ]
    if measured.worst_sum_ms is not None and measured.turns:
        sums = f"{name}: stages of {measured.turns} turns, furthest from total"
        figures.append(report.at_most(sums, measured.worst_sum_ms, "ms", 5.0))
    return figures


def to_peer_figures(theirs: Measurement, ours: Measurement) -> list[report.Figure]:
    """A peer's figures and how many times ours it costs; the ratio is judged at 20 calls."""
    name = f"{_NAMES[theirs.engine]} {theirs.calls} calls"
    ratio = theirs.cpu_s_per_call_minute / max(ours.cpu_s_per_call_minute, 1e-9)
    ratio_figure = (f"{name}: CPU, times ours", ratio, "x")
    return [
        report.Figure(f"{name}: CPU", theirs.cpu_s_per_call_minute, "CPU-s per call-minute"),
        report.at_least(*ratio_figure, _RATIOS[theirs.engine])
        if theirs.calls == _COMPARED_CALLS
        else report.Figure(*ratio_figure),
        report.Figure(f"{name}: overhead p50", theirs.overhead_p50_ms, "ms"),
        report.Figure(f"{name}: overhead p99", theirs.overhead_p99_ms, "ms"),
        report.Figure(f"{name}: turns answered", theirs.answered_percent, "%"),
        report.Figure(f"{name}: RSS", theirs.rss_mb_per_call, "MB per call"),
        report.Figure(f"{name}: core lost to other programs", theirs.core_lost_percent, "%"),
    ]


def measure_all(*, is_quick: bool, seconds: float) -> list[report.Figure]:
    """Everything: ours alone, then beside the peers that are installed."""
    alone = [_JUDGED_CALLS] if is_quick else [50, _JUDGED_CALLS, _SUMMED_CALLS]
    beside = [10] if is_quick else [10, _COMPARED_CALLS]
    figures: list[report.Figure] = []
    for calls in alone:
        figures += to_figures(measure(calls=calls, seconds=seconds))
    peers = [engine for engine, module in _MODULES.items() if _is_installed(module)]
    for calls in beside:
        ours = measure(calls=calls, seconds=seconds)
        figures += to_figures(ours)
        for engine in peers:
            theirs = measure(calls=calls, seconds=seconds, engine=engine, tail_ms=ours.tail_ms)
            figures += to_peer_figures(theirs, ours)
    return figures


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _quantile(ordered: Sequence[int], share: float) -> int:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; the exit status is 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="benchmarks.conversation", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under 50 seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--calls", type=int, action="append", help="only ours with so many calls (may be repeated)")
    parser.add_argument("--seconds", type=float, help="measured time of each run")
    options = parser.parse_args(arguments)
    seconds = options.seconds or (4 if options.quick else 30)
    if options.calls:
        figures = [figure for calls in options.calls for figure in to_figures(measure(calls=calls, seconds=seconds))]
    else:
        figures = measure_all(is_quick=options.quick, seconds=seconds)
    return report.print_figures(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
