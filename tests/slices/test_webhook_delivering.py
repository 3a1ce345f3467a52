"""Claiming deliveries and storing what came of them, on a virtual clock and both databases."""

import asyncio

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from ringdown.agents import store as agent_store
from ringdown.db.engine import Database
from ringdown.webhooks import delivering, delivery_store, endpoint_store, retrying, service, tables
from ringdown.webhooks.models import WebhookEndpoint
from ringdown.webhooks.schemas import UpdateWebhookEndpoint
from tests.slices.conftest import Tenant
from tests.slices.webhook_sending import START, VirtualSender, add_endpoint, give_back, list_rows, record

_HOUR = 3_600_000


@pytest.fixture
async def endpoint(tenant: Tenant) -> WebhookEndpoint:
    return await add_endpoint(tenant.database, tenant.settings, tenant.organization_id)


@pytest.fixture
def sender(database: Database) -> VirtualSender:
    return VirtualSender(database)


async def _get_endpoint(tenant: Tenant, endpoint: WebhookEndpoint) -> WebhookEndpoint:
    async with tenant.database.read() as connection:
        return await endpoint_store.get_endpoint(connection, tenant.organization_id, endpoint.id)


async def test_events_of_a_call_are_taken_as_one_chain_and_stored_when_accepted(
    tenant: Tenant, endpoint: WebhookEndpoint, sender: VirtualSender
) -> None:
    ids = await record(tenant.database, tenant.organization_id, "call_1", "call.started", "call.joined")
    [other] = await record(tenant.database, tenant.organization_id, "call_2", "call.started")
    chains = await sender.claim()
    assert sorted(chains) == sorted([ids, [other]])
    assert await sender.claim() == []
    sender.chains.sort(key=lambda taken: -len(taken[1]))
    sender.now += 40
    assert await sender.send(204)
    assert await sender.send(200)
    assert await sender.send(200)
    rows = await list_rows(tenant.database)
    assert [(row.status, row.attempt_count, row.response_status, row.delivered_at) for row in rows] == [
        ("delivered", 1, 204, START + 40),
        ("delivered", 1, 200, START + 40),
        ("delivered", 1, 200, START + 40),
    ]
    async with tenant.database.read() as connection:
        [attempt] = await delivery_store.list_attempts(connection, tenant.organization_id, rows[0].id, limit=9)
    assert (attempt.number, attempt.started_at, attempt.duration_ms, attempt.response_status) == (
        1,
        START + 40,
        12,
        204,
    )
    assert (await _get_endpoint(tenant, endpoint)).failing_since is None


async def test_what_is_behind_a_failure_waits_for_its_retry(
    tenant: Tenant, endpoint: WebhookEndpoint, sender: VirtualSender
) -> None:
    first, second = await record(tenant.database, tenant.organization_id, "call_1", "call.ended", "call.billed")
    await sender.claim()
    await sender.send(500)
    [third] = await record(tenant.database, tenant.organization_id, "call_1", "call.analyzed", at=START + 1)
    sender.now += 4_999
    assert await sender.claim() == []
    assert {row.due_at for row in await list_rows(tenant.database)} == {START + 5_000}
    assert (await _get_endpoint(tenant, endpoint)).failing_since == START
    sender.now += 1
    assert await sender.deliver_all() == [first, second, third]
    assert (await _get_endpoint(tenant, endpoint)).failing_since is None


async def test_an_event_that_comes_while_an_earlier_one_is_sent_waits_for_it(
    tenant: Tenant, endpoint: WebhookEndpoint, sender: VirtualSender
) -> None:
    await record(tenant.database, tenant.organization_id, "call_1", "call.started")
    await sender.claim()
    [later] = await record(tenant.database, tenant.organization_id, "call_1", "call.joined", at=START + 5)
    other = VirtualSender(tenant.database, now=START + 10)
    assert await other.claim() == []
    await sender.send(204)
    other.now += 1_000
    assert await other.deliver_all() == [later]


