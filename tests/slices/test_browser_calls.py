"""Browser calls over HTTP, and their links: good for one join, until they expire."""

import asyncio
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from ringdown import values
from ringdown.agents.models import Agent
from ringdown.calls import browser, service
from ringdown.calls.browser import BrowserCall
from ringdown.calls.models import ClaimedCall
from ringdown.config import Settings
from ringdown.errors import NotFound, ValidationFailed
from tests.slices.conftest import BASE, Tenant, on_sqlite

URL = f"{BASE}/webrtc/call"
PREFIX = "wss://calls.example/join/"


async def open_call(tenant: Tenant, agent: Agent, **fields: object) -> dict[str, Any]:
    answer = await tenant.client.post(URL, json={"agent_id": agent.id, **fields})
    assert answer.status_code == 200, answer.text
    opened: dict[str, Any] = answer.json()
    return opened


async def join(tenant: Tenant, opened: dict[str, Any], gateway_id: str = "gateway-1") -> ClaimedCall | None:
    token = opened["joinUrl"].removeprefix(PREFIX)
    return await browser.join_call(tenant.database, token=token, gateway_id=gateway_id)


def let_time_pass(monkeypatch: pytest.MonkeyPatch, by_ms: int) -> None:
    now_ms = values.now_ms
    monkeypatch.setattr(values, "now_ms", lambda: now_ms() + by_ms)


def refused_field(answer: httpx.Response) -> str:
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert error["code"] == "validation_error"
    assert error["details"]["reason"]
    return str(error["details"]["field"])


async def test_the_answer_is_bare_and_the_call_is_queued_for_a_browser(tenant: Tenant) -> None:
    agent = await tenant.add_agent()
    answer = await tenant.client.post(URL, json={"agent_id": agent.id})
    assert answer.status_code == 200
    opened = answer.json()
    assert list(opened) == ["joinUrl", "callId", "agentName"]
    assert opened["agentName"] == agent.name
    assert opened["joinUrl"].startswith(PREFIX)
    assert len(opened["joinUrl"].removeprefix(PREFIX)) >= 40
    call = (await tenant.client.get(f"{BASE}/calls/{opened['callId']}")).json()["data"]
    assert (call["status"], call["direction"], call["agent_id"]) == ("queued", "webrtc", agent.id)
    assert (call["to"], call["from"], call["phone_number"]) == (None, None, None)
    listed = (await tenant.client.get(f"{BASE}/calls", params={"direction": "webrtc"})).json()
    assert [each["id"] for each in listed["data"]] == [opened["callId"]]


@pytest.mark.parametrize("spelling", ["variables", "context"])
async def test_variables_have_two_names_and_settings_and_metadata_are_kept(tenant: Tenant, spelling: str) -> None:
    agent = await tenant.add_agent()
    fields = {spelling: {"first_name": "Ana", "age": 42}, "metadata": {"page": "/"}}
    opened = await open_call(tenant, agent, **fields, call_settings={"greeting": "Hi!", "recording_enabled": False})
    call = await tenant.get_call(opened["callId"])
    assert (call.variables, call.metadata) == ({"first_name": "Ana", "age": "42"}, {"page": "/"})
    assert (call.settings.greeting, call.settings.recording_enabled) == ("Hi!", False)


async def test_an_agent_that_is_absent_a_draft_or_another_organizations_is_not_found(
    tenant: Tenant, stranger: Tenant
) -> None:
    draft, theirs = await tenant.add_agent(status="draft"), await stranger.add_agent()
    for agent_id in (draft.id, theirs.id, "agt_00000000000000000000000000"):
        answer = await tenant.client.post(URL, json={"agent_id": agent_id})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert (await tenant.client.get(f"{BASE}/calls")).json()["pagination"]["total"] == 0


@on_sqlite
async def test_only_a_key_opens_a_call(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.post(URL, json={"agent_id": "agt_00000000000000000000000000"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")


@on_sqlite
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "agent_id"),
        ({"agent_id": 7}, "agent_id"),
        ({"agent_id": "agt_1", "phone_number": "+12025550100"}, "phone_number"),
        ({"agent_id": "agt_1", "variables": {"a": []}}, "variables.a"),
        ({"agent_id": "agt_1", "variables": {"a": "1"}, "context": {"a": "2"}}, "context"),
        ({"agent_id": "agt_1", "metadata": "x"}, "metadata"),
        ({"agent_id": "agt_1", "call_settings": {"join_timeout": "1h"}}, "call_settings.join_timeout"),
    ],
)
async def test_bad_requests_name_the_field(tenant: Tenant, body: dict[str, Any], field: str) -> None:
    assert refused_field(await tenant.client.post(URL, json=body)) == field


@on_sqlite
async def test_a_body_over_the_limit_is_refused(tenant: Tenant) -> None:
    body = {"agent_id": "agt_1", "metadata": {"a": "x" * 1_100_000}}
    answer = await tenant.client.post(URL, json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "payload_too_large")


async def test_credits_that_are_missing_refuse_the_call(tenant: Tenant) -> None:
    agent = await tenant.add_agent()
    object.__setattr__(tenant.settings, "credits_enforced", True)
    answer = await tenant.client.post(URL, json={"agent_id": agent.id})
    assert (answer.status_code, answer.json()["error"]["code"]) == (402, "payment_required")


