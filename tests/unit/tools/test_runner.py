"""Running HTTP tools against a real server: what the model reads, and what each fault becomes."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringdown import outbound
from ringdown.outbound import OutboundClient
from ringdown.secret import SecretBox
from ringdown.tools import results
from ringdown.tools.models import Parameter, StaticParameter
from ringdown.tools.runner import ToolRunner
from tests.fakes.web_server import Answer, FakeWebServer
from tests.unit.tools.conftest import MakeTool

_TEXT = {"content-type": "text/plain"}


@pytest.fixture
async def guarded(box: SecretBox) -> AsyncIterator[ToolRunner]:
    """A runner that may not reach this machine."""
    client = OutboundClient(private_allowed=False)
    yield ToolRunner(client, box)
    await client.close()


async def test_the_model_reads_compact_json(runner: ToolRunner, server: FakeWebServer, make_tool: MakeTool) -> None:
    server.answers = [Answer(b'{ "status" : "shipped",\n "at": [1, 2] }')]
    tool = make_tool(
        url=f"{server.url}/orders/{{id}}",
        parameters=(Parameter("id", "path", {"type": "string"}, required=True), Parameter("v", "query", {})),
    )
    result = await runner.run(tool, {"id": "A 1", "v": 2}, context={})
    assert (result.content, result.is_error, result.status) == ('{"status":"shipped","at":[1,2]}', False, 200)
    assert result.duration_ms >= 0
    assert server.requests[0].target == "/orders/A%201?v=2"


async def test_secrets_reach_the_server_and_nothing_else(
    runner: ToolRunner, server: FakeWebServer, make_tool: MakeTool, box: SecretBox
) -> None:
    secret = StaticParameter(
        name="Authorization", location="header", value=box.seal("hush"), is_secret=True, prefix="Bearer "
    )
    call = StaticParameter(name="call", location="body", value="{{call_id}}")
    tool = make_tool(url=server.url, method="POST", static_parameters=(secret, call))
    result = await runner.run(tool, {}, context={"call_id": "call_1"})
    assert server.requests[0].headers["authorization"] == "Bearer hush"
    assert server.requests[0].json() == {"call": "call_1"}
    assert result.request is not None
    assert "hush" not in json.dumps(result.request)
    assert "***" in json.dumps(result.request)


async def test_a_secret_of_another_key_is_a_result(
    runner: ToolRunner, server: FakeWebServer, make_tool: MakeTool, tmp_path: Path
) -> None:
    other = SecretBox(key="quite another key", path=tmp_path / "other.key")
    secret = StaticParameter(name="X-Key", location="header", value=other.seal("hush"), is_secret=True)
    result = await runner.run(make_tool(url=server.url, static_parameters=(secret,)), {}, context={})
    assert result.is_error
    assert "not set up" in result.content
    assert server.requests == []


async def test_arguments_that_do_not_fit_are_told_without_asking_the_server(
    runner: ToolRunner, server: FakeWebServer, make_tool: MakeTool
) -> None:
    tool = make_tool(url=server.url, parameters=(Parameter("n", "query", {"type": "integer"}, required=True),))
    result = await runner.run(tool, {"n": "many"}, context={})
    assert (result.is_error, result.status) == (True, None)
    assert result.content == "n: 'many' is not of type 'integer'."
    assert server.requests == []


async def test_a_placeholder_says_that_it_is_not_set_up(runner: ToolRunner, make_tool: MakeTool) -> None:
    result = await runner.run(make_tool(), {}, context={})
    assert (result.content, result.is_error) == ("This tool is not set up.", True)


@pytest.mark.parametrize(
    ("answer", "content", "is_error"),
    [
        (Answer(b"plain text", headers=_TEXT), "plain text", False),
        (Answer(b"", 204, {}), "The tool answered with status 204 and no content.", False),
        (Answer(b"not: json", headers={"content-type": "application/json"}), "not: json", False),
        (Answer(b'"a"', headers={}), '"a"', False),
        (Answer(b"<a/>", headers={"content-type": "application/atom+xml"}), "<a/>", False),
        (Answer(b"gone", 404, _TEXT), "The tool answered with status 404: gone", True),
        (Answer(b'{ "e": 1 }', 422), 'The tool answered with status 422: {"e":1}', True),
        (Answer(b"", 401, {}), "The tool answered with status 401: nothing more", True),
        (
            Answer(b"\x89PNG", headers={"content-type": "image/png"}),
            "The tool answered with image/png, which is not text.",
            True,
        ),
        (Answer(b"a\0b", headers=_TEXT), "The tool answered with text/plain, which is not text.", True),
    ],
)
async def test_every_kind_of_answer_becomes_words(
    answer: Answer, content: str, is_error: bool, runner: ToolRunner, server: FakeWebServer, make_tool: MakeTool
) -> None:
    server.answers = [answer]
    result = await runner.run(make_tool(url=server.url), {}, context={})
    assert (result.content, result.is_error, result.status) == (content, is_error, answer.status)


async def test_a_long_answer_is_cut_and_a_huge_one_refused(
    runner: ToolRunner, server: FakeWebServer, make_tool: MakeTool
) -> None:
    server.answers = [Answer("é".encode() * 30_000, headers=_TEXT)]
    result = await runner.run(make_tool(url=server.url), {}, context={})
    assert not result.is_error
    assert len(result.content.encode()) <= results.MAX_RESULT_BYTES
    assert result.content.endswith("é … (cut)")
    server.answers = [Answer(b"x" * 1_100_000)]
    result = await runner.run(make_tool(url=server.url), {}, context={})
    assert result.is_error
    assert "more than" in result.content


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("first", [Answer(status=503), Answer(fault="cut"), Answer(fault="hang_up")])
async def test_what_may_be_repeated_is_tried_once_more(
    method: str, first: Answer, runner: ToolRunner, server: FakeWebServer, make_tool: MakeTool
) -> None:
    server.answers = [first, Answer(b"fine", headers=_TEXT)]
    result = await runner.run(make_tool(url=server.url, method=method), {}, context={})
    assert (result.content, len(server.requests)) == ("fine", 2)


async def test_it_is_tried_only_once_more(runner: ToolRunner, server: FakeWebServer, make_tool: MakeTool) -> None:
    server.answers = [Answer(status=503, body=b"busy", headers=_TEXT)]
    result = await runner.run(make_tool(url=server.url), {}, context={})
    assert (result.content, result.status) == ("The tool answered with status 503: busy", 503)
    assert len(server.requests) == 2


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("first", [Answer(status=503), Answer(fault="cut"), Answer(fault="garbage")])
async def test_what_may_have_been_done_is_not_repeated(
    method: str, first: Answer, runner: ToolRunner, server: FakeWebServer, make_tool: MakeTool
) -> None:
    server.answers = [first, Answer(b"fine")]
    result = await runner.run(make_tool(url=server.url, method=method), {}, context={})
    assert result.is_error
    assert len(server.requests) == 1


async def test_a_server_error_that_will_not_pass_is_not_repeated(
    runner: ToolRunner, server: FakeWebServer, make_tool: MakeTool
) -> None:
    server.answers = [Answer(status=500), Answer()]
    assert (await runner.run(make_tool(url=server.url), {}, context={})).status == 500
    assert len(server.requests) == 1


async def test_a_request_that_never_left_is_repeated_whatever_its_method(box: SecretBox, make_tool: MakeTool) -> None:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        if len(asked) == 1:
            raise OSError("the name server is away")
        return ["127.0.0.1"]

    client = OutboundClient(private_allowed=True, resolve=resolve)
    async with FakeWebServer().run() as server:
        tool = make_tool(url=f"http://shop.example:{server.port}/", method="POST")
        result = await ToolRunner(client, box).run(tool, {}, context={})
    assert (result.is_error, len(asked), len(server.requests)) == (False, 2, 1)
    await client.close()


async def test_a_slow_tool_is_given_up_after_its_timeout(
    runner: ToolRunner, server: FakeWebServer, make_tool: MakeTool
) -> None:
    server.answers = [Answer(fault="silent")]
    result = await runner.run(make_tool(url=server.url, timeout_ms=100), {}, context={})
    assert result.is_error
    assert "did not answer completely within" in result.content
    assert len(server.requests) == 1


async def test_the_repetition_has_only_the_time_that_is_left(
    server: FakeWebServer, box: SecretBox, make_tool: MakeTool
) -> None:
    times = iter([0.0, 0.0, 9.9, 10.0])  # start, first request, second request, end
    client = OutboundClient(private_allowed=True)
    server.answers = [Answer(status=503), Answer(fault="silent")]
    runner = ToolRunner(client, box, clock=lambda: next(times))
    result = await runner.run(make_tool(url=server.url, timeout_ms=10_000), {}, context={})
    assert "within 0.1 seconds" in result.content
    assert result.duration_ms == 10_000
    await client.close()


async def test_garbage_is_a_result(runner: ToolRunner, server: FakeWebServer, make_tool: MakeTool) -> None:
    server.answers = [Answer(fault="garbage")]
    result = await runner.run(make_tool(url=f"{server.url}/secret-path"), {}, context={})
    assert result.is_error
    assert "answered wrongly" in result.content
    assert "secret-path" not in result.content


async def test_a_private_address_is_refused(guarded: ToolRunner, server: FakeWebServer, make_tool: MakeTool) -> None:
    result = await guarded.run(make_tool(url=server.url), {}, context={})
    assert result.is_error
    assert "not a public address" in result.content
    assert server.connections == 0


async def test_a_redirect_to_a_private_address_is_refused(
    guarded: ToolRunner, server: FakeWebServer, make_tool: MakeTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbound, "is_public", lambda address: address == "127.0.0.1")
    server.answers = [Answer(b"", 302, {"Location": "http://169.254.169.254/latest/meta-data"})]
    result = await guarded.run(make_tool(url=server.url), {}, context={})
    assert result.is_error
    assert "not a public address" in result.content
    assert len(server.requests) == 1


async def test_a_get_follows_a_redirect_and_a_post_does_not(
    runner: ToolRunner, server: FakeWebServer, make_tool: MakeTool
) -> None:
    server.pages = {"/a": Answer(b"", 301, {"Location": "/b"}), "/b": Answer(b"there", headers=_TEXT)}
    assert (await runner.run(make_tool(url=f"{server.url}/a"), {}, context={})).content == "there"
    result = await runner.run(make_tool(url=f"{server.url}/a", method="POST"), {}, context={})
    assert result.is_error
    assert "redirects elsewhere" in result.content


async def test_the_model_sees_name_description_and_schema(runner: ToolRunner, make_tool: MakeTool) -> None:
    tool = make_tool(description="Finds an order.", parameters=(Parameter("id", "path", {"type": "string"}),))
    spec = runner.spec(tool)
    assert (spec.name, spec.description, spec.runs) == ("find_order", "Finds an order.", "during")
    assert spec.parameters["properties"] == {"id": {"type": "string"}}
    assert runner.spec(make_tool()).description == "Find order"
