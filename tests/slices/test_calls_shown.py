"""Calls as lists show them, and what the end of a call tells its contact."""

import dataclasses
import json
from typing import Any

import httpx
import pytest

from ringdown import values
from ringdown.accounts import store as account_store
from ringdown.calls.models import Call, CallSettings, MediaQuality, Transfer
from ringdown.calls.store import calls as store
from tests.slices.conftest import Tenant, on_sqlite

CALLS = "/api/public/v1/calls"
_QUALITY = MediaQuality(
    codec="PCMU", is_encrypted=False, packets_received=7, packets_lost=1, loss_percent=12.5, jitter_ms=1.5
)
_FULL: dict[str, Any] = {
    "status": "completed",
    "ended_reason": "user_hangup",
    "outcome": "contacted",
    "sentiment": "positive",
    "summary": 'She said "yes" – twice.\n',
    "has_recording": True,
    "duration_seconds": 42,
    "cost_credits": 7,
    "started_at": 1_775_000_000_999,
    "ended_at": 1_775_000_042_999,
    "latency_p50_ms": 600,
    "latency_p95_ms": 900,
    "analysis": {"score": 0.5, "nested": [{"é": None}]},
    "media_quality": _QUALITY,
    "transfer": Transfer(to="+12025550100", mode="blind", status="failed", reason="busy"),
}


async def _insert(tenant: Tenant, **fields: Any) -> Call:
    async with tenant.database.write() as connection:
        seq, now = await account_store.take_call_seq(connection, tenant.organization_id, values.now_ms())
        known: dict[str, Any] = {
            "organization_id": tenant.organization_id,
            "id": values.new_id("call"),
            "seq": seq,
            "status": "queued",
            "direction": "outbound",
            "agent_id": "agt_1",
            "to_number": "+12025550142",
            "from_number": "+12025550101",
            "settings": CallSettings(),
            "variables": {},
            "metadata": {},
            "created_at": now,
            "updated_at": now,
        }
        call = Call(**{**known, **fields})
        await store.insert_call(connection, call)
    return call


@pytest.mark.parametrize("fields", [
    {},
    _FULL,
    {**_FULL, "direction": "inbound", "metadata": {"order": {"id": 7, "ö": "\u2028"}}},
    {"batch_call_id": "batch_1", "contact_id": "cnt_1", "metadata": {}, "variables": {"name": "Zoë \\ \"x\""}},
    {"batch_call_id": "batch_1", "metadata": {"a": 1}},
    {"contact_id": "cnt_1", "metadata": {"campaign_id": "mine", "contact_id": "theirs", "z": None}},
    {"metadata": {"campaign_id": "mine"}},
    {"batch_call_id": "batch_1", "metadata": {"note": "a contact_id: 5"}},
])  # fmt: skip
async def test_a_list_shows_what_getting_the_call_shows(
    tenant: Tenant, client: httpx.AsyncClient, fields: dict[str, Any]
) -> None:
    call = await _insert(tenant, **fields)
    got = (await client.get(f"{CALLS}/{call.id}")).json()["data"]
    del got["transcript"]
    for query in ("", "?sort=-duration_seconds", "?limit=1", "?min_duration=0" if call.duration_seconds else ""):
        [listed] = (await client.get(CALLS + query)).json()["data"]
        got["recording_url"] = listed["recording_url"]  # it is signed anew each second
        assert list(listed) == list(got)
        assert json.dumps(listed) == json.dumps(got)


async def test_the_same_list_read_again_is_the_same_list_of_who_asks(tenant: Tenant, stranger: Tenant) -> None:
    ours, theirs = await _insert(tenant), await _insert(stranger)
    for _ in range(2):
        for who, call in ((tenant, ours), (stranger, theirs)):
            answer = (await who.client.get(CALLS, params={"agent_id": "agt_1"})).json()
            assert [listed["id"] for listed in answer["data"]] == [call.id]


@on_sqlite
async def test_a_list_that_was_read_is_refused_as_before_when_it_is_wrong(client: httpx.AsyncClient) -> None:
    assert (await client.get(CALLS, params={"status": "failed"})).status_code == 200
    for wrong in ({"limit": 0}, {"offset": -1}, {"cursor": "x"}, {"limit": "ten"}, {"colour": "red"}):
        refused = await client.get(CALLS, params={"status": "failed", **wrong})
        assert refused.status_code == 422
        assert refused.json()["error"]["details"]["field"] == next(iter(wrong))


async def test_the_end_of_a_call_is_told_to_its_contact(tenant: Tenant, client: httpx.AsyncClient) -> None:
    contact = (await client.post("/api/public/v1/contacts", json={"phone_number": "+12025550142"})).json()["data"]
    assert (contact["call_count"], contact["last_called_at"]) == (0, None)
    for count, reason in enumerate(("user_hangup", "no_answer"), 1):
        call = await _insert(tenant, contact_id=contact["id"], status="ringing")
        answered = {"started_at": call.created_at, "media_ms": 9000} if reason == "user_hangup" else {"media_ms": 0}
        assert await tenant.finish_call(call, ended_reason=reason, **answered)
        assert not await tenant.finish_call(call, ended_reason=reason)
        told = (await client.get(f"/api/public/v1/contacts/{contact['id']}")).json()["data"]
        assert told["call_count"] == count
        assert told["last_called_at"] is not None
        assert told["last_call_outcome"] == ("contacted" if count == 1 else "no_answer")
    gone = await _insert(tenant, contact_id="cnt_gone", status="ringing")
    assert await tenant.finish_call(dataclasses.replace(gone), ended_reason="busy")
