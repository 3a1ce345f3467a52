"""Rows of phone numbers: the agents each one rings and shows."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors
from ringdown.db import engine

phone_numbers = sa.Table(
    "phone_numbers",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("phone_number", sa.Text, nullable=False, comment="E.164"),
    sa.Column("friendly_name", sa.Text),
    sa.Column("inbound_agent_id", sa.Text, comment="rung by calls to the number"),
    sa.Column("outbound_agent_id", sa.Text, comment="calls from the number"),
    sa.Column("status", sa.Text, nullable=False, server_default="active"),
    sa.Column("trunk_id", sa.Text, comment="carries its calls"),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    # A call that comes in names only the number, so that it belongs to one organization of the installation.
    sa.Index("ux_phone_numbers_phone_number", "phone_number", unique=True),
    sa.Index("ix_phone_numbers_organization_id_inbound_agent_id", "organization_id", "inbound_agent_id"),
    sa.Index("ix_phone_numbers_organization_id_outbound_agent_id", "organization_id", "outbound_agent_id"),
    sa.Index("ix_phone_numbers_organization_id_trunk_id", "organization_id", "trunk_id"),
)


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """An E.164 number of an organization and the agents it rings and shows."""

    id: str
    organization_id: str
    phone_number: str
    created_at: int
    updated_at: int
    friendly_name: str | None = None
    inbound_agent_id: str | None = None
    outbound_agent_id: str | None = None
    status: str = "active"
    trunk_id: str | None = None


async def insert_number(connection: AsyncConnection, number: PhoneNumber) -> bool:
    """Add a number; False when the installation has it already, in whatever organization."""
    columns = phone_numbers.c
    insert = (
        engine.insert(connection, phone_numbers)
        .values({column.name: getattr(number, column.name) for column in columns})
        .on_conflict_do_nothing()
    )
    return (await connection.execute(insert)).rowcount == 1


async def find_number(connection: AsyncConnection, phone_number: str) -> PhoneNumber | None:
    """The active number of whichever organization has it: where an inbound call belongs."""
    query = _select().where(phone_numbers.c.phone_number == phone_number, phone_numbers.c.status == "active")
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else PhoneNumber(**row._mapping)


async def is_known(connection: AsyncConnection, phone_number: str) -> bool:
    """Whether any organization of the installation has the number, in whatever state."""
    query = sa.select(phone_numbers.c.id).where(phone_numbers.c.phone_number == phone_number)
    return (await connection.execute(query)).first() is not None


async def find_first_number(connection: AsyncConnection, readings: Sequence[str]) -> PhoneNumber | None:
    """The active number that is the first of these E.164 readings that somebody has (`Trunk.list_readings`)."""
    columns = phone_numbers.c
    query = _select().where(columns.phone_number.in_(readings), columns.status == "active")
    found = [PhoneNumber(**row._mapping) for row in await connection.execute(query)]
    return min(found, key=lambda number: readings.index(number.phone_number), default=None)


async def list_numbers(connection: AsyncConnection, organization_id: str) -> list[PhoneNumber]:
    """All numbers of the organization, oldest first."""
    query = _select().where(phone_numbers.c.organization_id == organization_id).order_by(phone_numbers.c.id)
    return [PhoneNumber(**row._mapping) for row in await connection.execute(query)]


async def get_number(
    connection: AsyncConnection, organization_id: str, number_id: str, *, lock: bool = False
) -> PhoneNumber:
    """The number; raises `NotFound`. `lock` keeps others from changing it until the transaction ends."""
    query = _select().where(_is_number(organization_id, number_id))
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise errors.NotFound("Phone number", number_id)
    return PhoneNumber(**row._mapping)


async def list_number_page(
    connection: AsyncConnection, organization_id: str, *, limit: int, offset: int
) -> tuple[list[PhoneNumber], int]:
    """A page of the organization's numbers, newest first, and how many there are."""
    condition = phone_numbers.c.organization_id == organization_id
    count = sa.select(sa.func.count()).select_from(phone_numbers).where(condition)
    total = (await connection.execute(count)).scalar_one()
    page = _select().where(condition).order_by(phone_numbers.c.id.desc()).limit(limit).offset(offset)
    return [PhoneNumber(**row._mapping) for row in await connection.execute(page)], total


