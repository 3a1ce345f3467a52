"""Webhook endpoints, what is owed to them, and events to catch up with, over HTTP on both databases."""

import asyncio
from typing import Any

import httpx
import pytest

from ringdown import values
from ringdown.api import app as api_app
from ringdown.secret import SecretBox
from ringdown.webhooks import endpoint_store, event_store, events, service, tables
from ringdown.webhooks.models import EVENT_TYPES
from tests.slices.conftest import BASE, Tenant, on_sqlite

ENDPOINTS, DELIVERIES, EVENTS = f"{BASE}/webhook-endpoints", f"{BASE}/webhook-deliveries", f"{BASE}/events"
HOOK = {"url": "https://crm.example/hooks/calls", "event_types": ["call.ended", "call.failed"]}


async def _create(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    response = await client.post(ENDPOINTS, json=HOOK | fields)
    assert response.status_code == 201, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


async def _list(client: httpx.AsyncClient, path: str, **params: Any) -> list[dict[str, Any]]:
    response = await client.get(path, params=params)
    assert response.status_code == 200, response.text
    data: list[dict[str, Any]] = response.json()["data"]
    return data


def _refused(response: httpx.Response) -> dict[str, str]:
    assert response.status_code == 422, response.text
    return {error["field"]: error["reason"] for error in response.json()["error"]["details"]["errors"]}


async def _record(tenant: Tenant, event: str, *, subject_id: str = "call_1", at: int | None = None) -> str:
    async with tenant.database.write() as connection:
        return await events.record_event(
            connection,
            organization_id=tenant.organization_id,
            event=event,  # type: ignore[arg-type]
            data={"call_id": subject_id},
            now_ms=values.now_ms() if at is None else at,
            subject_id=subject_id,
        )


async def test_an_endpoint_shows_its_secret_once_and_the_database_never_does(tenant: Tenant) -> None:
    made = await _create(tenant.client)
    assert made["id"].startswith("whe_")
    assert made["secret"].startswith("whsec_")
    assert (made["url"], made["event_types"], made["enabled"]) == (HOOK["url"], HOOK["event_types"], True)
    shown = (await tenant.client.get(f"{ENDPOINTS}/{made['id']}")).json()["data"]
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert await _list(tenant.client, ENDPOINTS) == [shown]
    async with tenant.database.read() as connection:
        stored = await endpoint_store.get_endpoint(connection, tenant.organization_id, made["id"])
    assert made["secret"] not in repr(stored)
    assert SecretBox.open(tenant.settings).unseal(stored.secret) == made["secret"]


@on_sqlite
async def test_event_types_may_be_written_in_each_way(client: httpx.AsyncClient) -> None:
    for sent, kept in (
        ({"event_types": "*"}, ["*"]),
        ({"event_types": ["all", "call.ended"]}, ["*"]),
        ({"events": ["call.ended", "call.ended"]}, ["call.ended"]),
        ({}, ["*"]),
    ):
        response = await client.post(ENDPOINTS, json={"url": HOOK["url"], **sent})
        assert response.json()["data"]["event_types"] == kept


async def test_what_is_sent_changes_and_the_rest_stays(client: httpx.AsyncClient) -> None:
    made = await _create(client, description="CRM")
    one = f"{ENDPOINTS}/{made['id']}"
    for method, body, changed in (
        ("PATCH", {"enabled": False}, {"enabled": False}),
        ("PUT", {"url": "https://other.example/"}, {"url": "https://other.example/", "enabled": False}),
        ("PATCH", {"description": None, "event_types": ["*"]}, {"description": None, "event_types": ["*"]}),
        ("PATCH", {}, {"url": "https://other.example/"}),
    ):
        shown = (await client.request(method, one, json=body)).json()["data"]
        assert {name: shown[name] for name in changed} == changed
        assert "secret" not in shown
    assert await _list(client, ENDPOINTS, enabled="true") == []
    assert (await client.delete(one)).json()["data"] == {"id": made["id"], "deleted": True}
    assert (await client.delete(one)).status_code == 404


@on_sqlite
async def test_bad_endpoints_are_refused_with_the_field_and_the_reason(client: httpx.AsyncClient) -> None:
    for body, field in (
        ({}, "url"),
        ({**HOOK, "url": "http://crm.example/"}, "url"),
        ({**HOOK, "url": "https://127.0.0.1/"}, "url"),
        ({**HOOK, "url": "https://[::1]/"}, "url"),
        ({**HOOK, "url": "https://localhost/"}, "url"),
        ({**HOOK, "url": "https://169.254.169.254/latest"}, "url"),
        ({**HOOK, "url": "https://user:word@crm.example/"}, "url"),
        ({**HOOK, "url": "ftp://crm.example/"}, "url"),
        ({**HOOK, "url": f"https://crm.example/{'x' * 2048}"}, "url"),
        ({**HOOK, "event_types": []}, "event_types"),
        ({**HOOK, "event_types": ["call.exploded"]}, "event_types"),
        ({**HOOK, "enabled": "yes"}, "enabled"),
        ({**HOOK, "secret": "short"}, "secret"),
        ({**HOOK, "colour": "red"}, "colour"),
    ):
        assert field in _refused(await client.post(ENDPOINTS, json=body)), body
    assert (await client.post(ENDPOINTS, content=b"[]")).status_code == 400
    assert (await client.post(ENDPOINTS, json={**HOOK, "description": "x" * 1_100_000})).status_code == 413
    made = await _create(client)
    assert "url" in _refused(await client.patch(f"{ENDPOINTS}/{made['id']}", json={"url": "https://10.0.0.1/"}))


@on_sqlite
async def test_private_and_plain_urls_are_taken_where_the_setting_allows_them(tenant: Tenant) -> None:
    settings = tenant.settings.model_copy(update={"private_urls_allowed": True})
    transport = httpx.ASGITransport(api_app.create_app(settings, tenant.database))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://api.test", headers=tenant.client.headers
    ) as client:
        assert (await _create(client, url="http://127.0.0.1:9000/hooks"))["url"] == "http://127.0.0.1:9000/hooks"


