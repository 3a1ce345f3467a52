"""Calls of batch calls in the slice tests: queued, dialled and ended by hand, without dialler and gateway."""

import dataclasses
from typing import Any

from ringdown import values
from ringdown.batch_calls import contact_store
from ringdown.batch_calls.models import BatchCall, BatchContact
from ringdown.batch_calls.store import get_batch_call
from ringdown.calls import service
from ringdown.calls.models import Call, CallSettings
from ringdown.calls.store import attempts
from ringdown.calls.store import calls as call_store
from tests.slices.conftest import Tenant

ANSWERED = ("user_hangup", "agent_hangup", "transferred", "max_duration", "voicemail", "inactivity", "no_media")


async def get_batch(tenant: Tenant, batch_call_id: str) -> BatchCall:
    async with tenant.database.read() as connection:
        return await get_batch_call(connection, tenant.organization_id, batch_call_id)


async def list_batch_contacts(tenant: Tenant, batch_call_id: str) -> list[BatchContact]:
    async with tenant.database.read() as connection:
        return await contact_store.list_contacts(
            connection, tenant.organization_id, batch_call_id, limit=10_000, offset=0
        )


async def queue_call(tenant: Tenant, contact: BatchContact) -> Call:
    """Have a scheduled contact wait for a gateway, as the dialler does."""
    async with tenant.database.write() as connection:
        batch = await get_batch_call(connection, tenant.organization_id, contact.batch_call_id, lock=True)
        call = await service.insert_call(
            connection,
            organization_id=tenant.organization_id,
            id=values.new_id("call"),
            direction="outbound",
            status="queued",
            agent_id=batch.agent_id,
            to_number=contact.phone_number,
            from_number="+18005559876",
            settings=CallSettings(),
            variables=contact.variables,
            metadata={},
            batch_call_id=batch.id,
            contact_id=contact.contact_id,
        )
        calling = dataclasses.replace(contact, status="calling", call_id=call.id, updated_at=values.now_ms())
        await contact_store.update_contacts(connection, [calling])
    return call


async def dial(tenant: Tenant, call: Call) -> None:
    """Have a queued call ring, as a gateway does."""
    async with tenant.database.write() as connection:
        now = values.now_ms()
        ringing = await call_store.update_call(connection, call, status="ringing", updated_at=now)
        await attempts.insert_attempt(connection, ringing, gateway_id="gateway-1", now_ms=now)
        contact = await contact_store.find_called(connection, tenant.organization_id, call.id)
        assert contact is not None
        dialled = dataclasses.replace(contact, attempts=contact.attempts + 1, called_at=now)
        await contact_store.update_contacts(connection, [dialled])


async def end(tenant: Tenant, call: Call, reason: str, *, is_answered: bool | None = None) -> bool:
    """Have a call end so; by default it was answered if its ending says so."""
    started_at = values.now_ms() if (reason in ANSWERED if is_answered is None else is_answered) else None
    return await tenant.finish_call(call, ended_reason=reason, started_at=started_at, media_ms=0)


async def call_contact(tenant: Tenant, batch: dict[str, Any], position: int, reason: str, **fields: Any) -> Call:
    """Queue, dial and end a call of the contact at this position."""
    contacts = await list_batch_contacts(tenant, batch["id"])
    call = await queue_call(tenant, contacts[position])
    await dial(tenant, call)
    assert await end(tenant, call, reason, **fields)
    return call
