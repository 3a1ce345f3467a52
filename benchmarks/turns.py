"""Turn-taking benchmark: scenes with synthetic, noisy phone audio, played on a virtual clock and scored.

The real `Conversation` and the real Silero hear the audio: voices of espeak-ng, band-limited, mixed with noise, sent
through G.711. The recognizer is perfect: it writes each word 100 ms after it was spoken, and everything 100 ms after it
is asked; most write punctuation (at the end of a sentence only), one in five writes bare lower-case words. The model
answers after 150 ms, the voice after 50 ms more; what the caller hears includes all of these.

Cut-off of the caller: the agent begins to be heard while the caller still has words of the same sentence or number to
say. Counted once a turn, in percent of the caller's turns, interruptions included.
False stop of the agent: something that is no interruption (a sign of listening, a cough, clicks, music, people in the
background, our own echo) silences the agent for 300 ms or more, or costs it words, from its beginning to 1.5 s after
its end; in percent of these. Shorter silences after which the agent goes on are hesitations, counted apart.
Missed interruption: the agent is still heard one second after the caller's first word over it began; in percent of
the interruptions.
Wait: from the last audible sample of a turn that was not cut off to the first frame of the agent. A turn without an
answer counts as five seconds.
Answers to noise: the agent answers a noise in silence, or a caller who says nothing.

Each figure is given twice: for the seeds that the rules were tuned on, and for seeds, voices and sentences that no rule
was tuned on ("held out").
"""

import argparse
import dataclasses
import sys
import time
from collections.abc import Iterable, Sequence

from benchmarks import report, turns_audio, turns_scenes, turns_score, turns_stage, turns_texts
from benchmarks.turns_score import Score, percent, quantile
from ringdown.voice import turns
from tests.fakes import virtual_time

# How many scenes of each kind in a full run; a quick one has an eighth.
_COUNTS = {
    "finished sentences": 80, "pauses in a sentence": 120, "numbers in groups": 80, "noisy sentences": 60,
    "back-channels": 60, "coughs and noise over the agent": 60, "coughs and noise in silence": 40,
    "two interruptions": 60, "double talk": 40, "echo at -20 dB": 40, "interruption over echo": 40,
    "says nothing": 16, "never stops": 4,
}  # fmt: skip
_QUICK_DIVISOR = 8
_HELD_OUT_SEED = 1_000_000
# So many scenes at once: their audio is inferred in one batch.
_BATCH = 100


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """The scenes of one score, by kind."""

    name: str
    played: dict[str, list[turns_stage.Played]]

    @property
    def total(self) -> Score:
        """All scenes together."""
        return turns_score.score_all(played for kind in self.played.values() for played in kind)


