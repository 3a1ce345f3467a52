"""Answering-machine benchmark: synthetic answers to a call, played on a virtual clock and scored.

The real `Conversation` and the real Silero hear voices of espeak-ng in seven languages, tones and noise through G.711:
people who say hello, businesses, people who are silent at first, voicemail with and without a beep, call screening,
menus, fax and intercept tones, some after ringing. Two recognizers: "words" is perfect and gives them 150 ms after it
is asked, at a pause or when asked; "no words" is the built-in one, which writes down no free speech, so that cadence
and tones decide alone. Without words nobody can tell screening and menus from voicemail: there they count as machines.

Right: a person is greeted; a machine, a fax and a menu (there is no model) are hung up on or get the message; screening
is answered. Taken for a machine: a person is hung up on or gets the message. Wait of a person: from the last sample of
the first "hello" to the agent's first; of a silent one: from the answer. Decision: from the first sound of a machine to
the verdict. Message after the beep: all of it is said after the beep, where there is one and the machine was known.

Each figure is given for the seeds, texts and voices that the rules were tuned on, and for a held-out set.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from benchmarks import machines_scenes, machines_texts, report
from benchmarks import turns_audio as audio
from benchmarks.machines_scenes import Scene
from benchmarks.turns_stage import SceneDetector
from ringdown.voice import ports
from ringdown.voice.conversation import Conversation
from ringdown.voice.events import ConversationEnd, Event, Noted
from ringdown.voice.model_brain import ModelBrain
from ringdown.voice.settings import ConversationSettings, GreetingSettings, MachineSettings, ScreeningSettings
from tests.fakes import virtual_time

_FRAME_MS = 20
_FINAL_DELAY_S = 0.15
_VOICE_DELAY_S = 0.08
_MS_PER_WORD = 300
# A message that waits for the end of a greeting has been said so long after it.
_AFTERMATH_MS = 8000
_GREETING, _MESSAGE = "Hello this is Ringdown.", "Please call us back at your convenience."
_HELD_OUT_SEED = 1_000_000
_COUNTS = {
    "hello": 60, "hello twice": 20, "business": 30, "says nothing at first": 20, "rings, then hello": 20,
    "voicemail with a beep": 60, "voicemail without a beep": 30, "rings, then voicemail": 20, "screening": 16,
    "menu": 16, "fax": 8, "intercept": 8,
}  # fmt: skip
_BATCH = 40

Ability = Literal["words", "no words"]


@dataclass(slots=True)
class Played:
    """What came of a scene; `spoken_ms` are the instants at which the agent began to be heard."""

    scene: Scene
    ability: Ability
    mode: Literal["hang_up", "leave_message"]
    notes: list[Noted] = field(default_factory=list)
    spoken_ms: list[int] = field(default_factory=list)
    end: ConversationEnd | None = None

    @property
    def is_taken_for_machine(self) -> bool:
        return self.end is not None and self.end.reason == "voicemail"

    @property
    def is_right(self) -> bool:
        truth = self.scene.truth
        if truth == "human":
            return not self.is_taken_for_machine and bool(self.spoken_ms)
        if truth == "screening" and self.ability == "words":
            return any(note.kind == "screening.answered" for note in self.notes)
        return self.is_taken_for_machine

    @property
    def verdict_ms(self) -> int | None:
        """When a machine was found out."""
        found = [note for note in self.notes if note.details.get("verdict") not in (None, "human", "unknown")]
        return found[0].at_ms if found else None


class _Recognizer:
    """Writes the scene's words, or nothing at all."""

    def __init__(self, scene: Scene, ability: Ability) -> None:
        self.scene = scene
        self.ability = ability
        self.now_ms = 0

    def open(self, *, sample_rate_hz: int, language: str, expectation: ports.Expectation) -> "_Utterance":
        del sample_rate_hz, language, expectation
        return _Utterance(self)


class _Utterance:
    def __init__(self, owner: _Recognizer) -> None:
        self._owner = owner
        self._pushed_ms = 0

    def push(self, pcm: bytes) -> None:
        self._pushed_ms += len(pcm) // 16

    def partial(self) -> str:
        return ""

    async def final(self) -> ports.Recognition:
        owner, until_ms = self._owner, self._owner.now_ms
        await asyncio.sleep(_FINAL_DELAY_S)
        if owner.ability == "no words":
            return ports.Recognition("", understood=False)
        begin_ms = until_ms - self._pushed_ms
        return ports.Recognition(" ".join(w.text for w in owner.scene.words if begin_ms < w.end_ms <= until_ms))

    async def close(self) -> None:
        pass


