"""Queues calls for contacts whose time has come, a little ahead of the gateways, which decide and dial.

Each batch call is a transaction that holds its row: any number of workers may do this, and a crash leaves either the
queued call and the contact that is being called by it, or neither.
"""

import dataclasses
import random
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import values
from ringdown.agents import store as agent_store
from ringdown.batch_calls import (
    admission,
    contact_store,
    dialling_store,
    following,
    pace_store,
    pacing,
    refusal,
    retrying,
    rotation,
    scheduling,
    standing,
    store,
    windows,
    zones,
)
from ringdown.batch_calls.gaps import Gaps
from ringdown.batch_calls.models import BatchCall, BatchContact
from ringdown.batch_calls.pacing import Load
from ringdown.billing import service as billing
from ringdown.calls import placing, service
from ringdown.calls.models import CallSettings
from ringdown.calls.store import calls as call_store
from ringdown.config import Settings
from ringdown.contacts import dnc_store
from ringdown.db import wakeup
from ringdown.db.engine import Database
from ringdown.telephony import permission, trunk_store
from ringdown.telephony.models import Trunk
from ringdown.telephony.store import PhoneNumber

# Contacts that may not be called just now are moved, so many at once, so that they do not hide the others.
_PAGE, _PAGES = 500, 4
_WITHDRAWN_AT_ONCE = 200
_NO_NUMBER = "It has no phone number to call from any more."

_rng = random.SystemRandom()


async def queue_due(database: Database, *, settings: Settings) -> bool:
    """Queue what there is room for, in every active batch call; whether there is an active one."""
    async with database.read() as connection:
        active = await dialling_store.list_active(connection, now_ms=values.now_ms())
    for organization_id, batch_call_id, is_due in active:
        if is_due:
            await queue_batch(database, settings=settings, organization_id=organization_id, batch_call_id=batch_call_id)
    return bool(active)


async def withdraw_queued(database: Database, *, settings: Settings) -> int:
    """End queued calls of batch calls that are paused, over, gone or rest: contacts wait again; returns how many."""
    async with database.read() as connection:
        queued = await dialling_store.list_to_withdraw(connection, now_ms=values.now_ms(), limit=_WITHDRAWN_AT_ONCE)
    refusals = [admission.withdraw(*call) for call in queued]
    return await refusal.refuse_calls(database, settings=settings, refusals=refusals)


async def queue_batch(
    database: Database, *, settings: Settings, organization_id: str, batch_call_id: str, now_ms: int | None = None
) -> int:
    """Queue calls for due contacts of one batch call as far as there is room; returns how many."""
    now = values.now_ms() if now_ms is None else now_ms
    async with database.read() as connection:  # whoever is busy has no room most of the time: that costs no lock
        found = await store.list_by_ids(connection, [(organization_id, batch_call_id)])
        if not found:
            return 0
        load = await _get_load(connection, found[0], now_ms=now)
        if load.rests_until > now:
            return 0
        if not pacing.compute_room(found[0], load) and not pacing.is_day_full(found[0], load):
            return 0
    async with database.write() as connection:
        batch = await store.lock_batch_call(connection, organization_id, batch_call_id)
        if batch is None or batch.status != "active":
            return 0
        statuses = await agent_store.list_statuses(connection, organization_id, [batch.agent_id])
        if statuses.get(batch.agent_id) != "active":
            reason = admission.describe_agent(statuses.get(batch.agent_id))
            await standing.stop(connection, batch, reason=reason, now_ms=now)
            return 0
        numbers = await store.list_callers(connection, batch)
        if not numbers:
            await standing.stop(connection, batch, reason=_NO_NUMBER, now_ms=now)
            return 0
        load = await _get_load(connection, batch, now_ms=now)
        if load.rests_until and not await _end_rest(connection, batch, settings=settings, now_ms=now):
            return 0
        if pacing.is_day_full(batch, load):
            await _put_off(connection, batch, now_ms=now)
            return 0
        room = pacing.compute_room(batch, load)
        batch, callable_ = await _find_callable(connection, batch, settings=settings, room=room, now_ms=now)
        if callable_:
            await _queue(connection, batch, callable_, numbers=numbers, settings=settings, now_ms=now)
        return len(callable_)


async def _get_load(connection: AsyncConnection, batch: BatchCall, *, now_ms: int) -> Load:
    live = (await call_store.count_live_by_batch(connection, [(batch.organization_id, batch.id)]))[batch.id]
    pace = await pace_store.get_pace(connection, batch.organization_id, batch.id)
    queued = live.pop("queued", 0)
    today = scheduling.to_day(now_ms, zones.get_zone(batch.timezone))
    return Load(queued, sum(live.values()), pace.count(today), pace.not_before)


async def _end_rest(connection: AsyncConnection, batch: BatchCall, *, settings: Settings, now_ms: int) -> bool:
    """Have a locked batch call that rested call again if its organization has credits for a call today."""
    owner = batch.organization_id
    if await billing.has_daily_credits(connection, settings=settings, organization_id=owner):
        await pace_store.set_rest(connection, owner, batch.id, until_ms=0)
        return True
    await pace_store.set_rest(connection, owner, batch.id, until_ms=now_ms + admission.REST_MS)
    return False


async def _put_off(connection: AsyncConnection, batch: BatchCall, *, now_ms: int) -> None:
    """Have due contacts of a locked batch call wait for its next day; those who are left come at the next look."""
    due = await dialling_store.list_due_contacts(connection, batch, now_ms=now_ms, limit=_PAGE)
    tomorrow = windows.find_day(now_ms, zones.get_zone(batch.timezone), later=1)
    await following.release_contacts(connection, batch, due, now_ms=now_ms, reason="daily_maximum", not_before=tomorrow)


