"""Who sends a request: the bearer key is read here and recognised by `accounts`."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from ringdown.errors import Unauthorized
from ringdown.web import context, rate_limit
from ringdown.web.caller import Caller

#: What the OpenAPI document calls the API key.
SECURITY_SCHEME = "BearerAuth"

# Only describes the key in the OpenAPI document; `authenticate` does the work, before the body is read.
_bearer = HTTPBearer(
    auto_error=False, scheme_name=SECURITY_SCHEME, description="An API key: `truedy_` and 32 alphanumerics."
)


async def authenticate(request: Request) -> None:
    """Recognise the caller and count the request; raises `Unauthorized`, `Forbidden` or `RateLimited`."""
    web = context.get_context(request)
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthorized("Send an API key: `Authorization: Bearer truedy_…`.")
    caller = await web.authenticate(key.strip(), request.client.host if request.client else None)
    await rate_limit.count_request(request, settings=web.settings, database=web.database, caller=caller)
    request.state.caller = caller


async def get_caller(request: Request, _described: Annotated[object, Depends(_bearer)]) -> Caller:
    """The authenticated caller of a route of `route.new_router`."""
    caller: Caller = request.state.caller
    return caller


#: `caller: AuthenticatedCaller` in an endpoint's parameters.
AuthenticatedCaller = Annotated[Caller, Depends(get_caller)]
