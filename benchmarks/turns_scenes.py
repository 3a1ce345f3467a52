"""Scenes of the turn-taking suite: who says what over which noise and line, drawn from a seed; judges nothing."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from benchmarks import turns_audio as audio
from benchmarks.turns_texts import AGENT_VOICE, NEVER_STOPS, Texts
from ringdown.voice.ports import Word

StepKind = Literal["turn", "interruption", "back_channel", "noise", "endless"]
# after: the agent has been silent for `delay_ms`. over: the agent has been speaking for `delay_ms`.
When = Literal["after", "over"]
Style = Literal["punctuated", "plain"]

PAUSES_MS = (300, 1200)
_TILDE_SHARE, _SLASH_SHARE = 0.6, 0.4
_PLAIN_SHARE = 0.2
_WRITTEN_DIGITS_SHARE = 0.5
_DIGITS = {
    "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7",
    "eight": "8", "nine": "9",
}  # fmt: skip
# What espeak-ng has to read so that these sound like what people say.
_SOUNDS = {"mhm": "um hum", "mm": "um", "hmm": "hum"}
_SHORT_ANSWERS = ("Okay, I see.", "All right, go on.", "Thank you.", "Good, what else?")
_SHORT_GREETING = "Hello, how can I help you?"


@dataclass(frozen=True, slots=True)
class Step:
    """Something the caller does; word times count from its first sample. `has_pause`: a pause of 300 ms or more."""

    kind: StepKind
    when: When
    delay_ms: int
    samples: audio.Samples
    words: tuple[Word, ...] = ()
    has_pause: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """One call. `replies` are the agent's, the greeting first; `echo_delay_ms` None is a line without echo."""

    kind: str
    seed: int
    language: str
    style: Style
    replies: tuple[str, ...]
    steps: tuple[Step, ...]
    noise: audio.Samples
    limit_ms: int
    echo_delay_ms: int | None = None
    is_echo_recognized: bool = False


