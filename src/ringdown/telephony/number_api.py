"""Routes of phone numbers."""

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import values
from ringdown.secret import SecretBox
from ringdown.telephony import carrier_store, store
from ringdown.telephony import number_schemas as schemas
from ringdown.telephony import number_service as service
from ringdown.telephony.carrier_numbers import CarrierNumbers
from ringdown.telephony.carrier_store import CarrierNumber
from ringdown.telephony.number_service import RequireAgent
from ringdown.telephony.store import PhoneNumber
from ringdown.web import context, envelope, openapi, route
from ringdown.web.auth import AuthenticatedCaller
from ringdown.web.pagination import PageQuery

_NUMBER = {"$ref": "#/components/schemas/NumberObject"}
_UNASSIGNED = {"$ref": "#/components/schemas/UnassignedNumberObject"}
_AGENT_NUMBERS = {"$ref": "#/components/schemas/AgentNumbersObject"}
_MADE = openapi.describe_one(_NUMBER, "The number.", status=201)
_ONE = openapi.describe_one(_NUMBER, "The number.")


def new_router(box: SecretBox, require_agent: RequireAgent, desk: CarrierNumbers) -> APIRouter:
    """The routes; `box` seals the credentials of imports, `require_agent` knows the agents, `desk` the carriers."""
    router = route.new_router(prefix="/telephony", tag="Telephony")
    router.get("/numbers", summary="List phone numbers", responses=openapi.describe_list(_NUMBER, "Numbers."))(
        list_numbers
    )
    _add_import(router, box, desk)
    _add_assignments(router, require_agent)
    router.get("/numbers/{number_id}", summary="Get a phone number", responses=_ONE)(get_number)
    router.put("/numbers/{number_id}", summary="Update a phone number", responses=_ONE, operation_id="replace_number")(
        update_number
    )
    router.patch("/numbers/{number_id}", summary="Update a phone number", responses=_ONE)(update_number)
    deleted = {**openapi.describe_deleted(), **openapi.PROVIDER_FAILED}

    @router.delete("/numbers/{number_id}", summary="Delete a phone number", responses=deleted)
    async def delete_number(request: Request, caller: AuthenticatedCaller, number_id: str) -> Response:
        """Remove a number; one that was bought here is given back to the carrier. The trunk and old calls stay."""
        await desk.delete_number(organization_id=caller.organization_id, number_id=number_id)
        return envelope.respond_deleted(request, number_id)

    return router


def _add_import(router: APIRouter, box: SecretBox, desk: CarrierNumbers) -> None:
    made = {**_MADE, **openapi.PROVIDER_FAILED}

    @router.post("/numbers/import", summary="Import a phone number", status_code=201, responses=made)
    async def import_number(request: Request, caller: AuthenticatedCaller, body: schemas.ImportNumber) -> Response:
        """Add a number of yours: at Telnyx, at Twilio, on a trunk that exists, or with a new trunk."""
        if body.provider_type in ("telnyx", "twilio"):
            number = await desk.import_number(organization_id=caller.organization_id, body=body)
        else:
            number = await service.import_number(
                context.get_database(request), box=box, organization_id=caller.organization_id, body=body
            )
        return envelope.respond_created(request, await render_alone(request, number))


