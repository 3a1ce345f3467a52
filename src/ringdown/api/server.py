"""The API as a process: one uvicorn server that stops gracefully."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn

from ringdown import collector
from ringdown.api import app, join
from ringdown.config import Settings
from ringdown.db import engine
from ringdown.lifecycle import CannotStart
from ringdown.providers.registry import read_providers

# How long requests may go on after a stop was asked for.
_DRAIN_SECONDS = 10


async def serve(settings: Settings, *, asked: asyncio.Event, ready: Callable[[], None] | None = None) -> None:
    """Serve until `asked` is set; `ready` is called once requests are answered.

    Raises `CannotStart`. With `http_port` 0 a free port is taken.
    """
    try:
        read_providers(settings)  # agents and voices name them
    except ValueError as error:
        raise CannotStart(f"{error}.") from error
    listener = _listen(settings)
    bound = settings.model_copy(update={"http_port": listener.getsockname()[1]})
    database = engine.open_database(bound.sqlalchemy_url)
    try:
        config = uvicorn.Config(
            app.create_app(bound, database),
            access_log=False,
            log_config=None,
            lifespan="off",
            http="httptools",
            proxy_headers=False,
            server_header=False,
            ws="websockets-sansio",
            ws_max_size=join.MAX_MESSAGE_BYTES,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
        )
        server = _Server(config, ready)
        stopping = asyncio.create_task(_stop_when_asked(server, asked))
        try:
            await server.serve(sockets=[listener])
        finally:
            stopping.cancel()
    finally:
        listener.close()
        await database.close()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the program's own: it knows more reasons to stop than these."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self._ready is not None and self.started:
            collector.settle()
            self._ready()


async def _stop_when_asked(server: uvicorn.Server, asked: asyncio.Event) -> None:
    await asked.wait()
    server.should_exit = True


def _listen(settings: Settings) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.http_host, settings.http_port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CannotStart(f"The API cannot listen on {settings.http_host}: {error.strerror or error}.") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()  # two that start at the same time can both bind, but not both listen
    except OSError as error:
        listener.close()
        where = f"{settings.http_host} port {settings.http_port}"
        raise CannotStart(f"The API cannot listen on {where}: {error.strerror}.") from error
    return listener
