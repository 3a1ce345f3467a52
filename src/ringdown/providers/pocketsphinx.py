"""The offline recognizer: utterances go to child processes that decode them with the grammar of the question.

An utterance is decoded as a whole when its words are asked for: the model needs all of it to find the channel's mean,
and word errors nearly double without that.
"""

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

from ringdown.providers import child, espeak, frames, grammars, pronunciation
from ringdown.voice.ports import Expectation, ProviderError, Recognition, Word

PROVIDER = "pocketsphinx"
_TIMEOUT_S = 10.0
_TRIES = 2
_LONGEST_S = 30  # the beginning of a longer utterance is not decoded
_SHORTEST_MS = 100  # no word is shorter
_NOTHING = Recognition("")
_NOT_MINE = Recognition("", understood=False)


class PocketsphinxRecognizer:
    """A recognizer (`SpeechToText`) of answers that a grammar describes, in English.

    Free speech, messages and other languages come back as `understood=False`. `espeak` lends its voice process for
    words that the dictionary lacks; without it one is started when needed.
    """

    def __init__(self, *, processes: int = 1, espeak_server: espeak.EspeakServer | None = None) -> None:
        self._workers = [_Worker() for _ in range(max(1, processes))]
        self._espeak_server = espeak_server
        self._pronunciations: dict[str, tuple[str, ...]] = {}

    @property
    def child_pids(self) -> list[int]:
        """The process ids of the children that are ready."""
        return [worker.child.pid for worker in self._workers if worker.child.pid is not None]

    async def start(self) -> None:
        """Start the children. Raises `ProviderError` when the model cannot be loaded."""
        try:
            for worker in self._workers:
                await worker.child.start()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """End the children; safe to call twice."""
        for worker in self._workers:
            await worker.child.close()

    def open(self, *, sample_rate_hz: int, language: str, expectation: Expectation) -> "PocketsphinxUtterance":
        """Begin an utterance. `language` is BCP-47."""
        is_english = language.lower().partition("-")[0] == "en"
        grammar = grammars.build_grammar(expectation) if is_english else None
        return PocketsphinxUtterance(self, grammar=grammar, sample_rate_hz=sample_rate_hz)

    async def decode(self, pcm: bytes, *, grammar: grammars.Grammar, sample_rate_hz: int) -> Recognition:
        """The words of a whole utterance. Raises `ProviderError` when two children failed at it."""
        spoken = await self._pronounce(grammar)
        header = {
            "do": "decode",
            "jsgf": grammar.jsgf,
            "pronunciations": spoken,
            "sample_rate_hz": sample_rate_hz,
        }
        for _ in range(_TRIES):
            worker = min(self._workers, key=lambda candidate: candidate.load)
            answer = await worker.ask(header, pcm)
            if answer is not None:
                duration_ms = len(pcm) // 2 * 1000 // sample_rate_hz  # the last frame may be longer than its audio
                words = tuple(Word(text, begin, min(end, duration_ms)) for text, begin, end in answer["words"])
                words = words[: grammar.count_answer([word.text for word in words])]
                return Recognition(" ".join(word.text for word in words), words)
        raise ProviderError(PROVIDER, "the recognizer process failed twice", retryable=True)

    async def _pronounce(self, grammar: grammars.Grammar) -> Mapping[str, tuple[str, ...]]:
        unknown = [word for word in grammar.words if word not in self._pronunciations]
        if unknown:
            found = await pronunciation.find_pronunciations(unknown, server=self._espeak_server)
            self._pronunciations.update(found)
        missing = [word for word in grammar.words if word not in self._pronunciations]
        if missing:
            raise ProviderError(PROVIDER, f"{len(missing)} words have no pronunciation", retryable=False)
        spoken = {word: self._pronunciations[word] for word in grammar.words}
        return spoken | {sound: (phoneme,) for sound, phoneme in grammar.sounds.items()}