class SceneMaker:
    """Draws the scenes of one score. `clips` holds every line that `list_lines` names."""

    def __init__(self, texts: Texts, clips: dict[audio.Line, audio.Clip], noises: "NoiseShelf") -> None:
        self._texts = texts
        self._clips = clips
        self._noises = noises
        self._makers: dict[str, Callable[[_Draw], Scene]] = {
            "finished sentences": self._make_finished,
            "pauses in a sentence": self._make_paused,
            "numbers in groups": self._make_numbers,
            "noisy sentences": self._make_noisy,
            "back-channels": self._make_back_channels,
            "coughs and noise over the agent": self._make_noise_over,
            "coughs and noise in silence": self._make_noise_in_silence,
            "two interruptions": self._make_interruptions,
            "double talk": self._make_double_talk,
            "echo at -20 dB": self._make_echo,
            "interruption over echo": self._make_echo_interruption,
            "says nothing": self._make_silent,
            "never stops": self._make_endless,
        }

    @property
    def kinds(self) -> Sequence[str]:
        """The kinds of scenes."""
        return tuple(self._makers)

    def make(self, kind: str, seed: int) -> Scene:
        """The scene of this kind and seed; always the same."""
        return self._makers[kind](_Draw(kind, seed, self._texts))

    # --- the caller speaks alone --------------------------------------------------------------------------------

    def _make_finished(self, draw: "_Draw") -> Scene:
        return self._make_dialogue(draw, "sentences", turns=4, pauses=False)

    def _make_paused(self, draw: "_Draw") -> Scene:
        return self._make_dialogue(draw, "sentences", turns=4)

    def _make_numbers(self, draw: "_Draw") -> Scene:
        return self._make_dialogue(draw, "numbers", turns=3)

    def _make_noisy(self, draw: "_Draw") -> Scene:
        kind, snr_db = draw.choice((("babble", 20), ("babble", 15), ("babble", 12), ("car", 10), ("line", 15)))
        return self._make_dialogue(draw, "sentences", turns=4, noise=(kind, snr_db))

    def _make_dialogue(
        self,
        draw: "_Draw",
        source: Literal["sentences", "numbers"],
        *,
        turns: int,
        pauses: bool = True,
        noise: tuple[audio.NoiseKind, int] | None = None,
    ) -> Scene:
        steps = [self._turn(draw, source, pauses=pauses) for _ in range(turns)]
        replies = (_SHORT_GREETING, *(draw.choice(_SHORT_ANSWERS) for _ in steps))
        kind, snr_db = noise or draw.choice((("quiet", 50), ("line", 30), ("line", 25), ("car", 20), ("babble", 25)))
        return self._scene(draw, replies, steps, noise=self._noises.take(kind, snr_db, draw.seed))

    def _turn(self, draw: "_Draw", source: Literal["sentences", "numbers"], *, pauses: bool = True) -> Step:
        text = draw.text(source)
        samples, words, longest_ms = self._say(draw, text, pauses=pauses)
        delay_ms = draw.between(300, 900)
        return Step("turn", "after", delay_ms, samples, words, longest_ms >= PAUSES_MS[0])

    # --- over the agent ------------------------------------------------------------------------------------------

    def _make_back_channels(self, draw: "_Draw") -> Scene:
        def back_channel(at_ms: int) -> Step:
            samples, words, _ = self._say(draw, draw.choice(self._texts.back_channels))
            return Step("back_channel", "over", at_ms, samples, words)

        return self._make_monologue(draw, back_channel)

    def _make_noise_over(self, draw: "_Draw") -> Scene:
        return self._make_monologue(draw, lambda at_ms: Step("noise", "over", at_ms, self._noises.burst(draw)))

    def _make_monologue(self, draw: "_Draw", disturb: Callable[[int], Step]) -> Scene:
        """Two long answers of the agent, three things over each, a sentence of the caller between them."""
        steps = []
        for _ in range(2):
            steps += [disturb(base + draw.between(0, 700)) for base in (1000, 3300, 5600)]
            steps.append(self._turn(draw, "sentences", pauses=False))
        return self._scene(draw, (*draw.answers(2), _SHORT_ANSWERS[0]), steps)

    def _make_interruptions(self, draw: "_Draw") -> Scene:
        steps = [self._interruption(draw, draw.between(1200, 4000)) for _ in range(2)]
        return self._scene(draw, (*draw.answers(2), _SHORT_ANSWERS[2]), steps)

    def _make_double_talk(self, draw: "_Draw") -> Scene:
        """Both begin at the same moment, twice."""
        steps = [self._turn(draw, "sentences", pauses=False), self._interruption(draw, draw.between(20, 260))]
        steps.append(self._interruption(draw, draw.between(20, 260)))
        return self._scene(draw, (_SHORT_GREETING, *draw.answers(2), _SHORT_ANSWERS[2]), steps)

    def _interruption(self, draw: "_Draw", at_ms: int) -> Step:
        samples, words, _ = self._say(draw, draw.choice(self._texts.interruptions))
        return Step("interruption", "over", at_ms, samples, words)

    def _make_echo(self, draw: "_Draw") -> Scene:
        steps = [Step("noise", "over", 700, np.zeros(8 * audio.RATE_HZ, np.float32))]
        steps.append(self._turn(draw, "sentences"))
        steps.append(Step("noise", "over", 700, np.zeros(8 * audio.RATE_HZ, np.float32)))
        steps.append(self._turn(draw, "sentences"))
        return self._scene(draw, (*draw.answers(2), _SHORT_ANSWERS[1]), steps, has_echo=True)

    def _make_echo_interruption(self, draw: "_Draw") -> Scene:
        steps = [self._interruption(draw, draw.between(1500, 4500)) for _ in range(2)]
        return self._scene(draw, (*draw.answers(2), _SHORT_ANSWERS[2]), steps, has_echo=True)

    # --- the caller says nothing, or everything --------------------------------------------------------------------

    def _make_noise_in_silence(self, draw: "_Draw") -> Scene:
        steps = [Step("noise", "after", draw.between(600, 2000), self._noises.burst(draw)) for _ in range(3)]
        return self._scene(draw, (_SHORT_GREETING, _SHORT_ANSWERS[0]), steps, limit_ms=16_000)

    def _make_silent(self, draw: "_Draw") -> Scene:
        kind, snr_db = draw.choice((("quiet", 50), ("line", 20), ("car", 15), ("babble", 20), ("babble", 15)))
        noise = self._noises.take(kind, snr_db, draw.seed)
        return self._scene(draw, (_SHORT_GREETING, _SHORT_ANSWERS[0]), [], noise=noise, limit_ms=12_000)

    def _make_endless(self, draw: "_Draw") -> Scene:
        samples, words, _ = self._say(draw, NEVER_STOPS)
        rounds = 66_000 // (len(samples) * 1000 // audio.RATE_HZ) + 1
        length_ms = len(samples) * 1000 // audio.RATE_HZ
        again = tuple(
            Word(word.text, word.start_ms + lap * length_ms, word.end_ms + lap * length_ms)
            for lap in range(rounds)
            for word in words
        )
        step = Step("endless", "after", 500, np.tile(samples, rounds), again)
        return self._scene(draw, (_SHORT_GREETING, _SHORT_ANSWERS[0]), [step], limit_ms=72_000)

    # --- parts -------------------------------------------------------------------------------------------------------

    def _say(self, draw: "_Draw", text: str, *, pauses: bool = True) -> tuple[audio.Samples, tuple[Word, ...], int]:
        """`text` as audio, words as the scene's recognizer writes them, and the longest pause that was made."""
        pieces, words, at_ms, longest_ms = list[audio.Samples](), list[Word](), 0, 0
        fragments = split_fragments(text)
        for index, (fragment, mark) in enumerate(fragments):
            clip = self._clips[draw.line(fragment)]
            pieces.append(clip.samples)
            spoken = (Word(fragment, 0, clip.length_ms),) if fragment in _SOUNDS else clip.words
            words += [Word(word.text, word.start_ms + at_ms, word.end_ms + at_ms) for word in spoken]
            at_ms += clip.length_ms
            if index == len(fragments) - 1:
                break
            share = {"~": _TILDE_SHARE, "/": _SLASH_SHARE}[mark]
            is_long = pauses and draw.chance(share)
            pause_ms = draw.between(*PAUSES_MS) if is_long else draw.between(20, 90)
            longest_ms = max(longest_ms, pause_ms)
            pieces.append(np.zeros(pause_ms * audio.RATE_HZ // 1000, np.float32))
            at_ms += pause_ms
        written = text.replace(" ~", "").replace(" /", "").split()
        assert len(written) == len(words), (written, words)
        spelled = [
            Word(draw.write(token), word.start_ms, word.end_ms) for token, word in zip(written, words, strict=True)
        ]
        return audio.band_limit(np.concatenate(pieces)), tuple(spelled), longest_ms

    def _scene(
        self,
        draw: "_Draw",
        replies: Sequence[str],
        steps: Sequence[Step],
        *,
        noise: audio.Samples | None = None,
        limit_ms: int = 90_000,
        has_echo: bool = False,
    ) -> Scene:
        return Scene(
            kind=draw.kind,
            seed=draw.seed,
            language=draw.language,
            style=draw.style,
            replies=tuple(replies),
            steps=tuple(steps),
            noise=self._noises.take("line", 35, draw.seed) if noise is None else noise,
            limit_ms=limit_ms,
            echo_delay_ms=draw.between(100, 400) if has_echo else None,
            is_echo_recognized=has_echo and draw.chance(0.5),
        )


class _Draw:
    """The choices of one scene."""

    def __init__(self, kind: str, seed: int, texts: Texts) -> None:
        self.kind = kind
        self.seed = seed
        self._random = random.Random(f"{kind} {seed}")
        self._texts = texts
        languages = sorted({language for language, _ in texts.sentences})
        is_english = kind not in ("pauses in a sentence", "finished sentences", "numbers in groups") or self.chance(0.7)
        self.language = "en-us" if is_english else self.choice(languages)
        if kind == "numbers in groups" and all(language != self.language for language, _ in texts.numbers):
            self.language = "en-us"
        self._voice = self.choice(texts.voices)
        self.style: Style = "plain" if self.chance(_PLAIN_SHARE) else "punctuated"
        self._has_digits = self.chance(_WRITTEN_DIGITS_SHARE)

    def choice(self, items: Sequence[Any]) -> Any:
        return self._random.choice(items)

    def chance(self, share: float) -> bool:
        return self._random.random() < share

    def between(self, low: int, high: int) -> int:
        return self._random.randint(low, high)

    def answers(self, count: int) -> list[str]:
        return self._random.sample(self._texts.answers, count)

    def text(self, source: Literal["sentences", "numbers"]) -> str:
        texts = self._texts.sentences if source == "sentences" else self._texts.numbers
        return str(self.choice([text for language, text in texts if language == self.language]))

    def line(self, fragment: str) -> audio.Line:
        return audio.Line(_SOUNDS.get(fragment, fragment), self.language + self._voice)

    def write(self, token: str) -> str:
        """A word as the scene's recognizer writes it."""
        bare = token.strip(".,?!")
        if self._has_digits and bare in _DIGITS and self.kind == "numbers in groups":
            token = token.replace(bare, _DIGITS[bare])
        return token if self.style == "punctuated" else token.strip(".,?!").lower()


class NoiseShelf:
    """Noises that are made once and used by many scenes."""

    def __init__(self, voices: list[audio.Clip], *, seed: int) -> None:
        self._voices = voices
        self._seed = seed
        self._made: dict[tuple[str, int, int], audio.Samples] = {}

    def take(self, kind: audio.NoiseKind, snr_db: int, seed: int) -> audio.Samples:
        """Twenty seconds of background."""
        key = (kind, snr_db, (seed + self._seed) % 3)
        if key not in self._made:
            self._made[key] = audio.make_noise(
                kind, 20.0, snr_db=snr_db, voices=self._voices, seed=key[2] + 7 * self._seed
            )
        return self._made[key]

    def burst(self, draw: _Draw) -> audio.Samples:
        """A cough, clicks, music or people in the background, for a moment."""
        kind = draw.choice(("cough", "cough", "cough", "clicks", "music", "babble"))
        seed = draw.between(0, 1 << 30)
        if kind == "cough":
            return audio.make_cough(seed, louder_db=draw.choice((-6, 0, 3)))
        if kind == "clicks":
            return audio.make_clicks(seed)
        if kind == "music":
            return audio.at_level(audio.make_music(draw.choice((1.0, 2.0)), seed), 12)
        return audio.at_level(self.take("babble", 12, seed)[: draw.choice((1, 2)) * audio.RATE_HZ], 12)


def split_fragments(text: str) -> list[tuple[str, str]]:
    """The pieces of `text` between its places to pause, each with the mark that follows it."""
    pieces = text.replace("~", "\n~").replace("/", "\n/").split("\n")
    marks = [piece[0] for piece in pieces[1:]] + [""]
    return [(piece.lstrip("~/ ").strip(), mark) for piece, mark in zip(pieces, marks, strict=True)]


def list_lines(texts: Texts) -> Iterator[audio.Line]:
    """Everything that somebody says in the scenes of `texts`."""
    for voice in texts.voices:
        for language, text in (*texts.sentences, *texts.numbers):
            yield from (audio.Line(fragment, language + voice) for fragment, _ in split_fragments(text))
        for text in (*texts.interruptions, *texts.back_channels, NEVER_STOPS):
            yield audio.Line(_SOUNDS.get(text, text), "en-us" + voice)
    for text in (*texts.answers, *_SHORT_ANSWERS, _SHORT_GREETING):
        yield audio.Line(text, AGENT_VOICE)
