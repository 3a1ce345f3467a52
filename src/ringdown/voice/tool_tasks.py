"""Tools that run beside a conversation: each bounded in time, all ended with the call; and what a model is told."""

import asyncio
from collections.abc import Collection, Coroutine, Sequence
from typing import Any

from ringdown.voice import ports

# A tool bounds its own time (60 s at most); this is for one that does not.
_TOOL_TIMEOUT_S = 90.0
# After the call a booking may still be on its way.
_CLOSE_TIMEOUT_S = 5.0
#: So many tools may run at the same time.
AT_ONCE = 8

BEGUN = ports.ToolResult("Begun.")
TOO_MANY = ports.ToolResult(f"Not done: at most {AT_ONCE} tools at once.", is_error=True)
NOT_DONE = ports.ToolResult("Not done, because another tool failed; decide anew.", is_error=True)
ONE_ONLY = ports.ToolResult("Not done: only one such tool at a time.", is_error=True)
SPOKEN_OVER = ports.ToolResult("Not done: the caller spoke first.", is_error=True)
_TOO_LATE = ports.ToolResult("The tool did not answer in time.", is_error=True)


class ToolTasks:
    """The tools of one call, and those of them that run. Await `close` after the call."""

    def __init__(self, toolbox: ports.ToolBox | None) -> None:
        self._toolbox = toolbox
        self._running: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> Collection[asyncio.Task[None]]:
        """What was started and is not over."""
        return frozenset(self._running)

    def specs(self) -> Sequence[ports.ToolSpec]:
        """What the model may use now."""
        return () if self._toolbox is None else self._toolbox.specs()

    def check(self, request: ports.ToolRequest) -> ports.ToolResult | None:
        """What keeps a tool that runs after the words from being begun; None: nothing."""
        return None if self._toolbox is None else self._toolbox.check(request)

    async def call(self, request: ports.ToolRequest) -> ports.ToolResult:
        """Use one tool. Never raises."""
        if self._toolbox is None:
            return ports.ToolResult("There are no tools.", is_error=True)
        try:
            async with asyncio.timeout(_TOOL_TIMEOUT_S):
                return await self._toolbox.call(request)
        except TimeoutError:
            return _TOO_LATE

    def start(self, use: Coroutine[Any, Any, None]) -> None:
        """Let it run beside the conversation."""
        task = asyncio.get_running_loop().create_task(use)
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
