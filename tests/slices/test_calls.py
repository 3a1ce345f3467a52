"""Calls over HTTP: placed, read, changed, hung up, deleted."""

from typing import Any

import httpx
import pytest

from ringdown import values
from ringdown.billing import service as billing
from ringdown.calls import service
from ringdown.calls.models import TranscriptTurn
from ringdown.calls.recording import RecordingStore
from tests.slices.conftest import BASE, Tenant, on_sqlite

NUMBER = "+12025550100"
UNKNOWN = "call_00000000000000000000000000"
SIXTEEN = [
    "id", "status", "direction", "agent_id", "to", "from", "duration_seconds", "recording_url", "transcript_url",
    "summary", "cost_credits", "metadata", "started_at", "ended_at", "created_at", "updated_at",
]  # fmt: skip
ADDITIONAL = [
    "ended_reason", "outcome", "sentiment", "phone_number", "from_number", "to_number", "variables", "latency",
    "analysis", "trunk_id", "media_quality", "transfer",
]  # fmt: skip
TURNS = (
    TranscriptTurn(position=0, speaker="agent", text="Hello.", start_ms=500, end_ms=1240),
    TranscriptTurn(position=1, speaker="contact", text="Hi.", start_ms=1500, end_ms=1900, interrupted=True),
)


def _refused(response: httpx.Response) -> list[str]:
    assert response.status_code == 422, response.text
    error = response.json()["error"]
    assert error["code"] == "validation_error"
    assert error["details"]["field"] == error["details"]["errors"][0]["field"]
    return [item["field"] for item in error["details"]["errors"]]


