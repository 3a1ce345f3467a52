"""Which tools and people a flow may name."""

from typing import Any

import pytest

from ringdown.agents import flow_check
from ringdown.errors import ValidationFailed
from ringdown.tools.models import Tool


def _flow(node: dict[str, Any]) -> dict[str, Any]:
    after = {"sorry": {"say": "Sorry.", "end": "hang_up"}}
    return {"start": "work", "nodes": {"work": {**node, "on_failure": "sorry"}, **after}}


def _tool(name: str, **fields: Any) -> Tool:
    return Tool(organization_id="org_1", id=name, name=name, model_tool_name=name, created_at=0, updated_at=0, **fields)


async def _refuse(node: dict[str, Any], *tools: Tool) -> str | None:
    try:
        await flow_check.check_flow(_flow(node), has_model=False, language="de", tools=tools, destinations=["Sales"])
    except ValidationFailed as error:
        return str(error.details["field"])
    return None


@pytest.mark.parametrize("is_open", [False, True])
@pytest.mark.parametrize("name", ["transfer_call", "send_digits", "leave_voicemail", "end_call"])
async def test_a_node_does_not_wait_for_what_follows_its_words(name: str, is_open: bool) -> None:
    tools = [_tool("server", kind="mcp", url="https://x.example/mcp")] if is_open else []
    assert await _refuse({"tool": {"name": name}, "next": "sorry"}, *tools) == "flow.nodes.work.tool.name"


async def test_a_node_uses_tools_of_the_agent_and_those_that_need_none() -> None:
    for name in ("look_up", "search_knowledge", "schedule_callback", "opt_out"):
        assert await _refuse({"tool": {"name": name}, "next": "sorry"}, _tool("look_up")) is None
    assert await _refuse({"tool": {"name": "other"}, "next": "sorry"}, _tool("look_up")) == "flow.nodes.work.tool.name"


@pytest.mark.parametrize(("to", "is_refused"), [("Sales", False), ("+12025550177", False), ("Support", True)])
async def test_a_node_transfers_to_a_number_or_to_somebody_of_the_agents(to: str, is_refused: bool) -> None:
    found = await _refuse({"end": "transfer", "transfer_to": to})
    assert found == ("flow.nodes.work.transfer_to" if is_refused else None)
