"""Tools that run beside a conversation, and their bounds."""

import asyncio

from ringdown.voice.duplex_tools import DuplexTools
from ringdown.voice.ports import ToolRequest, ToolResult
from ringdown.voice.tool_tasks import AT_ONCE, TOO_MANY
from tests.unit.voice.toolboxes import tools


async def test_a_model_that_asks_for_everything_at_once_gets_so_many_tools() -> None:
    results: list[ToolResult] = []
    all_done = asyncio.Event()

    def take(_request: ToolRequest, result: ToolResult) -> None:
        results.append(result)
        if len(results) == 100:
            all_done.set()

    toolbox = tools(look=0.01)
    running = DuplexTools(toolbox, on_result=take)
    for number in range(100):
        running.use(ToolRequest(str(number), "look", "{}"))
    async with asyncio.timeout(20):
        await all_done.wait()
    assert len(toolbox.finished) == AT_ONCE
    assert results.count(TOO_MANY) == 100 - AT_ONCE
    assert not running.is_running
    running.use(ToolRequest("101", "look", "{}"))
    await running.close()
    assert len(toolbox.finished) == AT_ONCE + 1
