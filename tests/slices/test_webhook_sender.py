"""The sender over real sockets, to receivers with every kind of fault, on both databases."""

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable

import pytest
import sqlalchemy as sa

from ringdown import values
from ringdown.secret import SecretBox
from ringdown.webhooks import delivering, line, posting, retrying, sender, service, tables
from ringdown.webhooks.models import EventType
from ringdown.webhooks.schemas import RotateSecret
from tests.fakes.web_server import Received
from tests.fakes.webhook_receiver import (
    Reply,
    WebhookReceiver,
    find_wrong_signatures,
    list_event_ids,
)
from tests.slices.conftest import Tenant, on_sqlite
from tests.slices.webhook_sending import SECRET, add_endpoint, list_rows, record

_CALL: tuple[EventType, ...] = ("call.started", "call.joined", "call.ended", "call.billed")
_PATIENCE_S = 60


@pytest.fixture
def tenant(tenant: Tenant) -> Tenant:
    """One whose endpoints may be on this machine."""
    tenant.settings = tenant.settings.model_copy(update={"private_urls_allowed": True})
    return tenant


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "FIRST_DELAY_MS", 20)
    monkeypatch.setattr(retrying, "MAX_DELAY_MS", 200)
    monkeypatch.setattr(retrying, "FIRST_PAUSE_MS", 20)
    monkeypatch.setattr(retrying, "MAX_PAUSE_MS", 100)


@contextlib.asynccontextmanager
async def _sending(tenant: Tenant) -> AsyncIterator[asyncio.Task[None]]:
    stop = asyncio.Event()
    task = asyncio.create_task(sender.run(tenant.database, tenant.settings, stop))
    try:
        yield task
    finally:
        stop.set()
        async with asyncio.timeout(_PATIENCE_S):
            await asyncio.wait([task])
    if not task.cancelled():
        task.result()


async def _wait_until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        while not is_so():
            await asyncio.sleep(0.01)


async def _wait_until_delivered(tenant: Tenant) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        while any(row.status == "pending" for row in await list_rows(tenant.database)):
            await asyncio.sleep(0.05)


async def _record_calls(tenant: Tenant, count: int) -> dict[str, list[str]]:
    now = values.now_ms()
    return {
        f"call_{number}": await record(tenant.database, tenant.organization_id, f"call_{number}", *_CALL, at=now)
        for number in range(count)
    }


def _group(requests: list[Received]) -> dict[str, list[str]]:
    """The events of each call in the order in which they first came."""
    calls = {str(json.loads(one.body)["id"]): str(json.loads(one.body)["data"]["call_id"]) for one in requests}
    arrived: dict[str, list[str]] = defaultdict(list)
    for event_id in list_event_ids(requests):
        arrived[calls[event_id]].append(event_id)
    return arrived