async def test_after_72_hours_a_delivery_is_parked_and_holds_nothing_back(
    tenant: Tenant, endpoint: WebhookEndpoint, sender: VirtualSender
) -> None:
    first, second = await record(tenant.database, tenant.organization_id, "call_1", "call.ended", "call.billed")
    while (await list_rows(tenant.database))[0].status == "pending":
        [head, *_] = await list_rows(tenant.database)
        sender.now = max(head.due_at, (await _get_endpoint(tenant, endpoint)).probe_at or 0)
        if await sender.claim():
            await sender.send(None)
    assert sender.now == START + 72 * _HOUR
    # what waited with it has been tried for as long: once more, now that it is the first
    assert [chain[0].delivery.event_id for _, chain in sender.chains] == [second]
    [parked, waiting] = await list_rows(tenant.database)
    assert (parked.event_id, parked.status, parked.error) == (first, "parked", "No.")
    await sender.send(500)
    assert [row.status for row in await list_rows(tenant.database)] == ["parked", "parked"]
    assert waiting.failing_since == START
    [third] = await record(tenant.database, tenant.organization_id, "call_1", "call.analyzed", at=sender.now)
    sender.now += 60_000
    assert await sender.deliver_all() == [third]


async def test_what_is_parked_at_once_is_one_error_for_the_operator(
    tenant: Tenant, endpoint: WebhookEndpoint, sender: VirtualSender
) -> None:
    for number in range(5):
        await record(tenant.database, tenant.organization_id, f"call_{number}", "call.ended")
    await sender.claim()
    with capture_logs() as lines:
        await sender.settle(*[sender.make_result(410) for _ in range(4)])
        await sender.send(410)
    [told] = [line for line in lines if line["log_level"] == "error"]
    assert (told["event"], told["endpoint_id"], told["count"]) == ("webhook deliveries parked", endpoint.id, 4)


async def test_gone_parks_at_once(tenant: Tenant, endpoint: WebhookEndpoint, sender: VirtualSender) -> None:
    _, second = await record(tenant.database, tenant.organization_id, "call_1", "call.ended", "call.billed")
    await sender.claim()
    assert await sender.send(410)
    assert [chain[0].delivery.event_id for _, chain in sender.chains] == [second]
    await sender.send(204)
    assert [row.status for row in await list_rows(tenant.database)] == ["parked", "delivered"]


async def test_a_sender_that_dies_loses_nothing_wherever_it_was(
    tenant: Tenant, endpoint: WebhookEndpoint, sender: VirtualSender
) -> None:
    ids = await record(
        tenant.database, tenant.organization_id, "call_1", "call.started", "call.joined", "call.ended", "call.billed"
    )
    sent: list[str] = []
    for step in range(4):
        # dies after its claim was committed, then after it has sent, then after what came of it was committed
        await sender.claim()
        sender.chains.clear()
        sender.now += delivering.LEASE_MS
        await sender.claim()
        sent.append(sender.make_result(204).delivery.event_id)
        sender.chains.clear()
        sender.now += delivering.LEASE_MS
        await sender.claim()
        sent.append(sender.chains[0][1][0].delivery.event_id)
        assert await sender.send(204)
        sender.chains.clear()
        sender.now += delivering.LEASE_MS
        assert [row.status for row in await list_rows(tenant.database)] == ["delivered"] * (step + 1) + ["pending"] * (
            3 - step
        )
    assert sent == [event_id for event_id in ids for _ in range(2)]
    assert {row.attempt_count for row in await list_rows(tenant.database)} == {1}


async def test_a_sender_that_was_away_too_long_stores_nothing(
    tenant: Tenant, endpoint: WebhookEndpoint, sender: VirtualSender
) -> None:
    await record(tenant.database, tenant.organization_id, "call_1", "call.ended", "call.billed")
    await sender.claim()
    other = VirtualSender(tenant.database, now=START + delivering.LEASE_MS)
    assert len(await other.claim()) == 1
    assert not await sender.send(500)
    assert sender.chains == []
    assert await other.send(204)
    assert await other.send(204)
    rows = await list_rows(tenant.database)
    assert [(row.status, row.attempt_count) for row in rows] == [("delivered", 1), ("delivered", 1)]
    async with tenant.database.read() as connection:
        count = (await connection.execute(sa.select(sa.func.count()).select_from(tables.attempts))).scalar_one()
    assert count == 2


