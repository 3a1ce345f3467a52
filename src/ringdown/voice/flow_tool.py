"""The tool that a node of a flow uses: it goes on when the caller speaks meanwhile, and its result is not lost."""

from collections.abc import AsyncIterator

from ringdown.voice import brain, ports
from ringdown.voice.history import Round
from ringdown.voice.tool_use import Sorted, ToolUse


class FlowTool:
    """At most one tool at a time, run by `tools`."""

    def __init__(self, tools: ToolUse) -> None:
        self._tools = tools
        self._round: Round | None = None

    @property
    def request(self) -> ports.ToolRequest | None:
        """What was begun last; None for nothing."""
        return None if self._round is None else self._round.requests[0]

    def is_running(self, request: ports.ToolRequest) -> bool:
        """Whether `request` was begun."""
        return self.request is request

    def begin(self, request: ports.ToolRequest) -> None:
        """Use the tool."""
        self._round = self._tools.begin("", Sorted((request,), None, ()))

    def forget(self) -> None:
        """The flow went on: its result has been used."""
        self._round = None

    async def wait(self) -> AsyncIterator[brain.Waiting]:
        """Wait for the result; yields while it is not there."""
        async for waiting in self._tools.wait():
            yield waiting

    def result(self) -> ports.ToolResult:
        """The result of what was begun last."""
        assert self._round is not None
        return self._round.results.get(self._round.requests[0].tool_call_id, self._round.default)
