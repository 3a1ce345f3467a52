"""Rows of organizations and their API keys."""

import json
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.db import engine
from ringdown.db.direct import DirectReader
from ringdown.errors import NotFound

organizations = sa.Table(
    "organizations",
    engine.metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("call_seq", sa.BigInteger, nullable=False, server_default="0", comment="seq of the newest call"),
    sa.Column(
        "last_call_at",
        sa.BigInteger,
        nullable=False,
        server_default="0",
        comment="created_at of the newest call; the next one's is no smaller",
    ),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)

api_keys = sa.Table(
    "api_keys",
    engine.metadata,
    sa.Column("organization_id", sa.Text, sa.ForeignKey("organizations.id"), primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("key_hash", sa.Text, nullable=False, comment="SHA-256 of the key, in hexadecimal"),
    sa.Column("key_hint", sa.Text, nullable=False, comment="the first characters of the key"),
    sa.Column("allow_list", sa.Text, nullable=False, server_default="[]", comment="JSON list of networks"),
    sa.Column("requests_per_minute", sa.Integer, comment="null: the setting's"),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("last_used_at", sa.BigInteger),
    sa.Column("revoked_at", sa.BigInteger),
    # The key selects the organization, so that this index cannot begin with it.
    sa.Index("ux_api_keys_key_hash", "key_hash", unique=True),
)
# A revoked key gives its name free.
sa.Index(
    "ux_api_keys_organization_id_name",
    api_keys.c.organization_id,
    api_keys.c.name,
    unique=True,
    sqlite_where=api_keys.c.revoked_at.is_(None),
    postgresql_where=api_keys.c.revoked_at.is_(None),
)


@dataclass(frozen=True, slots=True)
class Organization:
    """The tenant that owns everything."""

    id: str
    name: str
    created_at: int


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is stored: the key itself is not known any more."""

    id: str
    organization_id: str
    name: str
    key_hash: str
    key_hint: str
    allow_list: tuple[str, ...]
    requests_per_minute: int | None
    created_at: int
    last_used_at: int | None = None
    revoked_at: int | None = None


async def insert_organization(connection: AsyncConnection, organization: Organization) -> None:
    """Add an organization without calls."""
    await connection.execute(
        sa.insert(organizations).values(id=organization.id, name=organization.name, created_at=organization.created_at)
    )


async def get_organization(connection: AsyncConnection, organization_id: str) -> Organization:
    """The organization; raises `NotFound`."""
    columns = organizations.c
    query = sa.select(columns.id, columns.name, columns.created_at).where(columns.id == organization_id)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotFound("Organization", organization_id)
    return Organization(*row)


async def rename_organization(connection: AsyncConnection, organization_id: str, name: str) -> None:
    """Give an organization another name."""
    await connection.execute(sa.update(organizations).where(organizations.c.id == organization_id).values(name=name))


async def list_organizations(connection: AsyncConnection) -> list[Organization]:
    """All organizations, oldest first."""
    columns = organizations.c
    query = sa.select(columns.id, columns.name, columns.created_at).order_by(columns.id)
    return [Organization(*row) for row in await connection.execute(query)]


async def take_call_seq(
    connection: AsyncConnection, organization_id: str, now_ms: int, *, count: int = 1
) -> tuple[int, int]:
    """The `seq` and the `created_at` of the organization's next call: neither is smaller than the last one's.

    The `seq` is that of the last one where `count` calls are to come. Locks the organization's row until the
    transaction ends. Raises `NotFound`.
    """
    parameters = {"organization_id": organization_id, "now_ms": now_ms, "count": count}
    row = (await connection.execute(_TAKE_CALL_SEQ, parameters)).one_or_none()
    if row is None:
        raise NotFound("Organization", organization_id)
    return row[0], row[1]


async def lock_organization(connection: AsyncConnection, organization_id: str) -> None:
    """Let no other transaction pass here for this organization until this one ends."""
    await connection.execute(
        sa.select(organizations.c.id).where(organizations.c.id == organization_id).with_for_update()
    )


async def insert_api_key(connection: AsyncConnection, key: ApiKey) -> bool:
    """Add a key; False when a key of that name exists in the organization."""
    insert = (
        engine.insert(connection, api_keys)
        .values(
            organization_id=key.organization_id,
            id=key.id,
            name=key.name,
            key_hash=key.key_hash,
            key_hint=key.key_hint,
            allow_list=json.dumps(key.allow_list),
            requests_per_minute=key.requests_per_minute,
            created_at=key.created_at,
        )
        .on_conflict_do_nothing()
    )
    return (await connection.execute(insert)).rowcount == 1


async def find_api_key(reader: DirectReader, key_hash: str) -> ApiKey | None:
    """The key, revoked or not, of this hash in any organization; every request asks."""
    row = (await reader.execute(_FIND_KEY, {"key_hash": key_hash})).one_or_none()
    if row is None:
        return None
    id_, organization_id, name, stored_hash, key_hint, allow_list, *rest = row
    return ApiKey(id_, organization_id, name, stored_hash, key_hint, tuple(json.loads(allow_list)), *rest)


async def list_api_keys(connection: AsyncConnection, organization_id: str) -> list[ApiKey]:
    """All keys of the organization, oldest first, revoked ones included."""
    query = _select_keys().where(api_keys.c.organization_id == organization_id).order_by(api_keys.c.id)
    return [_to_key(row) for row in await connection.execute(query)]


async def revoke_api_key(
    connection: AsyncConnection, *, organization_id: str, name_or_id: str, revoked_at: int
) -> str | None:
    """Revoke the key of this id or name; returns its id, or None when no such key is in use."""
    columns = api_keys.c
    revoked = await connection.execute(
        sa.update(api_keys)
        .where(
            columns.organization_id == organization_id,
            sa.or_(columns.id == name_or_id, columns.name == name_or_id),
            columns.revoked_at.is_(None),
        )
        .values(revoked_at=revoked_at)
        .returning(columns.id)
    )
    key_id: str | None = revoked.scalar()
    return key_id


async def touch_api_key(connection: AsyncConnection, *, organization_id: str, key_id: str, used_at: int) -> None:
    """Remember when a key was used."""
    await connection.execute(
        sa.update(api_keys)
        .where(api_keys.c.organization_id == organization_id, api_keys.c.id == key_id)
        .values(last_used_at=used_at)
    )


def _select_keys() -> sa.Select[tuple[object, ...]]:
    columns = api_keys.c
    return sa.select(
        columns.id,
        columns.organization_id,
        columns.name,
        columns.key_hash,
        columns.key_hint,
        columns.allow_list,
        columns.requests_per_minute,
        columns.created_at,
        columns.last_used_at,
        columns.revoked_at,
    )


def _to_key(row: sa.Row[tuple[object, ...]]) -> ApiKey:
    fields = dict(row._mapping)
    fields["allow_list"] = tuple(json.loads(fields["allow_list"]))
    return ApiKey(**fields)


# Kept, because every request executes it.
_FIND_KEY = _select_keys().where(api_keys.c.key_hash == sa.bindparam("key_hash"))

_NOW_MS = sa.bindparam("now_ms", type_=sa.BigInteger)
_TAKE_CALL_SEQ = (
    sa.update(organizations)
    .where(organizations.c.id == sa.bindparam("organization_id"))
    .values(
        call_seq=organizations.c.call_seq + sa.bindparam("count", type_=sa.BigInteger),
        last_call_at=sa.case((organizations.c.last_call_at > _NOW_MS, organizations.c.last_call_at), else_=_NOW_MS),
    )
    .returning(organizations.c.call_seq, organizations.c.last_call_at)
)
