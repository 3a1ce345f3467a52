"""One answer of a language model: rounds of words and tools, until words alone are left."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Sequence

from ringdown.voice import brain, ports, streams
from ringdown.voice.history import Turn
from ringdown.voice.tool_use import ToolUse

# An answer that still asks for tools after this many times will never come to words.
MAX_ROUNDS = 5
# Words for a quarter of an hour.
MAX_CHARACTERS = 15_000
# Carried out by the conversation itself.
END_CALL = ports.ToolSpec(
    name="end_call",
    description="Hang up. Say goodbye in the same answer; the call ends when those words were spoken.",
    parameters={"type": "object", "properties": {}},
    runs="after_words",
)

ModelParts = AsyncIterator[ports.TextDelta | ports.ToolRequest]
Ask = Callable[[Sequence[ports.Message], Sequence[ports.ToolSpec]], ModelParts]


class ModelAnswer:
    """A `brain.Proposal`. Those that need more than words and tools override the methods after `commit`.

    `ask` asks the model about the history and the messages given; `remember` makes the turn a part of that history.
    """

    # What may still be used when there were too many rounds.
    last_tools: Sequence[ports.ToolSpec] = (END_CALL,)

    def __init__(
        self, *, said: Sequence[ports.Message], tools: ToolUse, ask: Ask, remember: Callable[[Turn], None]
    ) -> None:
        self._turn = Turn(list(said))
        self._tools = tools
        self._ask_model = ask
        self._remember = remember
        self._committed = asyncio.Event()

    async def parts(self) -> AsyncIterator[brain.Part]:
        """The answer; after a failure it goes on behind the last tools that were used."""
        is_empty, rounds = True, self._turn.rounds
        while len(rounds) <= MAX_ROUNDS:
            async for part in self.prepare():
                yield self._listened(part)
            offered = self.offer() if len(rounds) < MAX_ROUNDS else self.last_tools
            text, requests = "", list[ports.ToolRequest]()
            pieces = self._ask(offered)
            try:
                async for piece in pieces:
                    if isinstance(piece, ports.ToolRequest):
                        requests.append(piece)
                    else:
                        text += piece.text
                        yield piece.text
                    if len(text) > MAX_CHARACTERS:
                        break  # it has lost itself, and nobody listens so long
            finally:
                await streams.close(pieces)
            is_empty = is_empty and not text.strip()
            if not requests:
                break
            wanted = self._tools.sort(requests, offered=offered, answer=self.answer)
            if wanted.during:
                yield brain.Commit()
                await self.committed()
            round_ = self._tools.begin(text, wanted)
            rounds.append(round_)
            async for waiting in self._tools.wait():
                yield self._listened(waiting)
            if wanted.last is not None and not self._tools.has_failed(round_):
                is_end = wanted.last.name == END_CALL.name
                yield brain.HangUp() if is_end else self._tools.act(round_, wanted.last)
                return
        for last in self.close():
            yield last
            return
        if is_empty:
            raise ports.ProviderError("model", "the answer was empty", retryable=True)

    def commit(self) -> None:
        """The caller hears it."""
        if not self._committed.is_set():
            self._remember(self._turn)
            self._committed.set()

    @property
    def is_committed(self) -> bool:
        """Whether the caller hears it."""
        return self._committed.is_set()

    async def committed(self) -> None:
        """Wait until the caller hears it; the reader of the parts bounds the wait."""
        await self._committed.wait()

    async def prepare(self) -> AsyncIterator[brain.Part]:
        """What comes before the model is asked: results that are still on their way."""
        async for waiting in self._tools.wait():
            yield waiting

    def offer(self) -> Sequence[ports.ToolSpec]:
        """The tools that the model may use in the next round."""
        return (END_CALL, *self._tools.specs())

    def answer(self, request: ports.ToolRequest) -> ports.ToolResult | None:
        """The result of a tool without effects, at once; None for every other tool."""
        del request
        return None

    def close(self) -> Sequence[brain.Part]:
        """What follows the last words, if anything."""
        return ()

    def _listened(self, part: brain.Part) -> brain.Part:
        """`part`, whose words that fill a wait are remembered behind those of the round that is waited for."""
        return dataclasses.replace(part, said=self._keep_filler) if isinstance(part, brain.Waiting) else part

    def _keep_filler(self, text: str) -> None:
        if self._turn.rounds:
            self._turn.rounds[-1].text = f"{self._turn.rounds[-1].text} {text}".strip()

    def _ask(self, offered: Sequence[ports.ToolSpec]) -> ModelParts:
        # Once committed, the turn is in the history.
        return self._ask_model(() if self._committed.is_set() else tuple(self._turn.messages()), offered)
