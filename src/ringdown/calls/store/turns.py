"""Turns of calls, in the order in which they were taken."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.calls import tables
from ringdown.calls.models import TranscriptTurn
from ringdown.db import engine

turns = tables.turns

_FIELDS = dataclasses.fields(TranscriptTurn)


async def insert_turns(
    connection: AsyncConnection, organization_id: str, call_id: str, new_turns: Sequence[TranscriptTurn]
) -> None:
    """Store turns; a position that is stored already keeps what it has."""
    if not new_turns:
        return
    rows = [{"organization_id": organization_id, "call_id": call_id, **msgspec.to_builtins(turn)} for turn in new_turns]
    await connection.execute(engine.insert(connection, turns).on_conflict_do_nothing(), rows)


async def list_turns(
    connection: AsyncConnection, organization_id: str, call_ids: Sequence[str]
) -> Mapping[str, list[TranscriptTurn]]:
    """The turns of each of the calls, by call id; a call without turns has an empty list."""
    found: dict[str, list[TranscriptTurn]] = {call_id: [] for call_id in call_ids}
    condition = (turns.c.organization_id == organization_id) & turns.c.call_id.in_(call_ids)
    query = turns.select().where(condition).order_by(turns.c.call_id, turns.c.start_ms, turns.c.position)
    for row in await connection.execute(query):
        found[row.call_id].append(_to_turn(row))
    return found


def _to_turn(row: sa.Row[Any]) -> TranscriptTurn:
    return msgspec.convert({field.name: getattr(row, field.name) for field in _FIELDS}, type=TranscriptTurn)
