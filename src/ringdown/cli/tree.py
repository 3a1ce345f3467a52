"""The process tree of one machine: which programs `serve` and `demo` start, and with which environment."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr

from ringdown import lifecycle
from ringdown.cli import first_run, preflight
from ringdown.cli.first_run import Prepared
from ringdown.cli.supervisor import ProgramSpec, Supervisor
from ringdown.config import Settings
from ringdown.gateway.routes import find_test_phone_host
from ringdown.sip.address import join_host_port

# They hold certificates and secrets, too many for an environment: a child reads them where we did, if any.
_TABLES = ("trunks", "providers")


def list_programs(settings: Settings) -> list[ProgramSpec]:
    """The programs, one of each."""
    specs = [ProgramSpec(name, [f"ringdown.{name}"]) for name in ("api", "gateway", "worker")]
    if settings.test_phone_enabled:
        listen = join_host_port(find_test_phone_host(settings), settings.test_phone_port)
        specs.append(ProgramSpec("test phone", ["ringdown.phone", "--listen", listen, "--quiet"]))
    return specs


def build_environment(settings: Settings) -> dict[str, str]:
    """The environment in which a child reads exactly these settings."""
    environment = {**lifecycle.ALLOCATION, **os.environ}
    for name, value in settings.model_dump(exclude_unset=True, exclude=set(_TABLES)).items():
        environment[f"RINGDOWN_{name.upper()}"] = _render(value)
    for name in _TABLES:
        if not getattr(settings, name) and name in settings.model_fields_set:
            environment[f"RINGDOWN_{name.upper()}"] = "[]"
    return environment


def _render(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, (list, tuple)):
        return ",".join(str(item) for item in value)
    return str(value)


@asynccontextmanager
async def run_tree(
    settings: Settings, *, on_prepared: Callable[[Prepared], None] = lambda _prepared: None
) -> AsyncIterator[tuple[Supervisor, Prepared]]:
    """Hold the data folder, prepare it, and run the programs for the length of the block. Raises `CannotStart`.

    `on_prepared` is called before the programs start: a first key is known to nobody else if one of them fails.
    """
    with preflight.hold_data_folder(settings.data_dir):
        preflight.check_ports(settings)
        preflight.check_peer(settings)
        preflight.check_trunks(settings)
        preflight.check_providers(settings)
        prepared = await first_run.prepare(settings)
        on_prepared(prepared)
        environment = build_environment(settings)
        supervisor = Supervisor(list_programs(settings), environment=environment, drain_s=float(settings.drain_seconds))
        async with supervisor:
            yield supervisor, prepared
