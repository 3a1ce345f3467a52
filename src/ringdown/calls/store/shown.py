"""Calls as lists show them: rows of the shown columns alone, in the order that was asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from ringdown.calls import tables
from ringdown.calls.cursor import Place
from ringdown.calls.models import CallStatus, Direction
from ringdown.calls.store import listing
from ringdown.calls.store.counted import Reader
from ringdown.calls.store.listing import CallQuery

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


def _write_column(column: sa.Column[Any]) -> str:
    # A cast, because one of the drivers' set-ups parses JSON by itself.
    return f"CAST({column.name} AS TEXT) AS {column.name}" if isinstance(column.type, sa.JSON) else column.name


_COLUMNS = tuple(_write_column(calls.c[name]) for name in ShownCall._fields)
# Kept: every page that is not quick is read by it.
_BY_SEQ = sa.text(
    f"SELECT {', '.join(_COLUMNS)} FROM calls WHERE organization_id = :organization_id AND seq IN :seqs"
).bindparams(sa.bindparam("seqs", expanding=True))


@dataclass(frozen=True, slots=True)
class ShownPage:
    """The calls of a page, and the page as `listing.SeqPage` has it."""

    calls: Sequence[ShownCall]
    offset: int
    total: int
    has_more: bool
    total_exact: bool = True


async def find_shown(
    connection: Reader, query: CallQuery, *, limit: int, offset: int = 0, after: Place | None = None
) -> ShownPage:
    """A page of calls in the order of `query.sort`: from `offset`, or after the call at `after`.

    Only quick lists are read directly.
    """
    if listing.is_quick(query):
        rows, total, offset = await listing.find_counted(
            connection, query, columns=_COLUMNS, limit=limit, offset=offset, after=after
        )
        return ShownPage([ShownCall._make(row) for row in rows], offset, total, offset + len(rows) < total)
    page = await listing.find_page(connection, query, limit=limit, offset=offset, after=after)
    found = await _list_shown(connection, query.organization_id, page.seqs)
    return ShownPage(found, page.offset, page.total, page.has_more, page.total_exact)


async def _list_shown(connection: Reader, organization_id: str, seqs: Sequence[int]) -> list[ShownCall]:
    """The calls of these `seq`s, in this order."""
    if not seqs:
        return []
    found: Any = await connection.execute(_BY_SEQ, {"organization_id": organization_id, "seqs": seqs})
    by_seq = {row[0]: ShownCall._make(row) for row in found}
    return [by_seq[seq] for seq in seqs]
