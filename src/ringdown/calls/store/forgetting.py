"""Forgetting in the database: what calls have said and recorded is deleted, their rows and all counters stay."""

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.calls import forgetting, search_tables, tables
from ringdown.calls.models import LIVE_STATUSES, Call
from ringdown.calls.store.calls import to_call
from ringdown.db import engine
from ringdown.webhooks import forgetting_store

calls, retention = tables.calls, tables.retention


@dataclass(frozen=True, slots=True)
class Progress:
    """Up to which `seq` an organization's calls have neither recordings nor words any more."""

    recordings_seq: int = 0
    transcripts_seq: int = 0


async def get_progress(connection: AsyncConnection, organization_id: str) -> Progress:
    """How far the retention of an organization is."""
    query = sa.select(retention.c.recordings_seq, retention.c.transcripts_seq)
    row = (await connection.execute(query.where(retention.c.organization_id == organization_id))).one_or_none()
    return Progress() if row is None else Progress(*row)


async def set_progress(connection: AsyncConnection, organization_id: str, progress: Progress) -> None:
    """Store how far it is."""
    fields = dataclasses.asdict(progress)
    insert = engine.insert(connection, retention).values(organization_id=organization_id, **fields)
    await connection.execute(insert.on_conflict_do_update(index_elements=["organization_id"], set_=fields))


async def find_last_before(connection: AsyncConnection, organization_id: str, created_before: int) -> int:
    """The `seq` of the newest call that was created before a time; 0 when there is none."""
    is_older = (calls.c.organization_id == organization_id) & (calls.c.created_at < created_before)
    query = sa.select(calls.c.seq).where(is_older).order_by(calls.c.created_at.desc(), calls.c.seq.desc()).limit(1)
    return (await connection.execute(query)).scalar() or 0


async def find_live(connection: AsyncConnection, organization_id: str, first: int, last: int) -> int | None:
    """The `seq` of the oldest call from `first` to `last` that has not ended."""
    is_live = _is_in_range(organization_id, first, last) & calls.c.status.in_(LIVE_STATUSES)
    query = sa.select(calls.c.seq).where(is_live).order_by(calls.c.seq).limit(1)
    seq: int | None = (await connection.execute(query)).scalar()
    return seq


async def list_recorded(connection: AsyncConnection, organization_id: str, first: int, last: int) -> list[str]:
    """The ids of the calls from `first` to `last` that have a recording."""
    is_recorded = _is_in_range(organization_id, first, last) & calls.c.has_recording
    return list((await connection.execute(sa.select(calls.c.id).where(is_recorded).order_by(calls.c.seq))).scalars())


async def forget_recordings(
    connection: AsyncConnection, organization_id: str, call_ids: Collection[str], *, now_ms: int
) -> None:
    """Tell that the recordings of these calls are gone."""
    are_theirs = (calls.c.organization_id == organization_id) & calls.c.id.in_(call_ids)
    await connection.execute(calls.update().where(are_theirs).values(has_recording=False, updated_at=now_ms))


async def lock_range(connection: AsyncConnection, organization_id: str, first: int, last: int) -> list[Call]:
    """The calls from `first` to `last`, locked in their order."""
    query = calls.select().where(_is_in_range(organization_id, first, last)).order_by(calls.c.seq)
    return [to_call(row) for row in await connection.execute(query.with_for_update())]


async def forget_words(connection: AsyncConnection, ended: Sequence[Call], *, now_ms: int) -> None:
    """Delete what was said in locked calls of one organization, and what was written of it.

    These are turns, details of events, summary, analysis, the introduction of a transfer, the text that searches find,
    and the same in the events of webhooks and the answers to them.
    """
    if not ended:
        return
    organization_id, ids = ended[0].organization_id, [call.id for call in ended]
    for part, changes in ((tables.turns, None), (tables.events, {"details": {}})):
        are_theirs = (part.c.organization_id == organization_id) & part.c.call_id.in_(ids)
        await connection.execute((part.update().values(changes) if changes else part.delete()).where(are_theirs))
    texts = search_tables.texts
    seqs = [call.seq for call in ended]
    await connection.execute(texts.delete().where(texts.c.organization_id == organization_id, texts.c.seq.in_(seqs)))
    blank: dict[str, Any] = {"summary": None, "analysis": None, "forgotten_at": now_ms, "updated_at": now_ms}
    await connection.execute(
        calls.update().where(calls.c.organization_id == organization_id, calls.c.id.in_(ids)).values(blank)
    )
    for call in ended:
        if call.transfer is not None and call.transfer.introduction is not None:
            transfer = msgspec.to_builtins(dataclasses.replace(call.transfer, introduction=None))
            is_it = (calls.c.organization_id == organization_id) & (calls.c.id == call.id)
            await connection.execute(calls.update().where(is_it).values(transfer=transfer))
    await forgetting_store.rewrite_events(connection, organization_id, ids, forgetting.forget_words)


def _is_in_range(organization_id: str, first: int, last: int) -> sa.ColumnElement[bool]:
    return (calls.c.organization_id == organization_id) & calls.c.seq.between(first, last)
