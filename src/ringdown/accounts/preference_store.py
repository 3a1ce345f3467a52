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
    sa.Column("daily_credit_limit", sa.BigInteger, comment="credits of one day's calls; null: none"),
    sa.Column("recording_retention_days", sa.Integer, comment="null: for ever"),
    sa.Column("transcript_retention_days", sa.Integer, comment="null: for ever"),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What holds where a request says nothing; `updated_at` is None until something was set."""

    default_region: str | None = None
    timezone: str | None = None
    credits_low_mark: int | None = None
    daily_credit_limit: int | None = None
    recording_retention_days: int | None = None
    transcript_retention_days: int | None = None
    updated_at: int | None = None


_COLUMNS = [preferences.c[field.name] for field in dataclasses.fields(Preferences)]
# Kept, because every call executes it.
_FIND_PREFERENCES = sa.select(*_COLUMNS).where(preferences.c.organization_id == sa.bindparam("organization_id"))


async def get_preferences(connection: AsyncConnection, organization_id: str) -> Preferences:
    """What the organization has set; all None when that is nothing."""
    row = (await connection.execute(_FIND_PREFERENCES, {"organization_id": organization_id})).one_or_none()
    return Preferences() if row is None else Preferences(**row._mapping)


async def list_with_retention(connection: AsyncConnection) -> dict[str, Preferences]:
    """The preferences of all organizations that do not keep everything for ever, by organization."""
    columns = preferences.c
    is_limited = columns.recording_retention_days.is_not(None) | columns.transcript_retention_days.is_not(None)
    rows = await connection.execute(sa.select(columns.organization_id, *_COLUMNS).where(is_limited))
    return {
        row[0]: Preferences(**dict(zip([column.name for column in _COLUMNS], row[1:], strict=True))) for row in rows
    }


async def set_preferences(connection: AsyncConnection, organization_id: str, wanted: Preferences) -> None:
    """Store all of it."""
    fields = dataclasses.asdict(wanted)
    insert = engine.insert(connection, preferences).values(organization_id=organization_id, **fields)
    await connection.execute(insert.on_conflict_do_update(index_elements=["organization_id"], set_=fields))
