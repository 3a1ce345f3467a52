"""Cuts a byte stream into SIP messages by Content-Length; knows no socket (RFC 3261 §18.3)."""

from ringdown.sip.address import parse_number
from ringdown.sip.message import MAX_MESSAGE_BYTES

MAX_HEAD_BYTES = 32_768
_MAX_CONTENT_LENGTH = 2**32  # what is believed to be a length at all
_LENGTH_NAMES = (b"content-length", b"l")


class MessageTooLarge(ValueError):
    """A message whose body is larger than we take; `head` is its start line and header fields."""

    def __init__(self, head: bytes) -> None:
        super().__init__("message too large")
        self.head = head


class StreamFramer:
    """Collects the bytes of one connection; `receive` gives the messages that are complete."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        # Bytes of the message at the front of the buffer; only set once its head is complete.
        self._expected: int | None = None

    def receive(self, data: bytes) -> list[bytes]:
        """Add bytes, take whole messages; raises `ValueError` when the stream cannot be cut any further.

        After an error the connection must be closed: nobody knows where the next message starts. Messages that came
        whole before the broken one are given first; the error follows with the next call.
        """
        self._buffer += data
        messages: list[bytes] = []
        try:
            while (message := self._take()) is not None:
                messages.append(message)
        except ValueError:
            if not messages:
                raise
        return messages

    @property
    def is_inside_message(self) -> bool:
        """Whether the peer owes the rest of a message."""
        return bool(self._buffer)

    def _take(self) -> bytes | None:
        if self._expected is None:
            while self._buffer.startswith((b"\r", b"\n")):  # keep-alives between messages (RFC 5626 §3.5.1)
                del self._buffer[0]
            end = self._buffer.find(b"\r\n\r\n")
            if end > MAX_HEAD_BYTES or (end < 0 and len(self._buffer) > MAX_HEAD_BYTES):
                raise ValueError("header section too large")
            if end < 0:
                return None
            head = bytes(self._buffer[:end])
            expected = end + 4 + _content_length(head)
            if expected > MAX_MESSAGE_BYTES:
                raise MessageTooLarge(head)
            self._expected = expected
        if len(self._buffer) < self._expected:
            return None
        message = bytes(self._buffer[: self._expected])
        del self._buffer[: self._expected]
        self._expected = None
        return message


def _content_length(head: bytes) -> int:
    """The length of the body; two different ones would let a peer hide a message in another's body."""
    lengths = set()
    for line in head.split(b"\r\n")[1:]:
        name, colon, value = line.partition(b":")
        if colon and name.strip().lower() in _LENGTH_NAMES:
            lengths.add(parse_number(value.strip().decode("latin-1"), maximum=_MAX_CONTENT_LENGTH))
    if len(lengths) > 1:
        raise ValueError("more than one Content-Length")
    return lengths.pop() if lengths else 0