async def test_a_placed_call_is_queued_and_has_the_sixteen_fields_first_in_order(tenant: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    response = await tenant.client.post(
        f"{BASE}/calls",
        json={
            "agent_id": agent.id,
            "phone_number": "+12025550142",
            "variables": {"first_name": "Ana", "age": 42, "vip": True, "rate": 1.5},
            "metadata": {"priority": "high", "nested": {"z": 1, "a": [1, 2.5, None]}},
            "call_settings": {"recording_enabled": False, "max_duration": "900s", "join_timeout": 20},
        },
    )
    assert response.status_code == 201
    call = response.json()["data"]
    assert list(call) == SIXTEEN + ADDITIONAL
    assert call["status"] == "queued"
    assert (call["to"], call["from"], call["phone_number"]) == ("+12025550142", NUMBER, "+12025550142")
    assert call["variables"] == {"first_name": "Ana", "age": "42", "vip": "true", "rate": "1.5"}
    assert call["metadata"] == {"priority": "high", "nested": {"z": 1, "a": [1, 2.5, None]}}
    assert list(call["metadata"]["nested"]) == ["z", "a"]
    unknown_yet = ("duration_seconds", "recording_url", "transcript_url", "summary", "started_at", "ended_at")
    assert [call[name] for name in unknown_yet] == [None] * 6
    assert call["cost_credits"] == 0
    stored = await tenant.get_call(call["id"])
    assert stored.settings.recording_enabled is False
    assert (stored.settings.max_duration_ms, stored.settings.join_timeout_ms) == (900_000, 20_000)


async def test_the_other_documented_spellings_of_a_call_are_accepted(tenant: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    body = {
        "agent_id": agent.id,
        "to_number": "+12025550142",
        "from_number": NUMBER,
        "direction": "outbound",
        "context": {"first_name": "Ana"},
        "call_settings": None,
    }
    call = (await tenant.client.post(f"{BASE}/calls", json=body)).json()["data"]
    assert (call["to"], call["variables"]) == ("+12025550142", {"first_name": "Ana"})


@on_sqlite
async def test_two_spellings_that_disagree_are_refused(tenant: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    body = {"agent_id": agent.id, "phone_number": "+12025550142", "variables": {"a": "1"}, "context": {"a": "2"}}
    assert _refused(await tenant.client.post(f"{BASE}/calls", json=body)) == ["context"]


async def test_an_agent_without_an_outbound_number_gets_a_call_that_has_failed(tenant: Tenant) -> None:
    agent = await tenant.add_agent()
    await tenant.add_number(NUMBER, inbound_agent_id=agent.id)
    response = await tenant.client.post(f"{BASE}/calls", json={"agent_id": agent.id, "phone_number": "+12025550142"})
    assert response.status_code == 201
    call = response.json()["data"]
    assert (call["status"], call["ended_reason"], call["outcome"]) == (
        "failed", "no_phone_number_configured", "failed",
    )  # fmt: skip
    assert (call["duration_seconds"], call["cost_credits"], call["from"]) == (0, 0, None)
    assert call["ended_at"] is not None
    async with tenant.database.read() as connection:
        assert await billing.get_balance(connection, tenant.organization_id) == 0


@on_sqlite
async def test_a_number_on_the_do_not_call_list_is_never_dialled(tenant: Tenant, stranger: Tenant) -> None:
    body = {"phone_numbers": ["+12025550142"], "reason": "asked us"}
    assert (await tenant.client.post(f"{BASE}/contacts/dnc", json=body)).status_code == 201
    placed = {"phone_number": "+12025550142"}
    for who, number, status, ended_reason in (
        (tenant, NUMBER, "failed", "dnc_blocked"),
        (stranger, "+12025550199", "queued", None),
    ):
        agent = await who.add_agent(outbound_number=number)
        call = (await who.client.post(f"{BASE}/calls", json={**placed, "agent_id": agent.id})).json()["data"]
        assert (call["status"], call["ended_reason"]) == (status, ended_reason)
    async with tenant.database.read() as connection:
        assert await billing.get_balance(connection, tenant.organization_id) == 0


@on_sqlite
async def test_a_number_that_is_not_the_agents_is_refused_as_sender(tenant: Tenant, stranger: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    await stranger.add_agent(outbound_number="+12025550177")
    body = {"agent_id": agent.id, "phone_number": "+12025550142", "from_number": "+12025550177"}
    response = await tenant.client.post(f"{BASE}/calls", json=body)
    assert _refused(response) == ["from_number"]
    assert NUMBER in response.json()["error"]["message"]


async def test_a_draft_cannot_call(tenant: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number=NUMBER, status="draft")
    body = {"agent_id": agent.id, "phone_number": "+12025550142"}
    assert _refused(await tenant.client.post(f"{BASE}/calls", json=body)) == ["agent_id"]


async def test_an_agent_of_another_organization_does_not_exist(tenant: Tenant, stranger: Tenant) -> None:
    theirs = await stranger.add_agent(outbound_number=NUMBER)
    for agent_id in (theirs.id, "agt_00000000000000000000000000", "nonsense"):
        body = {"agent_id": agent_id, "phone_number": "+12025550142"}
        response = await tenant.client.post(f"{BASE}/calls", json=body)
        assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


@on_sqlite
@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"phone_number": "2025550142"}, ["phone_number"]),
        ({"phone_number": None}, ["phone_number"]),
        ({"phone_number": "+1202555014２"}, ["phone_number"]),
        ({"from_number": "12"}, ["from_number"]),
        ({"agent_id": 7}, ["agent_id"]),
        ({"variables": {"a": None, "b": []}}, ["variables.a", "variables.b"]),
        ({"variables": "x"}, ["variables"]),
        ({"metadata": []}, ["metadata"]),
        ({"direction": "inbound"}, ["direction"]),
        ({"call_settings": {"max_duration": "5m"}}, ["call_settings.max_duration"]),
        ({"call_settings": {"max_duration": "0s"}}, ["call_settings.max_duration"]),
        ({"call_settings": {"join_timeout": True}}, ["call_settings.join_timeout"]),
        ({"call_settings": {"recording_enabled": "yes"}}, ["call_settings.recording_enabled"]),
        ({"call_settings": {"volume": 3}}, ["call_settings.volume"]),
        ({"colour": "red", "phone_number": "x"}, ["phone_number", "colour"]),
    ],
)
async def test_a_bad_field_of_a_new_call_is_named(tenant: Tenant, changes: dict[str, Any], fields: list[str]) -> None:
    body = {"agent_id": "agt_00000000000000000000000000", "phone_number": "+12025550142"} | changes
    assert sorted(_refused(await tenant.client.post(f"{BASE}/calls", json=body))) == sorted(fields)


