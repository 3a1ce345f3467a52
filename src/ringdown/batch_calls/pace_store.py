"""Who dials for each batch call, and how often it was today: a row of each, locked by gateways that claim its calls."""

from collections.abc import Collection
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.batch_calls.tables import batch_paces
from ringdown.db import engine

_columns = batch_paces.c


@dataclass(slots=True)
class Pace:
    """Who dials, if it has a rate, and until when (ms UTC); and the calls on a day of the batch call's time zone.

    It rests until `not_before`.
    """

    keeper: str = ""
    kept_until: int = 0
    not_before: int = 0
    day: str = ""
    dials: int = 0

    def count(self, day: str) -> int:
        """The calls that were dialled on this day, which is the last one or later."""
        return self.dials if day == self.day else 0

    def add(self, day: str) -> None:
        """Count a call that is dialled on this day."""
        self.day, self.dials = day, self.count(day) + 1


async def lock_paces(connection: AsyncConnection, batches: Collection[tuple[str, str]]) -> dict[str, Pace]:
    """The paces by batch call id, locked until the commit; `batches` are (organization_id, batch_call_id)."""
    if not batches:
        return {}
    rows = [_make_row(*batch, Pace()) for batch in sorted(batches)]
    await connection.execute(engine.insert(connection, batch_paces).values(rows).on_conflict_do_nothing())
    query = batch_paces.select().where(sa.or_(*(_is_batch(*batch) for batch in batches)))
    # Two gateways lock in the same order.
    query = query.order_by(_columns.organization_id, _columns.batch_call_id)
    found = await connection.execute(query.with_for_update())
    return {row.batch_call_id: Pace(*row[2:]) for row in found}


async def get_pace(connection: AsyncConnection, organization_id: str, batch_call_id: str) -> Pace:
    """The pace as it is now, which may change at any moment."""
    query = batch_paces.select().where(_is_batch(organization_id, batch_call_id))
    row = (await connection.execute(query)).one_or_none()
    return Pace() if row is None else Pace(*row[2:])


async def set_pace(connection: AsyncConnection, organization_id: str, batch_call_id: str, pace: Pace) -> None:
    """Store a pace that this transaction has locked."""
    await connection.execute(batch_paces.update().where(_is_batch(organization_id, batch_call_id)).values(asdict(pace)))


async def set_rest(connection: AsyncConnection, organization_id: str, batch_call_id: str, *, until_ms: int) -> None:
    """Have a batch call rest until then; 0 ends its rest."""
    is_batch = _is_batch(organization_id, batch_call_id)
    await connection.execute(batch_paces.update().where(is_batch).values(not_before=until_ms))


async def delete_pace(connection: AsyncConnection, organization_id: str, batch_call_id: str) -> None:
    """Forget the pace of a batch call that is deleted."""
    await connection.execute(batch_paces.delete().where(_is_batch(organization_id, batch_call_id)))


def _make_row(organization_id: str, batch_call_id: str, pace: Pace) -> dict[str, object]:
    return {"organization_id": organization_id, "batch_call_id": batch_call_id, **asdict(pace)}


def _is_batch(organization_id: str, batch_call_id: str) -> sa.ColumnElement[bool]:
    return (_columns.organization_id == organization_id) & (_columns.batch_call_id == batch_call_id)