class _Model:
    async def reply(
        self, messages: Sequence[ports.Message], *, tools: Sequence[ports.ToolSpec] = (), temperature: float = 0.3
    ) -> AsyncIterator[ports.TextDelta | ports.ToolRequest]:
        del messages, tools, temperature
        yield ports.TextDelta("I see.")


class _Voice:
    async def speak(self, text: str, *, sample_rate_hz: int) -> AsyncIterator[ports.Speech]:
        await asyncio.sleep(_VOICE_DELAY_S)
        count = sample_rate_hz * _MS_PER_WORD * len(text.split()) // 1000
        yield ports.Speech(np.full(count, 1000, np.int16).tobytes())


def _converse(played: Played, recognizer: _Recognizer, detector: SceneDetector) -> Conversation:
    def keep(event: Event) -> None:
        if isinstance(event, Noted):
            played.notes.append(event)

    return Conversation(
        settings=ConversationSettings(
            greeting=GreetingSettings(text=_GREETING),
            machine=MachineSettings(played.mode, _MESSAGE),
            screening=ScreeningSettings(name="This is Ann from Acme", reason="It is about your delivery"),
        ),
        brain=ModelBrain(model=_Model(), system_prompt=""),
        recognizer=recognizer,
        speaker=_Voice(),
        detector=detector,
        on_event=keep,
    )


async def play(scenes: Sequence[Played]) -> None:
    """Play scenes side by side, tick by tick, on the loop's clock."""
    detector = SceneDetector()
    recognizers = [_Recognizer(one.scene, one.ability) for one in scenes]
    conversations = [_converse(one, ear, detector) for one, ear in zip(scenes, recognizers, strict=True)]
    running = [asyncio.create_task(conversation.run()) for conversation in conversations]
    await asyncio.sleep(0)
    loop, at_ms, was_silent = asyncio.get_running_loop(), 0, [True] * len(scenes)
    started_s = loop.time()
    while not all(task.done() for task in running):
        for index, (one, ear, conversation) in enumerate(zip(scenes, recognizers, conversations, strict=True)):
            if running[index].done():
                continue
            if at_ms >= one.scene.end_ms + _AFTERMATH_MS:
                await conversation.finish()
                continue
            ear.now_ms = at_ms + _FRAME_MS
            piece = one.scene.samples[at_ms * 8 : (at_ms + _FRAME_MS) * 8]
            frame = conversation.tick(audio.compand(piece), at_ms)
            if frame is not None and was_silent[index]:
                one.spoken_ms.append(at_ms)
            was_silent[index] = frame is None
        detector.run()
        at_ms += _FRAME_MS
        await asyncio.sleep(started_s + at_ms / 1000 - loop.time())
    for one, task in zip(scenes, running, strict=True):
        one.end = await task


