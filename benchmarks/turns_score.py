"""Scores of the turn-taking suite: which turns were cut off, which stops were false, how long the caller waited."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from benchmarks.turns_scenes import PAUSES_MS
from benchmarks.turns_stage import FRAME_MS, Happening, Played

# The agent may be silent for so long and go on; longer is a stop.
HESITATION_MS = 300
# After so long the agent must be silent when somebody interrupts it.
STOP_LIMIT_MS = 1000
# What the agent does within this time after a cough or an "mhm" is its reaction to it.
_REACTION_MS = 1500
# A turn that nobody answers was waited for so long.
_UNANSWERED_MS = 5000
# When a caller who never stops is answered: not before the rule's minute, and soon after it.
_ENDLESS_MS = (60_000, 63_000)


@dataclass(slots=True)
class Score:
    """Counts of one set of scenes; `misses` names each fault with its scene."""

    turns: int = 0
    cut_off: int = 0
    paused_turns: int = 0
    paused_cut_off: int = 0
    innocents: int = 0
    false_stops: int = 0
    hesitations: int = 0
    interruptions: int = 0
    missed: int = 0
    silences: int = 0
    false_answers: int = 0
    unanswered: int = 0
    waits_ms: list[int] = field(default_factory=list)
    stops_ms: list[int] = field(default_factory=list)
    misses: Counter[str] = field(default_factory=Counter)

    def add(self, played: Played) -> None:
        """Judge one scene."""
        for index, happening in enumerate(played.happenings):
            following = played.happenings[index + 1].start_ms if index + 1 < len(played.happenings) else None
            kind = happening.step.kind
            if kind == "interruption":
                self._judge_interruption(played, happening)
                self._judge_turn(played, happening, following)
            elif kind == "turn":
                self._judge_turn(played, happening, following)
            elif kind == "endless":
                self._judge_endless(played, happening)
            elif happening.step.when == "over":
                self._judge_innocent(played, happening)
            else:
                self._judge_silence(played, happening, following)
        if not played.scene.steps:
            self._judge_nobody(played)

    def _judge_turn(self, played: Played, happening: Happening, following: int | None) -> None:
        self.turns += 1
        self.paused_turns += happening.step.has_pause
        onsets = find_onsets(played.audible, happening.start_ms, 1 << 30)
        if any(onset < happening.end_ms for onset in onsets):
            self.cut_off += 1
            self.paused_cut_off += happening.step.has_pause
            self._note("cut off", played, happening)
            return
        onset = next(iter(onsets), None)
        if onset is None or onset >= min(following or 1 << 30, happening.end_ms + _UNANSWERED_MS):
            self.unanswered += 1
            self._note("unanswered", played, happening)
            self.waits_ms.append(_UNANSWERED_MS)
            return
        self.waits_ms.append(onset - happening.end_ms)

    def _judge_interruption(self, played: Played, happening: Happening) -> None:
        self.interruptions += 1
        stop_ms = next(
            (
                at
                for at in range(happening.start_ms, len(played.audible) * FRAME_MS, FRAME_MS)
                if not _is_audible(played, at)
            ),
            1 << 30,
        )
        if stop_ms - happening.start_ms > STOP_LIMIT_MS:
            self.missed += 1
            self._note("missed", played, happening)
        else:
            self.stops_ms.append(stop_ms - happening.start_ms)

    def _judge_innocent(self, played: Played, happening: Happening) -> None:
        self.innocents += 1
        until_ms = happening.end_ms + _REACTION_MS
        agent = [turn for turn in played.turns if turn.speaker == "agent" and turn.end_ms > happening.start_ms]
        reply = min(agent, key=lambda turn: turn.start_ms)
        gap_ms = _find_gap(played.audible, happening.start_ms, until_ms=until_ms, end_ms=reply.end_ms)
        if gap_ms >= HESITATION_MS or (reply.interrupted and reply.end_ms <= until_ms):
            self.false_stops += 1
            self._note("false stop", played, happening)
        elif gap_ms > 0:
            self.hesitations += 1

    def _judge_silence(self, played: Played, happening: Happening, following: int | None) -> None:
        self.silences += 1
        until_ms = min(following or 1 << 30, happening.end_ms + 2 * _REACTION_MS)
        if find_onsets(played.audible, happening.start_ms, until_ms):
            self.false_answers += 1
            self._note("answered noise", played, happening)

    def _judge_nobody(self, played: Played) -> None:
        """The only things said are the greeting and the inactivity message."""
        self.silences += 1
        if any(turn.speaker == "contact" for turn in played.turns) or len(played.turns) > 2:
            self.false_answers += 1
            self.misses[f"answered nobody: {played.scene.kind} {played.scene.seed}"] += 1

    def _judge_endless(self, played: Played, happening: Happening) -> None:
        self.turns += 1
        onset = next(iter(find_onsets(played.audible, happening.start_ms, 1 << 30)), None)
        if onset is None or onset - happening.start_ms > _ENDLESS_MS[1]:
            self.unanswered += 1
            self._note("unanswered", played, happening)
        elif onset - happening.start_ms < _ENDLESS_MS[0]:
            self.cut_off += 1
            self._note("cut off", played, happening)

    def _note(self, fault: str, played: Played, happening: Happening) -> None:
        scene, words = played.scene, " ".join(word.text for word in happening.words)
        self.misses[f"{fault}: {scene.kind} {scene.seed} {scene.style} at {happening.start_ms} ms: {words[:70]}"] += 1


def score_all(played: Iterable[Played]) -> Score:
    """The score of all these scenes."""
    score = Score()
    for one in played:
        score.add(one)
    return score


def find_onsets(audible: bytes | bytearray, from_ms: int, until_ms: int) -> list[int]:
    """When the agent begins to be heard in this time; not if it was heard already."""
    first, last = from_ms // FRAME_MS, min(len(audible), until_ms // FRAME_MS)
    return [index * FRAME_MS for index in range(max(first, 1), last) if audible[index] and not audible[index - 1]]


def percent(part: int, whole: int) -> float:
    """A share, 0 of nothing."""
    return 100 * part / whole if whole else 0.0


def quantile(values: Sequence[int], share: float) -> float:
    """The value that this share does not exceed, 0 of nothing."""
    ordered = sorted(values) or [0]
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def describe_pauses() -> str:
    """The pauses of the scenes, for people."""
    return f"{PAUSES_MS[0]} to {PAUSES_MS[1]} ms, evenly spread"


def _is_audible(played: Played, at_ms: int) -> bool:
    index = at_ms // FRAME_MS
    return index < len(played.audible) and bool(played.audible[index])


def _find_gap(audible: bytes | bytearray, from_ms: int, *, until_ms: int, end_ms: int) -> int:
    """The longest silence that begins in this time within a reply that ends at `end_ms`."""
    longest = gap = 0
    for at in range(from_ms // FRAME_MS, min(len(audible), end_ms // FRAME_MS)):
        if audible[at]:
            gap = 0
            if at * FRAME_MS >= until_ms:
                break
        else:
            gap += 1
            longest = max(longest, gap)
    return longest * FRAME_MS
