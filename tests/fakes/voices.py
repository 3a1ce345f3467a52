"""The model providers of the tests: a detector, recognizer, voice and language model that are exact and instant.

Their PCM is a code: a frame filled with one sample value stands for one word, so that a test reads from the audio what
was said and heard.
"""

import array
import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ringdown.voice import ports
from ringdown.voice.detector import WINDOW_MS, WINDOW_SAMPLES

FRAME_MS = 20
SILENCE = bytes(320)
MS_PER_WORD = 200
# A sound that is no word: voice to the detector, nothing to the recognizer.
NOISE = "<noise>"


class Codebook:
    """Words as sample values, the same for all fakes of a test; its audio has `sample_rate_hz`."""

    def __init__(self, sample_rate_hz: int = 8000) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.silence = bytes(sample_rate_hz * FRAME_MS // 1000 * 2)
        self._words: list[str] = []

    def encode(self, word: str) -> int:
        """The sample value of a word."""
        if word not in self._words:
            self._words.append(word)
        return (self._words.index(word) + 1) * 10

    def frame(self, word: str) -> bytes:
        """20 ms of a word."""
        return array.array("h", [self.encode(word)] * (len(self.silence) // 2)).tobytes()

    def decode(self, pcm: bytes) -> list[tuple[str, int, int]]:
        """Words in `pcm` with their first and last millisecond."""
        found: list[tuple[str, int, int]] = []
        for number in range(len(pcm) // len(self.silence)):
            at, start_ms = number * len(self.silence), number * FRAME_MS
            value = int.from_bytes(pcm[at : at + 2], "little", signed=True)
            if value == 0 or pcm[at : at + 2] * (len(self.silence) // 2) != pcm[at : at + len(self.silence)]:
                continue
            word = self._words[value // 10 - 1]
            if found and found[-1][0] == word and found[-1][2] == start_ms:
                found[-1] = (word, found[-1][1], start_ms + FRAME_MS)
            else:
                found.append((word, start_ms, start_ms + FRAME_MS))
        return found


class FakeDetector:
    """Voice is whatever is not silence or a tone; results come `lag_windows` windows late."""

    def __init__(self, lag_windows: int = 1) -> None:
        self._lag = lag_windows

    def open(self, on_window: Callable[[float, int], None]) -> "_FakeActivity":
        """Begin a call."""
        return _FakeActivity(on_window, self._lag)


class _FakeActivity:
    def __init__(self, on_window: Callable[[float, int], None], lag: int) -> None:
        self._on_window = on_window
        self._lag = lag
        self._pending = bytearray()
        self._results: list[float] = []
        self._delivered = 0
        self._is_closed = False

    def push(self, pcm: bytes) -> None:
        self._pending += pcm
        while len(self._pending) >= WINDOW_SAMPLES * 2:
            window = array.array("h", bytes(self._pending[: WINDOW_SAMPLES * 2]))
            del self._pending[: WINDOW_SAMPLES * 2]
            voiced = sum(1 for sample, after in pairwise(window) if sample and sample == after)
            self._results.append(1.0 if voiced * 2 >= WINDOW_SAMPLES else 0.0)
        while self._delivered < len(self._results) - self._lag and not self._is_closed:
            self._delivered += 1
            self._on_window(self._results[self._delivered - 1], self._delivered * WINDOW_MS)

    def close(self) -> None:
        self._is_closed = True


@dataclass
class FakeRecognizer:
    """Understands every word of the codebook after `delay_s`; `faults` are raised first, one a request."""

    codebook: Codebook
    delay_s: float = 0.1
    has_partials: bool = False
    is_able: bool = True
    faults: list[ports.ProviderError] = field(default_factory=list)
    expectations: list[ports.Expectation] = field(default_factory=list)
    utterances: list["FakeUtterance"] = field(default_factory=list)
    # The languages that utterances were opened with, and of words ("ja" is "de"); the others are in no language.
    languages: list[str] = field(default_factory=list)
    spoken_in: dict[str, str] = field(default_factory=dict)

    def open(self, *, sample_rate_hz: int, language: str, expectation: ports.Expectation) -> "FakeUtterance":
        """Begin an utterance."""
        assert sample_rate_hz == self.codebook.sample_rate_hz
        self.languages.append(language)
        self.expectations.append(expectation)
        self.utterances.append(FakeUtterance(self))
        return self.utterances[-1]


class FakeUtterance:
    """An utterance of `FakeRecognizer`; counts how often it was recognized."""

    def __init__(self, owner: FakeRecognizer) -> None:
        self._owner = owner
        self._pcm = bytearray()
        self.recognitions = 0
        self.is_closed = False

    def push(self, pcm: bytes) -> None:
        assert not self.is_closed
        self._pcm += pcm

    def partial(self) -> str:
        return " ".join(word.text for word in self._words()) if self._owner.has_partials else ""

    async def final(self) -> ports.Recognition:
        self.recognitions += 1
        await asyncio.sleep(self._owner.delay_s)
        if self._owner.faults:
            raise self._owner.faults.pop(0)
        if not self._owner.is_able:
            return ports.Recognition("", understood=False)
        words = self._words()
        spoken = [self._owner.spoken_in[word.text] for word in words if word.text in self._owner.spoken_in]
        return ports.Recognition(
            " ".join(word.text for word in words), tuple(words), language=spoken[-1] if spoken else None
        )

    async def close(self) -> None:
        self.is_closed = True

    def _words(self) -> list[ports.Word]:
        found = self._owner.codebook.decode(bytes(self._pcm))
        return [ports.Word(word, start, end) for word, start, end in found if word != NOISE]


@dataclass
class FakeSpeaker:
    """Says each word for 200 ms, the first after `delay_s`, then faster than it is played.

    `faults` are raised first, one a request; with `has_times` false it tells no word times.
    """

    codebook: Codebook
    delay_s: float = 0.05
    has_times: bool = True
    faults: list[ports.ProviderError] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    async def speak(self, text: str, *, sample_rate_hz: int) -> AsyncIterator[ports.Speech]:
        """Stream the words of `text`."""
        assert sample_rate_hz == self.codebook.sample_rate_hz
        self.texts.append(text)
        await asyncio.sleep(self.delay_s)
        if self.faults:
            raise self.faults.pop(0)
        for index, word in enumerate(text.split()):
            start_ms = index * MS_PER_WORD
            times = (ports.Word(word, start_ms, start_ms + MS_PER_WORD),) if self.has_times else ()
            yield ports.Speech(self.codebook.frame(word) * (MS_PER_WORD // FRAME_MS), times)
            await asyncio.sleep(0.01)


@dataclass
class FakeModel:
    """Answers with the next of `replies`: text or tool requests, word by word, the first after `delay_s`.

    An error in `replies` is raised at its place. The messages of each request are kept.
    """

    replies: list[Sequence[str | ports.ToolRequest | ports.ProviderError]]
    delay_s: float = 0.15
    requests: list[tuple[ports.Message, ...]] = field(default_factory=list)
    cancelled: int = 0

    async def reply(
        self, messages: Sequence[ports.Message], *, tools: Sequence[ports.ToolSpec] = (), temperature: float = 0.3
    ) -> AsyncIterator[ports.TextDelta | ports.ToolRequest]:
        """Stream the next reply."""
        self.requests.append(tuple(messages))
        try:
            await asyncio.sleep(self.delay_s)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        parts = self.replies.pop(0)
        for part in parts:
            if isinstance(part, ports.ProviderError):
                raise part
            if isinstance(part, ports.ToolRequest):
                yield part
                continue
            for word in part.split():
                yield ports.TextDelta(f"{word} ")
                await asyncio.sleep(0)