async def test_an_organization_has_a_bounded_number_of_endpoints(client: httpx.AsyncClient) -> None:
    for _ in range(service.MAX_ENDPOINTS):
        await _create(client)
    assert "at most 20" in _refused(await client.post(ENDPOINTS, json=HOOK))["url"]


async def test_a_rotated_secret_leaves_the_old_one_good_for_the_overlap(tenant: Tenant) -> None:
    made = await _create(tenant.client, secret="the-secret-of-before")
    assert made["secret"] == "the-secret-of-before"
    one = f"{ENDPOINTS}/{made['id']}"
    before = values.now_ms()
    rotated = await tenant.client.post(f"{one}/rotate-secret", json={"overlap": "3600s"})
    assert rotated.status_code == 201
    answer = rotated.json()["data"]
    assert answer["secret"].startswith("whsec_")
    assert answer["secret"] != made["secret"]
    async with tenant.database.read() as connection:
        stored = await endpoint_store.get_endpoint(connection, tenant.organization_id, made["id"])
    box = SecretBox.open(tenant.settings)
    assert stored.old_secret is not None
    assert (box.unseal(stored.secret), box.unseal(stored.old_secret)) == (answer["secret"], made["secret"])
    assert stored.old_secret_expires_at is not None
    assert 3_600_000 <= stored.old_secret_expires_at - before < 3_700_000
    assert answer["old_secret_expires_at"] == values.to_wire_time(stored.old_secret_expires_at)
    at_once = (await tenant.client.post(f"{one}/rotate-secret", json={"overlap": 0})).json()["data"]
    assert at_once["old_secret_expires_at"] is None
    by_default = (await tenant.client.post(f"{one}/rotate-secret")).json()["data"]
    assert by_default["old_secret_expires_at"] is not None
    for overlap in ("8 days", 700_000, -1, True, []):
        assert "overlap" in _refused(await tenant.client.post(f"{one}/rotate-secret", json={"overlap": overlap}))


