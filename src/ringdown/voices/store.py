"""Rows of an organization's own voices: imported from a provider, or cloned there."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors
from ringdown.db import engine
from ringdown.voices.catalog import Voice

VoiceType = Literal["reference", "custom"]
VoiceStatus = Literal["training", "active", "failed"]

voices = sa.Table(
    "voices",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("provider", sa.Text, nullable=False, comment="as the settings name it"),
    sa.Column("provider_voice", sa.Text, nullable=False, comment="what the provider calls it"),
    sa.Column("type", sa.Text, nullable=False, comment="reference: imported; custom: cloned"),
    sa.Column("language", sa.Text, comment="BCP-47; null speaks many"),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("error", sa.Text),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnVoice:
    """A voice that an organization brought; instants are milliseconds UTC."""

    organization_id: str
    id: str
    name: str
    provider: str
    provider_voice: str
    type: VoiceType
    status: VoiceStatus
    created_at: int
    updated_at: int
    description: str | None = None
    language: str | None = None
    error: str | None = None

    def to_voice(self) -> Voice:
        """The voice as agents use it."""
        return Voice(self.id, self.name, self.provider, self.provider_voice, self.language)


async def insert_voice(connection: AsyncConnection, voice: OwnVoice) -> None:
    """Add a voice."""
    await connection.execute(sa.insert(voices).values(_to_row(voice)))


async def update_voice(connection: AsyncConnection, voice: OwnVoice) -> None:
    """Store a voice that exists."""
    await connection.execute(sa.update(voices).where(_is_voice(voice.organization_id, voice.id)).values(_to_row(voice)))


async def find_voice(
    connection: AsyncConnection, organization_id: str, voice_id: str, *, lock: bool = False
) -> OwnVoice | None:
    """The organization's own voice of this id. `lock` keeps others from changing it until the transaction ends."""
    query = sa.select(*voices.c).where(_is_voice(organization_id, voice_id))
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    return None if row is None else OwnVoice(**row._mapping)


async def get_voice(
    connection: AsyncConnection, organization_id: str, voice_id: str, *, lock: bool = False
) -> OwnVoice:
    """`find_voice`, raising `NotFound`."""
    voice = await find_voice(connection, organization_id, voice_id, lock=lock)
    if voice is None:
        raise errors.NotFound("Voice", voice_id)
    return voice


async def list_voices(connection: AsyncConnection, organization_id: str) -> list[OwnVoice]:
    """All voices that the organization brought, newest first."""
    query = sa.select(*voices.c).where(voices.c.organization_id == organization_id).order_by(voices.c.id.desc())
    return [OwnVoice(**row._mapping) for row in await connection.execute(query)]


async def list_usable(
    connection: AsyncConnection, organization_id: str, voice_ids: Collection[str] | None = None
) -> list[Voice]:
    """The organization's own voices that can speak: all, or those of these ids."""
    query = sa.select(*voices.c).where(voices.c.organization_id == organization_id, voices.c.status == "active")
    if voice_ids is not None:
        query = query.where(voices.c.id.in_(voice_ids))
    return [OwnVoice(**row._mapping).to_voice() for row in await connection.execute(query)]


async def delete_voice(connection: AsyncConnection, organization_id: str, voice_id: str) -> None:
    """Delete a voice."""
    await connection.execute(sa.delete(voices).where(_is_voice(organization_id, voice_id)))


def _is_voice(organization_id: str, voice_id: str) -> sa.ColumnElement[bool]:
    return (voices.c.organization_id == organization_id) & (voices.c.id == voice_id)


def _to_row(voice: OwnVoice) -> dict[str, object]:
    return {column.name: getattr(voice, column.name) for column in voices.c}
