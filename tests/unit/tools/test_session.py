"""The tools of a call: HTTP tools and real MCP servers, and what is left when one of them fails."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ringdown.outbound import OutboundClient
from ringdown.secret import SecretBox
from ringdown.tools.models import Parameter, StaticParameter, Tool
from ringdown.tools.results import RunResult
from ringdown.tools.runner import ToolRunner
from ringdown.tools.session import ToolSession
from ringdown.voice.ports import ToolBox, ToolRequest
from tests.fakes.mcp_server import FakeMcpServer
from tests.fakes.web_server import Answer, FakeWebServer
from tests.unit.tools.conftest import MakeTool

_OFFERED = ["add", "find_order", "fail", "wait", "tell_all", "show", "shop_end_call"]


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine must not look like a slow server."""
    monkeypatch.setattr("ringdown.tools.mcp.OPEN_TIMEOUT_S", 30.0)


@pytest.fixture
async def mcp_server() -> AsyncIterator[FakeMcpServer]:
    async with FakeMcpServer().run() as running:
        yield running


@asynccontextmanager
async def _open(runner: ToolRunner, *tools: Tool, **context: str) -> AsyncIterator[ToolSession]:
    session = ToolSession(tools, runner=runner, context=context)
    try:
        await session.open()
        yield session
    finally:
        await session.close()


async def _call(session: ToolSession, name: str, **arguments: object) -> RunResult:
    return await session.call(ToolRequest("1", name, json.dumps(arguments)))


def _make_source(make_tool: MakeTool, url: str, **fields: object) -> Tool:
    return make_tool(kind="mcp", name="Shop", model_tool_name="shop", url=url, **fields)


def _list_names(session: ToolSession) -> list[str]:
    return [spec.name for spec in session.specs()]


async def test_a_session_is_a_tool_box(runner: ToolRunner, make_tool: MakeTool, server: FakeWebServer) -> None:
    tool = make_tool(url=server.url, parameters=(Parameter("id", "query", {"type": "string"}),))
    async with _open(runner, tool) as session:
        box: ToolBox = session
        assert [spec.name for spec in box.specs()] == ["find_order"]
        result = await box.call(ToolRequest("1", "find_order", '{"id": "7"}'))
        assert (result.content, result.is_error) == ('{"ok":true}', False)
        for name, arguments, said in [
            ("cancel_order", "{}", "no tool cancel_order"),
            ("find_order", "[]", "JSON object"),
            ("find_order", "{", "not valid JSON"),
        ]:
            result = await box.call(ToolRequest("1", name, arguments))
            assert result.is_error
            assert said in result.content


@pytest.mark.parametrize("is_stateless", [False, True])
@pytest.mark.parametrize("sends_json", [False, True])
async def test_the_tools_of_a_real_server_are_offered_and_used(
    is_stateless: bool, sends_json: bool, runner: ToolRunner, make_tool: MakeTool
) -> None:
    async with (
        FakeMcpServer().run(is_stateless=is_stateless, sends_json=sends_json) as mcp_server,
        _open(runner, _make_source(make_tool, mcp_server.url)) as session,
    ):
        assert session.failures == []
        # Its `end_call` must not take the place of the built-in one.
        assert _list_names(session) == _OFFERED
        add = session.specs()[0]
        assert add.description == "Adds two numbers."
        assert set(add.parameters["properties"]) == {"a", "b"}  # type: ignore[call-overload]
        assert (await _call(session, "add", a=2, b=3)).content == "5"
        found = await _call(session, "find_order", number="A1")
        assert json.loads(found.content) == {"number": "A1", "state": "shipped"}
        assert (await _call(session, "shop_end_call")).content == "ended"


async def test_faults_of_a_servers_tool_are_results(
    runner: ToolRunner, make_tool: MakeTool, mcp_server: FakeMcpServer
) -> None:
    async with _open(runner, _make_source(make_tool, mcp_server.url)) as session:
        failed = await _call(session, "fail")
        assert failed.is_error
        assert "fail" in failed.content
        assert (await _call(session, "add", a="x")).is_error
        assert (await _call(session, "show")).content == "[something that is not text]"
        long = await _call(session, "tell_all")
        assert long.content.endswith("(cut)")
        assert len(long.content.encode()) <= 32_768
        assert (await _call(session, "add", a=1, b=1)).content == "2"


async def test_a_slow_tool_is_given_up(runner: ToolRunner, make_tool: MakeTool, mcp_server: FakeMcpServer) -> None:
    async with _open(runner, _make_source(make_tool, mcp_server.url, timeout_ms=300)) as session:
        slow = await _call(session, "wait")
        assert slow.is_error
        assert "did not answer within 0.3 seconds" in slow.content


async def test_headers_carry_secrets_and_the_call(
    runner: ToolRunner, make_tool: MakeTool, mcp_server: FakeMcpServer, box: SecretBox
) -> None:
    source = _make_source(
        make_tool,
        mcp_server.url,
        static_parameters=(
            StaticParameter(
                name="Authorization", location="header", value=box.seal("hush"), is_secret=True, prefix="Bearer "
            ),
            StaticParameter(name="X-Call", location="header", value="{{call_id}}"),
        ),
    )
    async with _open(runner, source, call_id="call_1"):
        pass
    assert mcp_server.headers
    assert all(headers["authorization"] == "Bearer hush" for headers in mcp_server.headers)
    assert all(headers["x-call"] == "call_1" for headers in mcp_server.headers)


