"""The turns of a conversation on their way to its owner, in the order of their start. Pure."""

from collections.abc import Callable

from ringdown.voice import brain, ports
from ringdown.voice.events import Event, Turn, TurnFinished, TurnLatency

_UNCLEAR = "[unclear]"


class TranscriptWriter:
    """Emits turns; the start of each is not before that of the one before it."""

    def __init__(self, on_event: Callable[[Event], None]) -> None:
        self._on_event = on_event
        self._last_start_ms = 0

    def agent(
        self, text: str, *, start_ms: int, end_ms: int, is_interrupted: bool, latency: TurnLatency | None
    ) -> None:
        """The agent's turn as it was heard."""
        self._emit(Turn("agent", text, start_ms, end_ms, is_interrupted, latency))

    def contact(self, text: str, *, start_ms: int, end_ms: int) -> None:
        """The caller's turn."""
        self._emit(Turn("contact", text, start_ms, end_ms))

    def _emit(self, turn: Turn) -> None:
        # Both may start at once, and speech is detected later than it begins.
        start_ms = max(turn.start_ms, self._last_start_ms)
        end_ms = max(turn.end_ms, start_ms)
        self._last_start_ms = start_ms
        self._on_event(TurnFinished(Turn(turn.speaker, turn.text, start_ms, end_ms, turn.interrupted, turn.latency)))


def write_heard(heard: brain.Heard, *, kind: ports.ExpectationKind) -> str:
    """A caller's contribution as the transcript shows it."""
    if heard.source == "keypad":
        return f"[keypad {heard.text}]"
    if heard.text or heard.source == "silence":
        return heard.text
    if kind == "message":
        return f"[message, {max(1, round(heard.duration_ms / 1000))} s]"
    return _UNCLEAR
