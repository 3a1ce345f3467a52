"""What was told of something, rewritten in the database when it must be forgotten; the rows stay."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.webhooks import tables

events, deliveries, attempts = tables.events, tables.deliveries, tables.attempts


async def rewrite_events(
    connection: AsyncConnection,
    organization_id: str,
    subject_ids: Collection[str],
    rewrite: Callable[[dict[str, Any]], Mapping[str, object]],
) -> int:
    """Replace the `data` of all events of the subjects, and forget what endpoints answered; returns how many events.

    What is still owed of them is sent as it is then. Events that may not be numbered yet need the organization locked.
    """
    is_theirs = (events.c.organization_id == organization_id) & events.c.subject_id.in_(subject_ids)
    found = (
        await connection.execute(sa.select(events.c.id, events.c.data).where(is_theirs).order_by(events.c.id))
    ).all()
    if not found:
        return 0
    one = (events.c.organization_id == organization_id) & (events.c.id == sa.bindparam("event_id"))
    rows = [
        {"event_id": event_id, "told": msgspec.json.encode(rewrite(msgspec.json.decode(data))).decode()}
        for event_id, data in found
    ]
    await connection.execute(events.update().where(one).values(data=sa.bindparam("told")), rows)
    owed = sa.select(deliveries.c.id).where(
        deliveries.c.organization_id == organization_id, deliveries.c.subject_id.in_(subject_ids)
    )
    answered = (attempts.c.organization_id == organization_id) & attempts.c.delivery_id.in_(owed)
    await connection.execute(attempts.update().where(answered).values(response_body=None))
    return len(found)
