"""Tools in real calls: of a web server, of an MCP server, and those that a phone can do by itself."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from tests.acceptance.model_server import CHAT, Answer, ScriptedServer
from tests.acceptance.talking.desk import COLLEAGUE, GREETING, NUMBER, Desk, wait_until
from tests.fakes.mcp_server import FakeMcpServer
from tests.fakes.web_server import Answer as Page
from tests.fakes.web_server import FakeWebServer

pytestmark = pytest.mark.asyncio(loop_scope="package")

SECRET = "the-key-of-the-shop"
CHECKING = "One moment, please, let me check."


@pytest_asyncio.fixture(loop_scope="package")
async def web() -> AsyncIterator[FakeWebServer]:
    async with FakeWebServer().run() as running:
        yield running


async def make_tool(desk: Desk, url: str) -> str:
    """A tool with parameters of every kind, one of them secret; its id."""
    return await desk.make_tool(
        name="Find order",
        definition={
            "description": "Finds an order.",
            "http": {"baseUrlPattern": url + "/orders/{number}", "httpMethod": "POST"},
            "dynamicParameters": [
                {"name": "number", "required": True, "schema": {"type": "string"}},
                {"name": "city", "location": "body", "schema": {"type": "string"}},
            ],
            "staticParameters": [
                {"name": "shop", "location": "query", "value": "7"},
                {"name": "who", "location": "body", "value": "{{caller_number}} {{first_name}}"},
            ],
            "automaticParameters": [{"name": "X-Call", "location": "header", "knownValue": "KNOWN_PARAM_CALL_ID"}],
            "headers": {"X-API-Key": SECRET},
        },
    )


async def test_a_tool_gets_its_parameters_and_its_result_leads_the_model_on(
    desk: Desk, provider: ScriptedServer, web: FakeWebServer
) -> None:
    tool = await make_tool(desk, web.url)
    web.pages["/orders/A-12"] = Page(b'{"state": "shipped", "day": "Friday"}', delay_s=3.0)
    provider.answers = {
        "Where is my order?": Answer("", tools=(("find_order", '{"number": "A-12", "city": "Bonn"}'),)),
        '{"state":"shipped","day":"Friday"}': Answer("It comes on Friday. Goodbye.", ends_call=True),
    }
    agent = await desk.make_agent(tools=[tool])
    async with desk.call(agent, "say Where is my order?", "wait 30", variables={"first_name": "Ana"}) as (call_id, _):
        call = await desk.end_of(call_id)

    assert await desk.turns_of(call_id) == [
        ("agent", GREETING),
        ("contact", "Where is my order?"),
        ("agent", f"{CHECKING} It comes on Friday. Goodbye."),
    ]
    assert (call["ended_reason"], call["outcome"]) == ("agent_hangup", "contacted")
    (request,) = web.requests
    assert (request.method, request.target) == ("POST", "/orders/A-12?shop=7")
    assert request.headers["x-api-key"] == SECRET
    assert request.headers["x-call"] == call_id
    assert request.json() == {"city": "Bonn", "who": f"{NUMBER} Ana"}

    events = await desk.events_of(call_id)
    assert [event["type"] for event in events] == ["tool.started", "tool.finished"]
    assert events[0]["data"] == {"name": "find_order", "arguments": '{"number": "A-12", "city": "Bonn"}'}
    finished = events[1]["data"]
    assert finished["duration_ms"] >= 2900
    assert (finished["is_error"], finished["result"]) == (False, '{"state":"shipped","day":"Friday"}')
    assert events[1]["timestamp"] - events[0]["timestamp"] >= 2.9
    log = (desk.ringdown.folder / "log").read_text()
    assert not any(secret in log + json.dumps(events) for secret in (SECRET, "key-of-the-provider"))
    assert "A-12" not in log


async def test_a_failing_tool_is_told_to_the_model_and_the_call_goes_on(
    desk: Desk, provider: ScriptedServer, web: FakeWebServer
) -> None:
    tool = await make_tool(desk, web.url)
    web.pages["/orders/A-12"] = Page(b'{"error": "out of order"}', status=500)
    provider.answers = {
        "Where is my order?": Answer("Let me look.", tools=(("find_order", '{"number": "A-12"}'),)),
        "Error: *": Answer("I cannot look it up. Goodbye.", ends_call=True),
    }
    agent = await desk.make_agent(tools=[tool])
    async with desk.call(agent, "say Where is my order?", "wait 30") as (call_id, _):
        call = await desk.end_of(call_id)
    assert (await desk.turns_of(call_id))[-1] == ("agent", "Let me look. I cannot look it up. Goodbye.")
    assert call["ended_reason"] == "agent_hangup"
    told = provider.conversations()[1][-1]
    assert told["role"] == "tool"
    assert "500" in told["content"]
    assert "out of order" in told["content"]
    (finished,) = await desk.events_of(call_id, "tool.finished")
    assert finished["is_error"]
    assert len(web.requests) == 1  # a POST may have been done: it is not repeated


async def test_a_caller_who_speaks_while_a_tool_runs_does_not_lose_its_result(
    desk: Desk, provider: ScriptedServer, web: FakeWebServer
) -> None:
    tool = await make_tool(desk, web.url)
    web.pages["/orders/A-12"] = Page(b'{"state":"shipped"}', delay_s=4.0)
    provider.answers = {
        "Where is my order?": Answer("Let me look.", tools=(("find_order", '{"number": "A-12"}'),)),
        "It is rather urgent for me.": Answer("It was shipped. Goodbye.", ends_call=True),
        '{"state":"shipped"}': Answer("It was shipped. Goodbye.", ends_call=True),
    }
    agent = await desk.make_agent(tools=[tool])
    async with desk.call(agent, "say Where is my order?", "wait 2.5", "say It is rather urgent for me.", "wait 30") as (
        call_id,
        _,
    ):
        call = await desk.end_of(call_id)
    turns = await desk.turns_of(call_id)
    assert ("contact", "It is rather urgent for me.") in turns
    assert turns[-1] == ("agent", "It was shipped. Goodbye.")
    assert call["ended_reason"] == "agent_hangup"
    assert len(web.requests) == 1
    last = provider.conversations()[-1]
    assert '{"state":"shipped"}' in [message["content"] for message in last if message["role"] == "tool"]
    # What filled the wait was said before the answer that nobody heard.
    words = [message["content"] for message in last if message["role"] == "assistant" and message["content"]]
    # A call that is slow to end asks once more, and then tells of the last words, too.
    assert words[:2] == [GREETING, f"Let me look. {CHECKING}"]


async def test_a_tool_of_an_mcp_server_answers(desk: Desk, provider: ScriptedServer) -> None:
    provider.answers = {
        "What is two and three?": Answer("", tools=(("add", '{"a": 2, "b": 3}'),)),
        "*5*": Answer("Five. Goodbye.", ends_call=True),
        "5*": Answer("Five. Goodbye.", ends_call=True),
    }
    async with FakeMcpServer().run() as server:
        tool = await desk.make_tool(name="Shop", definition={"type": "mcp", "url": server.url, "include": ["add"]})
        agent = await desk.make_agent(tools=[tool])
        async with desk.call(agent, "say What is two and three?", "wait 30") as (call_id, _):
            await desk.end_of(call_id)
        assert server.calls == ["add"]
    assert (await desk.turns_of(call_id))[-1] == ("agent", "Five. Goodbye.")
    assert await desk.kinds_of(call_id) == ["tool.started", "tool.finished"]
    names = [tool["function"]["name"] for tool in provider.requests_to(CHAT)[0].fields["tools"]]
    assert "add" in names
    assert "find_order" not in names


async def test_a_promised_callback_is_placed_as_a_job_and_keys_reach_the_phone(
    desk: Desk, provider: ScriptedServer
) -> None:
    at = datetime.now(UTC) + timedelta(hours=2)
    provider.answers = {
        "Press one for parcels.": Answer("", tools=(("send_digits", '{"digits": "1w2"}'),)),
        "Please call me in two hours.": Answer("", tools=(("schedule_callback", json.dumps({"at": at.isoformat()})),)),
        '{"scheduled": true, *': Answer("I will call you then. Goodbye.", ends_call=True),
    }
    agent = await desk.make_agent(tools=["schedule_callback"])
    async with desk.call(
        agent, "say Press one for parcels.", "wait 3", "say Please call me in two hours.", "wait 30"
    ) as (call_id, phone):
        await wait_until(lambda: _digits_of(phone.events) == "12")
        await desk.end_of(call_id)
    assert (await desk.turns_of(call_id))[-1] == ("agent", "I will call you then. Goodbye.")
    with closing(sqlite3.connect(desk.ringdown.folder / "data" / "ringdown.db", timeout=10)) as database:
        query = "SELECT due_at, payload FROM jobs WHERE kind = 'calls.callback' AND unique_key = ?"
        ((due_at, payload),) = database.execute(query, (call_id,)).fetchall()
    assert due_at == pytest.approx(at.timestamp() * 1000, abs=20_000)
    promised = json.loads(payload)
    assert (promised["agent_id"], promised["phone_number"]) == (agent, NUMBER)
    (told,) = await desk.events_of(call_id, "tool.finished")
    assert json.loads(told["result"]) == {"scheduled": True, "call_id": promised["call_id"]}


async def test_who_says_so_and_hangs_up_is_never_called_again(desk: Desk, provider: ScriptedServer) -> None:
    provider.answers = {"Stop calling me!": Answer("May I tell you about our new parcels, which are very light?")}
    agent = await desk.make_agent()
    async with desk.call(agent, "say Stop calling me!", "wait 1", "hang_up") as (call_id, _):
        call = await desk.end_of(call_id)
    assert call["ended_reason"] == "user_hangup"
    entry = f"/contacts/dnc/{NUMBER}"
    try:
        listed = (await desk.client.get(entry)).json()["data"]
        assert (listed["source"], listed["call_id"]) == ("call", call_id)
        assert await desk.events_of(call_id, "contact.opted_out") == [{"is_new": True}]
        refused = await desk.make("/calls", agent_id=agent, phone_number=NUMBER)
        assert refused["ended_reason"] == "dnc_blocked"
    finally:
        assert (await desk.client.delete(entry)).status_code == 200


def _digits_of(events: list[dict[str, str]]) -> str:
    return "".join(event["detail"] for event in events if event["kind"] == "digit")


async def test_the_agent_hands_over_to_a_named_number_and_to_no_other(desk: Desk, provider: ScriptedServer) -> None:
    provider.answers = {
        "Give me your boss.": Answer("", tools=(("transfer_call", '{"destination": "+390612345678"}'),)),
        "Error: destination must be one of: sales.": Answer("Only the sales people are there."),
        "Sales then.": Answer("I connect you.", tools=(("transfer_call", '{"destination": "sales"}'),)),
    }
    agent = await desk.make_agent(transfer_numbers=[{"name": "sales", "phone_number": COLLEAGUE}])
    async with desk.call(agent, "say Give me your boss.", "say Sales then.", "wait 30") as (call_id, phone):
        call = await desk.end_of(call_id)
        (referred,) = [event["detail"] for event in phone.events if event["kind"] == "referred"]
    assert referred.startswith(f"sip:{COLLEAGUE}@")
    assert await desk.turns_of(call_id) == [
        ("agent", GREETING),
        ("contact", "Give me your boss."),
        ("agent", "Only the sales people are there."),
        ("contact", "Sales then."),
        ("agent", "I connect you."),
    ]
    assert (call["ended_reason"], call["outcome"]) == ("transferred", "escalated")
    assert call["transfer"] == {"to": COLLEAGUE, "mode": "blind", "status": "connected", "reason": None}
