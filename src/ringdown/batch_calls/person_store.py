"""The places of one number in batch calls, in the database."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.batch_calls.models import BatchContact
from ringdown.batch_calls.tables import batch_calls, batch_contacts

_columns = batch_contacts.c
#: Why a contact that was erased is not called; a place that was dialled before keeps how far it came.
ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Membership:
    """Where a number stands in a batch call."""

    batch_call_id: str
    position: int


async def list_memberships(
    connection: AsyncConnection, organization_id: str, number: str, *, after: str = "", limit: int
) -> list[Membership]:
    """The number's places in batch calls behind `after`, oldest first: a look into each batch, not at each contact."""
    is_its = (
        (_columns.organization_id == organization_id)
        & (_columns.batch_call_id == batch_calls.c.id)
        & (_columns.phone_number == number)
    )
    query = (
        sa.select(_columns.batch_call_id, _columns.position)
        .select_from(batch_calls.join(batch_contacts, is_its))
        .where(batch_calls.c.organization_id == organization_id, batch_calls.c.id > after)
        .order_by(batch_calls.c.id)
        .limit(limit)
    )
    return [Membership(*row) for row in await connection.execute(query)]


async def find_contact(
    connection: AsyncConnection, organization_id: str, membership: Membership
) -> BatchContact | None:
    """The contact at a place."""
    row = (await connection.execute(batch_contacts.select().where(_is(organization_id, membership)))).one_or_none()
    return None if row is None else BatchContact(**row._mapping)


async def forget_contact(
    connection: AsyncConnection, organization_id: str, membership: Membership, *, reason: str | None, now_ms: int
) -> None:
    """Take everything of the person from a place whose batch call is locked; the place itself stays."""
    blank: dict[str, object] = {
        "phone_number": f"erased-{membership.position}",
        "first_name": None,
        "last_name": None,
        "email": None,
        "custom_fields": {},
        "timezone": None,
        "reason": reason,
        "updated_at": now_ms,
    }
    await connection.execute(batch_contacts.update().where(_is(organization_id, membership)).values(blank))


def _is(organization_id: str, membership: Membership) -> sa.ColumnElement[bool]:
    return (
        (_columns.organization_id == organization_id)
        & (_columns.batch_call_id == membership.batch_call_id)
        & (_columns.position == membership.position)
    )
