"""Calls as lists show them: rows of the shown columns alone, in the order that was asked for."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from ringdown.calls import tables
from ringdown.calls.models import CallStatus, Direction
from ringdown.calls.store.counted import Reader

calls = tables.calls


class ShownCall(NamedTuple):
    """What a list shows of a call; JSON stays text. Instants are milliseconds UTC."""

    seq: int
    id: str
    status: CallStatus
    direction: Direction
    agent_id: str
    to_number: str | None
    from_number: str | None
    duration_seconds: int | None
    has_recording: bool
    summary: str | None
    cost_credits: int
    metadata: str
    started_at: int | None
    ended_at: int | None
    created_at: int
    updated_at: int
    ended_reason: str | None
    outcome: str | None
    sentiment: str | None
    variables: str
    latency_p50_ms: int | None
    latency_p95_ms: int | None
    analysis: str | None
    trunk_id: str | None
    media_quality: str | None
    transfer: str | None
    batch_call_id: str | None
    contact_id: str | None


def _as_stored(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    # A cast, because one of the drivers' set-ups parses JSON by itself.
    return sa.cast(column, sa.Text).label(column.name) if isinstance(column.type, sa.JSON) else column


# Kept: every page is read by it.
_BY_SEQ = sa.select(*(_as_stored(calls.c[name]) for name in ShownCall._fields)).where(
    calls.c.organization_id == sa.bindparam("organization_id"),
    calls.c.seq.in_(sa.bindparam("seqs", expanding=True)),
)


async def list_shown(connection: Reader, organization_id: str, seqs: Sequence[int]) -> list[ShownCall]:
    """The calls of these `seq`s, in this order."""
    if not seqs:
        return []
    found: Any = await connection.execute(_BY_SEQ, {"organization_id": organization_id, "seqs": seqs})
    by_seq = {row[0]: ShownCall._make(row) for row in found}
    return [by_seq[seq] for seq in seqs]
