"""Fixtures of the tests of tools: a runner that may reach this machine, and a web server to reach."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from ringdown.outbound import OutboundClient
from ringdown.secret import SecretBox
from ringdown.tools.models import Tool
from ringdown.tools.runner import ToolRunner
from tests.fakes.web_server import FakeWebServer

MakeTool = Callable[..., Tool]


@pytest.fixture
def box(tmp_path: Path) -> SecretBox:
    """A box with a key of its own."""
    return SecretBox(key="a key of this test", path=tmp_path / "secret.key")


@pytest.fixture
async def runner(box: SecretBox) -> AsyncIterator[ToolRunner]:
    """A runner that may reach private addresses."""
    client = OutboundClient(private_allowed=True)
    yield ToolRunner(client, box)
    await client.close()


@pytest.fixture
async def server() -> AsyncIterator[FakeWebServer]:
    """A web server of this machine."""
    async with FakeWebServer().run() as running:
        yield running


@pytest.fixture
def make_tool() -> MakeTool:
    """Makes a tool of the given fields."""

    def make(**fields: Any) -> Tool:
        known: dict[str, Any] = {
            "organization_id": "org_1",
            "id": "tool_1",
            "name": "Find order",
            "model_tool_name": "find_order",
            "created_at": 0,
            "updated_at": 0,
            "timeout_ms": 60_000,  # a busy machine must not look like a slow tool
        }
        return Tool(**(known | fields))

    return make
