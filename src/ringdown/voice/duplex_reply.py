"""What a speech-to-speech model says in one turn: its items, their audio as it arrives, and what was played. No I/O."""

from dataclasses import dataclass

from ringdown.voice import ports, sentences
from ringdown.voice.events import ConversationEnd
from ringdown.voice.reply import FRAME_MS, Purpose

_BYTES_PER_SAMPLE = 2
# Played audio is let go of in pieces of this length.
_KEPT_MS = 1000


@dataclass(slots=True)
class Item:
    """One item of the model's answer: where its audio begins in the turn, and how long it is so far, in bytes."""

    item_id: str
    start: int
    length: int = 0
    text: str = ""


class DuplexReply:
    """The agent's turn.

    The model's events append text and audio; `frame` plays them. `ends` is how the conversation ends when all was
    played, `request` the tool that is begun then. Instants are milliseconds of media time.
    """

    def __init__(self, purpose: Purpose, *, sample_rate_hz: int, is_uninterruptible: bool = False) -> None:
        self.purpose = purpose
        self.is_uninterruptible = is_uninterruptible
        self.ends: ConversationEnd | None = None
        self.request: ports.ToolRequest | None = None
        # No audio follows.
        self.is_written = False
        self.started_ms: int | None = None
        self.stopped_ms = 0
        self._items: list[Item] = []
        self._pcm = bytearray()
        self._forgotten = 0
        self._played = 0
        self._frame_bytes = sample_rate_hz * FRAME_MS // 1000 * _BYTES_PER_SAMPLE
        self._bytes_per_ms = sample_rate_hz * _BYTES_PER_SAMPLE // 1000

    def add_words(self, item_id: str, text: str) -> None:
        """Take more of an item's text."""
        self._find(item_id).text += text

    def add_audio(self, item_id: str, pcm: bytes) -> None:
        """Take more of an item's audio; items come one after the other."""
        self._find(item_id).length += len(pcm)
        self._pcm += pcm

    def frame(self, at_ms: int) -> bytes | None:
        """The next 20 ms, or None while there is nothing to play."""
        left = self._length - self._played
        if left <= 0 or (left < self._frame_bytes and not self.is_written):
            return None
        if self.started_ms is None:
            self.started_ms = at_ms
        begin = self._played - self._forgotten
        frame = bytes(self._pcm[begin : begin + self._frame_bytes])
        self._played += len(frame)
        self.stopped_ms = at_ms + FRAME_MS
        if begin > _KEPT_MS * self._bytes_per_ms:
            del self._pcm[:begin]
            self._forgotten += begin
        return frame.ljust(self._frame_bytes, b"\0")

    def is_played(self) -> bool:
        """Whether everything there will ever be was played."""
        return self.is_written and self._played >= self._length

    def remaining_ms(self) -> int:
        """The audio that is there and was not played."""
        return (self._length - self._played) // self._bytes_per_ms

    def heard_text(self) -> str:
        """The words that were played."""
        heard = [self._heard_of(item) for item in self._items]
        return " ".join(text for text in heard if text)

    def is_heard(self) -> bool:
        """Whether no word is left to be heard."""
        return self.is_written and self.heard_text() == " ".join(
            text for item in self._items if (text := " ".join(item.text.split()))
        )

    def unheard_items(self) -> list[tuple[str, int]]:
        """The items that were not played to their end, with how much of each was, in milliseconds."""
        return [
            (item.item_id, self._heard_bytes(item) // self._bytes_per_ms)
            for item in self._items
            if self._heard_bytes(item) < item.length or (item is self._items[-1] and not self.is_written)
        ]

    @property
    def _length(self) -> int:
        return self._forgotten + len(self._pcm)

    def _find(self, item_id: str) -> Item:
        for item in self._items:
            if item.item_id == item_id:
                return item
        self._items.append(Item(item_id, start=self._length))
        return self._items[-1]

    def _heard_bytes(self, item: Item) -> int:
        return max(0, min(self._played - item.start, item.length))

    def _heard_of(self, item: Item) -> str:
        heard, is_complete = self._heard_bytes(item), self.is_written or item is not self._items[-1]
        if is_complete and heard >= item.length:
            return " ".join(item.text.split()) if item.length else ""
        audio_ms = item.length // self._bytes_per_ms if is_complete else None
        return sentences.cut_to_heard(item.text, heard_ms=heard // self._bytes_per_ms, words=(), audio_ms=audio_ms)
