"""Routes of agents."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.agents import brains, conversion, schemas, service, store
from ringdown.agents.models import DEFAULT_MODEL, Agent, AgentStatus
from ringdown.agents.service import HasLiveCalls
from ringdown.config import Settings
from ringdown.telephony import store as number_store
from ringdown.voices import catalog
from ringdown.voices import store as voice_store
from ringdown.web import context, envelope, openapi, route
from ringdown.web.auth import AuthenticatedCaller
from ringdown.web.pagination import PageQuery
from ringdown.webhooks import endpoint_store as webhook_store

_AGENT = {"$ref": "#/components/schemas/AgentObject"}


def new_router(has_live_calls: HasLiveCalls) -> APIRouter:
    """The routes; `has_live_calls` tells what a deletion must wait for."""
    router = route.new_router(prefix="/agents", tag="Agents")
    one = openapi.describe_one(_AGENT, "The agent.")
    made = openapi.describe_one(_AGENT, "The agent.", status=201)
    router.get("", summary="List agents", responses=openapi.describe_list(_AGENT, "Agents."))(list_agents)
    checked = openapi.PROVIDER_FAILED  # creating and changing ask the offline voice for pronunciations
    router.post("", summary="Create an agent", status_code=201, responses=made | checked)(create_agent)
    router.get("/{agent_id}", summary="Get an agent", responses=one)(get_agent)
    changed = one | checked
    router.put("/{agent_id}", summary="Update an agent", responses=changed, operation_id="replace_agent")(update_agent)
    router.patch("/{agent_id}", summary="Update an agent", responses=changed)(update_agent)
    router.post("/{agent_id}/publish", summary="Publish an agent", status_code=201, responses=made)(publish_agent)

    @router.delete("/{agent_id}", summary="Delete an agent", responses=openapi.describe_deleted())
    async def delete_agent(request: Request, caller: AuthenticatedCaller, agent_id: str) -> Response:
        """Delete an agent; refused while it has calls that have not ended. Old calls keep its id."""
        await service.delete_agent(
            context.get_database(request),
            organization_id=caller.organization_id,
            agent_id=agent_id,
            has_live_calls=has_live_calls,
        )
        return envelope.respond_deleted(request, agent_id)

    return router


async def list_agents(
    request: Request,
    caller: AuthenticatedCaller,
    page: PageQuery,
    status: Annotated[AgentStatus | None, Query(description="Only agents in this state.")] = None,
    name: Annotated[
        str | None, Query(description="Only agents whose name contains this, in any case.", min_length=1)
    ] = None,
) -> Response:
    """Agents, newest first."""
    async with context.get_database(request).read() as connection:
        agents, total = await store.list_agents(
            connection, caller.organization_id, status=status, name=name, limit=page.limit, offset=page.offset
        )
        rendered = await _render(connection, context.get_settings(request), caller.organization_id, agents)
    return envelope.respond_page(request, rendered, page.describe(total=total, returned=len(rendered)))


async def create_agent(request: Request, caller: AuthenticatedCaller, body: schemas.CreateAgent) -> Response:
    """Create an agent. It is `active` at once unless its `status` is `draft`."""
    settings, database = context.get_settings(request), context.get_database(request)
    agent = await service.create_agent(
        database,
        settings=settings,
        organization_id=caller.organization_id,
        body=body,
        changed_by=caller.key_id,
    )
    return envelope.respond_created(request, await render_alone(request, agent))


async def get_agent(request: Request, caller: AuthenticatedCaller, agent_id: str) -> Response:
    """One agent with its phone numbers."""
    async with context.get_database(request).read() as connection:
        agent = await store.get_agent(connection, caller.organization_id, agent_id)
    return envelope.respond(request, await render_alone(request, agent))


async def update_agent(
    request: Request, caller: AuthenticatedCaller, agent_id: str, body: schemas.UpdateAgent
) -> Response:
    """Change the fields that are sent; PUT and PATCH do the same."""
    agent = await service.update_agent(
        context.get_database(request),
        settings=context.get_settings(request),
        organization_id=caller.organization_id,
        agent_id=agent_id,
        body=body,
        changed_by=caller.key_id,
    )
    return envelope.respond(request, await render_alone(request, agent))


async def publish_agent(request: Request, caller: AuthenticatedCaller, agent_id: str) -> Response:
    """Make a draft active, so that it can call and be called."""
    database = context.get_database(request)
    agent = await service.publish_agent(
        database, organization_id=caller.organization_id, agent_id=agent_id, changed_by=caller.key_id
    )
    return envelope.respond_created(request, await render_alone(request, agent))


async def render_alone(request: Request, agent: Agent) -> dict[str, object]:
    """The agent as the API shows it."""
    async with context.get_database(request).read() as connection:
        [rendered] = await _render(connection, context.get_settings(request), agent.organization_id, [agent])
    return rendered


async def _render(
    connection: AsyncConnection, settings: Settings, organization_id: str, agents: Sequence[Agent]
) -> list[dict[str, object]]:
    numbers = await number_store.list_agent_numbers(connection, organization_id, [agent.id for agent in agents])
    crm_webhook_urls = await webhook_store.list_crm_urls(connection, organization_id)
    own_voices = await voice_store.list_usable(connection, organization_id, [agent.voice_id for agent in agents])
    voice_names = {voice.id: voice.name for voice in (*catalog.list_voices(settings), *own_voices)}
    return [
        conversion.render_agent(
            agent,
            model=brains.get_default_model(settings) if agent.model == DEFAULT_MODEL else agent.model,
            voice_name=voice_names.get(agent.voice_id),
            crm_webhook_url=crm_webhook_urls.get(agent.id),
            inbound_numbers=[_refer(number) for number in numbers if number.inbound_agent_id == agent.id],
            outbound_numbers=[_refer(number) for number in numbers if number.outbound_agent_id == agent.id],
        )
        for agent in agents
    ]


def _refer(number: number_store.PhoneNumber) -> conversion.NumberReference:
    return conversion.NumberReference(number.id, number.phone_number)