@on_sqlite
async def test_without_a_key_nothing_is_answered_and_strangers_find_nothing(
    tenant: Tenant, stranger: Tenant, anonymous: httpx.AsyncClient
) -> None:
    made = await _create(tenant.client)
    owed = (await tenant.client.post(f"{ENDPOINTS}/{made['id']}/test")).json()["data"]
    await _record(tenant, "call.started")
    one, delivery = f"{ENDPOINTS}/{made['id']}", f"{DELIVERIES}/{owed['id']}"
    for method, path, body in (
        ("GET", one, None),
        ("PUT", one, HOOK),
        ("PATCH", one, HOOK),
        ("DELETE", one, None),
        ("POST", f"{one}/rotate-secret", {}),
        ("POST", f"{one}/test", {}),
        ("POST", f"{one}/replay", {"since": "2026-01-01T00:00:00Z"}),
        ("GET", delivery, None),
        ("POST", f"{delivery}/replay", None),
    ):
        assert (await anonymous.request(method, path, json=body)).status_code == 401, (method, path)
        assert (await stranger.client.request(method, path, json=body)).status_code == 404, (method, path)
    for path in (ENDPOINTS, DELIVERIES, EVENTS):
        assert (await anonymous.get(path)).status_code == 401
        assert await _list(stranger.client, path) == []
    assert (await anonymous.post(ENDPOINTS, json=HOOK)).status_code == 401


async def test_an_event_is_owed_to_the_enabled_endpoints_that_chose_it(tenant: Tenant, stranger: Tenant) -> None:
    chosen = await _create(tenant.client)
    everything = await _create(tenant.client, event_types="*")
    await _create(tenant.client, event_types=["batch.completed"])
    await _create(tenant.client, enabled=False)
    await _create(stranger.client, event_types="*")
    event_id = await _record(tenant, "call.ended", subject_id="call_7")
    await _record(tenant, "call.joined", subject_id="call_8")
    owed = await _list(tenant.client, DELIVERIES, event="call.ended")
    assert {one["endpoint_id"] for one in owed} == {chosen["id"], everything["id"]}
    assert {(one["event_id"], one["call_id"], one["status"], one["attempt_count"]) for one in owed} == {
        (event_id, "call_7", "pending", 0)
    }
    assert len(await _list(tenant.client, DELIVERIES, endpoint_id=everything["id"])) == 2
    assert len(await _list(tenant.client, DELIVERIES, call_id="call_8", status="pending")) == 1
    assert await _list(tenant.client, DELIVERIES, status="parked") == []
    assert await _list(stranger.client, DELIVERIES) == []
    assert "status" in _refused(await tenant.client.get(DELIVERIES, params={"status": "lost"}))
    assert "colour" in _refused(await tenant.client.get(DELIVERIES, params={"colour": "red"}))


async def test_what_is_rolled_back_is_told_to_nobody(tenant: Tenant) -> None:
    await _create(tenant.client, event_types="*")

    class CrashError(Exception):
        pass

    with pytest.raises(CrashError):
        async with tenant.database.write() as connection:
            await events.record_event(
                connection,
                organization_id=tenant.organization_id,
                event="call.ended",
                data={},
                now_ms=1,
                subject_id="call_1",
            )
            raise CrashError
    assert await _list(tenant.client, EVENTS) == []
    assert await _list(tenant.client, DELIVERIES) == []


