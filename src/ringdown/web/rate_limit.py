"""Fixed one-minute windows per key, counted in the database and so across all API processes."""

from fastapi import Request

from ringdown import values
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.errors import RateLimited
from ringdown.web import context, store
from ringdown.web.caller import Caller

WINDOW_MS = 60_000


async def count_request(request: Request, *, settings: Settings, database: Database, caller: Caller) -> None:
    """Count the request and tell the client where it stands; raises `RateLimited` beyond the key's limit."""
    if not settings.rate_limit_enabled:
        return
    limit = caller.requests_per_minute or settings.rate_limit_per_minute
    now_at = values.now_ms()
    async with database.write_alone() as connection:
        window_at, requests = await store.count_request(
            connection,
            organization_id=caller.organization_id,
            key_id=caller.key_id,
            window_at=now_at - now_at % WINDOW_MS,
        )
    reset_at = window_at + WINDOW_MS
    context.set_header(request, "X-RateLimit-Limit", str(limit))
    context.set_header(request, "X-RateLimit-Remaining", str(max(0, limit - requests)))
    context.set_header(request, "X-RateLimit-Reset", str(reset_at // 1000))
    if requests > limit:
        wait_seconds = max(1, -((now_at - reset_at) // 1000))
        context.set_header(request, "Retry-After", str(wait_seconds))
        raise RateLimited(
            f"This key may send {limit} requests per minute.",
            {"limit": limit, "reset_at": values.to_wire_time(reset_at)},
        )
