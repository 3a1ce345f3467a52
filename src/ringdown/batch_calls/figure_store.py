"""What is counted of batch calls when they are shown: who is being called, who waits, and the present pace."""

import dataclasses
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.batch_calls import lifecycle, progress
from ringdown.batch_calls.models import BatchCall
from ringdown.batch_calls.progress import Figures
from ringdown.batch_calls.tables import batch_contacts
from ringdown.calls.store import calls as call_store
from ringdown.calls.store import counted
from ringdown.calls.store.counted import CountedFilter

_columns = batch_contacts.c
_NOBODY = Figures()
# As the index has it: databases must see the state to use it.
_IS_RETRY = sa.text("batch_contacts.status = 'scheduled' AND batch_contacts.attempts > 0")


async def count_figures(
    connection: AsyncConnection, organization_id: str, batches: Sequence[BatchCall], *, now_ms: int
) -> Mapping[str, Figures]:
    """The figures of each of these batch calls, by its id; every count is read from a small index."""
    figures = {batch.id: _NOBODY for batch in batches}
    is_calling = _columns.status == "calling"
    calling = await _count(connection, organization_id, list(figures), is_calling, index="ix_batch_contacts_status")
    live = [batch for batch in batches if batch.status in lifecycle.STARTED]
    retried = [batch.id for batch in live]
    retrying = await _count(connection, organization_id, retried, _IS_RETRY, index="ix_batch_contacts_retry")
    active = [(organization_id, batch.id) for batch in live if batch.status == "active"]
    in_progress = await call_store.count_live_by_batch(connection, active)
    for batch in live:
        first, last = await _find_slots(connection, batch)
        figures[batch.id] = Figures(retrying=retrying.get(batch.id, 0), next_slot=first, last_slot=last)
        if batch.id in in_progress:
            queued = in_progress[batch.id].get("queued", 0)
            figures[batch.id] = await _add_pace(connection, batch, figures[batch.id], queued=queued, now_ms=now_ms)
    for batch_call_id, count in calling.items():
        figures[batch_call_id] = dataclasses.replace(figures[batch_call_id], calling=count)
    return figures


async def _count(
    connection: AsyncConnection,
    organization_id: str,
    batch_call_ids: Sequence[str],
    condition: sa.ColumnElement[bool] | sa.TextClause,
    *,
    index: str,
) -> Mapping[str, int]:
    if not batch_call_ids:
        return {}
    is_of_them = (_columns.organization_id == organization_id) & _columns.batch_call_id.in_(batch_call_ids)
    count = sa.func.count().label("contacts")
    query = sa.select(_columns.batch_call_id, count).where(is_of_them, condition).group_by(_columns.batch_call_id)
    rows = await connection.execute(query.with_hint(batch_contacts, f"INDEXED BY {index}", "sqlite"))
    return {row.batch_call_id: row.contacts for row in rows}


async def _find_slots(connection: AsyncConnection, batch: BatchCall) -> tuple[int | None, int | None]:
    """The first and the last place in the schedule of those who wait."""
    is_waiting = (
        (_columns.organization_id == batch.organization_id)
        & (_columns.batch_call_id == batch.id)
        & (_columns.status == "scheduled")
    )
    # One index entry each: a query for both would read all of them.
    first = sa.select(sa.func.min(_columns.scheduled_at)).where(is_waiting).scalar_subquery()
    last = sa.select(sa.func.max(_columns.scheduled_at)).where(is_waiting).scalar_subquery()
    row = (await connection.execute(sa.select(first, last))).one()
    return row[0], row[1]


async def _add_pace(
    connection: AsyncConnection, batch: BatchCall, figures: Figures, *, queued: int, now_ms: int
) -> Figures:
    since = progress.begin_pace(batch, now_ms=now_ms)
    placed = CountedFilter(organization_id=batch.organization_id, batch_call_id=batch.id, created_after=since)
    calls = await counted.count_calls(connection, placed)
    return dataclasses.replace(figures, recent_calls=max(0, calls - queued), recent_since=since)