async def test_a_delivery_shows_its_body_and_its_attempts_and_can_be_made_due_again(tenant: Tenant) -> None:
    endpoint = await _create(tenant.client)
    event_id = await _record(tenant, "call.ended")
    [owed] = await _list(tenant.client, DELIVERIES, endpoint_id=endpoint["id"])
    where = {"organization_id": tenant.organization_id, "delivery_id": owed["id"]}
    async with tenant.database.write() as connection:
        for number, status in ((1, 503), (2, 200)):
            attempt = {"number": number, "started_at": number, "duration_ms": 5, "response_status": status}
            await connection.execute(tables.attempts.insert().values(**where, **attempt, response_body="ok"))
        delivered = {"status": "delivered", "delivered_at": 2, "attempt_count": 2, "response_status": 200}
        await connection.execute(tables.deliveries.update().values(delivered))
    shown = (await tenant.client.get(f"{DELIVERIES}/{owed['id']}")).json()["data"]
    assert (shown["status"], shown["next_attempt_at"], shown["delivered_at"]) == (
        "delivered",
        None,
        "1970-01-01T00:00:00Z",
    )
    assert [(one["number"], one["response_status"], one["response_body"]) for one in shown["attempts"]] == [
        (1, 503, "ok"),
        (2, 200, "ok"),
    ]
    assert (shown["body"]["id"], shown["body"]["event"]) == (event_id, "call.ended")
    assert shown["body"]["data"]["id"] == event_id
    replayed = await tenant.client.post(f"{DELIVERIES}/{owed['id']}/replay")
    assert replayed.status_code == 201
    again = replayed.json()["data"]
    assert (again["status"], again["delivered_at"], again["attempt_count"]) == ("pending", None, 2)
    assert again["next_attempt_at"] is not None
    assert (await tenant.client.get(f"{DELIVERIES}/dlv_absent")).status_code == 404
    # Nothing of a deleted endpoint stays.
    await tenant.client.delete(f"{ENDPOINTS}/{endpoint['id']}")
    assert await _list(tenant.client, DELIVERIES) == []
    assert (await tenant.client.get(f"{DELIVERIES}/{owed['id']}")).status_code == 404


async def test_a_test_is_owed_to_its_endpoint_alone_and_is_no_event_for_others(tenant: Tenant) -> None:
    endpoint = await _create(tenant.client, enabled=False, event_types=["batch.completed"])
    await _create(tenant.client, event_types="*")
    for count, event in enumerate(EVENT_TYPES, 1):
        response = await tenant.client.post(f"{ENDPOINTS}/{endpoint['id']}/test", json={"event": event})
        assert response.status_code == 201
        owed = response.json()["data"]
        assert (owed["endpoint_id"], owed["event"], owed["status"]) == (endpoint["id"], event, "pending")
        assert len(await _list(tenant.client, DELIVERIES)) == count
        body = (await tenant.client.get(f"{DELIVERIES}/{owed['id']}")).json()["data"]["body"]
        assert body["data"]["test"] is True
    for params in ({}, {"sort": "created_at"}):
        assert await _list(tenant.client, EVENTS, **params) == []
    assert "event" in _refused(await tenant.client.post(f"{ENDPOINTS}/{endpoint['id']}/test", json={"event": "no"}))


