"""Callbacks: put off in one transaction, placed once when due, refused with a reason."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from ringdown import errors, values
from ringdown.calls import callback
from ringdown.calls.models import Call
from ringdown.calls.store import calls as call_store
from ringdown.jobs import store as job_store
from tests.slices.conftest import BASE, Tenant, on_sqlite

NUMBER = "+12025550100"


async def _talk(tenant: Tenant) -> Call:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    return await tenant.place_call(agent, variables={"first_name": "Ana"}, metadata={"order": "A-17"})


async def _read_payload(tenant: Tenant) -> tuple[Mapping[str, Any], int]:
    async with tenant.database.read() as connection:
        query = sa.select(job_store.jobs.c.payload, job_store.jobs.c.due_at)
        row = (await connection.execute(query.where(job_store.jobs.c.kind == callback.JOB_KIND))).one()
    return json.loads(row.payload), row.due_at


async def test_a_callback_is_placed_once_when_it_is_due(tenant: Tenant) -> None:
    call = await _talk(tenant)
    at_ms = values.now_ms() + 3_600_000
    promised = await callback.schedule_callback(tenant.database, call=call, at_ms=at_ms, reason="the price")
    payload, due_at = await _read_payload(tenant)
    assert abs(due_at - at_ms) < 5_000
    for _ in range(2):  # a worker died after it had placed the call
        placed = await callback.place_callback(
            tenant.database, settings=tenant.settings, organization_id=tenant.organization_id, payload=payload
        )
        assert placed.id == promised
    shown = (await tenant.client.get(f"{BASE}/calls/{promised}")).json()["data"]
    assert (shown["status"], shown["to"], shown["variables"]) == ("queued", call.to_number, {"first_name": "Ana"})
    assert shown["metadata"] == {"order": "A-17", "callback_of": call.id, "callback_reason": "the price"}
    assert (await tenant.client.get(f"{BASE}/calls")).json()["pagination"]["total"] == 2


async def test_a_call_has_one_callback_however_often_it_is_promised(tenant: Tenant) -> None:
    call, now = await _talk(tenant), values.now_ms()
    for minutes in (5, 6, 90):
        promised = await callback.schedule_callback(
            tenant.database, call=call, at_ms=now + minutes * 60_000, reason=None
        )
    payload, due_at = await _read_payload(tenant)
    assert payload["call_id"] == promised
    assert abs(due_at - now - 90 * 60_000) < 5_000


@on_sqlite
@pytest.mark.parametrize("delay_ms", [-1000, 10_000, callback.MAX_DELAY_MS + 60_000])
async def test_a_callback_too_soon_or_too_late_is_refused(tenant: Tenant, delay_ms: int) -> None:
    call = await _talk(tenant)
    with pytest.raises(errors.ValidationFailed, match="between one minute and 30 days"):
        await callback.schedule_callback(tenant.database, call=call, at_ms=values.now_ms() + delay_ms, reason=None)


async def test_a_caller_without_a_number_cannot_be_called_back(tenant: Tenant) -> None:
    call = await tenant.add_call(seq=1, direction="inbound", from_number=None)
    with pytest.raises(errors.ValidationFailed, match="number is not known"):
        await callback.schedule_callback(tenant.database, call=call, at_ms=values.now_ms() + 120_000, reason=None)


async def test_a_callback_of_an_agent_that_is_gone_is_refused(tenant: Tenant) -> None:
    call = await _talk(tenant)
    await callback.schedule_callback(tenant.database, call=call, at_ms=values.now_ms() + 120_000, reason=None)
    payload, _ = await _read_payload(tenant)
    with pytest.raises(errors.NotFound):
        await callback.place_callback(
            tenant.database,
            settings=tenant.settings,
            organization_id=tenant.organization_id,
            payload={**payload, "agent_id": "agt_gone"},
        )
    async with tenant.database.read() as connection:
        assert await call_store.find_call(connection, tenant.organization_id, payload["call_id"]) is None
