"""Routes of tools."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ringdown.secret import SecretBox
from ringdown.tools import rendering, schemas, service, store
from ringdown.tools.runner import ToolRunner
from ringdown.web import context, envelope, openapi, route
from ringdown.web.auth import AuthenticatedCaller
from ringdown.web.pagination import PageQuery

_TOOL = {"$ref": "#/components/schemas/ToolObject"}
_TRIAL = {"$ref": "#/components/schemas/ToolTestObject"}


def new_router(box: SecretBox, runner: ToolRunner) -> APIRouter:
    """The routes; `box` seals what the database must not show, `runner` tries tools."""
    router = route.new_router(prefix="/tools", tag="Tools")
    one = openapi.describe_one(_TOOL, "The tool.")
    made = openapi.describe_one(_TOOL, "The tool.", status=201)
    tried = openapi.describe_one(_TRIAL, "What came of it.", status=201)
    router.get("", summary="List tools", responses=openapi.describe_list(_TOOL, "Tools."))(list_tools)
    router.get("/{tool_id}", summary="Get a tool", responses=one)(get_tool)
    router.delete("/{tool_id}", summary="Delete a tool", responses=openapi.describe_deleted())(delete_tool)

    @router.post("", summary="Create a tool", status_code=201, responses=made)
    async def create_tool(request: Request, caller: AuthenticatedCaller, body: schemas.CreateTool) -> Response:
        """Create a tool, in any of the documented spellings."""
        tool = await service.create_tool(
            context.get_database(request),
            settings=context.get_settings(request),
            box=box,
            organization_id=caller.organization_id,
            body=body,
        )
        return envelope.respond_created(request, rendering.render_tool(tool))

    @router.put("/{tool_id}", summary="Update a tool", responses=one, operation_id="replace_tool")
    @router.patch("/{tool_id}", summary="Update a tool", responses=one)
    async def update_tool(
        request: Request, caller: AuthenticatedCaller, tool_id: str, body: schemas.UpdateTool
    ) -> Response:
        """Change the fields that are sent; PUT and PATCH do the same."""
        tool = await service.update_tool(
            context.get_database(request),
            settings=context.get_settings(request),
            box=box,
            organization_id=caller.organization_id,
            tool_id=tool_id,
            body=body,
        )
        return envelope.respond(request, rendering.render_tool(tool))

    @router.post("/{tool_id}/test", summary="Try a tool", status_code=201, responses=tried)
    async def test_tool(
        request: Request, caller: AuthenticatedCaller, tool_id: str, body: schemas.ToolTrial | None = None
    ) -> Response:
        """Use the tool as a call would, with arguments of your own. A fault of the tool is an answer, too."""
        async with context.get_database(request).read() as connection:
            tool = await store.get_tool(connection, caller.organization_id, tool_id)
        result = await service.try_tool(tool, runner=runner, trial=body or schemas.ToolTrial())
        return envelope.respond_created(request, rendering.render_trial(result))

    return router


async def list_tools(
    request: Request,
    caller: AuthenticatedCaller,
    page: PageQuery,
    name: Annotated[
        str | None, Query(description="Only tools whose name contains this, in any case.", min_length=1)
    ] = None,
) -> Response:
    """Tools, newest first."""
    async with context.get_database(request).read() as connection:
        tools, total = await store.list_tools(
            connection, caller.organization_id, name=name, limit=page.limit, offset=page.offset
        )
    rendered = [rendering.render_tool(tool) for tool in tools]
    return envelope.respond_page(request, rendered, page.describe(total=total, returned=len(rendered)))


async def get_tool(request: Request, caller: AuthenticatedCaller, tool_id: str) -> Response:
    """One tool; its secrets are shown as `***`."""
    async with context.get_database(request).read() as connection:
        tool = await store.get_tool(connection, caller.organization_id, tool_id)
    return envelope.respond(request, rendering.render_tool(tool))


async def delete_tool(request: Request, caller: AuthenticatedCaller, tool_id: str) -> Response:
    """Delete a tool; agents that name it go on without it."""
    await service.delete_tool(context.get_database(request), organization_id=caller.organization_id, tool_id=tool_id)
    return envelope.respond_deleted(request, tool_id)
