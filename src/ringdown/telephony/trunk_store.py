"""Trunks and how the gateways find them, in the database.

The secrets of a stored trunk are ciphertext: `seal_secrets` and `open_secrets` stand between it and a trunk in use.
"""

import dataclasses
from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors
from ringdown.db import engine
from ringdown.secret import SecretBox, SecretUnreadable
from ringdown.telephony.models import SECRET_FIELDS, Trunk, TrunkStatus

trunks = sa.Table(
    "trunks",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("is_enabled", sa.Boolean, nullable=False),
    sa.Column("origin", sa.Text, nullable=False, comment="api or toml"),
    sa.Column("configuration", sa.JSON, nullable=False),
    sa.Column("password", sa.Text, comment="sealed"),
    sa.Column("inbound_password", sa.Text, comment="sealed"),
    sa.Column("tls_private_key", sa.Text, comment="sealed"),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Index("ux_trunks_organization_id_name", "organization_id", "name", unique=True),
)
trunk_statuses = sa.Table(
    "trunk_statuses",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("trunk_id", sa.Text, primary_key=True),
    sa.Column("gateway_id", sa.Text, primary_key=True),
    sa.Column("registration", sa.Text, nullable=False),
    sa.Column("registration_error", sa.Text),
    sa.Column("is_reachable", sa.Boolean),
    sa.Column("round_trip_ms", sa.Double),
    sa.Column("last_error", sa.Text),
    sa.Column("live_calls", sa.Integer, nullable=False),
    sa.Column("checked_at", sa.BigInteger, nullable=False),
)
_COLUMNS = ("organization_id", "id", "name", "is_enabled", "origin", *SECRET_FIELDS, "created_at", "updated_at")
_STATUS_KEY = [column.name for column in trunk_statuses.primary_key.columns]


async def insert_trunk(connection: AsyncConnection, trunk: Trunk) -> bool:
    """Add a sealed trunk; False when the organization has one of that name."""
    insert = engine.insert(connection, trunks).values(_to_row(trunk)).on_conflict_do_nothing()
    return (await connection.execute(insert)).rowcount == 1


async def update_trunk(connection: AsyncConnection, trunk: Trunk) -> None:
    """Store a sealed trunk that exists; that its name is free is the caller's to know."""
    condition = _is_trunk(trunk.organization_id, trunk.id)
    await connection.execute(trunks.update().where(condition).values(_to_row(trunk)))


async def get_trunk(
    connection: AsyncConnection, organization_id: str, trunk_id: str, *, lock: bool = False, share: bool = False
) -> Trunk:
    """The sealed trunk; raises `NotFound`.

    `lock` keeps others from changing or deleting it until the transaction ends, `share` lets them read it only.
    """
    query = trunks.select().where(_is_trunk(organization_id, trunk_id))
    if lock or share:
        query = query.with_for_update(read=share)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise errors.NotFound("Trunk", trunk_id)
    return _from_row(row)


async def find_trunk(connection: AsyncConnection, organization_id: str, name_or_id: str) -> Trunk | None:
    """The sealed trunk of this id or name."""
    named = (trunks.c.name == name_or_id) | (trunks.c.id == name_or_id)
    query = trunks.select().where(trunks.c.organization_id == organization_id, named)
    found = [_from_row(row) for row in await connection.execute(query)]
    return min(found, key=lambda trunk: trunk.id != name_or_id, default=None)


async def list_trunks(
    connection: AsyncConnection, organization_id: str, *, limit: int, offset: int
) -> tuple[list[Trunk], int]:
    """A page of sealed trunks, newest first, and how many there are."""
    condition = trunks.c.organization_id == organization_id
    total = (await connection.execute(sa.select(sa.func.count()).select_from(trunks).where(condition))).scalar_one()
    page = trunks.select().where(condition).order_by(trunks.c.id.desc()).limit(limit).offset(offset)
    rows = await connection.execute(page)
    return [_from_row(row) for row in rows], total


async def list_by_ids(connection: AsyncConnection, keys: Collection[tuple[str, str]]) -> list[Trunk]:
    """The sealed trunks of these (organization_id, trunk_id) that exist."""
    if not keys:
        return []
    query = trunks.select().where(sa.or_(*(_is_trunk(owner, trunk_id) for owner, trunk_id in keys)))
    return [_from_row(row) for row in await connection.execute(query.order_by(trunks.c.id))]