async def test_the_same_idempotency_key_gives_the_same_link(tenant: Tenant) -> None:
    agent = await tenant.add_agent()
    headers = {"X-Idempotency-Key": "page-1"}
    answers = [await tenant.client.post(URL, json={"agent_id": agent.id}, headers=headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert (await tenant.client.get(f"{BASE}/calls")).json()["pagination"]["total"] == 1


async def test_browser_calls_can_be_switched_off(tenant: Tenant) -> None:
    agent = await tenant.add_agent()
    settings = tenant.settings.model_copy(update={"webrtc_port": 0})
    with pytest.raises(ValidationFailed, match="switched off"):
        await browser.open_browser_call(
            tenant.database,
            settings=settings,
            organization_id=tenant.organization_id,
            request=BrowserCall(agent_id=agent.id),
        )


@on_sqlite
@pytest.mark.parametrize(
    ("public_url", "link"),
    [
        ("https://calls.example/", "wss://calls.example/join/"),
        ("http://10.0.0.5:9000/voice", "ws://10.0.0.5:9000/voice/join/"),
        (None, "ws://127.0.0.1:8080/join/"),
    ],
)
async def test_the_link_lies_beside_the_api(tenant: Tenant, public_url: str | None, link: str) -> None:
    agent = await tenant.add_agent()
    settings = Settings(data_dir=tenant.settings.data_dir, public_url=public_url)
    call, join_url = await browser.open_browser_call(
        tenant.database,
        settings=settings,
        organization_id=tenant.organization_id,
        request=BrowserCall(agent_id=agent.id),
    )
    assert join_url.startswith(link)
    assert "/" not in join_url.removeprefix(link)
    assert call.status == "queued"


async def test_no_gateway_dials_a_browsers_call(tenant: Tenant) -> None:
    agent = await tenant.add_agent()
    await open_call(tenant, agent)
    assert await service.claim_calls(tenant.database, gateway_id="gateway-1", limit=10) == []


async def test_a_link_is_good_for_one_join(tenant: Tenant) -> None:
    agent = await tenant.add_agent()
    opened = await open_call(tenant, agent)
    joins = await asyncio.gather(*(join(tenant, opened, f"gateway-{number}") for number in range(5)))
    [claimed] = [found for found in joins if found is not None]
    assert (claimed.call.id, claimed.call.status, claimed.agent.id) == (opened["callId"], "ringing", agent.id)
    assert await join(tenant, opened) is None
    [unfinished] = [
        found
        for number in range(5)
        for found in await service.list_unfinished(tenant.database, gateway_id=f"gateway-{number}")
    ]
    assert unfinished.call.id == opened["callId"]  # which a crash would end


async def test_the_token_is_not_in_the_database(tenant: Tenant) -> None:
    agent = await tenant.add_agent()
    opened = await open_call(tenant, agent)
    async with tenant.database.read() as connection:
        rows = (await connection.execute(sa.text("SELECT * FROM call_joins"))).all()
    assert len(rows) == 1
    assert opened["joinUrl"].removeprefix(PREFIX) not in str(rows)


async def test_an_expired_link_joins_nothing_and_its_call_was_not_answered(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await tenant.add_agent(join_timeout_ms=20_000)
    opened, longer = await open_call(tenant, agent), await open_call(tenant, agent, call_settings={"join_timeout": 40})
    let_time_pass(monkeypatch, 20_000)
    assert await join(tenant, opened) is None
    assert await browser.end_unjoined_calls(tenant.database, settings=tenant.settings) == 1
    assert await browser.end_unjoined_calls(tenant.database, settings=tenant.settings) == 0
    call = await tenant.get_call(opened["callId"])
    assert (call.status, call.ended_reason, call.cost_credits) == ("failed", "no_answer", 0)
    assert await join(tenant, longer) is not None


async def test_a_call_that_was_hung_up_before_the_join_cannot_be_joined(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await tenant.add_agent()
    opened, deleted = await open_call(tenant, agent), await open_call(tenant, agent)
    for each in (opened, deleted):
        assert (await tenant.client.post(f"{BASE}/calls/{each['callId']}/hangup")).status_code == 201
    assert (await tenant.client.delete(f"{BASE}/calls/{deleted['callId']}")).status_code == 200
    assert await join(tenant, opened) is None
    let_time_pass(monkeypatch, 600_000)
    assert await browser.end_unjoined_calls(tenant.database, settings=tenant.settings) == 0
    assert (await tenant.get_call(opened["callId"])).ended_reason == "cancelled"


@on_sqlite
async def test_an_unknown_token_joins_nothing(tenant: Tenant) -> None:
    assert await browser.join_call(tenant.database, token="unknown", gateway_id="gateway-1") is None


async def test_an_organization_opens_no_call_with_anothers_agent(tenant: Tenant, stranger: Tenant) -> None:
    theirs = await stranger.add_agent()
    with pytest.raises(NotFound):
        await browser.open_browser_call(
            tenant.database,
            settings=tenant.settings,
            organization_id=tenant.organization_id,
            request=BrowserCall(agent_id=theirs.id),
        )


async def test_the_client_module_is_served_to_pages_of_any_origin(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/webrtc/ringdown.js")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "export async function join(" in answer.text


async def test_a_link_lies_sealed_with_the_answer_that_showed_it(tenant: Tenant) -> None:
    agent = await tenant.add_agent()
    for url, body in ((URL, {"agent_id": agent.id}), (f"{BASE}/agents/{agent.id}/test-call", {})):
        first, again = [
            await tenant.client.post(url, json=body, headers={"X-Idempotency-Key": "once"}) for _ in range(2)
        ]
        assert first.is_success
        assert again.text == first.text
    async with tenant.database.read() as connection:
        kept = (await connection.execute(sa.text("SELECT body FROM idempotency_keys"))).scalars().all()
    assert len(kept) == 2
    assert not any(b"/join/" in bytes(body) for body in kept)
