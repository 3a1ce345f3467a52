"""The turns of a call whose words come later than they were said, put back in the order of their start. Pure."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ringdown.voice import ports
from ringdown.voice.events import Event, TurnLatency
from ringdown.voice.transcript import TranscriptWriter

_UNCLEAR = "[unclear]"
# Words that have not come by then never will.
_PATIENCE_MS = 15_000


@dataclass(slots=True)
class Entry:
    """One turn, or the use of a tool, in its place; `emit` is None until it is known what to write down."""

    start_ms: int
    end_ms: int
    turn_id: str = ""
    is_caller_done: bool = False
    messages: tuple[ports.Message, ...] = ()
    emit: Callable[[], None] | None = field(default=None)


class DuplexLog:
    """Keeps turns until all before them are known, and hands them on; remembers all for a model that comes later."""

    def __init__(self, on_event: Callable[[Event], None]) -> None:
        self._transcript = TranscriptWriter(on_event)
        self._entries: list[Entry] = []
        self._history: list[ports.Message] = []

    @property
    def is_settled(self) -> bool:
        """Whether nobody's words are missing."""
        return not self._entries

    def history(self) -> Sequence[ports.Message]:
        """What was said and done so far, as far as it is known."""
        return (*self._history, *(message for entry in self._entries for message in entry.messages))

    def start_caller(self, turn_id: str, *, start_ms: int) -> None:
        """The caller speaks."""
        self._entries.append(Entry(start_ms, start_ms, turn_id))

    def stop_caller(self, turn_id: str, *, end_ms: int) -> None:
        """The caller is done; the words are still unknown."""
        for entry in self._entries:
            if entry.turn_id == turn_id:
                entry.end_ms, entry.is_caller_done = max(entry.start_ms, end_ms), True

    def name_caller(self, turn_id: str, text: str) -> None:
        """What the caller said; an empty text takes the turn back."""
        for entry in self._entries:
            if entry.turn_id == turn_id and entry.emit is None:
                self._resolve_caller(entry, text.strip())
        self._hand_on()

    def add_caller(self, text: str, *, start_ms: int, end_ms: int) -> None:
        """Something of the caller's that is known at once."""
        entry = Entry(start_ms, end_ms)
        self._entries.append(entry)
        self._resolve_caller(entry, text)
        self._hand_on()

    def start_agent(self, *, start_ms: int) -> Entry:
        """The agent's words begin to be heard."""
        self._entries.append(Entry(start_ms, start_ms))
        return self._entries[-1]

    def stop_agent(
        self, entry: Entry, text: str, *, end_ms: int, is_interrupted: bool, latency: TurnLatency | None
    ) -> None:
        """The agent is done; `text` was heard."""
        entry.end_ms = end_ms

        def emit() -> None:
            if text:
                self._transcript.agent(
                    text, start_ms=entry.start_ms, end_ms=end_ms, is_interrupted=is_interrupted, latency=latency
                )

        entry.messages = (ports.Message("assistant", text),) if text else ()
        entry.emit = emit
        self._hand_on()

    def add_tool(self, request: ports.ToolRequest, result: ports.ToolResult, *, at_ms: int) -> None:
        """A tool was used: nothing for the transcript, but the model must not use it again for nothing."""
        asked = ports.Message("assistant", "", tool_calls=(request,))
        content = json.dumps({"error": result.content}) if result.is_error else result.content
        answered = ports.Message("tool", content, tool_call_id=request.tool_call_id)
        self._entries.append(Entry(at_ms, at_ms, messages=(asked, answered), emit=lambda: None))
        self._hand_on()

    def give_up(self, now_ms: int | None = None) -> None:
        """Stop waiting for words: for those that are long overdue, or without `now_ms` for all."""
        for entry in self._entries:
            is_overdue = entry.is_caller_done and now_ms is not None and now_ms - entry.end_ms > _PATIENCE_MS
            if entry.turn_id and entry.emit is None and (now_ms is None or is_overdue):
                self._resolve_caller(entry, _UNCLEAR)
        self._hand_on()

    def _resolve_caller(self, entry: Entry, text: str) -> None:
        def emit() -> None:
            if text:
                self._transcript.contact(text, start_ms=entry.start_ms, end_ms=entry.end_ms)

        entry.messages = (ports.Message("user", text),) if text else ()
        entry.emit = emit

    def _hand_on(self) -> None:
        while self._entries and (emit := self._entries[0].emit) is not None:
            emit()
            self._history.extend(self._entries.pop(0).messages)
