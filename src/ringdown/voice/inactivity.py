"""When to speak to a caller who says nothing, and when to give up. Pure."""

from collections.abc import Sequence

from ringdown.voice.settings import InactivityMessage

# "Hang up unless the user speaks": the time to do so after the message.
SOFT_GRACE_MS = 2500


class InactivityClock:
    """Counts the silence of both sides; message n is due `duration_ms` after message n-1."""

    def __init__(self, messages: Sequence[InactivityMessage]) -> None:
        self._messages = messages
        self._next = 0
        self._since_ms = 0
        self._hang_up_at_ms: int | None = None

    def caller_active(self, now_ms: int) -> None:
        """The caller spoke or pressed a key: begin again with the first message."""
        self._next, self._since_ms, self._hang_up_at_ms = 0, now_ms, None

    def agent_stopped(self, now_ms: int) -> None:
        """The agent has said something: silence counts from here."""
        self._since_ms = now_ms

    def message_due(self, now_ms: int) -> InactivityMessage | None:
        """The message to speak now, once."""
        if self._hang_up_at_ms is not None or self._next >= len(self._messages):
            return None
        message = self._messages[self._next]
        if now_ms - self._since_ms < message.duration_ms:
            return None
        self._next += 1
        return message

    def message_spoken(self, message: InactivityMessage, now_ms: int) -> None:
        """A message has been played."""
        self._since_ms = now_ms
        if message.end_behavior == "END_BEHAVIOR_HANG_UP_SOFT":
            self._hang_up_at_ms = now_ms + SOFT_GRACE_MS

    def is_over(self, now_ms: int) -> bool:
        """Whether the caller let the time to answer a last message pass."""
        return self._hang_up_at_ms is not None and now_ms >= self._hang_up_at_ms
