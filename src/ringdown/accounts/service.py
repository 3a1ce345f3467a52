"""Use cases of organizations and keys: create, revoke, and recognise who sends a request."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import structlog

from ringdown import values
from ringdown.accounts import key_store, keys, preference_store, store
from ringdown.accounts.preference_store import Preferences
from ringdown.accounts.store import ApiKey, Organization
from ringdown.db import engine
from ringdown.db.engine import Database
from ringdown.errors import Conflict, Forbidden, NotFound, Unauthorized, invalid
from ringdown.web import idempotency
from ringdown.web.caller import Authenticate, Caller

_log = structlog.get_logger(__name__)

_MAX_NAME_LENGTH = 255
# The last-used time is written at most this often per key.
_TOUCH_INTERVAL_MS = 60_000


async def create_organization(database: Database, *, name: str) -> Organization:
    """A new organization without keys. Raises `ValidationFailed` for an empty or overlong name."""
    organization = Organization(id=values.new_id("org"), name=_check_name(name), created_at=values.now_ms())
    async with database.write() as connection:
        await store.insert_organization(connection, organization)
    return organization


async def create_key(
    database: Database,
    *,
    organization_id: str,
    name: str,
    allow_list: tuple[str, ...] = (),
    requests_per_minute: int | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its text, which is known only now.

    Raises `Conflict` when the organization has a key of this name, `ValidationFailed` for a bad name, address or
    limit, and `NotFound` for the organization.
    """
    if requests_per_minute is not None and requests_per_minute < 1:
        raise invalid("requests_per_minute", "must be at least 1")
    try:
        networks = keys.parse_allow_list(allow_list)
    except ValueError as error:
        raise invalid("allow_list", str(error)) from None
    text = keys.generate()
    key = ApiKey(
        id=values.new_id("key"),
        organization_id=organization_id,
        name=_check_name(name),
        key_hash=keys.hash_key(text),
        key_hint=keys.get_hint(text),
        allow_list=networks,
        requests_per_minute=requests_per_minute,
        created_at=values.now_ms(),
    )
    async with database.write() as connection:
        await store.get_organization(connection, organization_id)
        await store.lock_organization(connection, organization_id)  # as renaming does: a name is taken once
        if not await store.insert_api_key(connection, key):
            raise _name_taken(key.name)
        await idempotency.bind_resource(connection, key.id)
    return key, text


async def update_key(database: Database, *, organization_id: str, key_id: str, changes: Mapping[str, Any]) -> ApiKey:
    """Change name, `allow_list` (None: all) or `requests_per_minute` of a key. Raises `NotFound` and `Conflict`."""
    wanted = {**changes, "allow_list": tuple(changes["allow_list"] or ())} if "allow_list" in changes else {**changes}
    if wanted.get("name") is None:
        wanted.pop("name", None)
    async with database.write() as connection:
        await store.lock_organization(connection, organization_id)
        present = await key_store.get_key(connection, organization_id, key_id, lock=True)
        key = dataclasses.replace(present, **wanted)
        if key.name != present.name and await key_store.has_name(connection, organization_id, key.name):
            raise _name_taken(key.name)
        await key_store.update_key(connection, key)
    return key


async def delete_key(database: Database, *, organization_id: str, key_id: str) -> None:
    """Revoke the key of this id at once. Raises `NotFound` when it is not in use."""
    async with database.write() as connection:
        key = await key_store.get_key(connection, organization_id, key_id, lock=True)
        await key_store.update_key(connection, dataclasses.replace(key, revoked_at=values.now_ms()))


async def update_organization(
    database: Database, *, organization_id: str, changes: Mapping[str, Any]
) -> tuple[Organization, Preferences]:
    """Change the name or preferences of an organization. Raises `NotFound`."""
    wanted = dict(changes)
    name = wanted.pop("name", None)
    async with database.write() as connection:
        await store.lock_organization(connection, organization_id)
        organization = await store.get_organization(connection, organization_id)
        preferences = await preference_store.get_preferences(connection, organization_id)
        if name is not None:
            organization = dataclasses.replace(organization, name=name)
            await store.rename_organization(connection, organization_id, name)
        if changes:
            preferences = dataclasses.replace(preferences, **wanted, updated_at=values.now_ms())
            await preference_store.set_preferences(connection, organization_id, preferences)
    return organization, preferences


async def revoke_key(database: Database, *, organization_id: str, name_or_id: str) -> str:
    """Revoke the key of this id or name at once; returns its id. Raises `NotFound` when no such key is in use."""
    async with database.write() as connection:
        key_id = await store.revoke_api_key(
            connection, organization_id=organization_id, name_or_id=name_or_id, revoked_at=values.now_ms()
        )
    if key_id is None:
        raise NotFound("API key", name_or_id)
    return key_id


async def list_keys(database: Database, *, organization_id: str) -> list[ApiKey]:
    """All keys of the organization, oldest first, revoked ones included."""
    async with database.read() as connection:
        return await store.list_api_keys(connection, organization_id)


async def authenticate(database: Database, key: str, address: str | None) -> Caller:
    """The caller that a key stands for, seen at `address`.

    Raises `Unauthorized` for a malformed, unknown or revoked key (never told apart) and `Forbidden` for an address
    that is not on the key's list.
    """
    found = None
    if keys.is_well_formed(key):
        found = await store.find_api_key(database.direct, keys.hash_key(key))
    if found is None or found.revoked_at is not None:
        raise Unauthorized("The API key is not valid.")
    if not keys.is_address_allowed(address, found.allow_list):
        raise Forbidden("This API key may not be used from your address.", {"address": address})
    await _touch(database, found)
    return Caller(found.organization_id, found.id, found.requests_per_minute)


def new_authenticator(database: Database) -> Authenticate:
    """The function that `web.setup.install` needs to recognise keys."""

    async def authenticate_key(key: str, address: str | None) -> Caller:
        return await authenticate(database, key, address)

    return authenticate_key


async def _touch(database: Database, key: ApiKey) -> None:
    now_at = values.now_ms()
    if key.last_used_at is not None and now_at - key.last_used_at < _TOUCH_INTERVAL_MS:
        return
    try:
        async with database.write() as connection:
            await store.touch_api_key(connection, organization_id=key.organization_id, key_id=key.id, used_at=now_at)
    except engine.UNAVAILABLE as error:
        # Nice to know, never worth a refused request.
        _log.warning("api_key_touch_failed", key_id=key.id, error=str(error))


def _name_taken(name: str) -> Conflict:
    return Conflict(f"An API key with this name exists: {name}", {"field": "name"})


def _check_name(name: str) -> str:
    stripped = name.strip()
    if not 1 <= len(stripped) <= _MAX_NAME_LENGTH:
        raise invalid("name", f"must have from 1 to {_MAX_NAME_LENGTH} characters")
    return stripped
