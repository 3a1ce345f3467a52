"""Answers plain requests of busy endpoints ahead of the framework, whose routing would cost as much as some answers.

Key, address and rate limit are checked as on the route. Whatever is not plain goes there.
"""

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ringdown.errors import RingdownError
from ringdown.web import auth, error_rendering

#: Answers a request whose caller is known by then.
Answer = Callable[[Request], Awaitable[Response]]
#: What answers a GET, told from its URL alone; None leaves it to the route.
Shortcut = Callable[[Request], Answer | None]

_BODY_HEADERS = (b"content-length", b"transfer-encoding")


class Shortcuts:
    """ASGI middleware; `by_path` are the paths whose GET has a shortcut."""

    def __init__(self, app: ASGIApp, by_path: Mapping[str, Shortcut]) -> None:
        self._app = app
        self._by_path = by_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        shortcut = self._by_path.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "GET" else None
        if shortcut is not None and not any(name in _BODY_HEADERS for name, _ in scope["headers"]):
            request = Request(scope, receive)
            answer = shortcut(request)
            if answer is not None:
                try:
                    await auth.authenticate(request)
                    response = await answer(request)
                except RingdownError as error:
                    response = error_rendering.render(request, error)
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)
