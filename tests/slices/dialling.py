"""What tests of the dialler share: active batch calls, the worker's and the gateway's part, and what is stored."""

import asyncio
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from ringdown import values
from ringdown.agents.models import Agent
from ringdown.batch_calls import queueing
from ringdown.batch_calls.admission import Admission
from ringdown.batch_calls.tables import batch_calls, batch_contacts
from ringdown.calls import service
from ringdown.calls.models import Call, ClaimedCall
from ringdown.calls.pacing import Pacer
from ringdown.calls.tables import attempts, calls
from ringdown.config import Settings
from ringdown.db.engine import Database
from tests.slices.conftest import Tenant
from tests.slices.test_batch_calls import create

OWN = "+18005559876"
_HALF_A_DAY_MS = 12 * 3_600_000


def people(count: int, *, first: int = 0) -> list[dict[str, Any]]:
    """Contacts in New York."""
    return [{"phone_number": f"+1212555{number:04}"} for number in range(first, first + count)]


async def start(tenant: Tenant, agent: Agent, contacts: Sequence[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    """An active batch call."""
    batch = await create(tenant, agent, contacts=list(contacts), schedule_type="immediate", **fields)
    assert batch["status"] == "active"
    return batch


async def queue(tenant: Tenant) -> None:
    """What a worker does now and then."""
    await queueing.queue_due(tenant.database, settings=tenant.settings)


async def withdraw(tenant: Tenant) -> int:
    """What a worker does before it queues."""
    return await queueing.withdraw_queued(tenant.database, settings=tenant.settings)


async def claim(
    tenant: Tenant,
    *,
    gateway_id: str = "gateway-1",
    database: Database | None = None,
    settings: Settings | None = None,
    pacer: Pacer | None = None,
    limit: int = 200,
) -> list[ClaimedCall]:
    """All that a gateway takes now; what it refuses is ended."""
    admission, taken = Admission(settings or tenant.settings), list[ClaimedCall]()
    pacer = pacer or Pacer(gateway_id)
    while True:
        claimed = await service.claim_calls(
            database or tenant.database,
            gateway_id=gateway_id,
            limit=limit - len(taken),
            admit=admission,
            pacer=pacer,
        )
        taken += claimed
        if not await admission.refuse(database or tenant.database) and not claimed:
            return taken


async def race(tenant: Tenant, *databases: Database, settings: Settings | None = None) -> list[Call]:
    """The calls that as many gateways as there are databases claim at once."""
    claims = await asyncio.gather(
        *(
            claim(tenant, gateway_id=f"gateway-{number}", database=database, settings=settings)
            for number, database in enumerate(databases)
        )
    )
    return [each.call for claimed in claims for each in claimed]


async def end(tenant: Tenant, call: Call, ended_reason: str = "user_hangup") -> None:
    """The end of a claimed call, which was answered unless it has another reason."""
    if ended_reason == "user_hangup":
        await service.mark_answered(
            tenant.database, organization_id=call.organization_id, call_id=call.id, started_at=values.now_ms()
        )
    assert await tenant.finish_call(call, ended_reason=ended_reason)


async def list_contacts(tenant: Tenant, batch: dict[str, Any]) -> list[Any]:
    """The contacts of a batch call as they are stored."""
    query = batch_contacts.select().where(batch_contacts.c.batch_call_id == batch["id"])
    async with tenant.database.read() as connection:
        return list(await connection.execute(query.order_by(batch_contacts.c.position)))


async def list_states(tenant: Tenant, batch: dict[str, Any]) -> list[tuple[str, int, str | None]]:
    """Status, attempts and reason of each contact."""
    return [(row.status, row.attempts, row.reason) for row in await list_contacts(tenant, batch)]


async def list_calls(tenant: Tenant, batch: dict[str, Any]) -> list[Any]:
    """The calls of a batch call as they are stored, oldest first."""
    query = calls.select().where(calls.c.batch_call_id == batch["id"]).order_by(calls.c.seq)
    async with tenant.database.read() as connection:
        return list(await connection.execute(query))


async def list_ends(tenant: Tenant, batch: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Status and ended reason of each call of a batch call, oldest first."""
    return [(row.status, row.ended_reason) for row in await list_calls(tenant, batch)]


async def list_dialled(tenant: Tenant) -> list[str]:
    """The numbers of all attempts."""
    async with tenant.database.read() as connection:
        found = await connection.execute(sa.select(attempts.c.number).order_by(attempts.c.number))
        return list(found.scalars())


async def set_batch(tenant: Tenant, batch: dict[str, Any], **fields: Any) -> None:
    """Change a batch call behind the back of everybody."""
    async with tenant.database.write() as connection:
        await connection.execute(batch_calls.update().where(batch_calls.c.id == batch["id"]).values(fields))


async def set_contact(tenant: Tenant, batch: dict[str, Any], position: int, **fields: Any) -> None:
    """Change a contact behind the back of everybody."""
    ours = (batch_contacts.c.batch_call_id == batch["id"]) & (batch_contacts.c.position == position)
    async with tenant.database.write() as connection:
        await connection.execute(batch_contacts.update().where(ours).values(fields))


def closed_window() -> dict[str, str]:
    """A daily window in UTC that is shut now and for hours."""
    opens_at = values.to_wire_time(values.now_ms() + _HALF_A_DAY_MS)
    assert opens_at is not None
    hour = int(opens_at[11:13])
    return {"start_time": f"{hour:02}:00", "end_time": f"{hour:02}:59"}
