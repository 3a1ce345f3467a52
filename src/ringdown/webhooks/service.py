"""The use cases of webhooks: endpoints are made, changed, tested; what was owed is made due again.

An endpoint may be of one agent; whether there is such an agent is asked of who knows agents.
"""

import dataclasses
import secrets
import string
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors, values
from ringdown.accounts import store as account_store
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.secret import SecretBox
from ringdown.web import idempotency
from ringdown.webhooks import delivery_store, endpoint_store, event_store, payload, urls
from ringdown.webhooks.delivery_store import Again
from ringdown.webhooks.models import ALL_TYPES, Delivery, Event, EventType, WebhookEndpoint
from ringdown.webhooks.schemas import CreateWebhookEndpoint, RotateSecret, UpdateWebhookEndpoint

#: Every event is stored once for each endpoint that wants it, in the transaction that makes it.
MAX_ENDPOINTS = 20
_SECRET_LENGTH = 32
_ALPHABET = string.ascii_letters + string.digits
_NO_AGENT = "there is no agent with this id"
# One transaction of a replay; other writers go on in between.
_REPLAY_PAGE = 1000
_MAX_REPLAYED = 100_000
# One transaction of those that number events; more wait only when nobody has asked for long.
_NUMBERED_AT_ONCE, _MAX_NUMBERINGS = 5000, 100


class RequireAgent(Protocol):
    """Raises `NotFound` unless the organization has the agent; `share` keeps it until the transaction ends."""

    async def __call__(
        self, connection: AsyncConnection, organization_id: str, agent_id: str, *, share: bool = False
    ) -> object:
        """The agent."""


async def create_endpoint(
    database: Database,
    *,
    settings: Settings,
    box: SecretBox,
    organization_id: str,
    body: CreateWebhookEndpoint,
    require_agent: RequireAgent,
) -> tuple[WebhookEndpoint, str]:
    """A new endpoint and its secret, which is known only now. Raises `ValidationFailed`."""
    urls.check_url(body.url, field="url", private_allowed=settings.private_urls_allowed)
    secret, now = body.secret or make_secret(), values.now_ms()
    endpoint = WebhookEndpoint(
        organization_id=organization_id,
        id=values.new_id("whe"),
        url=body.url,
        description=body.description,
        event_types=tuple(body.event_types or [ALL_TYPES]),
        is_enabled=body.enabled is not False,
        secret=box.seal(secret),
        created_at=now,
        updated_at=now,
        agent_id=body.agent_id,
    )
    async with database.write() as connection:
        if not await _has_agent(connection, require_agent, organization_id, body.agent_id):
            raise errors.invalid("agent_id", _NO_AGENT)
        await idempotency.bind_resource(connection, endpoint.id)
        await add_endpoint(connection, endpoint, field="url")
    return endpoint, secret


async def add_endpoint(connection: AsyncConnection, endpoint: WebhookEndpoint, *, field: str) -> None:
    """Store a new endpoint; raises `ValidationFailed`, naming the field, when the organization has its most."""
    await account_store.lock_organization(connection, endpoint.organization_id)  # two must not both be the last
    if await endpoint_store.count_endpoints(connection, endpoint.organization_id) >= MAX_ENDPOINTS:
        most = f"an organization has at most {MAX_ENDPOINTS} webhook endpoints, those of agents included"
        raise errors.invalid(field, f"{most}; delete one first")
    await endpoint_store.insert_endpoint(connection, endpoint)