async def test_only_the_tools_that_are_named_are_offered(
    runner: ToolRunner, make_tool: MakeTool, mcp_server: FakeMcpServer
) -> None:
    source = _make_source(make_tool, mcp_server.url, include=("find_order", "absent"))
    async with _open(runner, source, make_tool()) as session:
        # The organization's own `find_order` keeps its name.
        assert _list_names(session) == ["find_order", "shop_find_order"]
        assert json.loads((await _call(session, "shop_find_order", number="7")).content)["number"] == "7"


async def test_a_server_that_was_restarted_is_connected_to_again(runner: ToolRunner, make_tool: MakeTool) -> None:
    server = FakeMcpServer()
    with server.reserve_port():
        session = ToolSession([_make_source(make_tool, server.url)], runner=runner, context={})
        async with server.run():
            await session.open()
            assert (await _call(session, "add", a=1, b=1)).content == "2"
        gone = await _call(session, "add", a=1, b=1)
        assert gone.is_error
        assert "MCP server" in gone.content
        async with server.run():
            # Two at once: both find the old session lost, and one new session serves both.
            results = await asyncio.gather(_call(session, "add", a=2, b=2), _call(session, "add", a=3, b=3))
            assert [result.content for result in results] == ["4", "6"]
            await session.close()
    assert server.calls == ["add", "add", "add"]


async def test_a_server_that_forgot_the_session_gets_a_new_one(runner: ToolRunner, make_tool: MakeTool) -> None:
    server = FakeMcpServer()
    with server.reserve_port():
        session = ToolSession([_make_source(make_tool, server.url)], runner=runner, context={})
        async with server.run():
            await session.open()
        async with server.run():
            assert (await _call(session, "add", a=2, b=2)).content == "4"
            await session.close()
    assert server.calls == ["add"]


async def test_a_dead_server_leaves_the_other_tools(
    runner: ToolRunner, make_tool: MakeTool, server: FakeWebServer, mcp_server: FakeMcpServer
) -> None:
    async with FakeWebServer().run() as other:
        dead_url = other.url
    dead = _make_source(make_tool, dead_url, id="tool_2")
    async with _open(runner, dead, make_tool(url=server.url), _make_source(make_tool, mcp_server.url)) as session:
        assert _list_names(session) == ["find_order", "add", "shop_find_order", *_OFFERED[2:]]
        [failure] = session.failures
        assert failure.startswith("Shop: The MCP server could not be reached")
        assert not (await _call(session, "find_order")).is_error


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"<html>", headers={"content-type": "text/html"}),
        Answer(b'{"jsonrpc": "1.0"}'),
        Answer(b"x" * 5_000_000),
        Answer(status=500),
        Answer(status=404),
        Answer(b"", 202),
        Answer(b"", 302, {"location": "http://127.0.0.1:9/"}),
        Answer(fault="cut"),
        Answer(fault="garbage"),
        Answer(fault="hang_up"),
        Answer(b"data: nonsense\n\n", headers={"content-type": "text/event-stream"}),
    ],
)
async def test_what_is_no_mcp_server_is_noted(
    answer: Answer, runner: ToolRunner, make_tool: MakeTool, server: FakeWebServer
) -> None:
    server.answers = [answer]
    async with _open(runner, _make_source(make_tool, f"{server.url}/hidden-path")) as session:
        assert session.specs() == ()
        [failure] = session.failures
        assert "MCP server" in failure
        assert "hidden-path" not in failure


async def test_a_silent_server_is_given_up(
    runner: ToolRunner, make_tool: MakeTool, server: FakeWebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringdown.tools.mcp.OPEN_TIMEOUT_S", 0.3)
    server.answers = [Answer(fault="silent")]
    async with _open(runner, _make_source(make_tool, server.url)) as session:
        assert session.failures == ["Shop: The MCP server did not answer in time."]


async def test_a_private_address_is_refused(box: SecretBox, make_tool: MakeTool, mcp_server: FakeMcpServer) -> None:
    client = OutboundClient(private_allowed=False)
    async with _open(ToolRunner(client, box), _make_source(make_tool, mcp_server.url)) as session:
        [failure] = session.failures
        assert "not a public address" in failure
    assert mcp_server.headers == []
    await client.close()


async def test_what_is_not_set_up_is_noted(runner: ToolRunner, make_tool: MakeTool) -> None:
    open_requirement = StaticParameter(name="X-Key", location="header", value=None, is_secret=True)
    unreadable = StaticParameter(name="X-Key", location="header", value="nonsense", is_secret=True)
    for static in (open_requirement, unreadable):
        source = _make_source(make_tool, "https://mcp.example/", static_parameters=(static,))
        async with _open(runner, source) as session:
            assert "not set up" in session.failures[0]


async def test_a_tool_that_is_cancelled_leaves_the_session_and_nothing_else(
    runner: ToolRunner, make_tool: MakeTool, mcp_server: FakeMcpServer
) -> None:
    before = asyncio.all_tasks()
    async with _open(runner, _make_source(make_tool, mcp_server.url)) as session:
        calling = asyncio.create_task(_call(session, "wait"))
        async with asyncio.timeout(20):
            while "wait" not in mcp_server.calls:
                await asyncio.sleep(0.001)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        assert (await _call(session, "add", a=1, b=1)).content == "2"
    ours = {task for task in asyncio.all_tasks() - before if "ringdown" in repr(task.get_coro())}
    assert not ours
    await session.close()
