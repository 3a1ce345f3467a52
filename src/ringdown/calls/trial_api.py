"""The route of test calls: an agent tried over a phone, or in the browser."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Request, Response
from pydantic import ConfigDict, Field, JsonValue

from ringdown import errors
from ringdown.agents import store as agent_store
from ringdown.agents.setting_schemas import RequestBody, other_name
from ringdown.calls import browser, rendering, service
from ringdown.calls.api import Links
from ringdown.calls.browser import BrowserCall
from ringdown.calls.models import Call, CallSettings, PlaceCall
from ringdown.calls.schemas import OTHER_VARIABLES, CallObject, CallSettingsBody, Number, VariableText
from ringdown.web import context, envelope, openapi, route
from ringdown.web.auth import AuthenticatedCaller

_MADE = openapi.describe_one({"$ref": "#/components/schemas/TestCallObject"}, "The call.", status=201)

router = route.new_router(prefix="/agents", tag="Agents")


class TestCall(RequestBody):
    """A call to try an agent: to a phone, or without `phone_number` from a browser."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"phone_number": "+12125551234"}]})

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        return {"context": "variables"}

    phone_number: Number | None = None
    from_number: Number | None = Field(None, description="One of the agent's outbound numbers, for a phone.")
    call_settings: CallSettingsBody | None = None
    variables: dict[str, VariableText] | None = Field(None, description="Fill `{{name}}` in prompt and greeting.")
    context: Annotated[None, other_name("variables"), OTHER_VARIABLES] = None
    metadata: dict[str, JsonValue] | None = Field(None, description="Kept with the call and returned as it is.")


class TestCallObject(CallObject):
    """The call, and where a browser joins it."""

    call_id: str
    join_url: str | None = Field(description="A WebSocket, good for one join; null for a call to a phone.")


@router.post(
    "/{agent_id}/test-call", summary="Try an agent", status_code=201, responses=_MADE | openapi.PAYMENT_REQUIRED
)
async def create_test_call(
    request: Request, caller: AuthenticatedCaller, agent_id: str, links: Links, body: TestCall | None = None
) -> Response:
    """Let an agent call a phone, or without a `phone_number` give a browser the link to call the agent.

    It is a call like any other: recorded, billed and listed.
    """
    wanted = body or TestCall()
    async with context.get_database(request).read() as connection:
        agent = await agent_store.get_agent(connection, caller.organization_id, agent_id)
    if agent.status != "active":
        raise errors.invalid("agent_id", f"the agent is {agent.status}; publish it before it can call")
    if wanted.phone_number is None and wanted.from_number is not None:
        raise errors.invalid("from_number", "needs a phone_number; a browser sees no number")
    call, join_url = await _place(request, caller.organization_id, agent_id, wanted)
    shown = {**rendering.render_call(call, links), "call_id": call.id, "join_url": join_url}
    return envelope.respond_created(request, shown) if join_url is None else envelope.respond_secret(request, shown)


async def _place(request: Request, organization_id: str, agent_id: str, wanted: TestCall) -> tuple[Call, str | None]:
    database, settings = context.get_database(request), context.get_settings(request)
    call_settings = CallSettings() if wanted.call_settings is None else wanted.call_settings.to_settings(CallSettings())
    variables, metadata = wanted.variables or {}, wanted.metadata or {}
    if wanted.phone_number is None:
        opened = BrowserCall(agent_id=agent_id, settings=call_settings, variables=variables, metadata=metadata)
        return await browser.open_browser_call(
            database, settings=settings, organization_id=organization_id, request=opened
        )
    placed = PlaceCall(
        agent_id=agent_id,
        phone_number=wanted.phone_number,
        from_number=wanted.from_number,
        settings=call_settings,
        variables=variables,
        metadata=metadata,
    )
    return await service.place_call(database, settings=settings, organization_id=organization_id, request=placed), None