async def list_trunk_numbers(
    connection: AsyncConnection, organization_id: str, trunk_id: str, *, limit: int | None = None
) -> list[PhoneNumber]:
    """The numbers on a trunk, oldest first."""
    columns = phone_numbers.c
    query = _select().where(columns.organization_id == organization_id, columns.trunk_id == trunk_id)
    rows = await connection.execute(query.order_by(columns.id).limit(limit))
    return [PhoneNumber(**row._mapping) for row in rows]


async def update_number(connection: AsyncConnection, number: PhoneNumber) -> None:
    """Store a number that exists."""
    row = {column.name: getattr(number, column.name) for column in phone_numbers.c}
    await connection.execute(sa.update(phone_numbers).where(_is_number(number.organization_id, number.id)).values(row))


async def delete_number(connection: AsyncConnection, organization_id: str, number_id: str) -> bool:
    """Delete a number; False when the organization has no such number."""
    deleted = await connection.execute(sa.delete(phone_numbers).where(_is_number(organization_id, number_id)))
    return deleted.rowcount == 1


async def list_outbound_numbers(connection: AsyncConnection, organization_id: str, agent_id: str) -> list[PhoneNumber]:
    """The active numbers an agent may call from, oldest first."""
    columns = phone_numbers.c
    query = (
        _select()
        .where(
            columns.organization_id == organization_id,
            columns.outbound_agent_id == agent_id,
            columns.status == "active",
        )
        .order_by(columns.id)
    )
    return [PhoneNumber(**row._mapping) for row in await connection.execute(query)]


async def list_agent_numbers(
    connection: AsyncConnection, organization_id: str, agent_ids: list[str]
) -> list[PhoneNumber]:
    """The numbers that ring or show one of these agents, oldest first."""
    columns = phone_numbers.c
    query = (
        _select()
        .where(
            columns.organization_id == organization_id,
            sa.or_(columns.inbound_agent_id.in_(agent_ids), columns.outbound_agent_id.in_(agent_ids)),
        )
        .order_by(columns.id)
    )
    return [PhoneNumber(**row._mapping) for row in await connection.execute(query)]


async def assign_number(
    connection: AsyncConnection,
    *,
    organization_id: str,
    number_id: str,
    inbound_agent_id: str | None,
    outbound_agent_id: str | None,
    updated_at: int,
) -> bool:
    """Set which agents a number rings and shows; False when the organization has no such number."""
    columns = phone_numbers.c
    changed = await connection.execute(
        sa.update(phone_numbers)
        .where(columns.organization_id == organization_id, columns.id == number_id)
        .values(inbound_agent_id=inbound_agent_id, outbound_agent_id=outbound_agent_id, updated_at=updated_at)
    )
    return changed.rowcount == 1


async def unassign_agent(connection: AsyncConnection, *, organization_id: str, agent_id: str, updated_at: int) -> None:
    """Take an agent that is being deleted off all numbers."""
    for column in (phone_numbers.c.inbound_agent_id, phone_numbers.c.outbound_agent_id):
        await connection.execute(
            sa.update(phone_numbers)
            .where(phone_numbers.c.organization_id == organization_id, column == agent_id)
            .values({column.name: None, "updated_at": updated_at})
        )


def _is_number(organization_id: str, number_id: str) -> sa.ColumnElement[bool]:
    return (phone_numbers.c.organization_id == organization_id) & (phone_numbers.c.id == number_id)


def _select() -> sa.Select[tuple[object, ...]]:
    return sa.select(*phone_numbers.c)
