"""The tools of a speech-to-speech model's call: which it has, and using them beside the conversation."""

import asyncio
from collections.abc import Callable, Sequence

from ringdown.voice import ports
from ringdown.voice.model_answer import END_CALL

# A tool bounds its own time (60 s at most); this is for one that does not.
_TIMEOUT_S = 90.0
# After the call a booking may still be on its way.
_CLOSE_TIMEOUT_S = 5.0

BEGUN = ports.ToolResult("Begun.")
SPOKEN_OVER = ports.ToolResult("Not done: the caller spoke first.", is_error=True)
NOT_DONE = ports.ToolResult("Not done, because another tool failed; decide anew.", is_error=True)
ONE_ONLY = ports.ToolResult("Not done: only one such tool at a time.", is_error=True)
_TOO_LATE = ports.ToolResult("The tool did not answer in time.", is_error=True)

OnResult = Callable[[ports.ToolRequest, ports.ToolResult], None]


class DuplexTools:
    """Uses tools while model and caller may go on; `on_result` hears of each that is done. `close` it at the end."""

    def __init__(self, toolbox: ports.ToolBox | None, *, on_result: OnResult) -> None:
        self._toolbox = toolbox
        self._on_result = on_result
        self._running: set[asyncio.Task[None]] = set()
        self._waiting = 0

    @property
    def is_running(self) -> bool:
        """Whether the model waits for a result."""
        return self._waiting > 0

    def specs(self) -> Sequence[ports.ToolSpec]:
        """What the model may use now, hanging up included."""
        return (END_CALL, *(self._toolbox.specs() if self._toolbox is not None else ()))

    def runs_after_words(self, request: ports.ToolRequest) -> bool:
        """Whether the tool is begun only when the words before it were played."""
        return any(spec.name == request.name and spec.runs == "after_words" for spec in self.specs())

    def use(self, request: ports.ToolRequest) -> None:
        """Begin to use a tool."""
        self._waiting += 1
        task = asyncio.get_running_loop().create_task(self._use(request))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """Wait for what still runs, for a while, and stop it. Safe to call twice."""
        running = set(self._running)
        if running:
            _, late = await asyncio.wait(running, timeout=_CLOSE_TIMEOUT_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _use(self, request: ports.ToolRequest) -> None:
        if self._toolbox is None:
            result = ports.ToolResult("There are no tools.", is_error=True)
        else:
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    result = await self._toolbox.call(request)
            except TimeoutError:
                result = _TOO_LATE
        self._waiting -= 1
        self._on_result(request, result)
