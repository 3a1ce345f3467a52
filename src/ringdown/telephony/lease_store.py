"""Which gateway registers a trunk: one at a time, or every call would ring at all of them."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.db import engine
from ringdown.telephony.models import Trunk

#: A gateway that has not renewed its lease for so long has lost it.
LEASE_MS = 15_000

trunk_leases = sa.Table(
    "trunk_leases",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("trunk_id", sa.Text, primary_key=True),
    sa.Column("gateway_id", sa.Text, nullable=False),
    sa.Column("renewed_at", sa.BigInteger, nullable=False),
)


async def take_leases(
    connection: AsyncConnection, trunks: Sequence[Trunk], *, gateway_id: str, now_ms: int
) -> set[str]:
    """Take or renew the leases that nobody else holds; the ids of the trunks that are the gateway's now."""
    taken = set()
    for trunk in sorted(trunks, key=lambda each: (each.organization_id, each.id)):
        row = {
            "organization_id": trunk.organization_id,
            "trunk_id": trunk.id,
            "gateway_id": gateway_id,
            "renewed_at": now_ms,
        }
        is_free = (trunk_leases.c.gateway_id == gateway_id) | (trunk_leases.c.renewed_at < now_ms - LEASE_MS)
        insert = engine.insert(connection, trunk_leases).values(row)
        upsert = insert.on_conflict_do_update(
            index_elements=["organization_id", "trunk_id"],
            set_={"gateway_id": gateway_id, "renewed_at": now_ms},
            where=is_free,
        )
        if (await connection.execute(upsert)).rowcount == 1:
            taken.add(trunk.id)
    return taken


async def give_up_leases(connection: AsyncConnection, *, gateway_id: str) -> None:
    """Let other gateways register from now on."""
    await connection.execute(trunk_leases.delete().where(trunk_leases.c.gateway_id == gateway_id))


async def delete_lease(connection: AsyncConnection, organization_id: str, trunk_id: str) -> None:
    """The trunk is gone."""
    is_its = (trunk_leases.c.organization_id == organization_id) & (trunk_leases.c.trunk_id == trunk_id)
    await connection.execute(trunk_leases.delete().where(is_its))
