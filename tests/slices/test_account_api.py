"""Keys, organization, usage and credits over HTTP on both databases."""

from typing import Any

import httpx
import pytest

from ringdown import values
from ringdown.billing import service as billing
from ringdown.billing import usage_store
from ringdown.billing.usage_store import UsageEntry
from tests.slices.conftest import BASE, Tenant, on_sqlite

KEYS, ORGANIZATION, USAGE, CREDITS = (f"{BASE}/{name}" for name in ("api-keys", "organization", "usage", "credits"))
DAY_MS = 24 * 3_600_000
#: 2026-09-30 12:00 UTC.
NOON = 1_790_769_600_000


def _refused(response: httpx.Response) -> dict[str, str]:
    assert response.status_code == 422, response.text
    return {error["field"]: error["reason"] for error in response.json()["error"]["details"]["errors"]}


async def _create_key(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    response = await client.post(KEYS, json={"name": "CRM", **fields})
    assert response.status_code == 201, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


async def _use(tenant: Tenant, **fields: Any) -> None:
    known = {
        "organization_id": tenant.organization_id,
        "call_id": values.new_id("call"),
        "ended_at": NOON,
        "agent_id": "agt_1",
        "number": "+12025550101",
        "batch_call_id": None,
        "is_answered": True,
        "duration_seconds": 60,
        "credits": 10,
    }
    async with tenant.database.write() as connection:
        await usage_store.insert_entry(connection, UsageEntry(**(known | fields)))


async def _list_usage(tenant: Tenant, **params: Any) -> list[dict[str, Any]]:
    response = await tenant.client.get(USAGE, params={"from": "2026-01-01", "to": "2026-12-31", **params})
    assert response.status_code == 200, response.text
    assert response.json()["pagination"]["total"] == len(response.json()["data"])
    data: list[dict[str, Any]] = response.json()["data"]
    return data


async def test_a_key_is_shown_once_works_and_can_be_revoked(tenant: Tenant, anonymous: httpx.AsyncClient) -> None:
    made = await _create_key(tenant.client, allow_list=["203.0.113.7", "::1"], requests_per_minute=600)
    assert made["key"].startswith(made["key_hint"])
    assert (made["allow_list"], made["requests_per_minute"]) == (["203.0.113.7/32", "::1/128"], 600)
    one = f"{KEYS}/{made['id']}"
    shown = (await tenant.client.get(one)).json()["data"]
    assert shown == {name: value for name, value in made.items() if name != "key"}
    listed = (await tenant.client.get(KEYS)).json()
    assert [key["name"] for key in listed["data"]] == ["CRM", "tests"]
    assert listed["pagination"]["total"] == 2
    assert listed["data"][1]["last_used_at"] is not None
    freed = await tenant.client.patch(one, json={"allow_list": None, "requests_per_minute": None})
    assert (freed.json()["data"]["allow_list"], freed.json()["data"]["requests_per_minute"]) == ([], None)
    headers = {"Authorization": f"Bearer {made['key']}"}
    assert (await anonymous.get(ORGANIZATION, headers=headers)).json()["data"]["id"] == tenant.organization_id
    assert (await tenant.client.delete(one)).json()["data"] == {"id": made["id"], "deleted": True}
    assert (await anonymous.get(ORGANIZATION, headers=headers)).status_code == 401
    for method in ("GET", "PATCH", "DELETE"):
        body = {} if method == "PATCH" else None
        assert (await tenant.client.request(method, one, json=body)).status_code == 404
    assert [key["name"] for key in (await tenant.client.get(KEYS)).json()["data"]] == ["tests"]


async def test_a_name_in_use_is_taken_and_free_again_after_the_key(client: httpx.AsyncClient) -> None:
    made = await _create_key(client)
    other = await _create_key(client, name="Other", ip_whitelist=["10.0.0.0/8"], rate_limit=5)
    assert (other["allow_list"], other["requests_per_minute"]) == (["10.0.0.0/8"], 5)
    assert (await client.post(KEYS, json={"name": " CRM "})).status_code == 409
    assert (await client.put(f"{KEYS}/{other['id']}", json={"name": "CRM"})).status_code == 409
    assert (await client.put(f"{KEYS}/{other['id']}", json={"name": "Other"})).status_code == 200
    assert (await client.put(f"{KEYS}/{other['id']}", json={"name": None})).json()["data"]["name"] == "Other"
    await client.delete(f"{KEYS}/{made['id']}")
    assert (await client.patch(f"{KEYS}/{other['id']}", json={"name": "CRM"})).json()["data"]["name"] == "CRM"


@on_sqlite
async def test_bad_keys_are_refused_with_the_field_and_the_reason(client: httpx.AsyncClient) -> None:
    for body, field in (
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": "a", "allow_list": ["10.0.0.0/33"]}, "allow_list.0"),
        ({"name": "a", "requests_per_minute": 0}, "requests_per_minute"),
        ({"name": "a", "colour": "red"}, "colour"),
    ):
        assert field in _refused(await client.post(KEYS, json=body)), body
    assert (await client.post(KEYS, content=b"[]")).status_code == 400
    assert (await client.post(KEYS, json={"name": "x" * 1_100_000})).status_code == 413


async def test_the_organization_shows_and_changes_what_it_has_set(client: httpx.AsyncClient) -> None:
    shown = (await client.get(ORGANIZATION)).json()["data"]
    assert (shown["name"], shown["default_region"], shown["timezone"], shown["credits_low_mark"]) == (
        "Ours",
        None,
        None,
        None,
    )
    for method, body, changed in (
        ("PATCH", {"default_region": "de", "timezone": "Europe/Berlin"}, {"default_region": "DE", "name": "Ours"}),
        ("PUT", {"name": " Acme "}, {"name": "Acme", "default_region": "DE", "timezone": "Europe/Berlin"}),
        ("PATCH", {"timezone": None, "credits_low_mark": 5, "name": None}, {"timezone": None, "name": "Acme"}),
    ):
        answer = (await client.request(method, ORGANIZATION, json=body)).json()["data"]
        assert {name: answer[name] for name in changed} == changed
        assert (await client.get(ORGANIZATION)).json()["data"] == answer
    for body, field in (
        ({"name": ""}, "name"),
        ({"default_region": "XX"}, "default_region"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": "../etc/passwd"}, "timezone"),
        ({"credits_low_mark": -1}, "credits_low_mark"),
        ({"daily_credit_limit": -1}, "daily_credit_limit"),
        ({"id": "org_1"}, "id"),
    ):
        assert field in _refused(await client.patch(ORGANIZATION, json=body)), body


async def test_without_a_key_nothing_is_answered_and_strangers_see_their_own(
    tenant: Tenant, stranger: Tenant, anonymous: httpx.AsyncClient
) -> None:
    made = await _create_key(tenant.client)
    one = f"{KEYS}/{made['id']}"
    for method, body in (("GET", None), ("PUT", {}), ("PATCH", {}), ("DELETE", None)):
        assert (await anonymous.request(method, one, json=body)).status_code == 401
        assert (await stranger.client.request(method, one, json=body)).status_code == 404
    for path in (KEYS, ORGANIZATION, USAGE, CREDITS, f"{CREDITS}/ledger"):
        assert (await anonymous.get(path)).status_code == 401
    await _use(tenant)
    async with tenant.database.write() as connection:
        await billing.grant(connection, organization_id=tenant.organization_id, amount=100)
    assert (await stranger.client.get(CREDITS)).json()["data"]["balance"] == 0
    assert (await stranger.client.get(f"{CREDITS}/ledger")).json()["data"] == []
    assert await _list_usage(stranger) == []


async def test_credits_show_balance_and_holds_and_the_ledger_every_amount(tenant: Tenant) -> None:
    async with tenant.database.write() as connection:
        await billing.grant(connection, organization_id=tenant.organization_id, amount=100, note="welcome")
    agent = await tenant.add_agent(outbound_number="+12025550100")
    talking, ringing = await tenant.place_call(agent), await tenant.place_call(agent)
    await tenant.answer_call(talking)
    await tenant.finish_call(talking, media_ms=142_000)
    await tenant.client.patch(ORGANIZATION, json={"credits_low_mark": 77})
    answer = (await tenant.client.get(CREDITS)).json()["data"]
    assert answer == {
        "balance": 66,
        "held": 10,
        "enforced": False,
        "low_mark": 77,
        "is_low": True,
        "daily_limit": None,
        "spent_today": 34,
    }
    listed = (await tenant.client.get(f"{CREDITS}/ledger")).json()
    entries = listed["data"]
    assert sum(entry["amount"] for entry in entries) == 66
    assert {(entry["type"], entry["amount"], entry["call_id"]) for entry in entries} == {
        ("grant", 100, None),
        ("hold", -10, talking.id),
        ("hold", -10, ringing.id),
        ("release", 10, talking.id),
        ("charge", -24, talking.id),
    }
    assert entries[-1]["note"] == "welcome"
    held = (await tenant.client.get(f"{CREDITS}/ledger", params={"type": "hold", "limit": 1})).json()
    assert [entry["call_id"] for entry in held["data"]] == [ringing.id]
    assert held["pagination"] == {"total": 2, "limit": 1, "offset": 0, "has_more": True}
    of_call = (await tenant.client.get(f"{CREDITS}/ledger", params={"call_id": talking.id, "limit": 2})).json()
    assert [entry["type"] for entry in of_call["data"]] == ["charge", "release"]
    assert of_call["pagination"] == {"total": 3, "limit": 2, "offset": 0, "has_more": True}
    of_kind = (await tenant.client.get(f"{CREDITS}/ledger", params={"call_id": talking.id, "type": "hold"})).json()
    assert (len(of_kind["data"]), of_kind["pagination"]["total"]) == (1, 1)
    assert "type" in _refused(await tenant.client.get(f"{CREDITS}/ledger", params={"type": "gift"}))


async def test_usage_is_exact_by_day_and_month_and_agent_and_number_and_batch(tenant: Tenant) -> None:
    await _use(tenant)
    await _use(tenant, agent_id="agt_2", duration_seconds=90, credits=15)
    await _use(tenant, duration_seconds=0, credits=0, number=None)  # for less than a second
    await _use(tenant, ended_at=NOON + DAY_MS // 2, batch_call_id="batch_1", is_answered=False)  # 2026-10-01
    await _use(tenant, ended_at=NOON + 400 * DAY_MS)  # another year

    async def check() -> None:
        by_day = await _list_usage(tenant)
        assert [(row["period"], row["calls"], row["answered_calls"], row["credits"]) for row in by_day] == [
            ("2026-10-01", 1, 0, 10),
            ("2026-09-30", 3, 3, 25),
        ]
        assert (by_day[1]["duration_seconds"], by_day[1]["minutes"]) == (150, 2.5)
        by_month = await _list_usage(tenant, interval="month", group_by="agent")
        assert [(row["period"], row["agent_id"], row["calls"]) for row in by_month] == [
            ("2026-10", "agt_1", 1),
            ("2026-09", "agt_1", 2),
            ("2026-09", "agt_2", 1),
        ]
        [total] = await _list_usage(tenant, interval="total")
        assert (total["period"], total["calls"], total["credits"]) == (None, 4, 35)
        by_number = await _list_usage(tenant, interval="total", group_by="number")
        assert [(row["phone_number"], row["calls"]) for row in by_number] == [("+12025550101", 3), (None, 1)]
        by_batch = await _list_usage(tenant, interval="total", group_by="batch")
        assert [(row["batch_call_id"], row["calls"]) for row in by_batch] == [(None, 3), ("batch_1", 1)]
        plain = await tenant.client.get(
            f"{USAGE}?phone_number=+12025550101&from=2026-01-01&to=2026-12-31&interval=total"
        )
        assert [row["calls"] for row in plain.json()["data"]] == [3]
        [of_agent] = await _list_usage(tenant, agent_id="agt_2", interval="total")
        assert of_agent["credits"] == 15
        assert await _list_usage(tenant, to="2026-01-31") == []
        assert await _list_usage(tenant, to="2026-01-31", interval="total") == []

    await check()
    async with tenant.database.write() as connection:
        assert await usage_store.fold_entries(connection, tenant.organization_id, limit=2) == 2
    await check()
    await _use(tenant, call_id="call_late", ended_at=NOON + 400 * DAY_MS)
    async with tenant.database.write() as connection:
        assert await usage_store.fold_entries(connection, tenant.organization_id, limit=10) == 4
        assert await usage_store.fold_entries(connection, tenant.organization_id, limit=10) == 0
    await check()


async def test_many_entries_are_folded_by_whoever_reads_or_by_the_worker(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(billing, "_FOLDED_AT_ONCE", 2)
    for _ in range(5):
        await _use(tenant)
    assert (await _list_usage(tenant, interval="total"))[0]["calls"] == 5

    async def count_waiting() -> int:
        async with tenant.database.read() as connection:
            return len((await connection.execute(usage_store.usage_entries.select())).all())

    assert await count_waiting() == 1
    await _use(tenant)
    await billing.fold_all_usage(tenant.database)
    assert await count_waiting() == 0
    assert (await _list_usage(tenant, interval="total"))[0]["calls"] == 6


async def test_a_call_that_has_ended_counts_once_and_stays_when_it_is_deleted(tenant: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number="+12025550100")
    call = await tenant.place_call(agent)
    await tenant.answer_call(call)
    params = {"interval": "total", "group_by": "number"}
    assert (await tenant.client.get(USAGE, params=params)).json()["data"] == []
    await tenant.finish_call(call, media_ms=61_500)
    await tenant.finish_call(call, media_ms=99_000)
    await tenant.client.delete(f"{BASE}/calls/{call.id}")
    [row] = (await tenant.client.get(USAGE, params=params)).json()["data"]
    assert (row["phone_number"], row["calls"], row["duration_seconds"], row["credits"]) == ("+12025550100", 1, 61, 11)


@on_sqlite
async def test_bad_ranges_of_usage_are_refused(client: httpx.AsyncClient) -> None:
    for params, field in (
        ({"from": "2026-13-01"}, "from"),
        ({"from": "yesterday"}, "from"),
        ({"from": "20261101"}, "from"),
        ({"from": "2026-02-01", "to": "2026-01-01"}, "from"),
        ({"from": "0001-01-01"}, "from"),
        ({"interval": "week"}, "interval"),
        ({"group_by": "colour"}, "group_by"),
        ({"number": "+1"}, "number"),
    ):
        assert field in _refused(await client.get(USAGE, params=params)), params
    assert (await client.get(USAGE, params={"to": "0001-01-05"})).json()["data"] == []
