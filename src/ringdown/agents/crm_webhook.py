"""The webhook of an agent: its `crm_webhook_url` keeps one endpoint, told of the analysis of that agent's calls.

It is no part of the agent's versions: the endpoint alone says what the URL is.
"""

import dataclasses

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors, values
from ringdown.agents.models import Agent
from ringdown.agents.schemas import UpdateAgent
from ringdown.config import Settings
from ringdown.secret import SecretBox
from ringdown.webhooks import endpoint_store, service, urls
from ringdown.webhooks.models import WebhookEndpoint

_URL, _SECRET = "crm_webhook_url", "crm_webhook_secret"


def check(settings: Settings, body: UpdateAgent) -> None:
    """Raises `ValidationFailed` for a URL that no endpoint may have."""
    if body.crm_webhook_url is not None:
        urls.check_url(body.crm_webhook_url, field=_URL, private_allowed=settings.private_urls_allowed)


async def keep(connection: AsyncConnection, settings: Settings, agent: Agent, body: UpdateAgent) -> None:
    """Make, change or delete the endpoint as the body says, in the transaction that has the agent locked.

    Raises `ValidationFailed` for a secret without a URL, and for one endpoint too many.
    """
    sent = body.model_fields_set
    if not sent & {_URL, _SECRET}:
        return
    present = await endpoint_store.find_crm_endpoint(connection, agent.organization_id, agent.id)
    url = body.crm_webhook_url if _URL in sent or present is None else present.url
    if url is None:
        if body.crm_webhook_secret is not None:
            raise errors.invalid(_SECRET, f"needs a {_URL}")
        if present is not None:
            await endpoint_store.delete_endpoint(connection, agent.organization_id, present.id)
        return
    box = SecretBox.open(settings)
    if present is None:
        secret = box.seal(body.crm_webhook_secret or service.make_secret())
        await service.add_endpoint(connection, _make_endpoint(agent, url, secret), field=_URL)
        return
    changed = _move(present, url)
    if body.crm_webhook_secret is not None:
        changed = dataclasses.replace(
            changed, secret=box.seal(body.crm_webhook_secret), old_secret=None, old_secret_expires_at=None
        )
    if changed != present:
        await endpoint_store.update_endpoint(connection, dataclasses.replace(changed, updated_at=values.now_ms()))


def _make_endpoint(agent: Agent, url: str, secret: str) -> WebhookEndpoint:
    now = values.now_ms()
    return WebhookEndpoint(
        organization_id=agent.organization_id,
        id=values.new_id("whe"),
        url=url,
        description=f"{_URL} of the agent {agent.id}",
        event_types=("call.analyzed",),
        is_enabled=True,
        secret=secret,
        created_at=now,
        updated_at=now,
        agent_id=agent.id,
        is_crm=True,
    )


def _move(endpoint: WebhookEndpoint, url: str) -> WebhookEndpoint:
    return endpoint if url == endpoint.url else service.make_well(dataclasses.replace(endpoint, url=url))
