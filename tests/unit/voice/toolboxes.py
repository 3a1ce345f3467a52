"""Tools of scripted conversations."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ringdown.voice.ports import Message, ToolRequest, ToolResult, ToolSpec


@dataclass
class FakeTools:
    """Tools by name: each takes its seconds, then gives its result. `transfer_call` runs after the words."""

    results: Mapping[str, tuple[float, ToolResult]]
    begun: list[str] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)

    def specs(self) -> Sequence[ToolSpec]:
        """All of them."""
        during = [ToolSpec(name, f"Does {name}.") for name in self.results]
        return [*during, ToolSpec("transfer_call", "Transfers.", runs="after_words")]

    def check(self, request: ToolRequest) -> ToolResult | None:
        """Anything may be begun."""
        return None

    async def call(self, request: ToolRequest) -> ToolResult:
        """Wait, then answer."""
        self.begun.append(request.name)
        delay_s, result = self.results[request.name]
        await asyncio.sleep(delay_s)
        self.finished.append(request.name)
        return result


def tools(**delays_s: float) -> FakeTools:
    """Tools that bring `<name> is done.` after these seconds."""
    return FakeTools({name: (delay, ToolResult(f"{name} is done.")) for name, delay in delays_s.items()})


def uses(name: str, tool_call_id: str = "1", arguments: str = "{}") -> ToolRequest:
    """The model asks for a tool."""
    return ToolRequest(tool_call_id, name, arguments)


def is_valid(messages: Sequence[Message]) -> bool:
    """OpenAI's rule: each request is answered by tool messages right behind it, each tool message answers one."""
    open_ids: list[str] = []
    for message in messages:
        if message.role == "tool":
            if message.tool_call_id not in open_ids:
                return False
            open_ids.remove(message.tool_call_id)
        elif open_ids:
            return False
        open_ids.extend(request.tool_call_id for request in message.tool_calls)
    return not open_ids
