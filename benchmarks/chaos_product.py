"""The product under chaos: its database, its programs with their real entry points, an organization and its key."""

import asyncio
import contextlib
import functools
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import asyncpg

from benchmarks.chaos_program import Program
from ringdown import lifecycle
from ringdown.cli import first_run, preflight
from ringdown.cli.preflight import find_free_port
from ringdown.config import Settings
from tests import postgresql

Kind = Literal["sqlite", "postgresql"]
KINDS: tuple[Kind, ...] = get_args(Kind)
#: How many run on each: SQLite is one machine's.
GATEWAYS: Mapping[Kind, int] = {"sqlite": 1, "postgresql": 2}

_HOST = "127.0.0.1"
_DATABASE = "chaos"
_READY_S = 60.0
_FIRST_RTP_PORT, _RTP_PORTS = 20000, 5000


@dataclass(frozen=True, slots=True)
class Store:
    """Where the product keeps its rows: a SQLite file of the folder, or a database of a server."""

    kind: Kind
    folder: Path
    socket: Path | None = None

    @property
    def url(self) -> str | None:
        """As the settings take it."""
        return None if self.socket is None else f"postgresql://postgres@/{_DATABASE}?host={self.socket}"

    @property
    def settings(self) -> Settings:
        """The settings of whoever reads it."""
        return Settings(data_dir=self.folder / "data", database_url=self.url)


@contextmanager
def open_store(kind: Kind, folder: Path) -> Iterator[Store]:
    """An empty database for the block; PostgreSQL with a server of its own, whose data lies in the folder."""
    if kind == "sqlite":
        yield Store(kind, folder)
        return
    data = folder / "postgresql"
    with postgresql.run_postgresql(data=data, options={"shared_buffers": "128MB"}) as socket:
        asyncio.run(_create_database(socket))
        yield Store(kind, folder, socket)


async def _create_database(socket: Path) -> None:
    connection = await asyncpg.connect(host=str(socket), user="postgres", database="postgres")
    try:
        await connection.execute(f"CREATE DATABASE {_DATABASE}")
    finally:
        await connection.close()


@dataclass(frozen=True, slots=True)
class Product:
    """The running programs, where the API is and the key to it."""

    store: Store
    url: str
    key: str
    organization_id: str
    programs: tuple[Program, ...]

    @property
    def gateways(self) -> list[Program]:
        """The programs that carry calls."""
        return [program for program in self.programs if program.name.startswith("gateway")]


@asynccontextmanager
async def run_product(store: Store, *, max_calls: int) -> AsyncIterator[Product]:
    """Prepare the database and run api, worker and gateways until the block ends."""
    preflight.make_data_folder(store.settings.data_dir)
    prepared = await first_run.prepare(store.settings)
    assert prepared.new_key is not None, "the database is not empty"
    environment = _build_environment(store) | {"RINGDOWN_MAX_CALLS": str(max_calls)}
    http_port = find_free_port(_HOST)
    with _hold_lifeline() as lifeline:
        make = functools.partial(_make_program, store, lifeline=lifeline)
        carriers = [
            make(
                f"gateway {index + 1}",
                "ringdown.gateway",
                environment
                | {
                    "RINGDOWN_SIP_PORT": str(find_free_port(_HOST)),
                    "RINGDOWN_RTP_PORT_MIN": str(_FIRST_RTP_PORT + index * _RTP_PORTS),
                    "RINGDOWN_RTP_PORT_MAX": str(_FIRST_RTP_PORT + (index + 1) * _RTP_PORTS - 1),
                },
            )
            for index in range(GATEWAYS[store.kind])
        ]
        api = make("api", "ringdown.api", environment | {"RINGDOWN_HTTP_PORT": str(http_port)})
        programs = (api, make("worker", "ringdown.worker", environment), *carriers)
        async with _keep_running(programs):
            url = f"http://{_HOST}:{http_port}/api/public/v1"
            yield Product(store, url, prepared.new_key, prepared.organization_id, programs)


@asynccontextmanager
async def run_worker(store: Store) -> AsyncIterator[Program]:
    """The worker alone, on a database that is prepared."""
    with _hold_lifeline() as lifeline:
        worker = _make_program(store, "worker", "ringdown.worker", _build_environment(store), lifeline=lifeline)
        async with _keep_running((worker,)):
            yield worker


@contextmanager
def _hold_lifeline() -> Iterator[int]:
    """What programs stop by when this process is gone, however it went."""
    read, write = os.pipe()
    try:
        yield read
    finally:
        os.close(write)
        os.close(read)


def _make_program(store: Store, name: str, module: str, environment: dict[str, str], *, lifeline: int) -> Program:
    log = store.folder / f"{name.replace(' ', '-')}.log"
    return Program(name, module, environment=environment, log=log, lifeline=lifeline)


@asynccontextmanager
async def _keep_running(programs: tuple[Program, ...]) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(program.keep_running()) for program in programs]
        try:
            async with asyncio.timeout(_READY_S):
                for program in programs:
                    await program.is_ready.wait()
            yield
        finally:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*(program.stop() for program in programs))
            for task in tasks:
                await asyncio.wait([task], timeout=5)


def _build_environment(store: Store) -> dict[str, str]:
    """What the programs are told beyond the environment of this one; limits that the run itself would meet are off."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("RINGDOWN_")}
    given = {
        "DATA_DIR": str(store.folder / "data"),
        "WEBRTC_PORT": "0",
        "TEST_PHONE_ENABLED": "false",
        "RATE_LIMIT_ENABLED": "false",
        "PRIVATE_URLS_ALLOWED": "true",
        "LOG_FORMAT": "json",
        "DRAIN_SECONDS": "20",
    }
    if store.url is not None:
        given["DATABASE_URL"] = store.url
    named = {f"RINGDOWN_{name}": value for name, value in given.items()}
    return {**lifecycle.ALLOCATION, **own, "PYTHONUNBUFFERED": "1", **named}