async def test_nothing_is_lost_or_out_of_order_whatever_the_receiver_does(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "TIMEOUT_S", 0.5)
    faults = [
        Reply(200, fault="silent"),
        Reply(500, b"\x00\x1b broken"),
        Reply(fault="reset"),
        Reply(200, fault="cut"),
        Reply(200, fault="garbage"),
        Reply(307, headers={"Location": "/elsewhere"}),
        Reply(200, fault="drip"),
        Reply(429, headers={"Retry-After": "0"}),
        Reply(200, fault="headers"),
    ]
    tried: set[str] = set()

    def choose(request: Received) -> Reply:
        event_id = json.loads(request.body)["id"]
        if event_id in tried or len(tried) % 2:
            tried.add(event_id)
            return Reply(fault="forget" if len(tried) % 5 == 0 else "none")
        tried.add(event_id)
        return faults[len(tried) // 2 % len(faults)]

    async with WebhookReceiver(choose).run() as receiver:
        await add_endpoint(tenant.database, tenant.settings, tenant.organization_id, receiver.url)
        expected = await _record_calls(tenant, 12)
        async with _sending(tenant):
            await _wait_until_delivered(tenant)
    assert _group(receiver.accepted) == expected
    assert find_wrong_signatures(receiver.seen, SECRET) == []
    assert {request.target for request in receiver.seen} == {"/hooks"}
    rows = await list_rows(tenant.database)
    assert {row.status for row in rows} == {"delivered"}
    async with tenant.database.read() as connection:
        attempts = (await connection.execute(sa.select(tables.attempts))).all()
    assert len(attempts) == sum(row.attempt_count for row in rows) > len(rows)
    assert {attempt.response_status for attempt in attempts} >= {None, 204, 307, 429, 500}
    assert {attempt.response_body for attempt in attempts if attempt.response_status == 500} == {" broken"}


async def test_senders_that_are_killed_and_started_lose_nothing_and_keep_the_order(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "LEASE_MS", 1_000)
    monkeypatch.setattr(sender, "_MARGIN_S", 0.5)
    count = 0

    def choose(_request: Received) -> Reply:
        nonlocal count
        count += 1
        return Reply(503) if count % 3 == 0 else Reply()

    async with WebhookReceiver(choose).run() as receiver:
        await add_endpoint(tenant.database, tenant.settings, tenant.organization_id, receiver.url)
        expected = await _record_calls(tenant, 30)
        for kill_at in (5, 20, 60, 90):
            async with _sending(tenant) as first, _sending(tenant) as second:
                await _wait_until(lambda kill_at=kill_at: len(receiver.seen) >= kill_at)  # type: ignore[misc]
                for task in (first, second):
                    task.cancel()  # what it has sent and not stored is forgotten
        async with _sending(tenant), _sending(tenant):
            await _wait_until_delivered(tenant)
    assert _group(receiver.accepted) == expected


async def test_two_senders_send_nothing_twice_while_nothing_fails(tenant: Tenant) -> None:
    async with WebhookReceiver().run() as receiver:
        await add_endpoint(tenant.database, tenant.settings, tenant.organization_id, receiver.url)
        expected = await _record_calls(tenant, 40)
        async with _sending(tenant), _sending(tenant):
            await _wait_until_delivered(tenant)
    assert _group(receiver.seen) == expected
    assert len(receiver.seen) == 160


@on_sqlite
async def test_a_receiver_that_never_answers_holds_up_no_other(tenant: Tenant) -> None:
    async with (
        WebhookReceiver(lambda _request: Reply(fault="silent")).run() as dead,
        WebhookReceiver().run() as living,
    ):
        await add_endpoint(tenant.database, tenant.settings, tenant.organization_id, dead.url)
        await _record_calls(tenant, 60)
        async with _sending(tenant) as task:
            await _wait_until(lambda: len(dead.seen) == line.LANES)
            await add_endpoint(tenant.database, tenant.settings, tenant.organization_id, living.url)
            await record(tenant.database, tenant.organization_id, "call_99", "call.ended", at=values.now_ms())
            await _wait_until(lambda: len(living.accepted) == 1)
            # no request to the dead one has ended yet
            assert (len(dead.seen), dead.most_at_once) == (line.LANES, line.LANES)
            task.cancel()


@on_sqlite
async def test_a_stopped_sender_finishes_what_is_under_way_and_gives_the_rest_back(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "TIMEOUT_S", 0.5)
    async with WebhookReceiver(lambda _request: Reply(fault="silent")).run() as receiver:
        await add_endpoint(tenant.database, tenant.settings, tenant.organization_id, receiver.url)
        await _record_calls(tenant, 40)
        async with _sending(tenant):
            await _wait_until(lambda: len(receiver.seen) > 0)
    rows = await list_rows(tenant.database)
    assert {row.lease_id for row in rows} == {None}
    assert {row.status for row in rows} == {"pending"}
    assert sum(row.attempt_count for row in rows) == len(receiver.seen)


@on_sqlite
@pytest.mark.parametrize("known", ["old", "new"])
async def test_while_a_secret_is_rotated_a_receiver_with_either_accepts_the_second_attempt_at_the_latest(
    tenant: Tenant, known: str
) -> None:
    endpoint = await add_endpoint(tenant.database, tenant.settings, tenant.organization_id)
    secrets = {"old": SECRET, "new": "the-secret-of-tomorrow"}

    def choose(request: Received) -> Reply:
        return Reply(401) if find_wrong_signatures([request], secrets[known]) else Reply()

    async with WebhookReceiver(choose).run() as receiver:
        async with tenant.database.write() as connection:
            await connection.execute(tables.endpoints.update().values(url=receiver.url))
        await service.rotate_secret(
            tenant.database,
            box=SecretBox.open(tenant.settings),
            organization_id=tenant.organization_id,
            endpoint_id=endpoint.id,
            body=RotateSecret(secret=secrets["new"], overlap="3600s"),
        )
        expected = await _record_calls(tenant, 3)
        async with _sending(tenant):
            await _wait_until_delivered(tenant)
    assert _group(receiver.accepted) == expected
    assert {row.attempt_count for row in await list_rows(tenant.database)} == {2 if known == "old" else 1}


@on_sqlite
async def test_a_private_address_is_refused_with_a_stored_reason(tenant: Tenant) -> None:
    async with WebhookReceiver().run() as receiver:
        await add_endpoint(tenant.database, tenant.settings, tenant.organization_id, receiver.url)
        tenant.settings = tenant.settings.model_copy(update={"private_urls_allowed": False})
        await record(tenant.database, tenant.organization_id, "call_1", "call.ended", at=values.now_ms())
        async with _sending(tenant), asyncio.timeout(_PATIENCE_S):
            while not (rows := await list_rows(tenant.database))[0].attempt_count:
                await asyncio.sleep(0.05)
        assert receiver.connections == 0
        assert rows[0].error == "The URL must begin with https:// unless private addresses are allowed."


@on_sqlite
async def test_an_event_that_is_not_there_any_more_is_parked(tenant: Tenant) -> None:
    await add_endpoint(tenant.database, tenant.settings, tenant.organization_id)
    await record(tenant.database, tenant.organization_id, "call_1", "call.ended", at=values.now_ms())
    async with tenant.database.write() as connection:
        await connection.execute(tables.events.delete())
    async with _sending(tenant):
        await _wait_until_delivered(tenant)
    [row] = await list_rows(tenant.database)
    assert (row.status, row.error, row.attempt_count) == ("parked", "The event was deleted.", 0)
