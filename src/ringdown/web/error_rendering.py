"""Every refusal as the error envelope of the API; knows no rule, only how a refusal looks."""

from http import HTTPStatus
from typing import cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException

from ringdown.errors import RingdownError, Unauthorized, ValidationFailed
from ringdown.web import context, envelope, messages


def install(app: FastAPI) -> None:
    """Render the refusals of our rules, of FastAPI's validation and of the router."""
    app.add_exception_handler(RingdownError, _on_ringdown_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)


def render(request: Request, error: RingdownError) -> Response:
    """The error envelope with the refusal's status."""
    if isinstance(error, Unauthorized):
        context.set_header(request, "WWW-Authenticate", "Bearer")
    return _render(request, status=error.status, code=error.code, message=error.message, details=error.details)


def _render(request: Request, *, status: int, code: str, message: str, details: dict[str, object]) -> Response:
    error = {"code": code, "message": message, "details": details}
    return envelope.render({"error": error, "meta": envelope.get_meta(request)}, status=status)


async def _on_ringdown_error(request: Request, error: Exception) -> Response:
    return render(request, cast(RingdownError, error))


async def _on_validation_error(request: Request, error: Exception) -> Response:
    refused = cast(RequestValidationError, error)
    return render(request, ValidationFailed(messages.explain(refused.errors(), body=refused.body)))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    refused = cast(HTTPException, error)
    for name, value in (refused.headers or {}).items():
        context.set_header(request, name, value)
    if refused.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        context.set_header(request, "Allow", ", ".join(_list_methods(request)))
    target = f"{request.method} {request.url.path}"
    code, message = HTTPStatus(refused.status_code).name.lower(), str(refused.detail)
    if refused.status_code == HTTPStatus.NOT_FOUND:
        message = f"There is no such endpoint: {target}"
    elif refused.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        message = f"The endpoint does not know this method: {target}"
    return _render(request, status=refused.status_code, code=code, message=message, details={})


def _list_methods(request: Request) -> list[str]:
    """The methods of all routes at this path; the router itself names only those of the first (RFC 9110 §15.5.6).

    `/voices/clone` is no voice: of all routes that fit the path, those count that have the fewest ids in it.
    """
    path = request.scope["path"]
    at_path = [route for route in iter_route_contexts(request.app.routes) if route.path_regex.match(path)]
    fewest = min((route.path_regex.groups for route in at_path), default=0)
    return sorted({method for route in at_path if route.path_regex.groups == fewest for method in route.methods or ()})
