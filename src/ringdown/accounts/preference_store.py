"""What an organization has set for itself."""

import dataclasses

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.db import engine

preferences = sa.Table(
    "organization_preferences",
    engine.metadata,
    sa.Column("organization_id", sa.Text, sa.ForeignKey("organizations.id"), primary_key=True),
    sa.Column("default_region", sa.Text, comment="ISO 3166 code for numbers in national form"),
    sa.Column("timezone", sa.Text, comment="IANA name"),
    sa.Column("credits_low_mark", sa.BigInteger, comment="credits; null: never low"),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What holds where a request says nothing; `updated_at` is None until something was set."""

    default_region: str | None = None
    timezone: str | None = None
    credits_low_mark: int | None = None
    updated_at: int | None = None


_COLUMNS = [preferences.c[field.name] for field in dataclasses.fields(Preferences)]


async def get_preferences(connection: AsyncConnection, organization_id: str) -> Preferences:
    """What the organization has set; all None when that is nothing."""
    query = sa.select(*_COLUMNS).where(preferences.c.organization_id == organization_id)
    row = (await connection.execute(query)).one_or_none()
    return Preferences() if row is None else Preferences(**row._mapping)


async def set_preferences(connection: AsyncConnection, organization_id: str, wanted: Preferences) -> None:
    """Store all of it."""
    fields = dataclasses.asdict(wanted)
    insert = engine.insert(connection, preferences).values(organization_id=organization_id, **fields)
    await connection.execute(insert.on_conflict_do_update(index_elements=["organization_id"], set_=fields))
