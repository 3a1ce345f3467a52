"""The route of calls from browsers."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ringdown.agents import store as agent_store
from ringdown.agents.setting_schemas import RequestBody, other_name
from ringdown.calls import browser
from ringdown.calls.browser import BrowserCall
from ringdown.calls.models import CallSettings
from ringdown.calls.schemas import OTHER_VARIABLES, CallSettingsBody, VariableText
from ringdown.web import context, envelope, openapi, route
from ringdown.web.auth import AuthenticatedCaller

_MADE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The link to join, without the usual envelope.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/BrowserCallObject"}}},
    }
}

router = route.new_router(prefix="/webrtc", tag="WebRTC")


class CreateBrowserCall(RequestBody):
    """A call for a browser to join."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"agent_id": "agt_01kar6nq9zj3k8f5v7c1r6y2hd", "variables": {"first_name": "Ana"}}]
        }
    )

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        return {"context": "variables"}

    agent_id: str
    call_settings: CallSettingsBody | None = Field(None, description="`join_timeout`: how long the link is good.")
    variables: dict[str, VariableText] | None = Field(None, description="Fill `{{name}}` in prompt and greeting.")
    context: Annotated[None, other_name("variables"), OTHER_VARIABLES] = None
    metadata: dict[str, JsonValue] | None = Field(None, description="Kept with the call and returned as it is.")


class BrowserCallObject(BaseModel):
    """Where a browser joins a call."""

    joinUrl: str = Field(description="A WebSocket, good for one join within the join timeout; a secret.")  # noqa: N815
    callId: str = Field(description="The id of the call.")  # noqa: N815 (the wire's names)
    agentName: str  # noqa: N815


@router.post("/call", summary="Let a browser call an agent", responses=_MADE | openapi.PAYMENT_REQUIRED)
async def create_browser_call(request: Request, caller: AuthenticatedCaller, body: CreateBrowserCall) -> Response:
    """Queue a call that a browser joins by `joinUrl`. An agent that is not active is not found."""
    database, settings = context.get_database(request), body.call_settings
    call, join_url = await browser.open_browser_call(
        database,
        settings=context.get_settings(request),
        organization_id=caller.organization_id,
        request=BrowserCall(
            agent_id=body.agent_id,
            settings=CallSettings() if settings is None else settings.to_settings(CallSettings()),
            variables=body.variables or {},
            metadata=body.metadata or {},
        ),
    )
    async with database.read() as connection:
        agent = await agent_store.get_agent(connection, caller.organization_id, call.agent_id)
    shown = envelope.render({"joinUrl": join_url, "callId": call.id, "agentName": agent.name})
    return envelope.SecretResponse(shown.body, media_type="application/json")
