"""Tools in use during one call: sorts a model's requests, runs them beside the words, and keeps every result."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from ringdown.voice import brain, ports, tool_tasks, waiting
from ringdown.voice.history import Round
from ringdown.voice.tool_tasks import ToolTasks

# How often the answer that waits for a tool shows that it is alive.
_BEAT_S = 0.25


@dataclass(frozen=True, slots=True)
class Sorted:
    """A model's requests: those that run, the last thing of the answer, and those that have their results already."""

    during: tuple[ports.ToolRequest, ...]
    last: ports.ToolRequest | None
    answered: tuple[tuple[ports.ToolRequest, ports.ToolResult], ...]

    @property
    def requests(self) -> tuple[ports.ToolRequest, ...]:
        """All of them."""
        last = () if self.last is None else (self.last,)
        return (*self.during, *last, *(request for request, _ in self.answered))


class ToolUse:
    """The tools of one call in use. Await `close` after the call."""

    def __init__(self, toolbox: ports.ToolBox | None, *, language: str) -> None:
        self._tasks = ToolTasks(toolbox)
        self._texts = waiting.waiting_texts(language)
        self._used_ids: set[str] = set()

    def switch_language(self, language: str) -> None:
        """Announce slow tools in another language from now on."""
        self._texts = waiting.waiting_texts(language)

    def specs(self) -> Sequence[ports.ToolSpec]:
        """What the model may use now."""
        return self._tasks.specs()

    def sort(
        self,
        requests: Sequence[ports.ToolRequest],
        *,
        offered: Sequence[ports.ToolSpec],
        answer: Callable[[ports.ToolRequest], ports.ToolResult | None],
    ) -> Sorted:
        """What is to become of `requests`; `answer` gives the result of a tool that needs no time.

        Each gets an id of its own: some servers send none, or the same again.
        """
        runs = {spec.name: spec.runs for spec in offered}
        during: list[ports.ToolRequest] = []
        answered: list[tuple[ports.ToolRequest, ports.ToolResult]] = []
        last: ports.ToolRequest | None = None
        for request in map(self._identify, requests):
            when, result = runs.get(request.name), None
            if when is None:
                unknown = f"There is no tool {request.name!r}; there are: {', '.join(runs)}."
                result = ports.ToolResult(unknown, is_error=True)
            elif when == "after_words":
                result = tool_tasks.ONE_ONLY if last is not None else self._tasks.check(request)
                last = request if result is None else last
            elif (result := answer(request)) is None:
                if len(during) < tool_tasks.AT_ONCE:
                    during.append(request)
                else:
                    result = tool_tasks.TOO_MANY
            if result is not None:
                answered.append((request, result))
        return Sorted(tuple(during), last, tuple(answered))

    def begin(self, text: str, wanted: Sorted) -> Round:
        """Start what runs at once; the round's results come in while `wait` waits, or later."""
        round_ = Round(
            text, wanted.requests, results={request.tool_call_id: result for request, result in wanted.answered}
        )
        if wanted.last is not None:
            round_.default = tool_tasks.SPOKEN_OVER
        for request in wanted.during:
            self._tasks.start(self._run(round_, request))
        return round_

    @staticmethod
    def act(round_: Round, request: ports.ToolRequest) -> brain.Act:
        """`request` as the last part of the answer whose round is `round_`."""
        return brain.Act(request, begun=lambda: round_.results.update({request.tool_call_id: tool_tasks.BEGUN}))

    @staticmethod
    def has_failed(round_: Round) -> bool:
        """Whether a tool of the round failed; then what was to follow it is not done, and the model told so."""
        if not any(result.is_error for result in round_.results.values()):
            return False
        round_.default = tool_tasks.NOT_DONE
        return True

    async def wait(self) -> AsyncIterator[brain.Waiting]:
        """Wait for all that runs; yields while it does."""
        while running := self._tasks.running:
            done, left = await asyncio.wait(running, timeout=_BEAT_S)
            for task in done:
                task.result()
            if left:
                yield brain.Waiting(self._texts)

    async def close(self) -> None:
        """Wait for what still runs, for a while, and stop it. Safe to call twice."""
        await self._tasks.close()

    async def _run(self, round_: Round, request: ports.ToolRequest) -> None:
        round_.results[request.tool_call_id] = await self._tasks.call(request)

    def _identify(self, request: ports.ToolRequest) -> ports.ToolRequest:
        identifier = request.tool_call_id
        if not identifier or identifier in self._used_ids:
            identifier = f"call_{len(self._used_ids) + 1}_{request.name}"
            request = dataclasses.replace(request, tool_call_id=identifier)
        self._used_ids.add(identifier)
        return request
