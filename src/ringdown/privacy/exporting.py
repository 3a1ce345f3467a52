"""Everything that is known of one person, as JSON lines: a few calls in memory at a time, in many short reads."""

from collections.abc import AsyncGenerator, Iterator, Mapping

import msgspec

from ringdown import values
from ringdown.batch_calls import person_store, zones
from ringdown.batch_calls import rendering as batch_rendering
from ringdown.batch_calls import store as batch_store
from ringdown.calls import rendering as call_rendering
from ringdown.calls.models import Call
from ringdown.calls.rendering import CallLinks
from ringdown.calls.store import events as call_events
from ringdown.calls.store import person, turns
from ringdown.contacts import dnc_store
from ringdown.contacts import person_store as contact_store
from ringdown.contacts import rendering as contact_rendering
from ringdown.db.engine import Database
from ringdown.webhooks import event_store, payload
from ringdown.webhooks.event_store import EventQuery

_CALLS, _PLACES = 20, 200
# A number stands in each folder once.
_MAX_CONTACTS = 10_000
# More than a call ever has.
_MAX_EVENTS = 10_000

_encoder = msgspec.json.Encoder()


async def export_person(
    database: Database, *, organization_id: str, number: str, links: CallLinks
) -> AsyncGenerator[bytes]:
    """Lines of `{"type", "data"}`: `person` first, then what there is of each kind, oldest first."""
    async with database.read() as connection:
        contacts = await contact_store.list_contacts(connection, organization_id, number, limit=_MAX_CONTACTS)
        entry = await dnc_store.find_entry(connection, organization_id, number)
    yield _write("person", {"phone_number": number, "exported_at": values.to_wire_time(values.now_ms())})
    for contact in contacts:
        yield _write("contact", contact_rendering.render_contact(contact))
    if entry is not None:
        yield _write("dnc_entry", contact_rendering.render_entry(entry))
    async for line in _export_places(database, organization_id, number):
        yield line
    for is_inbound in (False, True):
        async for line in _export_calls(database, organization_id, number, links, is_inbound=is_inbound):
            yield line


async def _export_places(database: Database, organization_id: str, number: str) -> AsyncGenerator[bytes]:
    after = ""
    while True:
        async with database.read() as connection:
            places = await person_store.list_memberships(
                connection, organization_id, number, after=after, limit=_PLACES
            )
            found = []
            for place in places:
                contact = await person_store.find_contact(connection, organization_id, place)
                batch = await batch_store.find_batch_call(connection, organization_id, place.batch_call_id)
                if contact is not None and batch is not None:
                    zone = zones.get_zone(batch.timezone)
                    rendered = batch_rendering.render_contact(contact, batch_zone=zone)
                    found.append({"batch_call_id": batch.id, "batch_name": batch.name, **rendered})
        for one in found:
            yield _write("batch_contact", one)
        if len(places) < _PLACES:
            return
        after = places[-1].batch_call_id


async def _export_calls(
    database: Database, organization_id: str, number: str, links: CallLinks, *, is_inbound: bool
) -> AsyncGenerator[bytes]:
    after_seq = 0
    while True:
        async with database.read() as connection:
            calls = await person.list_calls(
                connection, organization_id, number, is_inbound=is_inbound, after_seq=after_seq, limit=_CALLS
            )
            ids = [call.id for call in calls]
            spoken = await turns.list_turns(connection, organization_id, ids)
            dialled = await person.list_dial_times(connection, organization_id, ids)
        for call in calls:
            shown = call_rendering.render_with_transcript(call, spoken[call.id], links)
            dialled_at = values.to_wire_time(dialled.get(call.id))
            for line in await _export_call(database, call, {**shown, "dialled_at": dialled_at}):
                yield line
        if len(calls) < _CALLS:
            return
        after_seq = calls[-1].seq


async def _export_call(database: Database, call: Call, shown: Mapping[str, object]) -> Iterator[bytes]:
    """The call with what happened in it, and what was told of it."""
    query = EventQuery(organization_id=call.organization_id, subject_id=call.id)
    async with database.read() as connection:
        _, happened = await call_events.list_events(
            connection, call.organization_id, call.id, limit=_MAX_EVENTS, offset=0
        )
        told, _ = await event_store.list_newest(connection, query, limit=_MAX_EVENTS, offset=0)
    whole = {**shown, "events": [call_rendering.render_event(event) for event in happened]}
    return iter(
        [_write("call", whole), *(_write("webhook_event", payload.render_event(event)) for event in reversed(told))]
    )


def _write(kind: str, data: Mapping[str, object]) -> bytes:
    return _encoder.encode({"type": kind, "data": data}) + b"\n"
