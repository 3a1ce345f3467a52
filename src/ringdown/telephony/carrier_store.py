"""Rows of what an organization has at carriers: logins (sealed), SIP connections, and numbers by the carrier's ids."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors
from ringdown.db import engine
from ringdown.telephony.carrier import CarrierName
from ringdown.telephony.store import phone_numbers

telephony_credentials = sa.Table(
    "telephony_credentials",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("provider_type", sa.Text, nullable=False, comment="telnyx or twilio"),
    sa.Column("friendly_name", sa.Text),
    sa.Column("account_sid", sa.Text),
    sa.Column("secret", sa.Text, nullable=False, comment="sealed"),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
)
carrier_connections = sa.Table(
    "carrier_connections",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("provider_type", sa.Text, primary_key=True),
    sa.Column("account_key", sa.Text, primary_key=True, comment="which account of the provider"),
    sa.Column("connection_id", sa.Text, nullable=False, comment="our SIP login, as the provider names it"),
    sa.Column("trunk_id", sa.Text, nullable=False, comment="the trunk that logs in with it"),
)
carrier_numbers = sa.Table(
    "carrier_numbers",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("number_id", sa.Text, primary_key=True),
    sa.Column("provider_type", sa.Text, nullable=False),
    sa.Column("provider_number_id", sa.Text, comment="null until the provider has told it"),
    sa.Column("credential_id", sa.Text, comment="null for the account of the settings"),
    sa.Column("is_managed", sa.Boolean, nullable=False, comment="bought through us"),
    sa.Column("checked_at", sa.BigInteger, nullable=False, comment="when the provider was last asked"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A login at a carrier; `secret` is ciphertext."""

    organization_id: str
    id: str
    provider_type: CarrierName
    secret: str = field(repr=False)
    created_at: int
    updated_at: int
    friendly_name: str | None = None
    account_sid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierConnection:
    """Our SIP login at a carrier's account, and the trunk that uses it."""

    organization_id: str
    provider_type: CarrierName
    account_key: str
    connection_id: str
    trunk_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierNumber:
    """What the carrier knows of a number. `is_managed` says that it was bought through us."""

    organization_id: str
    number_id: str
    provider_type: CarrierName
    checked_at: int
    provider_number_id: str | None = None
    credential_id: str | None = None
    is_managed: bool = False


# --- logins ----------------------------------------------------------------------------------------------------------


async def insert_credential(connection: AsyncConnection, credential: Credential) -> None:
    """Add a sealed login."""
    await connection.execute(sa.insert(telephony_credentials).values(_to_row(telephony_credentials, credential)))


async def update_credential(connection: AsyncConnection, credential: Credential) -> None:
    """Store a sealed login that exists."""
    columns = telephony_credentials.c
    await connection.execute(
        sa.update(telephony_credentials)
        .where(columns.organization_id == credential.organization_id, columns.id == credential.id)
        .values(_to_row(telephony_credentials, credential))
    )


async def get_credential(
    connection: AsyncConnection, organization_id: str, credential_id: str, *, lock: bool = False
) -> Credential:
    """The login; raises `NotFound`. `lock` keeps others from changing it until the transaction ends."""
    columns = telephony_credentials.c
    query = sa.select(*columns).where(columns.organization_id == organization_id, columns.id == credential_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise errors.NotFound("Telephony credential", credential_id)
    return Credential(**row._mapping)


async def list_credentials(connection: AsyncConnection, organization_id: str) -> list[Credential]:
    """All logins of the organization, newest first."""
    columns = telephony_credentials.c
    query = sa.select(*columns).where(columns.organization_id == organization_id).order_by(columns.id.desc())
    return [Credential(**row._mapping) for row in await connection.execute(query)]


async def delete_credential(connection: AsyncConnection, organization_id: str, credential_id: str) -> None:
    """Delete a login."""
    columns = telephony_credentials.c
    await connection.execute(
        sa.delete(telephony_credentials).where(columns.organization_id == organization_id, columns.id == credential_id)
    )


# --- connections -----------------------------------------------------------------------------------------------------


async def put_connection(connection: AsyncConnection, made: CarrierConnection) -> None:
    """Store our SIP login at an account, instead of the one before."""
    row = _to_row(carrier_connections, made)
    insert = engine.insert(connection, carrier_connections).values(row)
    changed = {name: row[name] for name in ("connection_id", "trunk_id")}
    key = ["organization_id", "provider_type", "account_key"]
    await connection.execute(insert.on_conflict_do_update(index_elements=key, set_=changed))


async def find_connection(
    connection: AsyncConnection, organization_id: str, provider: CarrierName, account_key: str
) -> CarrierConnection | None:
    """Our SIP login at an account."""
    columns = carrier_connections.c
    query = sa.select(*columns).where(
        columns.organization_id == organization_id,
        columns.provider_type == provider,
        columns.account_key == account_key,
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else CarrierConnection(**row._mapping)


# --- numbers ---------------------------------------------------------------------------------------------------------


async def put_number(connection: AsyncConnection, number: CarrierNumber) -> None:
    """Store what the carrier knows of a number, new or changed."""
    row = _to_row(carrier_numbers, number)
    insert = engine.insert(connection, carrier_numbers).values(row)
    await connection.execute(insert.on_conflict_do_update(index_elements=["organization_id", "number_id"], set_=row))


async def list_numbers(
    connection: AsyncConnection, organization_id: str, number_ids: Collection[str]
) -> dict[str, CarrierNumber]:
    """What carriers know of these numbers, by our id."""
    columns = carrier_numbers.c
    query = sa.select(*columns).where(columns.organization_id == organization_id, columns.number_id.in_(number_ids))
    return {row.number_id: CarrierNumber(**row._mapping) for row in await connection.execute(query)}


async def list_numbers_of(
    connection: AsyncConnection, organization_id: str, credential_id: str, *, limit: int
) -> Sequence[str]:
    """The ids of numbers that need a login."""
    columns = carrier_numbers.c
    query = sa.select(columns.number_id).where(
        columns.organization_id == organization_id, columns.credential_id == credential_id
    )
    return list((await connection.execute(query.order_by(columns.number_id).limit(limit))).scalars())


async def list_unsettled(connection: AsyncConnection, *, checked_before: int, limit: int) -> list[CarrierNumber]:
    """Numbers of all organizations whose purchase is open and was not looked at since, the longest waiting first."""
    columns, numbers = carrier_numbers.c, phone_numbers.c
    is_same = (numbers.organization_id == columns.organization_id) & (numbers.id == columns.number_id)
    query = (
        sa.select(*columns)
        .join(phone_numbers, is_same)
        .where(numbers.status == "pending", columns.checked_at < checked_before)
        .order_by(columns.checked_at)
        .limit(limit)
    )
    return [CarrierNumber(**row._mapping) for row in await connection.execute(query)]


async def delete_number(connection: AsyncConnection, organization_id: str, number_id: str) -> None:
    """Forget what the carrier knows of a number."""
    columns = carrier_numbers.c
    await connection.execute(
        sa.delete(carrier_numbers).where(columns.organization_id == organization_id, columns.number_id == number_id)
    )


def _to_row(table: sa.Table, entry: object) -> dict[str, object]:
    return {column.name: getattr(entry, column.name) for column in table.c}
