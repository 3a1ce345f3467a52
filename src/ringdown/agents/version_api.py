"""Routes of the versions of agents."""

from typing import Annotated

from fastapi import Path, Request, Response
from pydantic import BaseModel, Field

from ringdown import values
from ringdown.agents import api, service, store, version_store
from ringdown.agents.schemas import AgentObject
from ringdown.agents.version_store import AgentVersion
from ringdown.web import context, envelope, openapi, route
from ringdown.web.auth import AuthenticatedCaller
from ringdown.web.pagination import PageQuery

_AGENT = {"$ref": "#/components/schemas/AgentObject"}
_VERSION = {"$ref": "#/components/schemas/AgentVersionObject"}
_DETAIL = {"$ref": "#/components/schemas/AgentVersionDetailObject"}
_MAX_NUMBER = 2**31 - 1

Number = Annotated[int, Path(ge=1, le=_MAX_NUMBER, description="The number of the version.")]

router = route.new_router(prefix="/agents/{agent_id}/versions", tag="Agents")


class AgentVersionObject(BaseModel):
    """A state that an agent had."""

    version: int
    is_current: bool
    name: str
    changed_by: str | None = Field(description="Id of the API key that made it; null: not by the API.")
    restored_from: int | None = Field(description="The version that it repeats.")
    created_at: str


class AgentVersionDetailObject(AgentVersionObject):
    """A version with the whole agent."""

    agent: AgentObject


@router.get("", summary="List agent versions", responses=openapi.describe_list(_VERSION, "Versions, newest first."))
async def list_agent_versions(
    request: Request, caller: AuthenticatedCaller, agent_id: str, page: PageQuery
) -> Response:
    """The states of an agent, newest first; the last 100 are kept."""
    async with context.get_database(request).read() as connection:
        await store.get_agent(connection, caller.organization_id, agent_id)
        newest = await version_store.find_last_number(connection, caller.organization_id, agent_id)
        found, total = await version_store.list_versions(
            connection, caller.organization_id, agent_id, limit=page.limit, offset=page.offset
        )
    rendered = [_render(version, newest) for version in found]
    return envelope.respond_page(request, rendered, page.describe(total=total, returned=len(rendered)))


@router.get("/{number}", summary="Get an agent version", responses=openapi.describe_one(_DETAIL, "The version."))
async def get_agent_version(request: Request, caller: AuthenticatedCaller, agent_id: str, number: Number) -> Response:
    """One version with the whole agent as it was; its phone numbers are those of now."""
    async with context.get_database(request).read() as connection:
        await store.get_agent(connection, caller.organization_id, agent_id)
        newest = await version_store.find_last_number(connection, caller.organization_id, agent_id)
        version = await version_store.get_version(connection, caller.organization_id, agent_id, number)
    rendered = {**_render(version, newest), "agent": await api.render_alone(request, version.agent)}
    return envelope.respond(request, rendered)


@router.post(
    "/{number}/restore",
    summary="Restore an agent version",
    status_code=201,
    responses=openapi.describe_one(_AGENT, "The agent.", status=201) | openapi.PROVIDER_FAILED,
)
async def restore_agent_version(
    request: Request, caller: AuthenticatedCaller, agent_id: str, number: Number
) -> Response:
    """Give the agent a former state again, as a new version; what it names and is gone since is a 422."""
    agent = await service.restore_version(
        context.get_database(request),
        settings=context.get_settings(request),
        organization_id=caller.organization_id,
        agent_id=agent_id,
        number=number,
        changed_by=caller.key_id,
    )
    return envelope.respond_created(request, await api.render_alone(request, agent))


def _render(version: AgentVersion, newest: int) -> dict[str, object]:
    return {
        "version": version.number,
        "is_current": version.number == newest,
        "name": version.agent.name,
        "changed_by": version.changed_by,
        "restored_from": version.restored_from,
        "created_at": values.to_wire_time(version.created_at),
    }
