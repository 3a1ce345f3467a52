"""The transactions of sending: deliveries are claimed in bulk, and what came of them is stored in bulk.

At least once, and in order: a claim takes the deliveries of a subject from its first pending one on, and its next one
is sent only after the one before is stored as delivered or parked. A sender that dies has claimed for `LEASE_MS`; what
it sent without storing it is sent again. A sender that was away for longer than that finds what it had in other hands,
and stores nothing.
"""

import dataclasses
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.db.engine import Database
from ringdown.webhooks import ordering, retrying, sending_store
from ringdown.webhooks.alarm import ParkingAlarm
from ringdown.webhooks.models import Delivery, DeliveryAttempt, Event, WebhookEndpoint
from ringdown.webhooks.ordering import Deferral
from ringdown.webhooks.retrying import Health, Verdict
from ringdown.webhooks.sending_store import Key

log = structlog.get_logger(__name__)
_alarm = ParkingAlarm()

LEASE_MS = 45_000
# A subject has a handful of events; more of them are looked at by the next claim.
_LOOKED_AT, _LEAST_LOOK = 4, 25
_PARKED_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A delivery to be sent, with its event; None when that was deleted."""

    delivery: Delivery
    event: Event | None


@dataclass(frozen=True, slots=True)
class Claim:
    """What this sender has of an endpoint for `LEASE_MS`: chains of deliveries, each sent one after the other."""

    endpoint: WebhookEndpoint
    chains: Sequence[Sequence[Outgoing]]
    lease_id: str

    @property
    def key(self) -> Key:
        """Its endpoint."""
        return self.endpoint.organization_id, self.endpoint.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a delivery; without a verdict it was not tried and is given back, due now.

    `behind` are the deliveries of its chain that this sender still has: unless this one is concluded, they wait as it.
    """

    delivery: Delivery
    lease_id: str
    verdict: Verdict | None = None
    attempt: DeliveryAttempt | None = None
    error: str | None = None
    behind: Sequence[Delivery] = ()

    @property
    def key(self) -> Key:
        """Its endpoint."""
        return self.delivery.organization_id, self.delivery.endpoint_id


async def claim(database: Database, *, rooms: Mapping[Key, int], lease_id: str, now_ms: int) -> list[Claim]:
    """Take up to so many chains of each endpoint, one of an endpoint that accepts nothing at present."""
    claims = []
    async with database.write() as connection:
        endpoints = await sending_store.lock_endpoints(connection, list(rooms))
        for key, endpoint in endpoints.items():
            health = read_health(endpoint)
            if health.probe_at is not None and health.probe_at > now_ms:
                continue
            if health.is_paused:
                await _park_older(connection, key, health, now_ms=now_ms)
            room = 1 if health.is_paused else rooms[key]
            chains = await _take(connection, key, room=room, lease_id=lease_id, now_ms=now_ms)
            if not chains:
                continue
            if health.is_paused:  # nobody else probes it meanwhile
                await sending_store.save_health(
                    connection, key, dataclasses.replace(health, probe_at=now_ms + LEASE_MS)
                )
            claims.append(Claim(endpoint, chains, lease_id))
    return claims


async def settle(database: Database, results: Sequence[Result], *, now_ms: int) -> set[str]:
    """Store what came of deliveries, in the order in which it came.

    Returns the ids of those that were still in the hands of their lease; nothing is stored of the others.
    """
    by_endpoint: dict[Key, list[Result]] = defaultdict(list)
    by_lease: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in results:
        by_endpoint[result.key].append(result)
        by_lease[result.delivery.organization_id, result.lease_id].append(result)
    held: set[str] = set()
    async with database.write() as connection:
        endpoints = await sending_store.lock_endpoints(connection, list(by_endpoint))
        for (organization_id, lease_id), of_lease in by_lease.items():
            held |= await _conclude(connection, organization_id, of_lease, lease_id=lease_id, now_ms=now_ms)
        for key, endpoint in endpoints.items():
            accepted = [
                result.verdict.status == "delivered"
                for result in by_endpoint[key]
                if result.verdict is not None and result.attempt is not None
            ]
            await _update_health(connection, key, endpoint, accepted, now_ms=now_ms)
    for key, of_endpoint in by_endpoint.items():
        parked = [
            result.error
            for result in of_endpoint
            if result.verdict is not None and result.verdict.status == "parked" and result.delivery.id in held
        ]
        if parked:
            _alarm.tell(key, count=len(parked), reason=parked[0], now_ms=now_ms)
    return held


def read_health(endpoint: WebhookEndpoint) -> Health:
    """The health of an endpoint as it is stored."""
    return Health(
        failing_since=endpoint.failing_since, failure_count=endpoint.failure_count, probe_at=endpoint.probe_at
    )