def _add_assignments(router: APIRouter, require_agent: RequireAgent) -> None:
    @router.post("/numbers/assign", summary="Assign a phone number", status_code=201, responses=_MADE)
    async def assign_number(request: Request, caller: AuthenticatedCaller, body: schemas.AssignNumber) -> Response:
        """Let a number ring an agent (`inbound`) or an agent call from it (`outbound`); moves it if need be."""
        number = await service.assign_number(
            context.get_database(request),
            organization_id=caller.organization_id,
            number_id=body.number_id,
            agent_id=body.agent_id,
            assignment_type=body.assignment_type,
            require_agent=require_agent,
        )
        return envelope.respond_created(request, await render_alone(request, number))

    unassigned = openapi.describe_one(_UNASSIGNED, "The number.", status=201)

    @router.post("/numbers/unassign", summary="Unassign a phone number", status_code=201, responses=unassigned)
    async def unassign_number(request: Request, caller: AuthenticatedCaller, body: schemas.UnassignNumber) -> Response:
        """Take the agent off a number, in one direction."""
        number = await service.assign_number(
            context.get_database(request),
            organization_id=caller.organization_id,
            number_id=body.number_id,
            agent_id=None,
            assignment_type=body.assignment_type,
            require_agent=require_agent,
        )
        rendered = await render_alone(request, number)
        shown = {**rendered, "agent_id": None, "unassigned_at": values.to_wire_time(number.updated_at)}
        return envelope.respond_created(request, shown)

    listed = openapi.describe_one(_AGENT_NUMBERS, "The agent's numbers.")

    @router.get("/agents/{agent_id}/numbers", summary="List the numbers of an agent", responses=listed)
    async def list_agent_numbers(request: Request, caller: AuthenticatedCaller, agent_id: str) -> Response:
        """The numbers that ring an agent, and those it calls from; without pages."""
        async with context.get_database(request).read() as connection:
            await require_agent(connection, caller.organization_id, agent_id)
            numbers = await store.list_agent_numbers(connection, caller.organization_id, [agent_id])
            rendered = await _render_all(connection, caller.organization_id, numbers)
        shown = {
            "agent_id": agent_id,
            "inbound": [number for number in rendered if number["inbound_agent_id"] == agent_id],
            "outbound": [number for number in rendered if number["outbound_agent_id"] == agent_id],
        }
        return envelope.respond(request, shown)


async def list_numbers(request: Request, caller: AuthenticatedCaller, page: PageQuery) -> Response:
    """Numbers, newest first."""
    async with context.get_database(request).read() as connection:
        numbers, total = await store.list_number_page(
            connection, caller.organization_id, limit=page.limit, offset=page.offset
        )
        rendered = await _render_all(connection, caller.organization_id, numbers)
    return envelope.respond_page(request, rendered, page.describe(total=total, returned=len(numbers)))


async def get_number(request: Request, caller: AuthenticatedCaller, number_id: str) -> Response:
    """One number."""
    async with context.get_database(request).read() as connection:
        number = await store.get_number(connection, caller.organization_id, number_id)
    return envelope.respond(request, await render_alone(request, number))


async def update_number(
    request: Request, caller: AuthenticatedCaller, number_id: str, body: schemas.UpdateNumber
) -> Response:
    """Rename a number, or let its calls take another trunk; PUT and PATCH do the same."""
    number = await service.update_number(
        context.get_database(request), organization_id=caller.organization_id, number_id=number_id, body=body
    )
    return envelope.respond(request, await render_alone(request, number))


async def render_alone(request: Request, number: PhoneNumber) -> dict[str, object]:
    """A number as the API shows it."""
    async with context.get_database(request).read() as connection:
        [rendered] = await _render_all(connection, number.organization_id, [number])
    return rendered


async def _render_all(
    connection: AsyncConnection, organization_id: str, numbers: Sequence[PhoneNumber]
) -> list[dict[str, object]]:
    known = await carrier_store.list_numbers(connection, organization_id, [number.id for number in numbers])
    return [_render(number, known.get(number.id)) for number in numbers]


def _render(number: PhoneNumber, ours: CarrierNumber | None) -> dict[str, object]:
    return {
        "id": number.id,
        "number": number.phone_number,
        "phone_number": number.phone_number,
        "friendly_name": number.friendly_name,
        "status": number.status,
        "organization_id": number.organization_id,
        "is_trudy_managed": ours is not None and ours.is_managed,
        "agent_id": number.inbound_agent_id or number.outbound_agent_id,
        "inbound_agent_id": number.inbound_agent_id,
        "outbound_agent_id": number.outbound_agent_id,
        "trunk_id": number.trunk_id,
        "telephony_credential_id": None if ours is None else ours.credential_id,
        "created_at": values.to_wire_time(number.created_at),
        "updated_at": values.to_wire_time(number.updated_at),
        "provider_type": None if ours is None else ours.provider_type,
    }
