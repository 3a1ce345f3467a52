"""The use cases of phone numbers: import over a trunk, assign to agents, change, delete; each is one transaction."""

import dataclasses
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors, values
from ringdown.accounts import store as account_store
from ringdown.db.engine import Database
from ringdown.errors import Conflict, FieldError, ValidationFailed
from ringdown.secret import SecretBox, SecretUnreadable
from ringdown.telephony import addresses, carrier_store, schemas, service, store, trunk_store
from ringdown.telephony.models import Trunk
from ringdown.telephony.number_schemas import AssignmentType, ImportNumber, UpdateNumber
from ringdown.telephony.store import PhoneNumber
from ringdown.web import idempotency

_SIP_FIELDS = ("sip_server", "sip_username", "sip_password")
_CARRIER_FIELDS = ("api_key", "account_sid", "auth_token", "credential_id")


class RequireAgent(Protocol):
    """Raises `NotFound` unless the organization has the agent; `share` keeps it until the transaction ends."""

    async def __call__(
        self, connection: AsyncConnection, organization_id: str, agent_id: str, *, share: bool = False
    ) -> object:
        """The agent."""


async def import_number(database: Database, *, box: SecretBox, organization_id: str, body: ImportNumber) -> PhoneNumber:
    """Add a number and, with SIP credentials, the trunk it needs.

    Raises `ValidationFailed`, and `Conflict` when the installation has the number already.
    """
    _check_import(body)
    now = values.now_ms()
    async with database.write() as connection:
        if body.trunk_id is not None:
            trunk_id = await require_trunk(connection, organization_id, body.trunk_id)
        else:
            trunk_id = (await _find_or_insert_trunk(connection, box, organization_id, body)).id
        number = PhoneNumber(
            id=values.new_id("num"),
            organization_id=organization_id,
            phone_number=body.phone_number,
            friendly_name=body.friendly_name,
            trunk_id=trunk_id,
            created_at=now,
            updated_at=now,
        )
        if not await store.insert_number(connection, number):
            raise Conflict(f"This installation has the number {number.phone_number} already.")
        await idempotency.bind_resource(connection, number.id)
    return number


async def update_number(database: Database, *, organization_id: str, number_id: str, body: UpdateNumber) -> PhoneNumber:
    """Change what the body names. Raises `NotFound`, and `ValidationFailed` for a trunk that is not there."""
    changes: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set}
    async with database.write() as connection:
        number = await store.get_number(connection, organization_id, number_id, lock=True)
        if body.trunk_id is not None:
            await require_trunk(connection, organization_id, body.trunk_id)
        number = dataclasses.replace(number, **changes, updated_at=values.now_ms())
        await store.update_number(connection, number)
    return number


async def assign_number(
    database: Database,
    *,
    organization_id: str,
    number_id: str,
    agent_id: str | None,
    assignment_type: AssignmentType,
    require_agent: RequireAgent,
) -> PhoneNumber:
    """Let a number ring an agent, or an agent call from it; None takes the agent off. Raises `NotFound`."""
    field: dict[str, Any] = {f"{assignment_type}_agent_id": agent_id}
    async with database.write() as connection:
        # Agents before numbers, as the deletion of an agent locks them.
        if agent_id is not None:
            await require_agent(connection, organization_id, agent_id, share=True)
        number = await store.get_number(connection, organization_id, number_id, lock=True)
        number = dataclasses.replace(number, **field, updated_at=values.now_ms())
        await store.update_number(connection, number)
    return number


async def delete_number(database: Database, *, organization_id: str, number_id: str) -> None:
    """Delete a number; old calls keep it. Raises `NotFound`."""
    async with database.write() as connection:
        if not await store.delete_number(connection, organization_id, number_id):
            raise errors.NotFound("Phone number", number_id)
        await carrier_store.delete_number(connection, organization_id, number_id)


def _check_import(body: ImportNumber) -> None:
    sent = [name for name in _SIP_FIELDS if getattr(body, name) is not None]
    refused = [
        FieldError(name, "belongs to telnyx and twilio; custom_sip takes sip_server, sip_username and sip_password")
        for name in _CARRIER_FIELDS
        if getattr(body, name) is not None
    ]
    if body.trunk_id is not None:
        refused += [FieldError(name, "must be absent with trunk_id") for name in sent]
    elif body.provider_type is None and not sent:
        refused.append(FieldError("provider_type", "is required: custom_sip, or send a trunk_id"))
    else:
        refused += [FieldError(name, "is required for custom_sip") for name in _SIP_FIELDS if name not in sent]
    if refused:
        raise ValidationFailed(refused)


async def require_trunk(connection: AsyncConnection, organization_id: str, trunk_id: str) -> str:
    """The id of a trunk that stays until the transaction ends. Raises `ValidationFailed`."""
    try:
        return (await trunk_store.get_trunk(connection, organization_id, trunk_id, share=True)).id
    except errors.NotFound:
        raise errors.invalid("trunk_id", "there is no trunk with this id") from None


async def _find_or_insert_trunk(
    connection: AsyncConnection, box: SecretBox, organization_id: str, body: ImportNumber
) -> Trunk:
    try:
        host, port = addresses.parse_host_port(body.sip_server or "")
    except ValueError as error:
        raise errors.invalid("sip_server", str(error)) from None
    await account_store.lock_organization(connection, organization_id)
    known = await trunk_store.list_all(connection, organization_id)
    for trunk in known:
        is_same_host = [(entry.host, entry.port) for entry in trunk.hosts] == [(host, port)]
        if not is_same_host or trunk.username != body.sip_username:
            continue
        trunk = await trunk_store.get_trunk(connection, organization_id, trunk.id, share=True)
        if not _has_password(trunk, box, body.sip_password):
            raise errors.invalid("sip_password", f"is not the one of the trunk {trunk.id}; change it there")
        return trunk
    table = {
        "name": choose_name(host, {trunk.name for trunk in known}),
        "hosts": [{"host": host, "port": port}],
        "username": body.sip_username,
        "password": body.sip_password,
        "registers": True,
    }
    return await service.insert_trunk(
        connection, box=box, organization_id=organization_id, body=schemas.parse_trunk(table)
    )


def _has_password(trunk: Trunk, box: SecretBox, password: str | None) -> bool:
    try:
        return trunk_store.open_secrets(trunk, box).password == password
    except SecretUnreadable:
        return False


def choose_name(wanted: str, taken: set[str]) -> str:
    """The wanted name of a trunk, with a number behind it where it is taken."""
    wanted = wanted[:90]
    return next(name for name in (wanted, *(f"{wanted} {n}" for n in range(2, len(taken) + 3))) if name not in taken)