def run(texts: machines_texts.Texts, *, first_seed: int, divisor: int) -> list[Played]:
    """Make and play the scenes of one score."""
    maker = machines_scenes.SceneMaker(texts, audio.speak_all(machines_scenes.list_lines(texts)))
    abilities: tuple[Ability, ...] = ("words", "no words")
    wanted = [(kind, first_seed + index) for kind, count in _COUNTS.items() for index in range(-(-count // divisor))]
    played: list[Played] = []
    for start in range(0, len(wanted), _BATCH):
        batch = []
        for kind, seed in wanted[start : start + _BATCH]:
            scene = maker.make(kind, seed)
            batch += [Played(scene, ability, "hang_up" if seed % 2 else "leave_message") for ability in abilities]
        virtual_time.run(play(batch))
        for one in batch:
            # A minute of it takes two megabytes.
            one.scene.samples = np.zeros(0, np.float32)
        played += batch
    return played


def to_figures(name: str, ability: Ability, played: Sequence[Played]) -> list[report.Figure]:
    """The figures of one score with one recognizer."""
    title = f"{name}, {ability}"
    people = [one for one in played if one.scene.truth == "human"]
    machines = [one for one in played if one.scene.truth != "human"]
    # Cadence alone takes a business that answers at length for a machine.
    limits = {"words": (95.0, 1.0), "no words": (75.0, 25.0)}[ability]
    beeps = [one for one in machines if one.mode == "leave_message" and one.scene.beep_ms and one.is_taken_for_machine]
    after = [one for one in beeps if one.scene.beep_ms is not None and one.spoken_ms[-1] >= one.scene.beep_ms]
    decisions = [one.verdict_ms - one.scene.first_ms for one in machines if one.verdict_ms is not None]
    spoke = [one for one in people if one.scene.kind in ("hello", "business", "rings, then hello")]
    waits = [one.spoken_ms[0] - one.scene.speech_end_ms for one in spoke if one.spoken_ms]
    silent = [one.spoken_ms[0] for one in people if one.scene.kind == "says nothing at first" and one.spoken_ms]
    return [
        report.at_least(f"{title}: right", _percent([one.is_right for one in played]), "%", limits[0]),
        report.at_most(
            f"{title}: people taken for a machine",
            _percent([one.is_taken_for_machine for one in people]), "%", limits[1],
        ),
        report.Figure(f"{title}: machines taken for a person", _percent([not one.is_right for one in machines]), "%"),
        report.at_most(f"{title}: wait of a person, median", statistics.median(waits), "ms", 700),
        report.Figure(f"{title}: wait of a person, longest", max(waits), "ms"),
        report.at_most(f"{title}: wait of a silent person, median", statistics.median(silent), "ms", 2000),
        report.Figure(f"{title}: decision on a machine, median", statistics.median(decisions), "ms"),
        report.at_least(f"{title}: message after the beep", 100 * len(after) / max(1, len(beeps)), "%", 95),
    ]  # fmt: skip


def render_kinds(name: str, played: Sequence[Played]) -> str:
    """One line for each kind of answer: how many were right."""
    lines = [f"{name:<34}{'words':>10}{'no words':>10}"]
    for kind in _COUNTS:
        cells = []
        for ability in ("words", "no words"):
            of_kind = [one.is_right for one in played if one.scene.kind == kind and one.ability == ability]
            cells.append(f"{sum(of_kind)}/{len(of_kind)}")
        lines.append(f"{kind:<34}{cells[0]:>10}{cells[1]:>10}")
    return "\n".join(lines)


def _list_misses(name: str, played: Sequence[Played]) -> str:
    lines = []
    for one in played:
        beep_ms = one.scene.beep_ms
        is_early = one.mode == "leave_message" and beep_ms and one.spoken_ms and one.spoken_ms[-1] < beep_ms
        if not one.is_right or is_early:
            found = [(note.at_ms, note.details.get("verdict"), note.details.get("reason")) for note in one.notes]
            said = " ".join(word.text for word in one.scene.words)
            lines.append(
                f"{name} {one.scene.kind} {one.scene.seed} {one.ability} {one.mode} {found} beep {beep_ms} "
                f"spoke {one.spoken_ms} speech {one.scene.first_ms}-{one.scene.speech_end_ms} {said}"
            )
    return "\n".join(lines)


def _percent(are_so: Sequence[bool]) -> float:
    return 100 * sum(are_so) / max(1, len(are_so))


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; the exit status is 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="benchmarks.machines", description="Answering machines, scored.")
    parser.add_argument("--quick", action="store_true", help="under 50 seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--misses", action="store_true", help="list each fault with its scene")
    parser.add_argument("--tuned-only", action="store_true", help="leave out the held-out score")
    options = parser.parse_args(arguments)
    scores = [("tuned", machines_texts.TUNED, 0), ("held out", machines_texts.HELD_OUT, _HELD_OUT_SEED)]
    figures: list[report.Figure] = []
    abilities: tuple[Ability, ...] = ("words", "no words")
    started_s = time.monotonic()
    out = sys.stderr if options.json else sys.stdout
    for name, texts, first_seed in scores[:1] if options.tuned_only else scores:
        played = run(texts, first_seed=first_seed, divisor=4 if options.quick else 1)
        print(render_kinds(name, played) + "\n", file=out)
        if options.misses:
            print(_list_misses(name, played) + "\n", file=out)
        for ability in abilities:
            figures += to_figures(name, ability, [one for one in played if one.ability == ability])
    print(f"took {time.monotonic() - started_s:.0f} s", file=sys.stderr)
    return report.print_figures(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
