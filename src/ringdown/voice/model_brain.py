"""The brain that asks a language model; its history holds what was heard, not what was written."""

from collections.abc import AsyncIterator, Sequence

from ringdown.voice import brain, ports, turns
from ringdown.voice.events import ConversationReport

# Names of tools that the conversation itself carries out.
END_CALL = "end_call"

_TOOLS = (
    ports.ToolSpec(
        name=END_CALL,
        description="Hang up. Say goodbye in the same answer; the call ends when those words were spoken.",
        parameters={"type": "object", "properties": {}},
    ),
)
_RULES = (
    "You are on a phone call. Answer in short spoken sentences without lists, markup or emoji. "
    "Say numbers and symbols as words. When the conversation is over, say goodbye and call end_call."
)
_OPEN = "[The call was answered. Greet the caller.]"
_OPEN_AS = "[The call was answered. Greet the caller: {}]"
_SUMMARY_PROMPT = "Summarise this phone call in one to three sentences for the person who ordered it. Only the summary."
_KEYPAD = "[keypad {}]"
_UNCLEAR = "[The caller said something that could not be understood. Ask to repeat it.]"
_UNCLEAR_NOTED = "[unclear]"


class ModelBrain:
    """Runs one call with `model`. `system_prompt` is rendered already; `temperature` is the model's.

    `greeting_prompt` tells the model how to greet where no greeting is given. `summary_model` (by default `model`)
    writes the summary at the end.
    """

    def __init__(
        self,
        *,
        model: ports.LanguageModel,
        system_prompt: str,
        temperature: float = 0.3,
        greeting_prompt: str | None = None,
        summary_model: ports.LanguageModel | None = None,
    ) -> None:
        self._model = model
        self._summary_model = summary_model or model
        self._system = ports.Message("system", f"{system_prompt}\n\n{_RULES}")
        self._temperature = temperature
        self._opening = ports.Message("user", _OPEN_AS.format(greeting_prompt) if greeting_prompt else _OPEN)
        self._history: list[ports.Message] = []
        self._summary: str | None = None

    @property
    def history(self) -> Sequence[ports.Message]:
        """What was said and heard so far, without the system prompt."""
        return tuple(self._history)

    def listening(self) -> brain.Listening:
        """Anything may be said."""
        return brain.Listening()

    def open(self, greeting: str | None, heard: brain.Heard | None) -> brain.Proposal:
        """The greeting as it is, else the model's answer to what was heard, else a greeting of the model's."""
        said = [_to_message(heard)] if heard is not None and heard.text else []
        if greeting:
            return _SpokenProposal(self, greeting, said)
        return _ModelProposal(self, said or [self._opening])

    def consider(self, heard: brain.Heard) -> brain.Proposal:
        """The model's answer to the history and `heard`."""
        return _ModelProposal(self, [_to_message(heard)])

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
            self._history.append(ports.Message("assistant", text))

    async def summarise(self) -> None:
        """Let the model summarise what was said. Raises `ports.ProviderError`."""
        if not any(message.role == "user" for message in self._history):
            return
        speakers = {"user": "Caller", "assistant": "Agent"}
        lines = [
            f"{speakers[message.role]}: {_UNCLEAR_NOTED if message.content == _UNCLEAR else message.content}"
            for message in self._history
        ]
        messages = (ports.Message("system", _SUMMARY_PROMPT), ports.Message("user", "\n".join(lines)))
        reply = self._summary_model.reply(messages, temperature=self._temperature)
        text = "".join([part.text async for part in reply if isinstance(part, ports.TextDelta)]).strip()
        self._summary = text or None

    def report(self) -> ConversationReport:
        """The model's summary, once `summarise` has run."""
        return ConversationReport(summary=self._summary)

    async def close(self) -> None:
        """Nothing runs."""

    def ask(self, said: Sequence[ports.Message]) -> AsyncIterator[ports.TextDelta | ports.ToolRequest]:
        """The model's stream for the history so far and `said`."""
        messages = (self._system, *self._history, *said)
        return self._model.reply(messages, tools=_TOOLS, temperature=self._temperature)

    def remember(self, said: Sequence[ports.Message]) -> None:
        """What was said became a fact."""
        self._history.extend(message for message in said if message is not self._opening)


class _ModelProposal:
    def __init__(self, owner: ModelBrain, said: Sequence[ports.Message]) -> None:
        self._owner = owner
        self._said = said

    async def parts(self) -> AsyncIterator[brain.Part]:
        is_empty, is_last = True, False
        async for part in self._owner.ask(self._said):
            if isinstance(part, ports.TextDelta):
                is_empty = is_empty and not part.text.strip()
                yield part.text
            elif part.name == END_CALL:
                is_last = True
        if is_last:
            yield brain.HangUp()
        elif is_empty:
            raise ports.ProviderError("model", "the answer was empty", retryable=True)

    def commit(self) -> None:
        self._owner.remember(self._said)


class _SpokenProposal:
    def __init__(self, owner: ModelBrain, text: str, said: Sequence[ports.Message]) -> None:
        self._owner = owner
        self._text = text
        self._said = said

    async def parts(self) -> AsyncIterator[brain.Part]:
        yield self._text

    def commit(self) -> None:
        self._owner.remember(self._said)


def _to_message(heard: brain.Heard) -> ports.Message:
    if heard.source == "keypad":
        return ports.Message("user", _KEYPAD.format(heard.text))
    return ports.Message("user", heard.text or _UNCLEAR)