async def _find_callable(
    connection: AsyncConnection, batch: BatchCall, *, settings: Settings, room: int, now_ms: int
) -> tuple[BatchCall, list[BatchContact]]:
    """At most `room` due contacts who may be called now; those who may not are moved or done with."""
    callable_: list[BatchContact] = []
    limit = room
    for _ in range(_PAGES):
        if len(callable_) >= room:
            break
        known = {contact.position for contact in callable_}
        due = await dialling_store.list_due_contacts(connection, batch, now_ms=now_ms, limit=limit + len(known))
        page = [contact for contact in due if contact.position not in known]
        batch, found = await _sort_out(connection, batch, page, settings=settings, now_ms=now_ms)
        callable_ += found
        if len(found) == len(page):
            break
        limit = _PAGE
    return batch, callable_[:room]


async def _sort_out(
    connection: AsyncConnection, batch: BatchCall, page: Sequence[BatchContact], *, settings: Settings, now_ms: int
) -> tuple[BatchCall, list[BatchContact]]:
    numbers = [contact.phone_number for contact in page]
    blocked = await dnc_store.find_blocked(connection, batch.organization_id, numbers)
    gaps = Gaps(gap_ms=settings.contact_gap_seconds * 1000, now_ms=now_ms)
    if gaps.gap_ms:
        owner, since = batch.organization_id, gaps.since
        gaps.learn(owner, await dialling_store.list_last_dials(connection, owner, numbers, since=since))
    callable_, moved = list[BatchContact](), list[BatchContact]()
    failed: dict[str, list[BatchContact]] = {}
    for contact in page:
        if (reason := _find_bar(batch, contact, blocked=blocked, settings=settings)) is not None:
            failed.setdefault(reason, []).append(contact)
        elif (postponed := _find_postponement(batch, contact, gaps=gaps, now_ms=now_ms)) is not None:
            reason, slot = postponed
            moved.append(dataclasses.replace(contact, scheduled_at=slot, reason=reason, updated_at=now_ms))
        else:
            callable_.append(contact)
    await contact_store.update_contacts(connection, moved)
    for reason, contacts in failed.items():
        batch = await following.fail_contacts(connection, batch, contacts, now_ms=now_ms, reason=reason)
    return batch, callable_


def _find_bar(batch: BatchCall, contact: BatchContact, *, blocked: Collection[str], settings: Settings) -> str | None:
    """Why the contact may never be called, if so."""
    if contact.phone_number in blocked:
        return "dnc_blocked"
    if not retrying.may_dial(batch, contact):
        return "attempts_limit"
    refused = permission.find_refusal(contact.phone_number, settings=settings)
    return None if refused is None else "invalid_destination"


def _find_postponement(batch: BatchCall, contact: BatchContact, *, gaps: Gaps, now_ms: int) -> tuple[str, int] | None:
    """Why the contact may not be called just now, and when it may, if so."""
    slot = admission.find_open_time(batch, contact, at_ms=now_ms)
    if slot is not None:
        return "outside_window", slot
    free_at = gaps.find_end(batch.organization_id, contact.phone_number, batch.id)
    return None if free_at is None else ("contact_gap", scheduling.find_slot(batch, contact, not_before=free_at))


async def _queue(
    connection: AsyncConnection,
    batch: BatchCall,
    contacts: Sequence[BatchContact],
    *,
    numbers: Sequence[PhoneNumber],
    settings: Settings,
    now_ms: int,
) -> None:
    by_id = {number.id: number for number in numbers}
    chosen, uses = rotation.choose_numbers(
        batch.phone_rotation_strategy,
        list(by_id),
        positions=[contact.position for contact in contacts],
        uses=await dialling_store.get_number_uses(connection, batch),
        rng=_rng,
    )
    trunks = await _find_trunks(connection, batch, numbers)
    new_calls = [
        {
            "id": values.new_id("call"),
            "agent_id": batch.agent_id,
            "to_number": contact.phone_number,
            "from_number": by_id[number_id].phone_number,
            "settings": CallSettings(),
            "variables": contact.variables,
            "metadata": {},
            "batch_call_id": batch.id,
            "contact_id": contact.contact_id,
            "trunk_id": None if _is_test_phone(settings, contact) else trunks[number_id],
        }
        for contact, number_id in zip(contacts, chosen, strict=True)
    ]
    calling = [
        dataclasses.replace(contact, status="calling", call_id=str(call["id"]), reason=None, updated_at=now_ms)
        for contact, call in zip(contacts, new_calls, strict=True)
    ]
    await contact_store.update_contacts(connection, calling)
    if batch.phone_rotation_strategy == "round_robin":
        await dialling_store.set_number_uses(connection, batch, uses)
    await placing.insert_calls(connection, organization_id=batch.organization_id, new_calls=new_calls, now_ms=now_ms)
    await wakeup.notify(connection, service.QUEUED_CHANNEL)


async def _find_trunks(
    connection: AsyncConnection, batch: BatchCall, numbers: Sequence[PhoneNumber]
) -> Mapping[str, str | None]:
    """What carries the calls of each number: its trunk, else the organization's only one."""
    trunks: list[Trunk] = await trunk_store.list_all(connection, batch.organization_id)
    enabled = [trunk.id for trunk in trunks if trunk.is_enabled]
    known, only = {trunk.id for trunk in trunks}, enabled[0] if len(enabled) == 1 else None
    return {
        number.id: only if number.trunk_id is None else number.trunk_id if number.trunk_id in known else None
        for number in numbers
    }


def _is_test_phone(settings: Settings, contact: BatchContact) -> bool:
    return settings.test_phone_enabled and contact.phone_number == settings.test_phone_number
