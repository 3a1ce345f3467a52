"""`X-Idempotency-Key`: a repeated POST gets the first answer again instead of creating a second thing.

The key is marked in flight before the request is worked on, and the answer is stored after it. A marker that a
crash left behind is taken over after a while; what was created by then is never created again if the use case called
`bind_resource` in its transaction.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import values
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.errors import Conflict
from ringdown.secret import SecretBox
from ringdown.web import store
from ringdown.web.store import IdempotencyRow

HEADER = "X-Idempotency-Key"
KEPT_MS = 7 * 24 * 3600 * 1000
#: A request that has not told for so long that it is still worked on is taken for dead; it tells thrice as often.
IN_FLIGHT_MS = 60_000
_IN_FLIGHT = "A request with this idempotency key is still being worked on."


@dataclass(frozen=True, slots=True)
class Claim:
    """One request's hold on its idempotency key."""

    organization_id: str
    request_key: str
    body_hash: str
    holder: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered."""

    status: int
    body: bytes
    shows_secret: bool


_current: ContextVar[Claim | None] = ContextVar("ringdown_idempotency_claim", default=None)


async def begin(database: Database, claim: Claim) -> IdempotencyRow | None:
    """Mark the request as in flight; returns the stored answer if there is one already.

    Raises `Conflict` when the key was used for another body, is still in flight, or when the first request created
    something but died before it could answer (`details.resource_id`).
    """
    now_at = values.now_ms()
    fresh = IdempotencyRow(claim.body_hash, claim.holder, now_at, resource_id=None, status=None, body=None)
    where = {"organization_id": claim.organization_id, "request_key": claim.request_key}
    async with database.write() as connection:
        if await store.insert_idempotency_row(connection, row=fresh, **where):
            _current.set(claim)
            return None
        known = await store.get_idempotency_row(connection, **where)
        is_expired = known.started_at < now_at - KEPT_MS
        if not is_expired:
            if known.body_hash != claim.body_hash:
                raise Conflict("This idempotency key was used for another request.", {"header": HEADER})
            if known.status is not None:
                return known
            if known.started_at > now_at - IN_FLIGHT_MS:
                raise Conflict(_IN_FLIGHT, {"header": HEADER, "reason": "in_flight"})
            if known.resource_id is not None:
                raise Conflict(
                    f"The first request with this key created {known.resource_id}, but its answer was lost.",
                    {"header": HEADER, "resource_id": known.resource_id},
                )
        await store.replace_idempotency_row(connection, row=fresh, **where)
    _current.set(claim)
    return None


@contextlib.asynccontextmanager
async def keep_in_flight(database: Database, claim: Claim) -> AsyncIterator[None]:
    """Tell for as long as the block runs that the request is still worked on: a large file takes minutes."""
    telling = asyncio.create_task(_tell(database, claim))
    try:
        yield
    finally:
        telling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await telling


async def _tell(database: Database, claim: Claim) -> None:
    while True:
        await asyncio.sleep(max(IN_FLIGHT_MS, 1000) / 3000)
        with contextlib.suppress(sa.exc.SQLAlchemyError):  # it is told again
            async with database.write() as connection:
                await store.update_held_row(
                    connection,
                    organization_id=claim.organization_id,
                    request_key=claim.request_key,
                    holder=claim.holder,
                    values={"started_at": values.now_ms()},
                )


async def bind_resource(connection: AsyncConnection, resource_id: str) -> None:
    """Commit, with the resource, that the current request created it; does nothing without an idempotency key.

    Call it in the transaction that creates. Raises `Conflict` when another request has taken the key over meanwhile,
    so that only one of them creates.
    """
    claim = _current.get()
    if claim is None:
        return
    is_held = await store.update_held_row(
        connection,
        organization_id=claim.organization_id,
        request_key=claim.request_key,
        holder=claim.holder,
        values={"resource_id": resource_id},
    )
    if not is_held:
        raise Conflict(_IN_FLIGHT, {"header": HEADER, "reason": "in_flight"})


async def finish(database: Database, claim: Claim, answer: Answer | None, *, settings: Settings) -> None:
    """Store the answer if it is a success, sealed if it shows a secret; otherwise free the key.

    A key whose request created something stays taken.
    """
    _current.set(None)
    where = {"organization_id": claim.organization_id, "request_key": claim.request_key, "holder": claim.holder}
    async with database.write() as connection:
        if answer is not None and 200 <= answer.status < 300:
            body = answer.body
            if answer.shows_secret:
                body = SecretBox.open(settings).seal(body.decode()).encode()
            await store.update_held_row(connection, **where, values={"status": answer.status, "body": body})
        else:
            await store.delete_held_row(connection, **where)


async def delete_expired(connection: AsyncConnection, *, now_at: int) -> int:
    """Forget keys that are older than seven days; returns how many."""
    return await store.delete_idempotency_rows(connection, before_at=now_at - KEPT_MS)