async def test_a_replay_makes_due_what_the_endpoint_has_chosen_since_then(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_REPLAY_PAGE", 2)
    start = 1_790_000_000_000
    for index in range(5):
        await _record(tenant, "call.ended", subject_id=f"call_{index}", at=start + 1000 * (index // 2))
        await _record(tenant, "call.joined", subject_id=f"call_{index}", at=start + 1000 * (index // 2))
    endpoint = await _create(tenant.client)  # made after all of these
    other = await _create(tenant.client)
    await tenant.client.post(f"{ENDPOINTS}/{other['id']}/test")
    replay = f"{ENDPOINTS}/{endpoint['id']}/replay"
    since = {"since": values.to_wire_time(start + 1000)}
    response = await tenant.client.post(replay, json=since)
    assert response.status_code == 201
    assert response.json()["data"] == {
        "id": endpoint["id"],
        "replayed_count": 3,
        "has_more": False,
        "next_since": None,
    }
    owed = await _list(tenant.client, DELIVERIES, endpoint_id=endpoint["id"])
    assert [one["call_id"] for one in owed] == ["call_4", "call_3", "call_2"]
    # Twice makes nothing twice.
    assert (await tenant.client.post(replay, json=since)).json()["data"]["replayed_count"] == 3
    again = await _list(tenant.client, DELIVERIES, endpoint_id=endpoint["id"])
    assert [one["id"] for one in again] == [one["id"] for one in owed]
    monkeypatch.setattr(service, "_MAX_REPLAYED", 2)
    bounded = (await tenant.client.post(replay, json=since)).json()["data"]
    assert (bounded["replayed_count"], bounded["has_more"], bounded["next_since"]) == (2, True, since["since"])
    for body in ({}, {"since": "yesterday"}, {"since": None}, {"since": 5, "until": 6}):
        _refused(await tenant.client.post(replay, json=body))


async def test_events_are_listed_newest_first_with_filters(tenant: Tenant) -> None:
    start = 1_790_000_000_000
    for index, event in enumerate(("call.started", "call.joined", "call.ended")):
        await _record(tenant, event, subject_id="call_1", at=start + index * 1000)
    await _record(tenant, "call.started", subject_id="call_2", at=start + 9000)
    found = await _list(tenant.client, EVENTS)
    assert [one["event"] for one in found] == ["call.started", "call.ended", "call.joined", "call.started"]
    assert found[0]["timestamp"] == values.to_wire_time(start + 9000)
    assert found[0]["data"] == {"id": found[0]["id"], "event": "call.started", "call_id": "call_2"}
    assert len(await _list(tenant.client, EVENTS, event="call.started")) == 2
    assert len(await _list(tenant.client, EVENTS, call_id="call_1")) == 3
    since = values.to_wire_time(start + 2000)
    assert len(await _list(tenant.client, EVENTS, since=since)) == 2
    page = (await tenant.client.get(EVENTS, params={"limit": 1, "offset": 1})).json()
    assert page["pagination"] == {"total": 4, "limit": 1, "offset": 1, "has_more": True}
    for params in (
        {"event": "call.exploded"},
        {"since": "yesterday"},
        {"sort": "id"},
        {"limit": 0},
        {"after": "evt_absent"},
        {"cursor": "evt_absent"},
        {"after": found[0]["id"], "cursor": found[1]["id"]},
        {"after": found[0]["id"], "sort": "-created_at"},
        {"after": found[0]["id"], "offset": 1},
        {"colour": "red"},
    ):
        _refused(await tenant.client.get(EVENTS, params=params))  # type: ignore[arg-type]


async def test_an_event_that_is_committed_late_is_not_missed_by_who_catches_up(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_NUMBERED_AT_ONCE", 2)
    late = 1_790_000_000_000
    ids = [await _record(tenant, "call.ended", subject_id=f"call_{index}", at=late + index) for index in range(1, 6)]
    seen: list[str] = []
    page = (await tenant.client.get(EVENTS, params={"sort": "created_at", "limit": 3})).json()
    assert page["pagination"] == {
        "total": 5,
        "limit": 3,
        "offset": 0,
        "has_more": True,
        "next_cursor": page["data"][-1]["id"],
    }
    seen += [one["id"] for one in page["data"]]
    # Made before all of them, and committed after some were read.
    ids.append(await _record(tenant, "call.ended", subject_id="call_0", at=late))
    while page["pagination"]["has_more"]:
        params = {"cursor": page["pagination"]["next_cursor"], "limit": 2}
        page = (await tenant.client.get(EVENTS, params=params)).json()
        seen += [one["id"] for one in page["data"]]
    assert seen == ids
    assert await _list(tenant.client, EVENTS, after=seen[-1]) == []
    assert [one["id"] for one in await _list(tenant.client, EVENTS, after=seen[3])] == seen[4:]


async def test_events_that_are_numbered_at_once_get_a_place_each(tenant: Tenant) -> None:
    for index in range(40):
        await _record(tenant, "call.ended", subject_id=f"call_{index}")

    async def number() -> int:
        async with tenant.database.write() as connection:
            return await event_store.number_events(connection, tenant.organization_id, limit=10)

    assert sum(await asyncio.gather(*(number() for _ in range(6)))) == 40
    found = await _list(tenant.client, EVENTS, sort="created_at", limit=100)
    assert [one["data"]["call_id"] for one in found] == [f"call_{index}" for index in range(40)]
    await service.number_all_events(tenant.database)  # nothing is left, and nothing changes
    assert await _list(tenant.client, EVENTS, sort="created_at", limit=100) == found
