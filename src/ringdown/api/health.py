"""Whether this process can serve: it can when the database answers."""

import asyncio

import sqlalchemy as sa
import structlog
from fastapi import Request, Response

from ringdown.db import engine
from ringdown.web import context, envelope, openapi, route

_log = structlog.get_logger(__name__)
_TIMEOUT_SECONDS = 5

router = route.new_public_router(tag="Operation")

_HEALTH = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": {"type": "string", "enum": ["ok", "unavailable"]}},
}
_ANSWER = {"content": {"application/json": {"schema": _HEALTH}}}


@router.get(
    "/healthz",
    summary="Health",
    responses={
        200: {"description": "The database answers.", **_ANSWER},
        503: {"description": "The database does not answer.", **_ANSWER},
        500: openapi.PUBLIC_REFUSALS[500],
    },
)
async def get_health(request: Request) -> Response:
    """Whether this process can serve requests."""
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS), context.get_database(request).read() as connection:
            await connection.execute(sa.text("SELECT 1"))
    except engine.UNAVAILABLE as error:
        _log.warning("health_failed", error=str(error))
        return envelope.render({"status": "unavailable"}, status=503)
    return envelope.render({"status": "ok"})