class PocketsphinxUtterance:
    """One utterance: its audio, and what was recognized in it last."""

    def __init__(
        self, recognizer: PocketsphinxRecognizer, *, grammar: grammars.Grammar | None, sample_rate_hz: int
    ) -> None:
        self._recognizer = recognizer
        self._grammar = grammar
        self._sample_rate_hz = sample_rate_hz
        self._audio = bytearray()
        self._recognized_bytes = 0
        self._recognition = _NOTHING if grammar is not None else _NOT_MINE

    def push(self, pcm: bytes) -> None:
        """Take more audio. Never blocks."""
        if self._grammar is not None:
            self._audio += pcm

    def partial(self) -> str:
        """What the last `final` found; there is nothing before it."""
        return self._recognition.text

    async def final(self) -> Recognition:
        """What was said in all audio pushed so far. Raises `ProviderError`."""
        length = len(self._audio) // 2 * 2
        is_too_short = length < 2 * self._sample_rate_hz * _SHORTEST_MS // 1000
        if self._grammar is None or is_too_short or length == self._recognized_bytes:
            return self._recognition
        begin = max(0, length - 2 * self._sample_rate_hz * _LONGEST_S) // 2 * 2
        recognition = await self._recognizer.decode(
            bytes(self._audio[begin:length]), grammar=self._grammar, sample_rate_hz=self._sample_rate_hz
        )
        self._recognition = _shift(recognition, begin // 2 * 1000 // self._sample_rate_hz)
        self._recognized_bytes = length
        return self._recognition

    async def close(self) -> None:
        """Let go of the audio; safe to call twice."""
        self._audio.clear()
        self._recognized_bytes = 0
        self._grammar = None


def _shift(recognition: Recognition, by_ms: int) -> Recognition:
    if by_ms == 0:
        return recognition
    words = tuple(Word(word.text, word.start_ms + by_ms, word.end_ms + by_ms) for word in recognition.words)
    return Recognition(recognition.text, words)


@dataclass(slots=True, eq=False)
class _Question:
    """One utterance at a child; the future gets the answer, or None when the child died."""

    header: frames.Header
    pcm: bytes
    answer: asyncio.Future[frames.Header | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    is_sent: bool = False


class _Worker:
    """One child and the utterances it has to decode."""

    def __init__(self) -> None:
        self.child = child.Child(module="ringdown.providers.pocketsphinx_process", provider=PROVIDER, listener=self)
        self._questions: dict[int, _Question] = {}
        self._ids = itertools.count(1)

    @property
    def load(self) -> int:
        """How many bytes wait to be decoded; a child that is not ready comes last."""
        waiting = sum(len(question.pcm) for question in self._questions.values())
        return waiting if self.child.pid is not None else waiting + 1_000_000_000

    async def ask(self, header: frames.Header, pcm: bytes) -> frames.Header | None:
        """The child's answer, or None when it died or hung."""
        question = _Question({**header, "id": next(self._ids)}, pcm)
        self._questions[question.header["id"]] = question
        self._send(question)
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return await question.answer
        except TimeoutError:
            self.child.kill()
            return None
        finally:
            del self._questions[question.header["id"]]
            if not question.answer.done() or question.answer.cancelled():
                self.child.send({"do": "cancel", "id": question.header["id"]})

    def _send(self, question: _Question) -> None:
        if self.child.pid is not None:
            question.is_sent = True
            self.child.send(question.header, question.pcm)

    def child_ready(self) -> None:
        """Send what has been waiting."""
        for question in self._questions.values():
            self._send(question)

    def child_message(self, header: frames.Header, payload: bytes) -> None:  # noqa: ARG002 (of the listener)
        """Pass an answer to its question."""
        question = self._questions.get(header["id"])
        if question is not None and not question.answer.done():
            question.answer.set_result(header)

    def child_gone(self) -> None:
        """Tell the utterances on their way; those not yet sent wait for the next child."""
        for question in self._questions.values():
            if question.is_sent and not question.answer.done():
                question.answer.set_result(None)
