"""Words benchmark: what of a call is in its transcript and recording, on a virtual clock; needs no real time.

Last words: callers talk with pauses, also over the agent, and hang up at random instants. The recognizer is perfect
and answers after 0 to 400 ms. Counted are words that were over at the hang-up and began in the two seconds before it.
Interrupted turns: a caller interrupts the agent at random instants; the words of the agent's turn are compared with
those of whose audio at least half was sent. The voice tells word times or not, and speaks words of uneven length.
Drift: see `benchmarks.words_drift`.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from benchmarks import report, words_drift
from ringdown.voice import ports
from ringdown.voice.conversation import Conversation
from ringdown.voice.events import Event, Turn, TurnFinished
from ringdown.voice.model_brain import ModelBrain
from ringdown.voice.settings import ConversationSettings, GreetingSettings
from tests.fakes import virtual_time
from tests.fakes.voices import FRAME_MS, Codebook, FakeDetector, FakeModel, FakeRecognizer, FakeSpeaker

_LAST_MS = 2000
_SENTENCES = (
    "Your order left our warehouse in Rotterdam on Monday morning and should arrive by Thursday at the latest.",
    "If nobody is at home, the driver leaves a card, and you can collect it at the nearest post office.",
    "I can also change the address, as long as the parcel has not been loaded into the van yet.",
    "Is there anything else?",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """A word of the caller, with its frames."""

    text: str
    start_ms: int
    end_ms: int


class UnevenSpeaker:
    """Speaks words as long as their letters, some slower, with pauses after commas; `has_times` tells word times."""

    def __init__(self, codebook: Codebook, *, has_times: bool, chance: random.Random) -> None:
        self._codebook = codebook
        self._has_times = has_times
        self._chance = chance

    async def speak(self, text: str, *, sample_rate_hz: int) -> AsyncIterator[ports.Speech]:
        """Stream `text` in pieces of a word."""
        del sample_rate_hz
        await asyncio.sleep(0.08)
        at_ms = 0
        for word in text.split():
            frames = max(3, round((90 + 52 * len(word)) * self._chance.uniform(0.85, 1.15) / FRAME_MS))
            pause = 8 if word.endswith((",", ".", "?")) else 0
            end_ms = at_ms + frames * FRAME_MS
            times = (ports.Word(word, at_ms, end_ms),) if self._has_times else ()
            yield ports.Speech(self._codebook.frame(word) * frames + self._codebook.silence * pause, times)
            at_ms = end_ms + pause * FRAME_MS
            await asyncio.sleep(0.005)


def _talk(chance: random.Random, until_ms: int) -> list[Said]:
    """A caller: phrases of one to twelve words, with pauses of 0.15 to 4 s between them."""
    said: list[Said] = []
    at_ms = round(chance.uniform(0, 3000) / FRAME_MS) * FRAME_MS
    while at_ms < until_ms:
        for _ in range(chance.randint(1, 12)):
            frames = chance.randint(7, 20)
            said.append(Said(f"word{len(said)}", at_ms, at_ms + frames * FRAME_MS))
            at_ms = said[-1].end_ms
        at_ms += round(chance.choice((0.15, 0.3, 0.6, 1.0, 2.0, 4.0)) * 1000 / FRAME_MS) * FRAME_MS
    return said


async def _converse(
    said: list[Said], *, hang_up_ms: int, codebook: Codebook, speaker: ports.TextToSpeech, recognition_s: float
) -> tuple[list[Turn], list[bytes | None]]:
    """Play one call; its turns, and the frames that the agent sent."""
    turns: list[Turn] = []

    def keep(event: Event) -> None:
        if isinstance(event, TurnFinished):
            turns.append(event.turn)

    replies = [[" ".join(_SENTENCES)]] * 200
    conversation = Conversation(
        settings=ConversationSettings(greeting=GreetingSettings(text=" ".join(_SENTENCES))),
        brain=ModelBrain(model=FakeModel([list(reply) for reply in replies]), system_prompt=""),
        recognizer=FakeRecognizer(codebook, delay_s=recognition_s),
        speaker=speaker,
        detector=FakeDetector(),
        on_event=keep,
    )
    running = asyncio.create_task(conversation.run())
    await asyncio.sleep(0)
    frames = {at_ms: word.text for word in said for at_ms in range(word.start_ms, word.end_ms, FRAME_MS)}
    loop, sent = asyncio.get_running_loop(), list[bytes | None]()
    started_s = loop.time()
    for at_ms in range(0, hang_up_ms, FRAME_MS):
        word = frames.get(at_ms)
        sent.append(conversation.tick(codebook.frame(word) if word else codebook.silence, at_ms))
        await asyncio.sleep(started_s + (at_ms + FRAME_MS) / 1000 - loop.time())
    await conversation.finish()
    await running
    return turns, sent


def count_last_words(seed: int) -> tuple[int, list[str]]:
    """How many words were spoken in the last two seconds, and those that the transcript lacks."""
    chance = random.Random(seed)
    hang_up_ms = chance.randint(20, 600) * FRAME_MS
    said, codebook = _talk(chance, hang_up_ms), Codebook()
    turns, _ = virtual_time.run(
        _converse(
            said,
            hang_up_ms=hang_up_ms,
            codebook=codebook,
            speaker=FakeSpeaker(codebook),
            recognition_s=chance.choice((0.0, 0.05, 0.15, 0.4)),
        )
    )
    last = [word.text for word in said if word.start_ms >= hang_up_ms - _LAST_MS and word.end_ms <= hang_up_ms]
    written = {word for turn in turns if turn.speaker == "contact" for word in turn.text.split()}
    return len(last), [word for word in last if word not in written]


def measure_interruption(seed: int, *, has_times: bool) -> int | None:
    """By how many words the interrupted turn differs from what was played; None when it was not interrupted."""
    chance, codebook = random.Random(seed), Codebook()
    start_ms = chance.randint(10, 950) * FRAME_MS
    said = [Said(word, start_ms + 300 * index, start_ms + 300 * index + 300) for index, word in enumerate(_STOP)]
    turns, sent = virtual_time.run(
        _converse(
            said,
            hang_up_ms=start_ms + 3000,
            codebook=codebook,
            speaker=UnevenSpeaker(codebook, has_times=has_times, chance=chance),
            recognition_s=0.15,
        )
    )
    turn = next((turn for turn in turns if turn.speaker == "agent"), None)
    if turn is None or not turn.interrupted:
        return None
    written, expected = turn.text.split(), " ".join(_SENTENCES).split()
    end = turn.end_ms // FRAME_MS
    heard = codebook.decode(b"".join(frame or codebook.silence for frame in sent[:end]))
    # The last one counts when half of it was sent.
    played = len(heard) - (0 if heard and heard[-1][2] - heard[-1][1] >= _half_ms(heard[-1][0]) else 1)
    assert written == expected[: len(written)]
    return len(written) - played


_STOP = ("wait", "a", "moment", "please")


def _half_ms(word: str) -> float:
    return (90 + 52 * len(word)) / 2


def run_last_words(count: int) -> list[report.Figure]:
    """The share of the last words that are in the transcript."""
    total, missing = 0, list[str]()
    for seed in range(count):
        spoken, lacking = count_last_words(seed)
        total += spoken
        missing += [f"{seed}:{word}" for word in lacking]
    if missing:
        print(f"last words not in the transcript: {missing}", file=sys.stderr)
    kept = 100 * (1 - len(missing) / total)
    return [
        report.at_least(f"words of the last 2 s in the transcript ({count} hang-ups)", kept, "%", 99),
        report.Figure("words spoken in the last 2 s", total, "words"),
    ]


def run_interruptions(count: int) -> list[report.Figure]:
    """How far interrupted turns are from what was played."""
    figures = []
    for has_times in (True, False):
        name = "with" if has_times else "without"
        found = [measure_interruption(seed, has_times=has_times) for seed in range(count)]
        errors = [abs(error) for error in found if error is not None]
        figures += [
            report.at_most(f"interrupted turn {name} word times, worst of {len(errors)}", max(errors), "words", 1),
            report.Figure(f"interrupted turn {name} word times, exact", 100 * errors.count(0) / len(errors), "%"),
        ]
    return figures


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; the exit status is 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="benchmarks.words", description="Words in transcript and recording.")
    parser.add_argument("--quick", action="store_true", help="under 50 seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    started_s = time.monotonic()
    figures = run_last_words(100 if options.quick else 1000)
    figures += run_interruptions(30 if options.quick else 400)
    figures += words_drift.run(minutes=15 if options.quick else 60)
    print(f"took {time.monotonic() - started_s:.0f} s", file=sys.stderr)
    return report.print_figures(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
