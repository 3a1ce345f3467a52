"""The outermost layer of the API: gives every request its id and headers, and turns a bug into a plain 500."""

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ringdown import values
from ringdown.db import engine
from ringdown.errors import RingdownError, Unavailable
from ringdown.web import error_rendering

_log = structlog.get_logger(__name__)

_RETRY_AFTER_SECONDS = "5"
# A file that cannot be read is a fault of ours; a refused connection is the database's, as requests open no other.
_OF_DATABASE = tuple({*engine.UNAVAILABLE, ConnectionError} - {OSError})


class Edge:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["request_id"] = values.new_id("req")
        state["response_headers"] = {}
        is_started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal is_started
            if message["type"] == "http.response.start":
                is_started = True
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = state["request_id"]
                for name, value in state["response_headers"].items():
                    headers[name] = value
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=state["request_id"]):
            try:
                await self._app(scope, receive, send_with_headers)
            except ClientDisconnect:
                _log.debug("client_disconnected", method=scope["method"])
            except Exception as error:
                _log.exception(
                    "request_failed", request_id=state["request_id"], method=scope["method"], path=scope["path"]
                )
                if is_started:
                    raise  # the server must cut the connection: the answer is incomplete
                response = error_rendering.render(Request(scope), _explain(error))
                if response.status_code == Unavailable.status:
                    state["response_headers"]["Retry-After"] = _RETRY_AFTER_SECONDS
                await response(scope, receive, send_with_headers)


def _explain(error: Exception) -> RingdownError:
    if isinstance(error, _OF_DATABASE) and engine.is_away(error):
        return Unavailable("The database is away for the moment; send the request again in a few seconds.")
    return RingdownError("Something went wrong on our side; the request id names it in the log.")
