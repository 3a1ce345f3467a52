"""How fast each trunk dials: one row per trunk that has a rate, shared by all gateways."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.db import engine

trunk_paces = sa.Table(
    "trunk_paces",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("trunk_id", sa.Text, primary_key=True),
    sa.Column("next_dial_at", sa.BigInteger, nullable=False, comment="milliseconds UTC; no call leaves before"),
)


async def lock_paces(connection: AsyncConnection, trunks: Collection[tuple[str, str]]) -> dict[str, int]:
    """When each trunk may dial next, by id; locked until the commit. `trunks` are (organization_id, trunk_id)."""
    if not trunks:
        return {}
    rows = [
        {"organization_id": organization_id, "trunk_id": trunk_id, "next_dial_at": 0}
        for organization_id, trunk_id in sorted(trunks)
    ]
    await connection.execute(engine.insert(connection, trunk_paces).values(rows).on_conflict_do_nothing())
    query = trunk_paces.select().where(sa.or_(*(_is_trunk(*trunk) for trunk in trunks)))
    # Two gateways lock in the same order.
    query = query.order_by(trunk_paces.c.organization_id, trunk_paces.c.trunk_id)
    return {row.trunk_id: row.next_dial_at for row in await connection.execute(query.with_for_update())}


async def set_pace(connection: AsyncConnection, organization_id: str, trunk_id: str, next_dial_at: int) -> None:
    """The trunk dials next at this time."""
    condition = _is_trunk(organization_id, trunk_id)
    await connection.execute(sa.update(trunk_paces).where(condition).values(next_dial_at=next_dial_at))


async def delete_pace(connection: AsyncConnection, organization_id: str, trunk_id: str) -> None:
    """Forget the rate of a trunk that is deleted."""
    await connection.execute(trunk_paces.delete().where(_is_trunk(organization_id, trunk_id)))


def _is_trunk(organization_id: str, trunk_id: str) -> sa.ColumnElement[bool]:
    return (trunk_paces.c.organization_id == organization_id) & (trunk_paces.c.trunk_id == trunk_id)