def run(texts: turns_texts.Texts, *, name: str, first_seed: int, divisor: int, kinds: Sequence[str] = ()) -> Result:
    """Make the scenes of one score, play and keep them."""
    clips = turns_audio.speak_all(turns_scenes.list_lines(texts))
    babble = [clip for line, clip in clips.items() if line.voice != turns_texts.AGENT_VOICE and clip.length_ms > 1000]
    shelf = turns_scenes.NoiseShelf(babble[:40], seed=first_seed % 97)
    maker = turns_scenes.SceneMaker(texts, clips, shelf)
    chosen = {kind: -(-count // divisor) for kind, count in _COUNTS.items() if not kinds or kind in kinds}
    wanted = [(kind, first_seed + index) for kind, count in chosen.items() for index in range(count)]
    played: dict[str, list[turns_stage.Played]] = {kind: [] for kind in chosen}
    for start in range(0, len(wanted), _BATCH):
        scenes = [maker.make(kind, seed) for kind, seed in wanted[start : start + _BATCH]]
        for one in virtual_time.run(turns_stage.play(scenes, clips, turns_stage.SceneDetector())):
            played[one.scene.kind].append(one)
    return Result(name, played)


def to_figures(result: Result) -> list[report.Figure]:
    """The figures of one score."""
    score, name = result.total, result.name
    cut_off, false_stops = percent(score.cut_off, score.turns), percent(score.false_stops, score.innocents)
    return [
        report.at_most(f"{name}: cut-offs of the caller", cut_off, "%", 2),
        report.at_most(f"{name}: false stops of the agent", false_stops, "%", 3),
        report.at_most(f"{name}: missed interruptions", percent(score.missed, score.interruptions), "%", 1),
        report.at_most(f"{name}: wait after a finished sentence, median", quantile(score.waits_ms, 0.5), "ms", 350),
        report.at_most(f"{name}: wait after a finished sentence, p95", quantile(score.waits_ms, 0.95), "ms", 900),
        report.Figure(
            f"{name}: cut-offs of turns with a pause", percent(score.paused_cut_off, score.paused_turns), "%"
        ),
        report.Figure(f"{name}: hesitations of the agent", percent(score.hesitations, score.innocents), "%"),
        report.Figure(f"{name}: time to stop, p95", quantile(score.stops_ms, 0.95), "ms"),
        report.Figure(f"{name}: answers to noise", percent(score.false_answers, score.silences), "%"),
        report.Figure(f"{name}: unanswered turns", percent(score.unanswered, score.turns), "%"),
    ]


def render_kinds(result: Result) -> str:
    """One line for each kind of scene: faults of how many, and waits."""
    lines = [f"{result.name:<34}{'cut off':>12}{'false stops':>12}{'missed':>10}{'noise':>8}{'p50 ms':>8}{'p95 ms':>8}"]
    styles = [[one for kind in result.played.values() for one in kind if one.scene.style == style] for style in _STYLES]
    rows = [
        *result.played.items(),
        *((f"recognizer writes {style}", one) for style, one in zip(_STYLES, styles, strict=True)),
    ]
    for kind, played in rows:
        score = turns_score.score_all(played)
        lines.append(
            f"{kind:<34}{_share(score.cut_off, score.turns):>12}{_share(score.false_stops, score.innocents):>12}"
            f"{_share(score.missed, score.interruptions):>10}{_share(score.false_answers, score.silences):>8}"
            f"{quantile(score.waits_ms, 0.5):>8.0f}{quantile(score.waits_ms, 0.95):>8.0f}"
        )
    return "\n".join(lines)


_STYLES: tuple[turns_scenes.Style, ...] = ("punctuated", "plain")


def render_rules() -> str:
    """The values of the rules that were measured, and those of the stubs."""
    names = sorted(name for name in vars(turns) if name.isupper() and isinstance(getattr(turns, name), int))
    rules = ", ".join(f"{name} {getattr(turns, name)}" for name in names)
    stubs = (
        f"partial words after {turns_stage.PARTIAL_LAG_MS} ms, final after {turns_stage.FINAL_DELAY_MS} ms, "
        f"model {turns_stage.MODEL_DELAY_MS} ms, voice {turns_stage.VOICE_DELAY_MS} ms"
    )
    return f"rules: {rules}\nstubs: {stubs}\npauses: {turns_score.describe_pauses()}"


def _share(part: int, whole: int) -> str:
    return f"{part}/{whole}" if whole else ""


def _list_misses(results: Iterable[Result]) -> str:
    return "\n".join(f"{result.name} {miss}" for result in results for miss in sorted(result.total.misses))


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; the exit status is 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="benchmarks.turns", description="Turn-taking, scored on a virtual clock.")
    parser.add_argument("--quick", action="store_true", help="under 50 seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--kind", action="append", default=[], help="only this kind of scene (may be repeated)")
    parser.add_argument("--misses", action="store_true", help="list each fault with its scene")
    parser.add_argument("--tuned-only", action="store_true", help="leave out the held-out score")
    options = parser.parse_args(arguments)
    divisor = _QUICK_DIVISOR if options.quick else 1
    scores = [("tuned", turns_texts.TUNED, 0), ("held out", turns_texts.HELD_OUT, _HELD_OUT_SEED)]
    started_s, results = time.monotonic(), []
    for name, texts, first_seed in scores[:1] if options.tuned_only else scores:
        results.append(run(texts, name=name, first_seed=first_seed, divisor=divisor, kinds=options.kind))
        print(f"played the scenes of the score {name!r}", file=sys.stderr)
    details = [render_kinds(result) for result in results] + [render_rules()]
    if options.misses:
        details.append(_list_misses(results))
    print("\n\n".join(details), file=sys.stderr if options.json else sys.stdout)
    print(f"took {time.monotonic() - started_s:.0f} s", file=sys.stderr)
    return report.print_figures([figure for result in results for figure in to_figures(result)], as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
