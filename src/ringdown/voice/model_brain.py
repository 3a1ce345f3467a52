"""The brain that asks a language model; its history holds what was heard, not what was written."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from ringdown.voice import brain, ports, turns
from ringdown.voice.events import ConversationReport
from ringdown.voice.history import History, Turn
from ringdown.voice.tool_use import ToolUse

# Names of tools that the conversation itself carries out.
END_CALL = "end_call"
# An answer that still asks for tools after this many times will never come to words.
MAX_ROUNDS = 5

_END_CALL = ports.ToolSpec(
    name=END_CALL,
    description="Hang up. Say goodbye in the same answer; the call ends when those words were spoken.",
    parameters={"type": "object", "properties": {}},
)
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
_SPEAKERS = {"user": "Caller", "assistant": "Agent", "tool": "Tool"}
_RESULT_IN_SUMMARY_CHARACTERS = 500


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
        self._system = ports.Message("system", f"{system_prompt}\n\n{rules}")
        self._temperature = temperature
        self._opening = ports.Message("user", _OPEN_AS.format(greeting_prompt) if greeting_prompt else _OPEN)
        self._history = History()
        self._summary: str | None = None
        self.tools = ToolUse(toolbox, language=language)

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
            return _SpokenProposal(self, greeting, said)
        return _ModelProposal(self, said or [self._opening])

    def consider(self, heard: brain.Heard) -> brain.Proposal:
        """The model's answer to the history and `heard`."""
        return _ModelProposal(self, [to_message(heard)])

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

    async def summarise(self) -> None:
        """Let the model summarise what was said. Raises `ports.ProviderError`."""
        self._summary = await summarise(self._summary_model, self.history, temperature=self._temperature)

    def report(self) -> ConversationReport:
        """The model's summary, once `summarise` has run."""
        return ConversationReport(summary=self._summary)

    async def close(self) -> None:
        """Wait for tools that still run, for a while, and stop them."""
        await self.tools.close()

    def ask(
        self, messages: Sequence[ports.Message], *, has_tools: bool
    ) -> AsyncIterator[ports.TextDelta | ports.ToolRequest]:
        """The model's stream for the history so far and `messages`."""
        tools = (_END_CALL, *(self.tools.specs() if has_tools else ()))
        asked = (self._system, *self._history.messages(), *messages)
        return self._model.reply(asked, tools=tools, temperature=self._temperature)

    def remember(self, turn: Turn) -> None:
        """What was said became a fact."""
        turn.said = [message for message in turn.said if message is not self._opening]
        self._history.add(turn)


class _ModelProposal:
    """An answer of the model's: rounds of words and tools, the last one of words alone."""

    def __init__(self, owner: ModelBrain, said: Sequence[ports.Message]) -> None:
        self._owner = owner
        self._tools = owner.tools
        self._turn = Turn(list(said))
        self._committed = asyncio.Event()

    async def parts(self) -> AsyncIterator[brain.Part]:
        """The answer; after a failure it goes on behind the last tools that were used."""
        has_text = False
        while True:
            async for waiting in self._tools.wait():
                yield waiting
            text, requests = "", list[ports.ToolRequest]()
            async for part in self._ask():
                if isinstance(part, ports.TextDelta):
                    text += part.text
                    yield part.text
                else:
                    requests.append(part)
            has_text = has_text or bool(text.strip())
            wanted = self._tools.sort(requests, last_names=(END_CALL,))
            if wanted.during:
                yield brain.Commit()
                # Bounded by the reader, which waits for each part only so long.
                await self._committed.wait()
            if wanted.during or wanted.refused:
                round_ = self._tools.begin(text, wanted)
                self._turn.rounds.append(round_)
                async for waiting in self._tools.wait():
                    yield waiting
                if wanted.last is None or self._tools.has_failed(round_):
                    continue
            elif wanted.last is not None and wanted.last.name != END_CALL:
                round_ = self._tools.begin(text, wanted)
                self._turn.rounds.append(round_)
            if wanted.last is None:
                break
            yield brain.HangUp() if wanted.last.name == END_CALL else self._tools.act(round_, wanted.last)
            return
        if not has_text:
            raise ports.ProviderError("model", "the answer was empty", retryable=True)

    def commit(self) -> None:
        """The caller hears it."""
        if not self._committed.is_set():
            self._owner.remember(self._turn)
            self._committed.set()

    def _ask(self) -> AsyncIterator[ports.TextDelta | ports.ToolRequest]:
        # Once committed the turn is part of the history.
        messages = () if self._committed.is_set() else tuple(self._turn.messages())
        return self._owner.ask(messages, has_tools=len(self._turn.rounds) < MAX_ROUNDS)