async def _take(
    connection: AsyncConnection, key: Key, *, room: int, lease_id: str, now_ms: int
) -> list[list[Outgoing]]:
    subjects = await sending_store.list_due_subjects(connection, key, now_ms=now_ms, limit=room)
    if not subjects:
        return []
    pending = await sending_store.list_pending(connection, key, subjects, limit=_LOOKED_AT * max(room, _LEAST_LOOK))
    choice = ordering.choose(pending, now_ms=now_ms)
    await sending_store.defer(connection, key[0], choice.deferrals)
    ids = [delivery_id for chain in choice.chains for delivery_id in chain]
    if not ids:
        return []
    taken = await sending_store.lease(connection, key[0], ids, lease_id=lease_id, until=now_ms + LEASE_MS)
    events = await sending_store.list_events(connection, key[0], [delivery.event_id for delivery in taken.values()])
    return [[Outgoing(taken[one], events.get(taken[one].event_id)) for one in chain] for chain in choice.chains]


async def _conclude(
    connection: AsyncConnection, organization_id: str, results: Sequence[Result], *, lease_id: str, now_ms: int
) -> set[str]:
    """Store the results of one organization; returns the ids of those that were held."""
    accepted: dict[int, list[str]] = defaultdict(list)
    others: list[Result] = []
    for result in results:
        attempt = result.attempt
        if result.verdict is not None and result.verdict.status == "delivered" and attempt is not None:
            accepted[attempt.response_status or 0].append(result.delivery.id)
        else:
            others.append(result)
    held: set[str] = set()
    for response_status, ids in accepted.items():
        held |= await sending_store.mark_delivered(
            connection, organization_id, ids, lease_id=lease_id, response_status=response_status, now_ms=now_ms
        )
    if others:
        theirs = [one.id for result in others for one in (result.delivery, *result.behind)]
        still_ours = await sending_store.list_held(connection, organization_id, theirs, lease_id=lease_id)
        held |= still_ours
        await _conclude_others(connection, organization_id, others, held=still_ours, now_ms=now_ms)
    made = [
        (result.delivery.id, result.attempt)
        for result in results
        if result.attempt is not None and result.delivery.id in held
    ]
    await sending_store.insert_attempts(connection, organization_id, made)
    return held


async def _conclude_others(
    connection: AsyncConnection, organization_id: str, results: Sequence[Result], *, held: set[str], now_ms: int
) -> None:
    failed, deferrals = [], []
    for result in results:
        delivery, verdict = result.delivery, result.verdict
        if verdict is not None and delivery.id in held:
            failed.append((delivery, verdict, result.attempt, result.error))
        elif verdict is None:
            deferrals.append(Deferral(delivery.id, now_ms, delivery.failing_since))
        if verdict is None:
            waits_until, since = now_ms, None
        elif verdict.due_at is not None:
            waits_until, since = verdict.due_at, now_ms
        else:  # parked: the next one's turn has come
            continue
        deferrals += [
            Deferral(one.id, waits_until, since if one.failing_since is None else one.failing_since)
            for one in result.behind
        ]
    if failed:
        await sending_store.mark_failed(connection, organization_id, failed, now_ms=now_ms)
    await sending_store.defer(connection, organization_id, [one for one in deferrals if one.id in held])


async def _update_health(
    connection: AsyncConnection, key: Key, endpoint: WebhookEndpoint, accepted: Sequence[bool], *, now_ms: int
) -> None:
    before = read_health(endpoint)
    if not accepted or (all(accepted) and before.failing_since is None):
        return
    after = retrying.update_health(before, accepted, now_ms=now_ms, chance=random.random())
    await sending_store.save_health(connection, key, after)
    if after.is_paused and not before.is_paused:
        log.warning("webhook endpoint accepts nothing", organization_id=key[0], endpoint_id=key[1])
    if before.is_paused and not after.is_paused:
        woken = await sending_store.wake(connection, key, now_ms=now_ms)
        log.info("webhook endpoint accepts again", organization_id=key[0], endpoint_id=key[1], woken=woken)


async def _park_older(connection: AsyncConnection, key: Key, health: Health, *, now_ms: int) -> None:
    """Park what an endpoint has not accepted for so long, although it was not tried with each of it."""
    # What is tried has its last attempt first.
    before = now_ms - retrying.PARK_AFTER_MS - retrying.MAX_DELAY_MS
    if health.failing_since is None or health.failing_since > before:
        return
    count = await sending_store.park_older(connection, key, before=before, now_ms=now_ms, limit=_PARKED_AT_ONCE)
    if count:
        _alarm.tell(key, count=count, reason=sending_store.NEVER_ACCEPTED, now_ms=now_ms)