async def test_an_idempotency_key_places_one_call(tenant: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    body = {"agent_id": agent.id, "phone_number": "+12025550142"}
    headers = {"X-Idempotency-Key": "once"}
    answers = [await tenant.client.post(f"{BASE}/calls", json=body, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    listed = (await tenant.client.get(f"{BASE}/calls")).json()
    assert listed["pagination"]["total"] == 1


async def test_a_call_shows_its_life_from_queued_to_completed(tenant: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    call = await tenant.place_call(agent)

    async def show() -> dict[str, Any]:
        shown: dict[str, Any] = (await tenant.client.get(f"{BASE}/calls/{call.id}")).json()["data"]
        return shown

    assert ((await show())["status"], (await show())["transcript"]) == ("queued", None)
    await service.claim_calls(tenant.database, gateway_id="gateway-1", limit=1)
    assert (await show())["status"] == "ringing"
    await service.mark_answered(
        tenant.database, organization_id=tenant.organization_id, call_id=call.id, started_at=values.now_ms()
    )
    await service.append_turn(tenant.database, organization_id=tenant.organization_id, call_id=call.id, turn=TURNS[0])
    live = await show()
    assert live["status"] == "in_progress"
    assert [turn["text"] for turn in live["transcript"]] == ["Hello."]
    assert await tenant.finish_call(
        call, media_ms=142_700, turns=TURNS, summary="Done.", slots={"coming": "yes"}, has_recording=True
    )
    ended = await show()
    assert list(ended) == [*SIXTEEN, *ADDITIONAL, "transcript"]
    assert (ended["status"], ended["ended_reason"], ended["outcome"]) == ("completed", "user_hangup", "contacted")
    assert (ended["duration_seconds"], ended["cost_credits"], ended["summary"]) == (142, 24, "Done.")
    assert values.parse_wire_time(ended["ended_at"]) - values.parse_wire_time(ended["started_at"]) == 142_000
    assert ended["recording_url"].startswith(f"https://calls.example/recordings/{call.id}.mp3?")
    assert ended["transcript_url"] == f"https://calls.example/calls/{call.id}/transcript"
    assert ended["analysis"]["structured_data"] == {"coming": "yes"}
    assert ended["transcript"] == [
        {"speaker": "agent", "text": "Hello.", "timestamp": 0.5, "end_timestamp": 1.24, "interrupted": False}
        | {"latency": None},
        {"speaker": "contact", "text": "Hi.", "timestamp": 1.5, "end_timestamp": 1.9, "interrupted": True}
        | {"latency": None},
    ]


async def test_the_transcript_is_served_at_both_addresses_and_needs_the_key(
    tenant: Tenant, stranger: Tenant, anonymous: httpx.AsyncClient
) -> None:
    call = await tenant.add_call(seq=1, started_at=values.now_ms(), turns=TURNS, summary="Done.")
    for path in (f"/calls/{call.id}/transcript", f"{BASE}/calls/{call.id}/transcript"):
        data = (await tenant.client.get(path)).json()["data"]
        assert (data["call_id"], data["summary"], len(data["transcript"])) == (call.id, "Done.", 2)
        assert (await anonymous.get(path)).status_code == 401
        assert (await stranger.client.get(path)).status_code == 404


async def test_a_call_that_is_not_transcribed_keeps_no_turns(tenant: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    body = {
        "agent_id": agent.id,
        "phone_number": "+12025550142",
        "call_settings": {"transcription_enabled": False},
    }
    placed = (await tenant.client.post(f"{BASE}/calls", json=body)).json()["data"]
    call = await tenant.get_call(placed["id"])
    await tenant.answer_call(call)
    await service.append_turn(tenant.database, organization_id=tenant.organization_id, call_id=call.id, turn=TURNS[0])
    await tenant.finish_call(call, turns=TURNS, summary="Done.", slots={"coming": "yes"})
    ended = (await tenant.client.get(f"{BASE}/calls/{call.id}")).json()["data"]
    assert ended["transcript"] == []
    assert (ended["summary"], ended["analysis"]["structured_data"]) == ("Done.", {"coming": "yes"})


async def test_metadata_of_a_batch_call_names_batch_and_contact_beside_the_clients_keys(tenant: Tenant) -> None:
    call = await tenant.add_call(
        seq=1, batch_call_id="batch_1", contact_id="cnt_1", metadata={"priority": 1, "campaign_id": "mine"}
    )
    shown = (await tenant.client.get(f"{BASE}/calls/{call.id}")).json()["data"]
    assert list(shown["metadata"].items()) == [("campaign_id", "batch_1"), ("contact_id", "cnt_1"), ("priority", 1)]


async def test_settings_change_only_while_a_call_is_queued(tenant: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    call = await tenant.place_call(agent)
    path = f"{BASE}/calls/{call.id}"
    first = await tenant.client.patch(path, json={"call_settings": {"max_duration": "60s", "greeting": "Hi"}})
    second = await tenant.client.patch(path, json={"call_settings": {"greeting": None}, "variables": {"a": 1}})
    assert (first.status_code, second.status_code) == (200, 200)
    settings = (await tenant.get_call(call.id)).settings
    assert (settings.max_duration_ms, settings.greeting) == (60_000, None)
    await service.claim_calls(tenant.database, gateway_id="gateway-1", limit=1)
    late = await tenant.client.patch(path, json={"call_settings": {"greeting": "Late"}})
    assert _refused(late) == ["call_settings"]
    changed = await tenant.client.patch(path, json={"metadata": {"k": "v"}, "variables": {"b": "2"}})
    assert (changed.json()["data"]["metadata"], changed.json()["data"]["variables"]) == ({"k": "v"}, {"b": "2"})


async def test_hanging_up_a_queued_call_cancels_it_at_once(tenant: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    call = await tenant.place_call(agent)
    response = await tenant.client.post(f"{BASE}/calls/{call.id}/hangup")
    assert response.status_code == 201
    data = response.json()["data"]
    assert (data["status"], data["ended_reason"], data["cost_credits"]) == ("failed", "cancelled", 0)
    assert await service.claim_calls(tenant.database, gateway_id="gateway-1", limit=5) == []
    async with tenant.database.read() as connection:
        assert await billing.get_balance(connection, tenant.organization_id) == 0


async def test_hanging_up_a_live_call_commands_its_gateway_once(tenant: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    call = await tenant.place_call(agent)
    await tenant.answer_call(call, gateway_id="gateway-1")
    response = await tenant.client.post(f"{BASE}/calls/{call.id}/hangup")
    assert (response.status_code, response.json()["data"]["status"]) == (201, "in_progress")
    assert await service.take_commands(tenant.database, gateway_id="gateway-2") == []
    [command] = await service.take_commands(tenant.database, gateway_id="gateway-1")
    assert (command.call_id, command.kind) == (call.id, "hang_up")
    assert await service.take_commands(tenant.database, gateway_id="gateway-1") == []
    await tenant.finish_call(call, ended_reason="cancelled")
    assert _refused(await tenant.client.post(f"{BASE}/calls/{call.id}/hangup")) == ["status"]


async def test_a_deleted_call_is_gone_with_transcript_and_recording(
    tenant: Tenant, recordings: RecordingStore, tmp_path: Any
) -> None:
    call = await tenant.add_call(seq=1, started_at=values.now_ms(), has_recording=True, turns=TURNS)
    audio = tmp_path / "audio.mp3"
    audio.write_bytes(b"mp3")
    await recordings.save(tenant.organization_id, call.id, audio)
    response = await tenant.client.delete(f"{BASE}/calls/{call.id}")
    assert (response.status_code, response.json()["data"]) == (200, {"id": call.id, "deleted": True})
    stored = tenant.settings.data_dir / "recordings" / tenant.organization_id / f"{call.id}.mp3"
    assert not stored.exists()
    for path in ("", "/transcript", "/recording"):
        assert (await tenant.client.get(f"{BASE}/calls/{call.id}{path}")).status_code == 404
    assert (await tenant.client.delete(f"{BASE}/calls/{call.id}")).status_code == 404


async def test_a_live_call_cannot_be_deleted(tenant: Tenant) -> None:
    for seq, status in enumerate(("queued", "ringing", "in_progress"), 1):
        call = await tenant.add_call(seq=seq, status=status)
        assert _refused(await tenant.client.delete(f"{BASE}/calls/{call.id}")) == ["status"]
        assert (await tenant.client.get(f"{BASE}/calls/{call.id}")).status_code == 200


async def test_bulk_delete_tells_what_was_deleted_and_what_was_not(tenant: Tenant, stranger: Tenant) -> None:
    ended = [await tenant.add_call(seq=seq) for seq in (1, 2)]
    live = await tenant.add_call(seq=3, status="ringing")
    theirs = await stranger.add_call(seq=1)
    ids = [ended[0].id, live.id, ended[1].id, theirs.id, UNKNOWN, ended[0].id]
    response = await tenant.client.post(f"{BASE}/calls/bulk-delete", json={"ids": ids})
    assert response.status_code == 201
    assert response.json()["data"] == {
        "deleted_count": 2,
        "failed_count": 3,
        "deleted_ids": [ended[0].id, ended[1].id],
        "failed_ids": [live.id, theirs.id, UNKNOWN],
    }
    assert (await stranger.client.get(f"{BASE}/calls/{theirs.id}")).status_code == 200
    assert _refused(await tenant.client.post(f"{BASE}/calls/bulk-delete", json={"ids": []})) == ["ids"]
    assert _refused(await tenant.client.post(f"{BASE}/calls/bulk-delete", json={})) == ["ids"]


@on_sqlite
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("GET", "/transcript"),
        ("GET", "/recording"),
        ("POST", "/hangup"),
    ],
)
async def test_a_call_is_hidden_from_strangers_and_the_anonymous(
    tenant: Tenant, stranger: Tenant, anonymous: httpx.AsyncClient, method: str, path: str
) -> None:
    call = await tenant.add_call(seq=1, has_recording=True)
    body = {"json": {"metadata": {}}} if method == "PATCH" else {}
    for call_id in (call.id, UNKNOWN, "x", "call_%ff"):
        theirs = await stranger.client.request(method, f"{BASE}/calls/{call_id}{path}", **body)
        assert (theirs.status_code, theirs.json()["error"]["code"]) == (404, "not_found")
    nobody = await anonymous.request(method, f"{BASE}/calls/{call.id}{path}", **body)
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, "unauthorized")


async def test_without_credits_a_call_is_refused_when_they_are_enforced(tenant: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    object.__setattr__(tenant.settings, "credits_enforced", True)
    body = {"agent_id": agent.id, "phone_number": "+12025550142"}
    refused = await tenant.client.post(f"{BASE}/calls", json=body)
    assert (refused.status_code, refused.json()["error"]["details"]["reason"]) == (402, "insufficient_credits")
    assert (await tenant.client.get(f"{BASE}/calls")).json()["pagination"]["total"] == 0
    async with tenant.database.write() as connection:
        await billing.grant(connection, organization_id=tenant.organization_id, amount=1000)
    assert (await tenant.client.post(f"{BASE}/calls", json=body)).status_code == 201