async def list_all(connection: AsyncConnection, organization_id: str) -> list[Trunk]:
    """All sealed trunks of the organization, oldest first."""
    query = trunks.select().where(trunks.c.organization_id == organization_id).order_by(trunks.c.id)
    return [_from_row(row) for row in await connection.execute(query)]


async def list_enabled_trunks(
    connection: AsyncConnection,
    box: SecretBox,
    *,
    on_unreadable: Callable[[Trunk, SecretUnreadable], None] | None = None,
) -> list[Trunk]:
    """The enabled trunks of all organizations with their secrets open, oldest first.

    One whose secrets cannot be read is told to `on_unreadable` and left out; without that, raises `SecretUnreadable`.
    """
    query = trunks.select().where(trunks.c.is_enabled).order_by(trunks.c.id)
    opened = []
    for row in await connection.execute(query):
        sealed = _from_row(row)
        try:
            opened.append(open_secrets(sealed, box))
        except SecretUnreadable as error:
            if on_unreadable is None:
                raise
            on_unreadable(sealed, error)
    return opened


async def delete_trunk(connection: AsyncConnection, organization_id: str, trunk_id: str) -> None:
    """Delete the trunk and what gateways told of it; nothing happens when it is not there."""
    of_trunk = (trunk_statuses.c.organization_id == organization_id) & (trunk_statuses.c.trunk_id == trunk_id)
    await connection.execute(trunk_statuses.delete().where(of_trunk))
    await connection.execute(trunks.delete().where(_is_trunk(organization_id, trunk_id)))


async def put_status(connection: AsyncConnection, status: TrunkStatus) -> bool:
    """Store how a gateway finds a trunk; False when the trunk was deleted meanwhile."""
    known = sa.select(trunks.c.id).where(_is_trunk(status.organization_id, status.trunk_id))
    if (await connection.execute(known.with_for_update(read=True))).one_or_none() is None:
        return False
    row = dataclasses.asdict(status)
    changes = {name: value for name, value in row.items() if name not in _STATUS_KEY}
    insert = engine.insert(connection, trunk_statuses).values(row)
    await connection.execute(insert.on_conflict_do_update(index_elements=_STATUS_KEY, set_=changes))
    return True


async def list_statuses(
    connection: AsyncConnection, organization_id: str, trunk_ids: Sequence[str] | None = None
) -> list[TrunkStatus]:
    """What the gateways told of these trunks, or of all, by trunk and gateway."""
    columns = trunk_statuses.c
    query = trunk_statuses.select().where(columns.organization_id == organization_id)
    if trunk_ids is not None:
        query = query.where(columns.trunk_id.in_(trunk_ids))
    rows = await connection.execute(query.order_by(columns.trunk_id, columns.gateway_id))
    return [TrunkStatus(**row._mapping) for row in rows]


async def delete_statuses(connection: AsyncConnection, *, gateway_id: str) -> None:
    """Forget what a gateway told, of all organizations: it stops, or begins anew."""
    await connection.execute(trunk_statuses.delete().where(trunk_statuses.c.gateway_id == gateway_id))


def seal_secrets(trunk: Trunk, box: SecretBox) -> Trunk:
    """The trunk as it is stored. Raises `SecretUnreadable` when there is no usable key."""
    return _map_secrets(trunk, box.seal)


def open_secrets(trunk: Trunk, box: SecretBox) -> Trunk:
    """The trunk as it is used. Raises `SecretUnreadable` that names the trunk."""
    try:
        return _map_secrets(trunk, box.unseal)
    except SecretUnreadable as error:
        raise SecretUnreadable(f"The trunk {trunk.name} cannot be used: {error}") from error


def _map_secrets(trunk: Trunk, convert: Callable[[str], str]) -> Trunk:
    present = {name: getattr(trunk, name) for name in SECRET_FIELDS}
    changes: dict[str, Any] = {name: convert(text) for name, text in present.items() if text is not None}
    return dataclasses.replace(trunk, **changes)


def _to_row(trunk: Trunk) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(trunk)
    row = {column: document.pop(column) for column in _COLUMNS}
    return {**row, "configuration": document}


def _from_row(row: sa.Row[Any]) -> Trunk:
    columns = {column: getattr(row, column) for column in _COLUMNS}
    return msgspec.convert({**row.configuration, **columns}, type=Trunk)


def _is_trunk(organization_id: str, trunk_id: str) -> sa.ColumnElement[bool]:
    return (trunks.c.organization_id == organization_id) & (trunks.c.id == trunk_id)
