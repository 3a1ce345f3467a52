"""What an endpoint shows of its failures, and how much is replayed, over HTTP on both databases."""

from typing import Any

import httpx
import pytest

from ringdown import values
from ringdown.webhooks import retrying, service, tables
from tests.slices.conftest import BASE, Tenant, on_sqlite
from tests.slices.webhook_sending import START, VirtualSender, add_endpoint, list_rows, record

_ENDPOINTS = f"{BASE}/webhook-endpoints"


async def _replay(client: httpx.AsyncClient, endpoint_id: str, **body: Any) -> dict[str, Any]:
    response = await client.post(f"{_ENDPOINTS}/{endpoint_id}/replay", json=body)
    assert response.status_code == 201, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


async def test_an_endpoint_shows_since_when_it_fails_and_what_it_is_owed(tenant: Tenant) -> None:
    endpoint = await add_endpoint(tenant.database, tenant.settings, tenant.organization_id)
    for subject in ("call_1", "call_2", "call_3"):
        await record(tenant.database, tenant.organization_id, subject, "call.ended")
    sender = VirtualSender(tenant.database)
    await sender.claim()
    await sender.send(410)
    await sender.send(500)
    one = f"{_ENDPOINTS}/{endpoint.id}"
    [listed] = (await tenant.client.get(_ENDPOINTS)).json()["data"]
    assert (listed["failing_since"], listed["pending_count"], listed["parked_count"]) == ("2023-11-14T22:13:20Z", 2, 1)
    assert (await tenant.client.get(one)).json()["data"] == listed
    await sender.send(204)
    shown = (await tenant.client.get(one)).json()["data"]
    assert (shown["failing_since"], shown["pending_count"], shown["parked_count"]) == (None, 1, 1)


async def test_an_endpoint_that_is_paused_is_tried_at_once_when_it_is_mended(tenant: Tenant) -> None:
    endpoint = await add_endpoint(tenant.database, tenant.settings, tenant.organization_id)
    for number in range(12):
        await record(tenant.database, tenant.organization_id, f"call_{number}", "call.ended")
    sender = VirtualSender(tenant.database)
    await sender.claim()
    await sender.settle(*[sender.make_result(None) for _ in range(10)])
    assert await sender.claim() == []
    shown = (await tenant.client.patch(f"{_ENDPOINTS}/{endpoint.id}", json={"url": "https://new.example/"})).json()
    assert shown["data"]["failing_since"] is None
    assert len(await sender.claim()) == 2


async def test_a_delivery_to_an_endpoint_that_accepts_nothing_is_not_tried_before_the_endpoint_is(
    tenant: Tenant,
) -> None:
    dead = await add_endpoint(tenant.database, tenant.settings, tenant.organization_id)
    living = await add_endpoint(tenant.database, tenant.settings, tenant.organization_id)
    for number in range(retrying.PAUSE_AFTER + 1):
        await record(tenant.database, tenant.organization_id, f"call_{number}", "call.ended")
    sender = VirtualSender(tenant.database, room=retrying.PAUSE_AFTER)
    await sender.claim()
    sender.chains.sort(key=lambda taken: taken[0].endpoint.id)
    await sender.settle(*[sender.make_result(None) for _ in range(retrying.PAUSE_AFTER)])
    async with tenant.database.write() as connection:
        await connection.execute(
            tables.endpoints.update().where(tables.endpoints.c.id == dead.id).values(probe_at=START + 60_000)
        )

    async def list_times(endpoint_id: str) -> set[str]:
        params = {"endpoint_id": endpoint_id, "status": "pending"}
        found = (await tenant.client.get(f"{BASE}/webhook-deliveries", params=params)).json()["data"]
        return {one["next_attempt_at"] for one in found}

    assert await list_times(dead.id) == {values.to_wire_time(START + 60_000)}
    assert values.to_wire_time(START) in await list_times(living.id)
    row = next(row for row in await list_rows(tenant.database) if row.endpoint_id == dead.id)
    shown = (await tenant.client.get(f"{BASE}/webhook-deliveries/{row.id}")).json()["data"]
    assert shown["next_attempt_at"] == values.to_wire_time(START + 60_000)
    test = (await tenant.client.post(f"{_ENDPOINTS}/{dead.id}/test")).json()["data"]
    again = (await tenant.client.post(f"{BASE}/webhook-deliveries/{row.id}/replay")).json()["data"]
    now = values.to_wire_time(values.now_ms())
    assert now is not None
    for due_now in (test, again):  # the endpoint is to be probed already
        assert values.to_wire_time(START + 60_000) < due_now["next_attempt_at"] <= now


