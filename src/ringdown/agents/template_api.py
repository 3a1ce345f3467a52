"""Routes of the agents to begin with."""

import dataclasses

from fastapi import Request, Response

from ringdown.agents.templates import TEMPLATES
from ringdown.web import envelope, openapi, route
from ringdown.web.auth import AuthenticatedCaller
from ringdown.web.pagination import ShortPageQuery

router = route.new_router(prefix="/agent-templates", tag="Agents")

_TEMPLATE = {"$ref": "#/components/schemas/AgentTemplateObject"}


@router.get("", summary="List agent templates", responses=openapi.describe_list(_TEMPLATE, "Templates."))
async def list_agent_templates(request: Request, caller: AuthenticatedCaller, page: ShortPageQuery) -> Response:
    """All agents to begin with, in pages if `limit` says so. `POST /agents` takes an id as `template_id`."""
    del caller
    found, pagination = page.cut(list(TEMPLATES.values()))
    rendered = [{**dataclasses.asdict(template), "is_active": True} for template in found]
    return envelope.respond_page(request, rendered, pagination)