async def update_endpoint(
    database: Database,
    *,
    settings: Settings,
    organization_id: str,
    endpoint_id: str,
    body: UpdateWebhookEndpoint,
    require_agent: RequireAgent,
) -> WebhookEndpoint:
    """Change what the body names. Raises `NotFound` and `ValidationFailed`."""
    if body.url is not None:
        urls.check_url(body.url, field="url", private_allowed=settings.private_urls_allowed)
    changes = _read_changes(body)
    async with database.write() as connection:
        # Agents before endpoints, as the deletion of an agent locks them.
        has_agent = await _has_agent(connection, require_agent, organization_id, body.agent_id)
        present = await endpoint_store.get_endpoint(connection, organization_id, endpoint_id, lock=True)
        if not has_agent:
            raise errors.invalid("agent_id", _NO_AGENT)
        if present.is_crm and changes.get("agent_id", present.agent_id) != present.agent_id:
            raise errors.invalid("agent_id", "cannot change: this is the crm_webhook_url of its agent")
        if not changes:
            return present
        now = values.now_ms()
        endpoint = dataclasses.replace(present, **changes, updated_at=now)  # type: ignore[arg-type]
        if "url" in changes or body.enabled:  # what is behind it is another one, or was mended
            endpoint = make_well(endpoint)
        await endpoint_store.update_endpoint(connection, endpoint)
        if present.is_enabled and not endpoint.is_enabled:
            await delivery_store.park_all(connection, organization_id, endpoint_id, now_ms=now)
    return endpoint


