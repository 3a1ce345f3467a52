"""Calls from browsers: queued with a link for one join, joined at a gateway, given up when the link expires."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from ringdown import errors, values
from ringdown.agents import store as agent_store
from ringdown.billing import service as billing
from ringdown.calls import service
from ringdown.calls.models import Call, CallSettings, ClaimedCall, FinishedCall
from ringdown.calls.store import attempts, joins
from ringdown.calls.store import calls as store
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.web import idempotency

#: Where the API and the gateway serve joins; the token follows.
JOIN_PATH = "/join/"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserCall:
    """A request to let a browser talk with an agent."""

    agent_id: str
    settings: CallSettings = field(default_factory=CallSettings)
    variables: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, object] = field(default_factory=dict)


async def open_browser_call(
    database: Database, *, settings: Settings, organization_id: str, request: BrowserCall
) -> tuple[Call, str]:
    """Queue a call that a browser joins, and give it with its link (`wss://…/join/<token>`); credits are held.

    The link is good for one join within the call's `join_timeout`, else the agent's. Raises `NotFound` when there is no
    such agent or it is not active, `ValidationFailed` when browser calls are switched off, `PaymentRequired`.
    """
    if not settings.webrtc_port:
        raise errors.invalid("agent_id", "browser calls are switched off on this server (RINGDOWN_WEBRTC_PORT is 0)")
    token = secrets.token_urlsafe(32)
    async with database.write() as connection:
        agent = await agent_store.get_agent(connection, organization_id, request.agent_id, share=True)
        if agent.status != "active":
            raise errors.NotFound("Active agent", agent.id)
        call = await service.insert_call(
            connection,
            organization_id=organization_id,
            id=values.new_id("call"),
            direction="webrtc",
            status="queued",
            agent_id=agent.id,
            to_number=None,
            from_number=None,
            settings=request.settings,
            variables=dict(request.variables),
            metadata=dict(request.metadata),
        )
        join_timeout_ms = request.settings.join_timeout_ms or agent.join_timeout_ms
        expires_at = values.now_ms() + join_timeout_ms
        await joins.insert_join(connection, call, token_hash=_hash(token), expires_at=expires_at)
        await idempotency.bind_resource(connection, call.id)
        await billing.hold_for_call(connection, settings=settings, organization_id=organization_id, call_id=call.id)
    return call, _make_url(settings, token)


async def join_call(database: Database, *, token: str, gateway_id: str) -> ClaimedCall | None:
    """Take the call of a token for this gateway; None when the token is unknown, used or expired, or the call over.

    The call is `ringing` when this returns, so that a crash leaves it to be ended and never to be joined twice.
    """
    now, token_hash = values.now_ms(), _hash(token)
    async with database.read() as connection:  # strangers who try tokens do not keep others from writing
        if not await joins.has_join(connection, token_hash, now_ms=now):
            return None
    async with database.write() as connection:
        found = await joins.take_join(connection, token_hash, now_ms=now)
        if found is None:
            return None
        call = await store.get_call(connection, *found, lock=True)
        if call.status != "queued":
            return None
        ringing = await store.update_call(connection, call, status="ringing", updated_at=now)
        attempt_id = await attempts.insert_attempt(connection, ringing, gateway_id=gateway_id, now_ms=now)
        agent = await agent_store.get_agent(connection, call.organization_id, call.agent_id)
        return ClaimedCall(ringing, agent, attempt_id)


async def end_unjoined_calls(database: Database, *, settings: Settings) -> int:
    """End the calls whose links have expired unused (`no_answer`); returns how many."""
    now, ended = values.now_ms(), 0
    async with database.read() as connection:
        if not await joins.has_expired(connection, now_ms=now):
            return 0
    async with database.write() as connection:
        for organization_id, call_id in await joins.take_expired(connection, now_ms=now):
            call = await store.find_call(connection, organization_id, call_id, lock=True)
            if call is not None and call.status == "queued":  # else it was cancelled or deleted
                await service.end_call(connection, call, FinishedCall(ended_reason="no_answer"), settings=settings)
                ended += 1
    return ended


def _hash(token: str) -> str:
    """What is stored of a token. It has full entropy, so that a fast hash without salt is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def _make_url(settings: Settings, token: str) -> str:
    """The link, beside the API: `ws` where that is `http`, `wss` where it is `https`."""
    return f"ws{settings.base_url.removeprefix('http')}{JOIN_PATH}{token}"
