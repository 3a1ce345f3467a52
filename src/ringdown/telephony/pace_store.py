"""Who dials on each trunk that has a rate: one row per trunk, shared by all gateways."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.db import engine

trunk_paces = sa.Table(
    "trunk_paces",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("trunk_id", sa.Text, primary_key=True),
    sa.Column("keeper", sa.Text, nullable=False, comment="the process whose calls leave until kept_until"),
    sa.Column("kept_until", sa.BigInteger, nullable=False),
)


async def lock_paces(connection: AsyncConnection, trunks: Collection[tuple[str, str]]) -> dict[str, tuple[str, int]]:
    """Who dials on each trunk and until when, by id; locked until the commit. `trunks` are (organization_id, id)."""
    if not trunks:
        return {}
    rows = [
        {"organization_id": organization_id, "trunk_id": trunk_id, "keeper": "", "kept_until": 0}
        for organization_id, trunk_id in sorted(trunks)
    ]
    await connection.execute(engine.insert(connection, trunk_paces).values(rows).on_conflict_do_nothing())
    query = trunk_paces.select().where(sa.or_(*(_is_trunk(*trunk) for trunk in trunks)))
    # Two gateways lock in the same order.
    query = query.order_by(trunk_paces.c.organization_id, trunk_paces.c.trunk_id)
    found = await connection.execute(query.with_for_update())
    return {row.trunk_id: (row.keeper, row.kept_until) for row in found}


async def set_pace(
    connection: AsyncConnection, organization_id: str, trunk_id: str, *, keeper: str, kept_until: int
) -> None:
    """The calls of the trunk leave from this process alone until then."""
    condition = _is_trunk(organization_id, trunk_id)
    await connection.execute(sa.update(trunk_paces).where(condition).values(keeper=keeper, kept_until=kept_until))


async def delete_pace(connection: AsyncConnection, organization_id: str, trunk_id: str) -> None:
    """Forget the rate of a trunk that is deleted."""
    await connection.execute(trunk_paces.delete().where(_is_trunk(organization_id, trunk_id)))


def _is_trunk(organization_id: str, trunk_id: str) -> sa.ColumnElement[bool]:
    return (trunk_paces.c.organization_id == organization_id) & (trunk_paces.c.trunk_id == trunk_id)
