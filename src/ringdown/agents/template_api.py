"""Routes of the agents to begin with."""

import dataclasses

from fastapi import Request, Response

from ringdown.agents.templates import TEMPLATES
from ringdown.web import envelope, openapi, route
from ringdown.web.auth import AuthenticatedCaller

router = route.new_router(prefix="/agent-templates", tag="Agents")

_TEMPLATES = {"type": "array", "items": {"$ref": "#/components/schemas/AgentTemplateObject"}}


@router.get("", summary="List agent templates", responses=openapi.describe_one(_TEMPLATES, "All templates."))
async def list_agent_templates(request: Request, caller: AuthenticatedCaller) -> Response:
    """The agents to begin with; the list has no pages. `POST /agents` takes an id as `template_id`."""
    del caller
    rendered = [{**dataclasses.asdict(template), "is_active": True} for template in TEMPLATES.values()]
    return envelope.respond(request, rendered)
