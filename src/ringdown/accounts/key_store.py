"""Keys that are in use, as those who manage them see them: listed, changed, revoked."""

import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.accounts.store import ApiKey, api_keys
from ringdown.errors import NotFound

_COLUMNS = [api_keys.c[name] for name in ApiKey.__slots__]


async def list_keys(
    connection: AsyncConnection, organization_id: str, *, limit: int, offset: int
) -> tuple[list[ApiKey], int]:
    """A page of keys that are in use, newest first, and how many there are."""
    condition = _is_in_use(organization_id)
    total = (await connection.execute(sa.select(sa.func.count()).select_from(api_keys).where(condition))).scalar_one()
    page = sa.select(*_COLUMNS).where(condition).order_by(api_keys.c.id.desc()).limit(limit).offset(offset)
    return [_to_key(row) for row in await connection.execute(page)], total


async def get_key(connection: AsyncConnection, organization_id: str, key_id: str, *, lock: bool = False) -> ApiKey:
    """The key; raises `NotFound`, also for one that was revoked. `lock` keeps others from changing it meanwhile."""
    query = sa.select(*_COLUMNS).where(_is_in_use(organization_id), api_keys.c.id == key_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise NotFound("API key", key_id)
    return _to_key(row)


async def has_name(connection: AsyncConnection, organization_id: str, name: str) -> bool:
    """Whether a key in use has this name."""
    query = sa.select(sa.exists().where(_is_in_use(organization_id), api_keys.c.name == name))
    return bool((await connection.execute(query)).scalar_one())


async def update_key(connection: AsyncConnection, key: ApiKey) -> None:
    """Store name, addresses and limit of a key, and when it was revoked."""
    changes = {
        "name": key.name,
        "allow_list": json.dumps(key.allow_list),
        "requests_per_minute": key.requests_per_minute,
        "revoked_at": key.revoked_at,
    }
    condition = (api_keys.c.organization_id == key.organization_id) & (api_keys.c.id == key.id)
    await connection.execute(sa.update(api_keys).where(condition).values(changes))


def _is_in_use(organization_id: str) -> sa.ColumnElement[bool]:
    return (api_keys.c.organization_id == organization_id) & api_keys.c.revoked_at.is_(None)


def _to_key(row: sa.Row[Any]) -> ApiKey:
    return ApiKey(**{**row._mapping, "allow_list": tuple(json.loads(row.allow_list))})
