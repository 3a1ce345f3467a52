"""The brain that asks a language model; its history holds what was heard, not what was written."""

from collections.abc import AsyncIterator, Sequence

from ringdown.voice import brain, ports, turns
from ringdown.voice.events import ConversationReport
from ringdown.voice.history import History, Turn
from ringdown.voice.model_answer import END_CALL, ModelAnswer, ModelParts
from ringdown.voice.tool_use import ToolUse

_RULES = (
    "You are on a phone call. Answer in short spoken sentences without lists, markup or emoji. "
    "Say numbers and symbols as words. When the conversation is over, say goodbye and call end_call."
)
_TOOL_RULES = " Never say that something was done or found before its tool has answered."
_OPEN = "[The call was answered. Greet the caller.]"
_OPEN_AS = "[The call was answered. Greet the caller: {}]"
_SUMMARY_PROMPT = "Summarise this phone call in one to three sentences for the person who ordered it. Only the summary."
_KEYPAD = "[keypad {}]"
_UNCLEAR = "[The caller said something that could not be understood. Ask to repeat it.]"
_UNCLEAR_NOTED = "[unclear]"
_MENU = (
    "[A phone menu answered, not a person: {}]\n[Call {} with the choice that leads to whom you call. "
    "To wait for more choices, answer only with a full stop.]"
)
_SPEAK = "The caller now speaks the language {}; answer in it."
# The tool that a menu is answered with.
SEND_DIGITS = "send_digits"
_SILENT = "[The caller says nothing.]"
_SPEAKERS = {"user": "Caller", "assistant": "Agent", "tool": "Result of a tool"}


class ModelBrain:
    """Runs one call with `model`. `system_prompt` is rendered already; `temperature` is the model's.

    `toolbox` are the call's tools beside the hang-up. `greeting_prompt` tells the model how to greet where no greeting
    is given. `summary_model` (by default `model`) writes the summary at the end.
    """

    def __init__(
        self,
        *,
        model: ports.LanguageModel,
        system_prompt: str,
        temperature: float = 0.3,
        greeting_prompt: str | None = None,
        summary_model: ports.LanguageModel | None = None,
        toolbox: ports.ToolBox | None = None,
        language: str = "en-US",
    ) -> None:
        self._model = model
        self._summary_model = summary_model or model
        rules = _RULES if toolbox is None else _RULES + _TOOL_RULES
        self._instructions = f"{system_prompt}\n\n{rules}"
        self._system = ports.Message("system", self._instructions)
        self._temperature = temperature
        self._opening = ports.Message("user", _OPEN_AS.format(greeting_prompt) if greeting_prompt else _OPEN)
        self._history = History()
        self._summary: str | None = None
        self._tools = ToolUse(toolbox, language=language)

    @property
    def history(self) -> Sequence[ports.Message]:
        """What was said, heard and found so far, without the system prompt."""
        return tuple(self._history.messages())

    def listening(self) -> brain.Listening:
        """Anything may be said."""
        return brain.Listening()

    def open(self, greeting: str | None, heard: brain.Heard | None) -> brain.Proposal:
        """The greeting as it is, else the model's answer to what was heard, else a greeting of the model's."""
        said = [to_message(heard)] if heard is not None and heard.text else []
        if greeting:
            return _Greeting(greeting, Turn(said), self._history)
        return self._propose(said or [self._opening])

    def consider(self, heard: brain.Heard) -> brain.Proposal:
        """The model's answer to the history and `heard`."""
        return self._propose([to_message(heard)])

    def judge(self, text: str) -> turns.Completeness:
        """No answer in particular is expected."""
        del text
        return "unknown"

    def judge_keypad(self, digits: str) -> turns.Completeness:
        """Any number of keys may be meant."""
        del digits
        return "unknown"

    def spoken(self, text: str) -> None:
        """Keep what the caller heard of the agent's turn."""
        if text:
            self._history.hear(text)

    def settle(self, tool_call_id: str, result: ports.ToolResult) -> None:
        """What came of a tool that ran after the words, such as a transfer that nobody answered."""
        self._history.settle(tool_call_id, result)

    def navigate(self, menu: str) -> brain.Proposal | None:
        """The model's answer to a phone menu, where it has the tool to press keys."""
        if not any(spec.name == SEND_DIGITS for spec in self._tools.specs()):
            return None
        return self._propose([ports.Message("user", _MENU.format(menu, SEND_DIGITS))])

    def switch_language(self, language: str) -> None:
        """The model answers in `language` from now on."""
        self._tools.switch_language(language)
        self._system = ports.Message("system", f"{self._instructions}\n\n{_SPEAK.format(language)}")

    async def summarise(self) -> None:
        """Let the model summarise what was said. Raises `ports.ProviderError`."""
        self._summary = await summarise(self._summary_model, self.history, temperature=self._temperature)

    def report(self) -> ConversationReport:
        """The model's summary, once `summarise` has run."""
        return ConversationReport(summary=self._summary)

    async def close(self) -> None:
        """Wait for tools that still run, for a while, and stop them."""
        await self._tools.close()

    def _propose(self, said: Sequence[ports.Message]) -> brain.Proposal:
        return ModelAnswer(said=said, tools=self._tools, ask=self._ask, remember=self._remember)

    def _ask(self, messages: Sequence[ports.Message], tools: Sequence[ports.ToolSpec]) -> ModelParts:
        asked = (self._system, *self._history.messages(), *messages)
        return self._model.reply(asked, tools=tools, temperature=self._temperature)

    def _remember(self, turn: Turn) -> None:
        turn.said = [message for message in turn.said if message is not self._opening]
        self._history.add(turn)


class _Greeting:
    """Words that are given, as an answer of the model's brain."""

    def __init__(self, text: str, turn: Turn, history: History) -> None:
        self._text = text
        self._turn = turn
        self._history = history

    async def parts(self) -> AsyncIterator[brain.Part]:
        yield self._text

    def commit(self) -> None:
        self._history.add(self._turn)


def to_message(heard: brain.Heard) -> ports.Message:
    """What was heard, as the model reads it."""
    if heard.source == "keypad":
        return ports.Message("user", _KEYPAD.format(heard.text))
    if heard.source == "silence":
        return ports.Message("user", _SILENT)
    return ports.Message("user", heard.text or _UNCLEAR)


async def summarise(model: ports.LanguageModel, history: Sequence[ports.Message], *, temperature: float) -> str | None:
    """A summary of the call; None when the caller said nothing. Raises `ports.ProviderError`."""
    if not any(message.role == "user" for message in history):
        return None
    # Whether the agent hung up shows in the call's ending; the last result is from before it did.
    ends = {
        request.tool_call_id for message in history for request in message.tool_calls if request.name == END_CALL.name
    }
    lines = [
        f"{_SPEAKERS[message.role]}: {_UNCLEAR_NOTED if message.content == _UNCLEAR else message.content}"
        for message in history
        if message.content and message.tool_call_id not in ends
    ]
    messages = (ports.Message("system", _SUMMARY_PROMPT), ports.Message("user", "\n".join(lines)))
    reply = model.reply(messages, temperature=temperature)
    text = "".join([part.text async for part in reply if isinstance(part, ports.TextDelta)]).strip()
    return text or None
