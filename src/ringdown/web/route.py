"""The route class that gives every endpoint the contract's order of checks.

Key and rate limit (401, 403, 429), query parameters (422), size and form of the body (413, 400), idempotency (409);
only then FastAPI validates values and calls the endpoint.
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response, params
from fastapi.routing import APIRoute

from ringdown.errors import BadRequest, FieldError, ValidationFailed
from ringdown.web import auth, body, context, forms, idempotency, openapi, query, repetition
from ringdown.web.body import JsonRequest
from ringdown.web.forms import FormRequest

_Handler = Callable[[Request], Awaitable[Response]]


class PublicRoute(APIRoute):
    """A route without a key; unknown query parameters and bad bodies are refused all the same."""

    needs_key = False
    max_body_bytes = body.MAX_JSON_BYTES
    #: How large a form with files may be that the endpoint reads by itself; 0 for an endpoint that reads none.
    max_form_bytes = 0

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler behind the contract's checks; FastAPI calls this once per route."""
        handle = super().get_route_handler()
        known = query.list_parameters(self.dependant, self.openapi_extra)

        async def checked(request: Request) -> Response:
            if self.needs_key:
                await auth.authenticate(request)
            return await self._check(request, known=known, handle=handle)

        return checked

    async def _check(self, request: Request, *, known: Mapping[str, bool], handle: _Handler) -> Response:
        body.refuse_nul_in_url(request)
        query.refuse_unread(request, known)
        if isinstance(getattr(self.body_field, "field_info", None), params.Form) or (
            self.max_form_bytes and forms.is_multipart(request)
        ):
            return await self._check_form(request, handle)
        json_request = JsonRequest(_as_json(request), request.receive)
        json_request.max_bytes = self.max_body_bytes
        await self._read_body(json_request)
        if self.needs_key and request.method == "POST":
            return await _handle_once(json_request, handle, await json_request.body())
        return await handle(json_request)

    async def _check_form(self, request: Request, handle: _Handler) -> Response:
        form_request = FormRequest(request.scope, request.receive)
        form_request.max_bytes = self.max_form_bytes or self.max_body_bytes
        try:
            await form_request.read_form()
            if self.needs_key and request.method == "POST" and idempotency.HEADER in request.headers:
                return await _handle_once(form_request, handle, await form_request.hash_form())
            return await handle(form_request)
        finally:
            await form_request.close()

    async def _read_body(self, request: JsonRequest) -> None:
        content = await request.body()
        if content and self.body_field is not None:
            await request.json()
        elif content and self.needs_key and request.method == "POST" and not self.max_form_bytes:
            unknown = await request.json()
            if unknown:
                raise ValidationFailed([FieldError(name, "is unknown: this request has no fields") for name in unknown])
        elif self.body_field is not None and self.body_field.field_info.is_required():
            raise BadRequest("The request body must be a JSON object.")


class ApiRoute(PublicRoute):
    """A route that needs an API key."""

    needs_key = True


def new_router(*, prefix: str = "", tag: str) -> APIRouter:
    """A router whose endpoints need an API key."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=ApiRoute, responses=openapi.REFUSALS)


def new_public_router(*, prefix: str = "", tag: str) -> APIRouter:
    """A router whose endpoints need no API key."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=PublicRoute, responses=openapi.PUBLIC_REFUSALS)


async def _handle_once(request: Request, handle: _Handler, content: bytes) -> Response:
    web = context.get_context(request)
    claim = repetition.read_claim(request, organization_id=request.state.caller.organization_id, body=content)
    if claim is None:
        return await handle(request)
    stored = await idempotency.begin(web.database, claim)
    if stored is not None:
        return repetition.replay(request, stored)
    response: Response | None = None
    try:
        async with idempotency.keep_in_flight(web.database, claim):
            response = await handle(request)
    finally:
        await idempotency.finish(web.database, claim, repetition.describe_answer(response), settings=web.settings)
    return response


def _as_json(request: Request) -> dict[str, Any]:
    # A body is JSON whatever its Content-Type says; most command-line clients say "form".
    headers = [(name, value) for name, value in request.scope["headers"] if name != b"content-type"]
    return {**request.scope, "headers": [*headers, (b"content-type", b"application/json")]}
