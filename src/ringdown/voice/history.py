"""What a model is told of the conversation so far: what was heard, what tools were used and brought. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from ringdown.voice import ports, turns

# A call of an hour fits into the model all the same: so many characters of the last results are kept whole.
_WHOLE_RESULTS = 100_000
_OLD_RESULT = 500
_NO_RESULT = ports.ToolResult("There was no answer.", is_error=True)


@dataclass(slots=True)
class Round:
    """One message of the model that asks for tools: its words as written, and each request's result once it is there.

    A request without a result is rendered with `default`, so that no request ever stays unanswered.
    """

    text: str
    requests: tuple[ports.ToolRequest, ...]
    results: dict[str, ports.ToolResult] = field(default_factory=dict)
    default: ports.ToolResult = _NO_RESULT

    def messages(self, text: str) -> Iterator[ports.Message]:
        """The round with `text` for its words."""
        yield ports.Message("assistant", text, tool_calls=self.requests)
        for request in self.requests:
            result = self.results.get(request.tool_call_id, self.default)
            content = f"Error: {result.content}" if result.is_error else result.content
            yield ports.Message("tool", content, tool_call_id=request.tool_call_id)


@dataclass(slots=True)
class Turn:
    """What the caller said, and the agent's answer: its tool rounds, and then its last words.

    `heard` is what the caller heard of all its words; None while nobody knows.
    """

    said: list[ports.Message] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)
    heard: str | None = None

    def messages(self) -> Iterator[ports.Message]:
        """The turn as the model reads it: while it lasts with the words as written, then as heard."""
        yield from self.said
        written = [round_.text for round_ in self.rounds]
        texts = [*written, ""] if self.heard is None else divide(self.heard, written)
        for round_, text in zip(self.rounds, texts, strict=False):
            yield from round_.messages(text)
        if texts[-1]:
            yield ports.Message("assistant", texts[-1])


class History:
    """The turns of one call."""

    def __init__(self) -> None:
        self._turns: list[Turn] = []

    def messages(self) -> list[ports.Message]:
        """Everything so far; every tool request in it is answered, those of long ago in short."""
        return _shorten([message for turn in self._turns for message in turn.messages()])

    def add(self, turn: Turn) -> None:
        """A turn begins; of the one before it, nothing more will be heard."""
        if self._turns and self._turns[-1].heard is None:
            self._turns[-1].heard = ""
        self._turns.append(turn)

    def hear(self, text: str) -> None:
        """The caller heard `text` of the turn that lasts, or of words that nobody asked for."""
        if not self._turns or self._turns[-1].heard is not None:
            self.add(Turn())
        self._turns[-1].heard = text

    def settle(self, tool_call_id: str, result: ports.ToolResult) -> None:
        """A result that is known only now takes the place of the earlier one."""
        for turn in reversed(self._turns):
            for round_ in turn.rounds:
                if any(request.tool_call_id == tool_call_id for request in round_.requests):
                    round_.results[tool_call_id] = result
                    return


def _shorten(messages: list[ports.Message]) -> list[ports.Message]:
    left = _WHOLE_RESULTS
    for place in reversed(range(len(messages))):
        message = messages[place]
        if message.role == "tool":
            left -= len(message.content)
            if left < 0 and len(message.content) > _OLD_RESULT:
                messages[place] = replace(message, content=f"{message.content[:_OLD_RESULT]} … (cut)")
    return messages


def divide(heard: str, written: Sequence[str]) -> list[str]:
    """What was heard of each text of `written`, said one after the other, and then of whatever followed."""
    tokens, start, parts = heard.split(), 0, []
    for text in written:
        left, end = len(turns.split_words(text)), start
        while left > 0 and end < len(tokens):
            left -= len(turns.split_words(tokens[end]))
            end += 1
        parts.append(" ".join(tokens[start:end]))
        start = end
    return [*parts, " ".join(tokens[start:])]