def make_well(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    """The endpoint as one that has not failed, to be tried at once."""
    return dataclasses.replace(endpoint, failing_since=None, failure_count=0, probe_at=None)


def _read_changes(body: UpdateWebhookEndpoint) -> dict[str, object]:
    changes: dict[str, object] = {
        name: getattr(body, name) for name in ("description", "agent_id") if name in body.model_fields_set
    }
    if body.url is not None:
        changes["url"] = body.url
    if body.event_types is not None:
        changes["event_types"] = tuple(body.event_types)
    if body.enabled is not None:
        changes["is_enabled"] = body.enabled
    return changes


async def _has_agent(
    connection: AsyncConnection, require_agent: RequireAgent, organization_id: str, agent_id: str | None
) -> bool:
    """Whether the agent that is named, if one is, is there; it stays until the transaction ends."""
    if agent_id is None:
        return True
    try:
        await require_agent(connection, organization_id, agent_id, share=True)
    except errors.NotFound:
        return False
    return True


async def rotate_secret(
    database: Database, *, box: SecretBox, organization_id: str, endpoint_id: str, body: RotateSecret
) -> tuple[WebhookEndpoint, str]:
    """Give an endpoint a new secret; the one before stays good for the overlap. Raises `NotFound`."""
    secret, now = body.secret or make_secret(), values.now_ms()
    async with database.write() as connection:
        present = await endpoint_store.get_endpoint(connection, organization_id, endpoint_id, lock=True)
        await idempotency.bind_resource(connection, endpoint_id)
        endpoint = dataclasses.replace(
            present,
            secret=box.seal(secret),
            old_secret=present.secret if body.overlap else None,
            old_secret_expires_at=now + body.overlap if body.overlap else None,
            updated_at=now,
        )
        await endpoint_store.update_endpoint(connection, endpoint)
    return endpoint, secret


async def delete_endpoint(database: Database, *, organization_id: str, endpoint_id: str) -> None:
    """Delete an endpoint and all that is and was owed to it. Raises `NotFound`."""
    async with database.write() as connection:
        if not await endpoint_store.delete_endpoint(connection, organization_id, endpoint_id):
            raise errors.NotFound("Webhook endpoint", endpoint_id)


async def test_endpoint(database: Database, *, organization_id: str, endpoint_id: str, event: EventType) -> Delivery:
    """Owe a sample of an event to one endpoint, even when it is disabled or has not chosen it. Raises `NotFound`."""
    now, event_id = values.now_ms(), values.new_id("evt")
    async with database.write() as connection:
        endpoint = await endpoint_store.get_endpoint(connection, organization_id, endpoint_id, lock=True)
        sample = Event(
            organization_id=organization_id,
            id=event_id,
            event=event,
            subject_id=event_id,
            data=payload.serialize_data(event_id, event, payload.make_sample(event, agent_id=endpoint.agent_id)),
            created_at=now,
            endpoint_id=endpoint_id,
        )
        await event_store.insert_events(connection, [sample])
        await delivery_store.owe_again(connection, endpoint_id, [sample], now_ms=now)
        owed = await delivery_store.find_owed(connection, organization_id, endpoint_id=endpoint_id, event_id=event_id)
        if owed is None:
            raise errors.NotFound("Webhook delivery", event_id)
        await idempotency.bind_resource(connection, owed.id)
    return owed


async def replay_delivery(database: Database, *, organization_id: str, delivery_id: str) -> Delivery:
    """Make a delivery due again, whatever became of it. Raises `NotFound`."""
    async with database.write() as connection:
        delivery = await delivery_store.get_delivery(connection, organization_id, delivery_id, lock=True)
        return await delivery_store.make_due(connection, delivery, now_ms=values.now_ms())


@dataclass(frozen=True, slots=True)
class Replay:
    """How many events were made due, and from when on there are more; None when these were all."""

    count: int
    next_since: int | None


async def replay_events(database: Database, *, organization_id: str, endpoint_id: str, since: int) -> Replay:
    """Make the events since a time due to an endpoint that it has chosen, whether or not it got them then.

    At most 100,000, oldest first; a replay that is broken off may be repeated. Raises `NotFound`.
    """
    count, moment = 0, (since, "")
    while True:
        async with database.write() as connection:
            endpoint = await endpoint_store.get_endpoint(connection, organization_id, endpoint_id, lock=True)
            found = await event_store.list_for_replay(
                connection,
                organization_id,
                event_types=None if ALL_TYPES in endpoint.event_types else endpoint.event_types,
                agent_id=endpoint.agent_id,
                since=moment[0],
                after_id=moment[1],
                limit=_REPLAY_PAGE,
            )
            await delivery_store.owe_again(connection, endpoint_id, found, now_ms=values.now_ms())
        count += len(found)
        if len(found) < _REPLAY_PAGE:
            return Replay(count, None)
        moment = (found[-1].created_at, found[-1].id)
        if count >= _MAX_REPLAYED:
            return Replay(count, moment[0])


async def replay_deliveries(database: Database, *, organization_id: str, endpoint_id: str, which: Again) -> Replay:
    """Make deliveries to an endpoint due again, those of the oldest events first; at most 100,000.

    Raises `NotFound`, and `ValidationFailed` for an id that is none of this endpoint.
    """
    started = values.now_ms()
    which, count = dataclasses.replace(which, unchanged_since=started), 0
    while True:
        async with database.write() as connection:
            await endpoint_store.get_endpoint(connection, organization_id, endpoint_id, lock=True)
            found = await delivery_store.make_many_due(
                connection,
                organization_id,
                endpoint_id,
                which=which,
                limit=_REPLAY_PAGE,
                now_ms=max(values.now_ms(), started),
            )
            unknown = sorted(set(which.ids or ()) - {one.id for one in found})
            if unknown:
                raise errors.invalid("delivery_ids", f"{unknown[0]} is not a delivery to this endpoint")
        count += len(found)
        if which.ids is not None or len(found) < _REPLAY_PAGE:
            return Replay(count, None)
        if count >= _MAX_REPLAYED:
            return Replay(count, found[-1].created_at)


async def number_events(database: Database, *, organization_id: str) -> None:
    """Give the events that were committed since the last time their places in the order."""
    async with database.read() as connection:
        if not await event_store.has_unnumbered(connection, organization_id):
            return
    for _ in range(_MAX_NUMBERINGS):
        async with database.write() as connection:
            numbered = await event_store.number_events(connection, organization_id, limit=_NUMBERED_AT_ONCE)
        if numbered < _NUMBERED_AT_ONCE:
            return


async def number_all_events(database: Database) -> None:
    """`number_events` for every organization, so that nobody who asks waits for it."""
    async with database.read() as connection:
        organizations = await account_store.list_organizations(connection)
    for organization in organizations:
        await number_events(database, organization_id=organization.id)


def make_secret() -> str:
    """A new secret of our own making."""
    return "whsec_" + "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_LENGTH))
