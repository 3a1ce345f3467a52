"""Routes of trunks."""

from fastapi import APIRouter, Request, Response

from ringdown.secret import SecretBox
from ringdown.telephony import conversion, schemas, service, trunk_store
from ringdown.telephony.models import Trunk
from ringdown.web import context, envelope, openapi, route
from ringdown.web.auth import AuthenticatedCaller
from ringdown.web.pagination import PageQuery

_TRUNK = {"$ref": "#/components/schemas/TrunkObject"}


def new_router(box: SecretBox) -> APIRouter:
    """The routes; `box` seals what the database must not show."""
    router = route.new_router(prefix="/telephony/trunks", tag="Telephony")
    one = openapi.describe_one(_TRUNK, "The trunk.")
    made = openapi.describe_one(_TRUNK, "The trunk.", status=201)
    router.get("", summary="List trunks", responses=openapi.describe_list(_TRUNK, "Trunks."))(list_trunks)
    router.get("/{trunk_id}", summary="Get a trunk", responses=one)(get_trunk)
    router.delete("/{trunk_id}", summary="Delete a trunk", responses=openapi.describe_deleted())(delete_trunk)

    @router.post("", summary="Create a trunk", status_code=201, responses=made)
    async def create_trunk(request: Request, caller: AuthenticatedCaller, body: schemas.CreateTrunk) -> Response:
        """Create a trunk; the gateways use it at once unless `is_enabled` is false."""
        trunk = await service.create_trunk(
            context.get_database(request), box=box, organization_id=caller.organization_id, body=body
        )
        return envelope.respond_created(request, await _render_alone(request, trunk))

    @router.put("/{trunk_id}", summary="Update a trunk", responses=one, operation_id="replace_trunk")
    @router.patch("/{trunk_id}", summary="Update a trunk", responses=one)
    async def update_trunk(
        request: Request, caller: AuthenticatedCaller, trunk_id: str, body: schemas.UpdateTrunk
    ) -> Response:
        """Change the fields that are sent; PUT and PATCH do the same. A trunk of `ringdown.toml` is refused."""
        trunk = await service.update_trunk(
            context.get_database(request),
            box=box,
            organization_id=caller.organization_id,
            trunk_id=trunk_id,
            body=body,
        )
        return envelope.respond(request, await _render_alone(request, trunk))

    return router


async def list_trunks(request: Request, caller: AuthenticatedCaller, page: PageQuery) -> Response:
    """Trunks with their state, newest first."""
    async with context.get_database(request).read() as connection:
        trunks, total = await trunk_store.list_trunks(
            connection, caller.organization_id, limit=page.limit, offset=page.offset
        )
        statuses = await trunk_store.list_statuses(connection, caller.organization_id, [trunk.id for trunk in trunks])
    rendered = [
        conversion.render_trunk(trunk, [status for status in statuses if status.trunk_id == trunk.id])
        for trunk in trunks
    ]
    return envelope.respond_page(request, rendered, page.describe(total=total, returned=len(rendered)))


async def get_trunk(request: Request, caller: AuthenticatedCaller, trunk_id: str) -> Response:
    """One trunk with its state: registration, round-trip and last error of each gateway."""
    async with context.get_database(request).read() as connection:
        trunk = await trunk_store.get_trunk(connection, caller.organization_id, trunk_id)
    return envelope.respond(request, await _render_alone(request, trunk))


async def delete_trunk(request: Request, caller: AuthenticatedCaller, trunk_id: str) -> Response:
    """Delete a trunk; refused while numbers are on it, and when it comes from `ringdown.toml`."""
    await service.delete_trunk(context.get_database(request), organization_id=caller.organization_id, trunk_id=trunk_id)
    return envelope.respond_deleted(request, trunk_id)


async def _render_alone(request: Request, trunk: Trunk) -> dict[str, object]:
    async with context.get_database(request).read() as connection:
        statuses = await trunk_store.list_statuses(connection, trunk.organization_id, [trunk.id])
    return conversion.render_trunk(trunk, statuses)
