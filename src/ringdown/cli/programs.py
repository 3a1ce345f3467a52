"""Commands that run programs: everything at once, one of them alone, a demonstration; and what they need first."""

import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from ringdown import lifecycle
from ringdown.cli import becoming
from ringdown.cli import demo as demonstration
from ringdown.cli.database import check_current, check_reachable
from ringdown.cli.first_run import Prepared
from ringdown.cli.organization import DataDir
from ringdown.cli.preflight import find_free_port, make_data_folder
from ringdown.cli.tree import run_tree
from ringdown.config import Settings
from ringdown.db import migrate as migration

T = TypeVar("T")


def serve(
    data_dir: DataDir = None,
    demo: Annotated[bool, typer.Option("--demo", help="Place one demonstration call when everything runs.")] = False,
) -> None:
    """Run everything: API, gateway, worker and the test phone, until Ctrl-C."""
    settings = lifecycle.load_settings(data_dir=data_dir)

    async def run(stop: lifecycle.Stop, ready: Callable[[], None]) -> None:
        async with run_tree(settings, on_prepared=_show_key) as (supervisor, prepared):
            ready()
            if demo:
                await _show_demo(stop, settings, prepared)
            if not stop.asked.is_set():
                _print_addresses(settings, prepared.agent_id)
            await supervisor.wait(stop)
            print("Stopping: live calls may finish; Ctrl-C again ends them now.", flush=True)
            await supervisor.drain(stop)
        print("Stopped.", flush=True)

    lifecycle.run_program(run)


def _show_key(prepared: Prepared) -> None:
    if prepared.new_key is not None:
        print(f"Your first API key, shown only now:\n\n  {prepared.new_key}\n", flush=True)


async def _until_stopped(stop: lifecycle.Stop, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`; raises `DemoFailed` when a stop was asked for before it was there."""
    task, asked = asyncio.create_task(work), asyncio.create_task(stop.asked.wait())
    await asyncio.wait((task, asked), return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise demonstration.DemoFailed("Stopped before the demonstration call had completed.")
    return task.result()


async def _show_demo(stop: lifecycle.Stop, settings: Settings, prepared: Prepared) -> None:
    def show(line: str) -> None:
        print(line, flush=True)

    try:
        listed = await _until_stopped(stop, demonstration.place_demo_call(settings, prepared, show))
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


def demo(
    as_json: Annotated[bool, typer.Option("--json", help="Print exactly what GET /calls answers.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Place one demonstration call on free ports; exit status 0 when it completed."""
    with _demo_folder(data_dir) as folder:
        ports = {name: find_free_port("127.0.0.1") for name in ("http_port", "sip_port", "test_phone_port")}
        # Links of this call lead to these ports, not to where a public URL of the environment leads.
        # Nor does it register with the carriers of the file, or load its models.
        settings = lifecycle.load_settings(
            data_dir=folder, public_url="", log_level="warning", webrtc_port=0, trunks=(), providers=(), **ports
        )

        def show(line: str) -> None:
            if not as_json:
                print(line, flush=True)

        async def run(stop: lifecycle.Stop, ready: Callable[[], None]) -> None:
            show("Starting Ringdown ...")
            async with run_tree(settings) as (_, prepared):
                ready()
                listed = await _until_stopped(stop, demonstration.place_demo_call(settings, prepared, show))
            show("")
            print(json.dumps(listed) if as_json else demonstration.render(listed), flush=True)

        lifecycle.run_program(run)


@contextlib.contextmanager
def _demo_folder(data_dir: Path | None) -> Iterator[Path]:
    if data_dir is not None:
        yield data_dir
        return
    with tempfile.TemporaryDirectory(prefix="ringdown-demo-") as folder:
        yield Path(folder)


def _check_database() -> None:
    """`serve` prepares its database; a program of its own finds it prepared."""
    asyncio.run(check_current(lifecycle.load_settings()))


def api() -> None:
    """Run the public API alone."""
    _check_database()
    becoming.become("api", [])


def gateway() -> None:
    """Run one gateway alone: SIP, RTP and the conversations."""
    _check_database()
    becoming.become("gateway", [])


def worker() -> None:
    """Run the worker alone: due work that belongs to no live call."""
    _check_database()
    becoming.become("worker", [])


def migrate(data_dir: DataDir = None) -> None:
    """Bring the database's tables up to date."""
    settings = lifecycle.load_settings(data_dir=data_dir)
    make_data_folder(settings.data_dir)

    async def run() -> None:
        await check_reachable(settings)
        await migration.migrate(settings.sqlalchemy_url)

    asyncio.run(run())
    print("The database is up to date.")
