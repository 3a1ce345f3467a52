"""The tools of a speech-to-speech model's call: which it has, and using them beside the conversation."""

from collections.abc import Callable, Sequence

from ringdown.voice import ports
from ringdown.voice.model_answer import END_CALL
from ringdown.voice.tool_tasks import AT_ONCE, TOO_MANY, ToolTasks

OnResult = Callable[[ports.ToolRequest, ports.ToolResult], None]


class DuplexTools:
    """Uses tools while model and caller may go on; `on_result` hears of each that is done. `close` it at the end."""

    def __init__(self, toolbox: ports.ToolBox | None, *, on_result: OnResult) -> None:
        self._tasks = ToolTasks(toolbox)
        self._on_result = on_result
        self._waiting = 0

    @property
    def is_running(self) -> bool:
        """Whether the model waits for a result."""
        return self._waiting > 0

    def specs(self) -> Sequence[ports.ToolSpec]:
        """What the model may use now, hanging up included."""
        return (END_CALL, *self._tasks.specs())

    def runs_after_words(self, request: ports.ToolRequest) -> bool:
        """Whether the tool is begun only when the words before it were played."""
        return any(spec.name == request.name and spec.runs == "after_words" for spec in self.specs())

    def check(self, request: ports.ToolRequest) -> ports.ToolResult | None:
        """What keeps such a tool from being begun; None: nothing."""
        return self._tasks.check(request)

    def use(self, request: ports.ToolRequest) -> None:
        """Begin to use a tool, unless too many run."""
        self._waiting += 1
        self._tasks.start(self._use(request, is_too_much=self._waiting > AT_ONCE))

    async def close(self) -> None:
        """Wait for what still runs, for a while, and stop it. Safe to call twice."""
        await self._tasks.close()

    async def _use(self, request: ports.ToolRequest, *, is_too_much: bool) -> None:
        result = TOO_MANY if is_too_much else await self._tasks.call(request)
        self._waiting -= 1
        self._on_result(request, result)
