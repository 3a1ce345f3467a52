"""One thing the agent says: its sentences, their audio as it arrives, and what of it was played."""

import asyncio
from dataclasses import dataclass, field
from typing import Literal

from ringdown.voice import brain, ports, sentences
from ringdown.voice.events import ConversationEnd

Purpose = Literal["opening", "answer", "inactivity", "time_exceeded", "apology", "announcement"]

FRAME_MS = 20
_BYTES_PER_SAMPLE = 2


@dataclass(slots=True)
class Sentence:
    """A sentence and its audio so far; word times count from its first sample."""

    text: str
    pcm: bytearray = field(default_factory=bytearray)
    words: list[ports.Word] = field(default_factory=list)
    is_complete: bool = False


class Reply:
    """What the agent says in one turn.

    The producer appends sentences and audio; `frame` plays them. `ends` is how the conversation ends when the words
    were played, None when it goes on; `act` is what is done then. Instants are milliseconds of media time.
    """

    def __init__(self, purpose: Purpose, *, sample_rate_hz: int, is_uninterruptible: bool = False) -> None:
        self.purpose = purpose
        self.is_uninterruptible = is_uninterruptible
        self.ends: ConversationEnd | None = None
        self.act: brain.Act | None = None
        # It must begin before there is anything to play: a tool waits for the certainty that it will be heard.
        self.needs_commit = False
        self.sentences: list[Sentence] = []
        # No sentence follows: the producer is done, or has failed.
        self.is_written = False
        self.is_paused = False
        self.started_ms: int | None = None
        self.stopped_ms = 0
        self.producers: list[asyncio.Task[None]] = []
        self._progress = asyncio.Event()
        self._frame_bytes = sample_rate_hz * FRAME_MS // 1000 * _BYTES_PER_SAMPLE
        self._bytes_per_ms = sample_rate_hz * _BYTES_PER_SAMPLE // 1000
        self._index = 0
        self._offset = 0

    def add_sentence(self, text: str) -> Sentence:
        """Append a sentence whose audio follows."""
        sentence = Sentence(text)
        self.sentences.append(sentence)
        return sentence

    async def reached(self, index: int) -> None:
        """Wait until the sentence with this index is being played."""
        while self.started_ms is None or self._index < index:
            self._progress.clear()
            await self._progress.wait()

    def is_ready(self) -> bool:
        """Whether it can begin: with audio for a first frame, or certain that there will be none, or for a tool."""
        if self.needs_commit:
            return True
        if not self.sentences:
            return self.is_written
        first = self.sentences[0]
        return first.is_complete or len(first.pcm) >= self._frame_bytes

    def idle_ms(self, now_ms: int) -> int:
        """For how long there has been nothing to play; 0 while there is something, or before it began."""
        if self._index < len(self.sentences):
            return 0
        return max(0, now_ms - self.stopped_ms)

    def is_played(self) -> bool:
        """Whether everything there will ever be was played."""
        return self.is_written and self._index >= len(self.sentences)

    def frame(self, at_ms: int) -> bytes | None:
        """The next 20 ms, or None while there is nothing to play."""
        if self.is_paused:
            return None
        self._skip_played()
        if self._index >= len(self.sentences):
            return None
        sentence = self.sentences[self._index]
        end = self._offset + self._frame_bytes
        if end > len(sentence.pcm) and not sentence.is_complete:
            return None
        if self.started_ms is None:
            self.started_ms = at_ms
            self._progress.set()
        frame = bytes(sentence.pcm[self._offset : end])
        self._offset = end
        self.stopped_ms = at_ms + FRAME_MS
        self._skip_played()
        return frame if len(frame) == self._frame_bytes else frame.ljust(self._frame_bytes, b"\0")

    def pause(self) -> None:
        """Stop playing for now."""
        self.is_paused = True

    def resume(self) -> None:
        """Go on where it was paused, from the beginning of the word that was cut."""
        if not self.is_paused:
            return
        self.is_paused = False
        if self._index < len(self.sentences):
            played_ms = self._played_ms()
            for word in self.sentences[self._index].words:
                if word.start_ms <= played_ms < word.end_ms:
                    self._offset = word.start_ms * self._bytes_per_ms

    def is_heard(self) -> bool:
        """Whether no word is left to be heard; the silence after the last one is nobody's loss."""
        return self.is_written and self.heard_text() == " ".join(sentence.text for sentence in self.sentences)

    def heard_text(self) -> str:
        """The words that were played."""
        heard = [sentence.text for sentence in self.sentences[: self._index]]
        if self._index < len(self.sentences):
            sentence = self.sentences[self._index]
            audio_ms = len(sentence.pcm) // self._bytes_per_ms if sentence.is_complete else None
            played_ms, words = self._played_ms(), sentence.words
            heard.append(sentences.cut_to_heard(sentence.text, heard_ms=played_ms, words=words, audio_ms=audio_ms))
        return " ".join(text for text in heard if text)

    def remaining_ms(self) -> int:
        """What is left to play, as far as it is known; words without audio yet are estimated."""
        left = -self._played_ms()
        for sentence in self.sentences[self._index :]:
            audio_ms = len(sentence.pcm) // self._bytes_per_ms
            expected_ms = 0 if sentence.is_complete else len(sentence.text) * sentences.MS_PER_CHARACTER
            left += max(audio_ms, expected_ms)
        # Nobody knows how much an unfinished answer still holds: certainly not only its last syllable.
        return left if self.is_written else left + sentences.MS_PER_CHARACTER * 20

    def stop(self) -> None:
        """Let go of whatever still produces this reply."""
        for task in self.producers:
            task.cancel()

    def _played_ms(self) -> int:
        return self._offset // self._bytes_per_ms

    def _skip_played(self) -> None:
        while self._index < len(self.sentences):
            sentence = self.sentences[self._index]
            if not sentence.is_complete or self._offset < len(sentence.pcm):
                return
            # Played audio is not needed any more; calls are long and many.
            sentence.pcm = bytearray()
            self._index += 1
            self._offset = 0
            self._progress.set()
