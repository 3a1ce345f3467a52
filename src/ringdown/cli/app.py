"""The commands of `ringdown`."""

import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from ringdown import log as logging
from ringdown.api import server as api_server
from ringdown.cli import demo as demonstration
from ringdown.cli import keys, lifecycle, phone
from ringdown.cli.preflight import CannotStart, find_free_port
from ringdown.cli.tree import run_tree
from ringdown.config import Settings
from ringdown.db import migrate as migration
from ringdown.errors import RingdownError
from ringdown.gateway import program as gateway_program
from ringdown.worker import program as worker_program

app = typer.Typer(
    name="ringdown", help="Self-hosted AI phone calls.", no_args_is_help=True, pretty_exceptions_enable=False
)
app.add_typer(keys.app, name="keys")
app.command(name="phone")(phone.phone)

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Folder of the database and recordings.")]


def main() -> None:
    """Run the command line; every foreseen failure is one sentence on stderr and exit status 1."""
    try:
        app()
    except (CannotStart, demonstration.DemoFailed) as error:
        _fail(str(error))
    except RingdownError as error:
        _fail(error.message)
    except ValidationError as error:
        first = error.errors()[0]
        _fail(f"The setting {'.'.join(str(part) for part in first['loc'])} is not valid: {first['msg']}.")


def _fail(sentence: str) -> None:
    print(f"ringdown: {sentence}", file=sys.stderr)
    raise SystemExit(1)


def load_settings(**changes: Any) -> Settings:
    """The settings, with those given on the command line; logging is set up by them."""
    settings = Settings(**{name: value for name, value in changes.items() if value is not None})
    logging.configure(settings)
    return settings


@app.command()
def serve(
    data_dir: DataDir = None,
    demo: Annotated[bool, typer.Option("--demo", help="Place one demonstration call when everything runs.")] = False,
) -> None:
    """Run everything: API, gateway, worker and the test phone, until Ctrl-C."""
    settings = load_settings(data_dir=data_dir)

    async def run(stop: lifecycle.Stop, ready: Callable[[], None]) -> None:
        async with run_tree(settings) as (supervisor, prepared):
            ready()
            if prepared.new_key is not None:
                print(f"Your first API key, shown only now:\n\n  {prepared.new_key}\n", flush=True)
            if demo:
                await _until_stopped(stop, _show_demo(settings, prepared))
            _print_addresses(settings, prepared.agent_id)
            await supervisor.wait(stop)
            print("Stopping: live calls may finish; Ctrl-C again ends them now.", flush=True)
            await supervisor.drain(stop)
        print("Stopped.", flush=True)

    lifecycle.run_program(run)


async def _until_stopped(stop: lifecycle.Stop, work: Coroutine[Any, Any, None]) -> None:
    task, asked = asyncio.create_task(work), asyncio.create_task(stop.asked.wait())
    await asyncio.wait((task, asked), return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not task.done():
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _show_demo(settings: Settings, prepared: Any) -> None:
    def show(line: str) -> None:
        print(line, flush=True)

    try:
        listed = await demonstration.place_demo_call(settings, prepared, show)
    except demonstration.DemoFailed as error:
        print(f"ringdown: {error}", file=sys.stderr, flush=True)
        return
    newest = {**listed, "data": listed["data"][:1]}
    print(
        f"\nGET {settings.base_url}/api/public/v1/calls now lists it:\n\n{demonstration.render(newest)}\n", flush=True
    )
    recording = settings.data_dir / "recordings" / prepared.organization_id / f"{listed['data'][0]['id']}.mp3"
    print(f"Its recording: {recording}", flush=True)


def _print_addresses(settings: Settings, agent_id: str | None) -> None:
    print(
        f"""
API          {settings.base_url}/api/public/v1  (OpenAPI: {settings.base_url}/api/public/v1/openapi.json)
SIP          sip:agent@{settings.sip_host}:{settings.sip_port}  (UDP and TCP; ring it from a softphone on this machine)
Test phone   {settings.test_phone_number}  (always answers)
Oldest agent {agent_id or "none"}
Data         {settings.data_dir.absolute()}

Ready. Ctrl-C stops.""",
        flush=True,
    )


@app.command()
def demo(
    as_json: Annotated[bool, typer.Option("--json", help="Print exactly what GET /calls answers.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Place one demonstration call on free ports; exit status 0 when it completed."""
    with _demo_folder(data_dir) as folder:
        ports = {name: find_free_port("127.0.0.1") for name in ("http_port", "sip_port", "test_phone_port")}
        settings = load_settings(data_dir=folder, public_url=None, log_level="warning", **ports)

        def show(line: str) -> None:
            if not as_json:
                print(line, flush=True)

        async def run(stop: lifecycle.Stop, ready: Callable[[], None]) -> None:
            show("Starting Ringdown ...")
            async with run_tree(settings) as (_, prepared):
                ready()
                listed = await _first(stop, demonstration.place_demo_call(settings, prepared, show))
            show("")
            print(json.dumps(listed) if as_json else demonstration.render(listed), flush=True)

        lifecycle.run_program(run)


async def _first(stop: lifecycle.Stop, work: Coroutine[Any, Any, Any]) -> Any:
    task, asked = asyncio.create_task(work), asyncio.create_task(stop.asked.wait())
    await asyncio.wait((task, asked), return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    raise demonstration.DemoFailed("Stopped before the call had completed.")


@contextlib.contextmanager
def _demo_folder(data_dir: Path | None) -> Iterator[Path]:
    if data_dir is not None:
        yield data_dir
        return
    with tempfile.TemporaryDirectory(prefix="ringdown-demo-") as folder:
        yield Path(folder)


@app.command()
def api(data_dir: DataDir = None) -> None:
    """Run the public API alone."""
    settings = load_settings(data_dir=data_dir)
    lifecycle.run_program(lambda stop, ready: api_server.serve(settings, asked=stop.asked, ready=ready))


@app.command()
def gateway(data_dir: DataDir = None) -> None:
    """Run one gateway alone: SIP, RTP and the conversations."""
    settings = load_settings(data_dir=data_dir)
    lifecycle.run_program(
        lambda stop, ready: gateway_program.serve(settings, asked=stop.asked, urgent=stop.urgent, ready=ready)
    )


@app.command()
def worker(data_dir: DataDir = None) -> None:
    """Run the worker alone: due work that belongs to no live call."""
    settings = load_settings(data_dir=data_dir)
    lifecycle.run_program(lambda stop, ready: worker_program.serve(settings, asked=stop.asked, ready=ready))


@app.command()
def migrate(data_dir: DataDir = None) -> None:
    """Bring the database's tables up to date."""
    settings = load_settings(data_dir=data_dir)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    asyncio.run(migration.migrate(settings.sqlalchemy_url))
    print("The database is up to date.")