async def test_a_replay_takes_what_is_in_a_state_or_single_deliveries(tenant: Tenant) -> None:
    endpoint = await add_endpoint(tenant.database, tenant.settings, tenant.organization_id)
    for number in range(4):
        await record(tenant.database, tenant.organization_id, f"call_{number}", "call.ended", at=START + 1_000 * number)
    sender = VirtualSender(tenant.database, now=START + 10_000)
    await sender.claim()
    for status in (410, 410, 204, 204):
        await sender.send(status)
    rows = await list_rows(tenant.database)

    async def list_pending() -> list[str]:
        pending = [row.id for row in await list_rows(tenant.database, status="pending")]
        async with tenant.database.write() as connection:  # as if they were sent again
            await connection.execute(
                tables.deliveries.update().where(tables.deliveries.c.id.in_(pending)).values(status="delivered")
            )
        return pending

    since = values.to_wire_time(rows[1].created_at)
    for body, expected in (
        ({"delivery_ids": [rows[3].id, rows[0].id]}, [rows[0].id, rows[3].id]),
        ({"status": "parked"}, [rows[1].id]),
        ({"status": "delivered", "since": since}, [rows[1].id, rows[2].id, rows[3].id]),
        ({"status": "parked"}, []),
        ({"since": since}, [rows[1].id, rows[2].id, rows[3].id]),
    ):
        answer = await _replay(tenant.client, endpoint.id, **body)
        assert (answer["replayed_count"], answer["has_more"], answer["next_since"]) == (len(expected), False, None)
        assert await list_pending() == expected


@on_sqlite
async def test_a_long_replay_goes_on_where_it_was_broken_off(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_REPLAY_PAGE", 2)
    monkeypatch.setattr(service, "_MAX_REPLAYED", 4)
    endpoint = await add_endpoint(tenant.database, tenant.settings, tenant.organization_id)
    for number in range(5):
        await record(tenant.database, tenant.organization_id, f"call_{number}", "call.ended", at=START + 1_000 * number)
    sender = VirtualSender(tenant.database, now=START + 10_000)
    await sender.claim()
    for _ in range(5):
        await sender.send(410)
    first = await _replay(tenant.client, endpoint.id, status="parked")
    assert (first["replayed_count"], first["has_more"]) == (4, True)
    rest = await _replay(tenant.client, endpoint.id, status="parked", since=first["next_since"])
    assert (rest["replayed_count"], rest["has_more"]) == (1, False)


@on_sqlite
async def test_a_replay_of_nothing_known_is_refused(tenant: Tenant, stranger: Tenant) -> None:
    endpoint = await add_endpoint(tenant.database, tenant.settings, tenant.organization_id)
    theirs = await add_endpoint(tenant.database, tenant.settings, stranger.organization_id)
    await record(tenant.database, stranger.organization_id, "call_1", "call.ended")
    [row] = await list_rows(tenant.database)
    path = f"{_ENDPOINTS}/{endpoint.id}/replay"
    for body in (
        {},
        {"delivery_ids": []},
        {"delivery_ids": ["dlv_1"], "since": "2026-01-01T00:00:00Z"},
        {"delivery_ids": [row.id]},
        {"delivery_ids": ["x"] * 1001},
        {"status": "lost"},
    ):
        assert (await tenant.client.post(path, json=body)).status_code == 422, body
    assert (await tenant.client.post(f"{_ENDPOINTS}/{theirs.id}/replay", json={"status": "parked"})).status_code == 404