async def test_storing_a_result_twice_changes_nothing(
    tenant: Tenant, endpoint: WebhookEndpoint, sender: VirtualSender
) -> None:
    await record(tenant.database, tenant.organization_id, "call_1", "call.ended")
    await sender.claim()
    result = sender.make_result(500)
    assert await sender.settle(result) == {result.delivery.id}
    before = await list_rows(tenant.database)
    assert await sender.settle(result) == set()
    assert await list_rows(tenant.database) == before


async def test_what_is_given_back_is_due_at_once(
    tenant: Tenant, endpoint: WebhookEndpoint, sender: VirtualSender
) -> None:
    ids = await record(tenant.database, tenant.organization_id, "call_1", "call.ended", "call.billed")
    await sender.claim()
    await sender.settle(give_back(sender.make_result(204)))
    sender.chains.clear()
    assert {row.attempt_count for row in await list_rows(tenant.database)} == {0}
    assert await sender.deliver_all() == ids


async def test_two_senders_that_claim_at_once_share_the_work_and_never_a_subject(
    tenant: Tenant, endpoint: WebhookEndpoint
) -> None:
    expected = {}
    for number in range(40):
        subject = f"call_{number}"
        expected[subject] = await record(
            tenant.database, tenant.organization_id, subject, "call.started", "call.joined", at=START + number
        )
    senders = [VirtualSender(tenant.database, now=START + 1_000, room=5) for _ in range(2)]
    sent: dict[str, list[str]] = {}

    async def work(sender: VirtualSender) -> None:
        while True:
            await sender.claim()
            if not sender.chains:
                return
            while sender.chains:
                delivery = sender.chains[0][1][0].delivery
                sent.setdefault(delivery.subject_id, []).append(delivery.event_id)
                assert await sender.send(204)

    async with asyncio.timeout(60):
        await asyncio.gather(*(work(sender) for sender in senders))
    assert sent == expected
    assert await list_rows(tenant.database, status="pending") == []


async def test_an_endpoint_that_accepts_nothing_is_probed_and_then_gets_everything(
    tenant: Tenant, endpoint: WebhookEndpoint, sender: VirtualSender
) -> None:
    ids = [
        (await record(tenant.database, tenant.organization_id, f"call_{number}", "call.ended", at=START + number))[0]
        for number in range(30)
    ]
    sender.now = START + 100
    await sender.claim()
    await sender.settle(*[sender.make_result(None) for _ in range(10)])
    assert (await _get_endpoint(tenant, endpoint)).failure_count == 10
    assert await sender.claim() == []
    sender.now += 1_000
    assert [len(chain) for chain in await sender.claim()] == [1]
    assert await sender.claim() == []  # nobody else probes meanwhile
    await sender.send(204)
    # healed: what waits for its retry is due as well
    assert len(await sender.deliver_all()) == 29
    assert [row.event_id for row in await list_rows(tenant.database, status="delivered")] == ids


async def test_a_dead_endpoint_holds_up_no_other(
    tenant: Tenant, endpoint: WebhookEndpoint, sender: VirtualSender
) -> None:
    for number in range(20):
        await record(tenant.database, tenant.organization_id, f"call_{number}", "call.ended")
    living = await add_endpoint(tenant.database, tenant.settings, tenant.organization_id)
    [news] = await record(tenant.database, tenant.organization_id, "call_99", "call.ended", at=START + 1)
    sender.now, sender.room = START + 1, 5
    claimed = await sender.claim()
    assert len(claimed) == 6
    assert [news] in claimed
    assert [chain[0].delivery.event_id for claim, chain in sender.chains if claim.endpoint.id == living.id] == [news]


