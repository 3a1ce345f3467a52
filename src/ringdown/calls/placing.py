"""Stores many queued calls at once, as the dialler of batch calls places them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.accounts import store as account_store
from ringdown.calls import announcement
from ringdown.calls.models import Call
from ringdown.calls.store import calls as store


async def insert_calls(
    connection: AsyncConnection, *, organization_id: str, new_calls: Sequence[Mapping[str, Any]], now_ms: int
) -> list[Call]:
    """Store outbound calls of one organization with these fields besides status, direction, order and times."""
    # The row of the organization stays locked until the commit: calls become visible in the order of their `seq`.
    last, now = await account_store.take_call_seq(connection, organization_id, now_ms, count=len(new_calls))
    placed = [
        Call(
            organization_id=organization_id,
            seq=seq,
            status="queued",
            direction="outbound",
            created_at=now,
            updated_at=now,
            **fields,
        )
        for seq, fields in enumerate(new_calls, last - len(new_calls) + 1)
    ]
    await store.insert_calls(connection, placed)
    await announcement.announce_starts(connection, placed)
    return placed
