"""The use cases of trunks: create, change, delete, and take over those of `ringdown.toml`."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors, values
from ringdown.accounts import store as account_store
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.errors import ValidationFailed
from ringdown.secret import SecretBox, SecretUnreadable
from ringdown.telephony import conversion, lease_store, pace_store, schemas, store, trunk_store
from ringdown.telephony.models import SECRET_FIELDS, Trunk
from ringdown.telephony.schemas import CreateTrunk, UpdateTrunk
from ringdown.web import idempotency

_FILE = "ringdown.toml"
# So many numbers are named when a trunk cannot be deleted because of them.
_MAX_NAMED_NUMBERS = 10


async def create_trunk(database: Database, *, box: SecretBox, organization_id: str, body: CreateTrunk) -> Trunk:
    """A new trunk, sealed. Raises `ValidationFailed`, and `Conflict` when its name is taken."""
    async with database.write() as connection:
        trunk = await insert_trunk(connection, box=box, organization_id=organization_id, body=body)
        await idempotency.bind_resource(connection, trunk.id)
    return trunk


async def insert_trunk(
    connection: AsyncConnection, *, box: SecretBox, organization_id: str, body: CreateTrunk
) -> Trunk:
    """`create_trunk` within a transaction that also stores something else."""
    trunk = trunk_store.seal_secrets(_make_trunk(organization_id, body), box)
    await account_store.lock_organization(connection, organization_id)  # as renaming does: a name is taken once
    if not await trunk_store.insert_trunk(connection, trunk):
        raise _name_taken(trunk.name)
    return trunk


async def update_trunk(
    database: Database, *, box: SecretBox, organization_id: str, trunk_id: str, body: UpdateTrunk
) -> Trunk:
    """Change what the body names; the answer is sealed.

    Raises `NotFound`, `ValidationFailed` (also for a trunk of the file), and `Conflict` when the name is taken.
    """
    changes = conversion.read_changes(body)
    sealed = {name: box.seal(text) for name, text in changes.items() if name in SECRET_FIELDS and text is not None}
    async with database.write() as connection:
        await account_store.lock_organization(connection, organization_id)
        present = await trunk_store.get_trunk(connection, organization_id, trunk_id, lock=True)
        _refuse_file_trunk(present)
        trunk = dataclasses.replace(present, **{**changes, **sealed}, updated_at=values.now_ms())
        conversion.check_trunk(trunk)
        namesake = await trunk_store.find_trunk(connection, organization_id, trunk.name)
        if namesake is not None and namesake.name == trunk.name and namesake.id != trunk.id:
            raise _name_taken(trunk.name)
        await trunk_store.update_trunk(connection, trunk)
    return trunk


async def delete_trunk(database: Database, *, organization_id: str, trunk_id: str) -> None:
    """Delete a trunk.

    Raises `NotFound`, and `ValidationFailed` while numbers are on it or when it comes from the file.
    """
    async with database.write() as connection:
        trunk = await trunk_store.get_trunk(connection, organization_id, trunk_id, lock=True)
        _refuse_file_trunk(trunk)
        numbers = await store.list_trunk_numbers(connection, organization_id, trunk_id, limit=_MAX_NAMED_NUMBERS + 1)
        if numbers:
            named = [number.phone_number for number in numbers[:_MAX_NAMED_NUMBERS]]
            more = " and more" if len(numbers) > _MAX_NAMED_NUMBERS else ""
            raise errors.invalid("trunk_id", f"delete or move its numbers first: {', '.join(named)}{more}")
        await _delete_trunk(connection, trunk)


def read_trunks(settings: Settings) -> list[CreateTrunk]:
    """The trunks of the settings. Raises `ValueError`, a sentence that names trunk and key, without full stop."""
    bodies: dict[str, CreateTrunk] = {}
    for position, table in enumerate(settings.trunks, start=1):
        name = _name_table(table, position)
        try:
            body = schemas.parse_trunk(table)
            conversion.check_trunk(_make_trunk("", body))
        except ValidationFailed as error:
            field, reason = error.errors[0].field, error.errors[0].reason
            where = f"{name} in {_FILE}"
            raise ValueError(f"{where}: {reason if field == 'body' else f'{field} {reason}'}") from None
        if body.name in bodies:
            raise ValueError(f"{name} stands twice in {_FILE}; names must differ")
        bodies[body.name] = body
    return list(bodies.values())


async def sync_trunks(database: Database, settings: Settings) -> None:
    """Give the first organization the trunks of the settings; safe to repeat, and by several programs at once.

    Settings that say nothing of trunks change nothing. Otherwise a trunk of the file that is gone from it is deleted;
    one that has numbers is disabled and left to the API. Raises `ValueError`, a sentence without its full stop.
    """
    if "trunks" not in settings.model_fields_set:
        return
    bodies, box = read_trunks(settings), SecretBox.open(settings)
    async with database.write() as connection:
        organizations = await account_store.list_organizations(connection)
        if not organizations:
            raise ValueError(f"The trunks of {_FILE} need an organization; run `ringdown keys create NAME` once")
        organization_id = organizations[0].id
        await account_store.lock_organization(connection, organization_id)
        known = {trunk.name: trunk for trunk in await trunk_store.list_all(connection, organization_id)}
        for body in bodies:
            await _put_file_trunk(connection, box, organization_id, body, known.get(body.name))
        names = {body.name for body in bodies}
        gone = [trunk for trunk in known.values() if trunk.origin == "toml" and trunk.name not in names]
        for trunk in gone:
            await _drop_file_trunk(connection, trunk)


async def _put_file_trunk(
    connection: AsyncConnection, box: SecretBox, organization_id: str, body: CreateTrunk, present: Trunk | None
) -> None:
    """Store a trunk of the file, unless it is stored like that already."""
    wanted = dataclasses.replace(_make_trunk(organization_id, body), origin="toml")
    if present is None:
        if not await trunk_store.insert_trunk(connection, trunk_store.seal_secrets(wanted, box)):
            raise ValueError(f"The trunk {body.name} was made at the same time; start again")
        return
    if present.origin != "toml":
        raise ValueError(
            f"The trunk {body.name} in {_FILE} has the name of a trunk that was made over the API; rename one of them"
        )
    wanted = dataclasses.replace(wanted, id=present.id, created_at=present.created_at)
    try:
        opened = trunk_store.open_secrets(present, box)
        is_same = dataclasses.replace(opened, updated_at=wanted.updated_at) == wanted
    except SecretUnreadable:
        is_same = False  # the file holds the secrets: they are sealed again with the present key
    if not is_same:
        await trunk_store.update_trunk(connection, trunk_store.seal_secrets(wanted, box))


async def _drop_file_trunk(connection: AsyncConnection, trunk: Trunk) -> None:
    await trunk_store.get_trunk(connection, trunk.organization_id, trunk.id, lock=True)
    numbers = await store.list_trunk_numbers(connection, trunk.organization_id, trunk.id, limit=1)
    if not numbers:
        await _delete_trunk(connection, trunk)
        return
    left = dataclasses.replace(trunk, is_enabled=False, origin="api", updated_at=values.now_ms())
    await trunk_store.update_trunk(connection, left)


async def _delete_trunk(connection: AsyncConnection, trunk: Trunk) -> None:
    await pace_store.delete_pace(connection, trunk.organization_id, trunk.id)
    await lease_store.delete_lease(connection, trunk.organization_id, trunk.id)
    await trunk_store.delete_trunk(connection, trunk.organization_id, trunk.id)


def _make_trunk(organization_id: str, body: CreateTrunk) -> Trunk:
    now = values.now_ms()
    trunk = Trunk(
        organization_id=organization_id,
        id=values.new_id("trunk"),
        created_at=now,
        updated_at=now,
        **conversion.read_changes(body),
    )
    conversion.check_trunk(trunk)
    return trunk


def _name_table(table: Mapping[str, Any], position: int) -> str:
    name = table.get("name")
    return f"The trunk {name}" if isinstance(name, str) and name.isprintable() else f"The trunk number {position}"


def _refuse_file_trunk(trunk: Trunk) -> None:
    if trunk.origin == "toml":
        raise errors.invalid("trunk_id", f"this trunk comes from {_FILE}; change it there and start again")


def _name_taken(name: str) -> errors.Conflict:
    return errors.Conflict(f"The organization has a trunk with the name {name} already.", {"name": name})
