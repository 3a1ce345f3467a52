"""Makes the answers of the answering-machine benchmark: who answers, how it sounds, what should come of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from benchmarks import turns_audio as audio
from benchmarks.machines_texts import Line, Texts
from ringdown.voice.ports import Word

Truth = Literal["human", "machine", "screening", "menu", "fax"]
KINDS: dict[str, Truth] = {
    "hello": "human", "hello twice": "human", "business": "human", "says nothing at first": "human",
    "rings, then hello": "human", "voicemail with a beep": "machine", "voicemail without a beep": "machine",
    "rings, then voicemail": "machine", "screening": "screening", "menu": "menu", "fax": "fax", "intercept": "machine",
}  # fmt: skip
_NOISES: tuple[audio.NoiseKind, ...] = ("quiet", "quiet", "line", "car", "babble")
_SECONDS = 28
_RINGS_HZ: tuple[tuple[float, ...], ...] = ((440.0, 480.0), (425.0,), (400.0, 450.0))


@dataclass(slots=True)
class Scene:
    """One answer; `samples` is the line, words have their true times, `beep_ms` is when the beep ends."""

    kind: str
    seed: int
    language: str
    samples: audio.Samples = field(repr=False)
    words: list[Word] = field(default_factory=list)
    first_ms: int = 0
    speech_end_ms: int = 0
    beep_ms: int | None = None

    @property
    def end_ms(self) -> int:
        """When the answer is over: its words, its beep, its tones."""
        return max(self.speech_end_ms, self.beep_ms or 0, self.first_ms + 3000)

    @property
    def truth(self) -> Truth:
        """Who has answered."""
        return KINDS[self.kind]


def list_lines(texts: Texts) -> Iterator[audio.Line]:
    """Everything that is spoken in any scene, in every voice."""
    lines = (*texts.hellos, *texts.businesses, *texts.voicemails, *texts.screenings, *texts.menus)
    for language, text in lines:
        for sentence in text.split("|"):
            for index in range(len(texts.variants)):
                yield _to_line((language, sentence), texts, index)


def _to_line(line: Line, texts: Texts, index: int) -> audio.Line:
    language, text = line
    return audio.Line(text.strip(), f"{language}+{texts.variants[index]}", rate=(150, 170, 190)[index])


class SceneMaker:
    """Makes scenes from clips of `list_lines`."""

    def __init__(self, texts: Texts, clips: dict[audio.Line, audio.Clip]) -> None:
        self._texts = texts
        self._clips = clips
        self._babble = [clip for clip in clips.values() if clip.length_ms > 1500][:20]

    def make(self, kind: str, seed: int) -> Scene:
        """The scene of this kind and seed."""
        random = np.random.default_rng(seed)
        noise = _NOISES[int(random.integers(len(_NOISES)))]
        samples = audio.make_noise(
            noise, _SECONDS, snr_db=float(random.uniform(15, 25)), voices=self._babble, seed=seed
        )
        scene = Scene(kind, seed, "en-US", samples)
        at_ms = int(random.uniform(150, 900))
        if kind.startswith("rings"):
            at_ms = self._ring(scene, random, at_ms)
        match kind:
            case "business":
                self._speak(scene, random, self._texts.businesses, at_ms)
            case "says nothing at first":
                self._speak(scene, random, self._texts.hellos, at_ms + int(random.uniform(2500, 5000)))
            case "screening":
                self._speak(scene, random, self._texts.screenings, at_ms)
            case "menu":
                self._speak(scene, random, self._texts.menus, at_ms)
            case "fax":
                self._sound(scene, at_ms, 2600, (2100.0,))
            case "intercept":
                for hz, length_ms in ((985.2, 380), (1428.5, 380), (1776.7, 380)):
                    at_ms = self._sound(scene, at_ms, length_ms, (hz,))
            case _ if "voicemail" in kind:
                self._speak(scene, random, self._texts.voicemails, at_ms)
                if kind != "voicemail without a beep":
                    self._beep(scene, random)
            case _:
                self._speak(scene, random, self._texts.hellos, at_ms)
                if kind == "hello twice":
                    self._speak(scene, random, self._texts.hellos, scene.speech_end_ms + int(random.uniform(700, 1500)))
        scene.samples = audio.band_limit(scene.samples)
        return scene

    def _speak(self, scene: Scene, random: np.random.Generator, lines: tuple[Line, ...], at_ms: int) -> None:
        language, text = lines[int(random.integers(len(lines)))]
        voice = int(random.integers(len(self._texts.variants)))
        scene.language = language
        scene.first_ms = scene.first_ms or at_ms
        for sentence in text.split("|"):
            clip = self._clips[_to_line((language, sentence), self._texts, voice)]
            self._mix(scene, clip.samples, at_ms)
            scene.words += [Word(word.text, word.start_ms + at_ms, word.end_ms + at_ms) for word in clip.words]
            scene.speech_end_ms = at_ms + clip.length_ms
            at_ms = scene.speech_end_ms + int(random.uniform(250, 800))

    def _beep(self, scene: Scene, random: np.random.Generator) -> None:
        start_ms = scene.speech_end_ms + int(random.uniform(200, 1300))
        hz = float(random.choice((440, 620, 800, 850, 1000, 1200, 1400)))
        scene.beep_ms = self._sound(scene, start_ms, int(random.uniform(180, 900)), (hz,))

    def _ring(self, scene: Scene, random: np.random.Generator, at_ms: int) -> int:
        tones = _RINGS_HZ[int(random.integers(len(_RINGS_HZ)))]
        for _ in range(int(random.integers(1, 3))):
            at_ms = self._sound(scene, at_ms, 1000, tones) + 1000
        return at_ms

    def _sound(self, scene: Scene, at_ms: int, length_ms: int, frequencies_hz: tuple[float, ...]) -> int:
        time = np.arange(length_ms * audio.RATE_HZ // 1000) / audio.RATE_HZ
        tone = sum(np.sin(2 * np.pi * hz * time) for hz in frequencies_hz)
        self._mix(scene, audio.at_level(np.asarray(tone, np.float32), 3), at_ms)
        scene.first_ms = scene.first_ms or at_ms
        return at_ms + length_ms

    def _mix(self, scene: Scene, samples: audio.Samples, at_ms: int) -> None:
        start = at_ms * audio.RATE_HZ // 1000
        scene.samples[start : start + len(samples)] += samples