async def test_what_was_never_tried_is_parked_with_an_endpoint_that_is_dead_for_72_hours(
    tenant: Tenant, endpoint: WebhookEndpoint, sender: VirtualSender
) -> None:
    for number in range(15):
        await record(tenant.database, tenant.organization_id, f"call_{number}", "call.ended")
    await sender.claim()
    await sender.settle(*[sender.make_result(None) for _ in range(10)])
    sender.now += 73 * _HOUR
    [fresh] = await record(tenant.database, tenant.organization_id, "call_99", "call.ended", at=sender.now)
    assert await sender.claim() == [[fresh]]
    rows = await list_rows(tenant.database)
    assert [row.status for row in rows] == ["parked"] * 15 + ["pending"]
    assert rows[12].error == "The endpoint has accepted nothing for 72 hours."


async def test_the_event_that_was_deleted_is_parked_by_the_sender(
    tenant: Tenant, endpoint: WebhookEndpoint, sender: VirtualSender
) -> None:
    await record(tenant.database, tenant.organization_id, "call_1", "call.ended")
    async with tenant.database.write() as connection:
        await connection.execute(tables.events.delete())
    await sender.claim()
    assert sender.chains[0][1][0].event is None


async def test_a_disabled_endpoint_is_owed_nothing_until_it_is_replayed(
    tenant: Tenant, endpoint: WebhookEndpoint, sender: VirtualSender
) -> None:
    ids = await record(tenant.database, tenant.organization_id, "call_1", "call.ended", "call.billed")
    await sender.claim()  # and is disabled while it is sent

    async def change(*, enabled: bool) -> None:
        await service.update_endpoint(
            tenant.database,
            settings=tenant.settings,
            organization_id=tenant.organization_id,
            endpoint_id=endpoint.id,
            body=UpdateWebhookEndpoint(enabled=enabled),
            require_agent=agent_store.get_agent,
        )

    await change(enabled=False)
    assert not await sender.send(204)
    assert [row.error for row in await list_rows(tenant.database, status="parked")] == [
        "The endpoint was disabled."
    ] * 2
    await change(enabled=True)
    assert await sender.claim() == []
    replay = await service.replay_deliveries(
        tenant.database,
        organization_id=tenant.organization_id,
        endpoint_id=endpoint.id,
        which=delivery_store.Again(status="parked"),
    )
    assert (replay.count, replay.next_since) == (2, None)
    sender.now = (await list_rows(tenant.database))[0].due_at
    assert await sender.deliver_all() == ids


async def test_a_replay_while_it_is_sent_is_sent_again_in_order(
    tenant: Tenant, endpoint: WebhookEndpoint, sender: VirtualSender
) -> None:
    ids = await record(tenant.database, tenant.organization_id, "call_1", "call.ended", "call.billed")
    await sender.claim()
    await sender.send(204)
    await service.replay_events(
        tenant.database, organization_id=tenant.organization_id, endpoint_id=endpoint.id, since=START
    )
    assert not await sender.send(204)
    sender.now = (await list_rows(tenant.database))[0].due_at
    assert await sender.deliver_all() == ids


async def test_a_replayed_delivery_is_tried_for_another_72_hours(
    tenant: Tenant, endpoint: WebhookEndpoint, sender: VirtualSender
) -> None:
    await record(tenant.database, tenant.organization_id, "call_1", "call.ended")
    await sender.claim()
    await sender.send(410)
    [parked] = await list_rows(tenant.database)
    await service.replay_delivery(tenant.database, organization_id=tenant.organization_id, delivery_id=parked.id)
    [again] = await list_rows(tenant.database)
    sender.now = again.due_at
    await sender.claim()
    await sender.send(500)
    [waiting] = await list_rows(tenant.database)
    assert (waiting.status, waiting.failing_since, waiting.due_at - sender.now) == (
        "pending",
        sender.now,
        retrying.FIRST_DELAY_MS,
    )
    assert waiting.attempt_count == 2
