"""What a call tells the customer in the course of its life: each event once, in order, with what is known by then."""

from typing import Any

import pytest

from ringdown import values
from ringdown.calls import live
from ringdown.calls.models import Call
from tests.slices.conftest import BASE, Tenant

#: What every end tells at last; where a model is to read the call, a job tells the analysis.
LAST = ("call.billed", "call.analyzed")


async def _list_events(tenant: Tenant, call: Call) -> list[dict[str, Any]]:
    response = await tenant.client.get(f"{BASE}/events", params={"call_id": call.id, "sort": "created_at"})
    found: list[dict[str, Any]] = response.json()["data"]
    return found


async def _place(tenant: Tenant, **fields: Any) -> Call:
    agent = await tenant.add_agent(outbound_number="+12025550100")
    return await tenant.place_call(agent, **fields)


async def test_an_answered_call_is_started_joined_ended_and_billed(tenant: Tenant) -> None:
    call = await _place(tenant, metadata={"order": "A-17"})
    await tenant.answer_call(call)
    assert await tenant.finish_call(call, summary="They come. Two people.", media_ms=142_000)
    assert not await tenant.finish_call(call)  # a second end tells nothing
    found = await _list_events(tenant, call)
    assert [one["event"] for one in found] == ["call.started", "call.joined", "call.ended", *LAST]
    assert [one["data"]["status"] for one in found] == ["queued", "in_progress", *["completed"] * 3]
    assert [one["data"]["billingStatus"] for one in found[1:3]] == ["BILLING_STATUS_PENDING", "BILLING_STATUS_BILLED"]
    data = found[2]["data"]
    stored = await tenant.get_call(call.id)
    assert (data["id"], data["event"]) == (found[2]["id"], "call.ended")
    assert (data["call_id"], data["callId"], data["agent_id"]) == (call.id, call.id, call.agent_id)
    assert (data["duration_seconds"], data["cost_credits"], data["metadata"]) == (142, 24, {"order": "A-17"})
    assert data["ended_at"] == values.to_wire_time(stored.ended_at)
    assert data["call"] == {
        "callId": call.id,
        "agent": {"agentId": call.agent_id},
        "endReason": "user_hangup",
        "summary": "They come. Two people.",
        "shortSummary": "They come.",
    }


async def test_a_call_that_nobody_answers_is_started_failed_and_billed_with_nothing(tenant: Tenant) -> None:
    call = await _place(tenant)
    ended = await live.hang_up_call(
        tenant.database, settings=tenant.settings, organization_id=tenant.organization_id, call_id=call.id
    )
    assert ended.status == "failed"
    found = await _list_events(tenant, call)
    assert [one["event"] for one in found] == ["call.started", "call.failed", *LAST]
    assert found[1]["data"]["ended_reason"] == "cancelled"
    assert found[2]["data"]["billingStatus"] == "BILLING_STATUS_FREE_ZERO_EFFECTIVE_DURATION"


async def test_a_call_without_a_number_tells_its_start_and_its_failure_at_once(tenant: Tenant) -> None:
    call = await tenant.place_call(await tenant.add_agent())
    assert [one["event"] for one in await _list_events(tenant, call)] == ["call.started", "call.failed", *LAST]


async def test_an_answer_that_was_not_stored_is_told_before_the_end(tenant: Tenant) -> None:
    call = await _place(tenant)
    assert await tenant.finish_call(call, started_at=values.now_ms() - 5_000, media_ms=5_000)
    found = await _list_events(tenant, call)
    assert [one["event"] for one in found] == ["call.started", "call.joined", "call.ended", *LAST]
    assert (found[1]["data"]["status"], found[1]["data"]["ended_reason"]) == ("in_progress", None)


async def test_clocks_that_differ_do_not_change_the_order(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    call = await _place(tenant)
    behind = call.created_at - 30_000
    monkeypatch.setattr(values, "now_ms", lambda: behind)  # a gateway whose clock is behind the API's
    await tenant.answer_call(call)
    assert await tenant.finish_call(call)
    monkeypatch.undo()
    found = await _list_events(tenant, call)
    assert [one["event"] for one in found] == ["call.started", "call.joined", "call.ended", *LAST]
    newest_first = await tenant.client.get(f"{BASE}/events", params={"call_id": call.id})
    assert [one["id"] for one in newest_first.json()["data"]] == [one["id"] for one in reversed(found)]
