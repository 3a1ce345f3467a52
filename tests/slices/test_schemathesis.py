"""The whole API under schemathesis: no bug, no undocumented status, no answer that breaks its schema, no open door."""

import asyncio
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.engine.run import PhaseName

from ringdown.accounts import service
from ringdown.api import server
from ringdown.config import Settings
from ringdown.db import engine
from tests.slices.conftest import BASE

# A key that is deleted or tied to other addresses would shut the test out; test_account_api.py covers these.
_OWN_KEY = ("delete_api_key", "update_api_key", "replace_api_key")
# A rule that no schema can tell refuses with 422; credits are not enforced here, and no vendor is reachable.
_ACCEPTED = ["2xx", "401", "403", "404", "409", "422", "502"]
_find_address = socket.getaddrinfo


def _configure(key: str, *, phases: dict[str, Any], examples: int) -> SchemathesisConfig:
    names = ("examples", "coverage", "fuzzing", "stateful")
    return SchemathesisConfig.from_dict(
        {
            "seed": 20260405,
            "headers": {"Authorization": f"Bearer {key}"},
            "continue-on-failure": True,
            "suppress-health-check": ["all"],
            "generation": {"max-examples": examples, "deterministic": True, "no-shrink": True, "database": "none"},
            "cache": {"enabled": False},
            "request-timeout": 60,
            "checks": {
                "not_a_server_error": {"expected-statuses": ["2xx", "4xx", "502"]},
                "positive_data_acceptance": {"expected-statuses": _ACCEPTED},
            },
            "phases": {name: {"enabled": name in phases, **phases.get(name, {})} for name in names},
        }
    )


@contextmanager
def _serve(settings: Settings) -> Iterator[str]:
    """The URL of the API in a thread of its own."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    bound = settings.model_copy(update={"http_port": port})
    is_ready, loops, stops = Event(), [], []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        stops.append(asyncio.Event())
        await server.serve(bound, asked=stops[0], ready=is_ready.set)

    with ThreadPoolExecutor(1) as executor:
        serving = executor.submit(asyncio.run, serve())
        try:
            assert is_ready.wait(60)
            yield f"http://127.0.0.1:{port}"
        finally:
            loops[0].call_soon_threadsafe(stops[0].set)
            serving.result(60)


async def _create_key(url: str) -> str:
    database = engine.open_database(url)
    organization = await service.create_organization(database, name="Ours")
    _, key = await service.create_key(database, organization_id=organization.id, name="tests")
    await database.close()
    return key


def _find_only_this_machine(host: Any, *arguments: Any, **named: Any) -> Any:
    if host not in ("127.0.0.1", b"127.0.0.1"):
        raise socket.gaierror(socket.EAI_NONAME, "this test leaves nobody's machine")
    return _find_address(host, *arguments, **named)


def _run(url: str, config: SchemathesisConfig) -> tuple[list[str], dict[PhaseName, set[str]]]:
    """What is wrong, and the statuses that were answered in each phase."""
    schema = schemathesis.openapi.from_url(f"{url}{BASE}/openapi.json", config=config).exclude(operation_id=_OWN_KEY)
    wrong: list[str] = []
    answered: dict[PhaseName, set[str]] = {}
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            wrong.append(repr(event))
        if not isinstance(event, events.ScenarioFinished):
            continue
        record = event.recorder
        for case_id, interaction in record.interactions.items():
            if interaction.response is not None:
                operation = record.cases[case_id].value.operation
                answered.setdefault(event.phase, set()).add(f"{operation.label} {interaction.response.status_code}")
        for checks in record.checks.values():
            for check in checks:
                if check.status == Status.FAILURE and check.failure_info is not None:
                    wrong.append(f"{check.name}: {check.failure_info.failure} {check.failure_info.code_sample}")
    return wrong, answered


@pytest.fixture
def settings(settings: Settings, sqlite_url: str) -> Settings:
    """Settings with a database, without limit, whose carriers refuse to connect."""
    nobody = "http://127.0.0.1:9"
    return settings.model_copy(
        update={
            "data_dir": Path(sqlite_url.removeprefix("sqlite+aiosqlite:///")).parent,
            "rate_limit_enabled": False,
            "telnyx_url": f"{nobody}/v2",
            "twilio_url": nobody,
        }
    )


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("phases", "examples"),
    [({"examples": {}, "fuzzing": {}}, 4), ({"stateful": {"max-steps": 6}}, 8)],
    ids=["each operation", "operations in a row"],
)
def test_every_answer_is_a_documented_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, phases: dict[str, Any], examples: int
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", _find_only_this_machine)
    key = asyncio.run(_create_key(settings.sqlalchemy_url))
    with _serve(settings) as url:
        wrong, answered = _run(url, _configure(key, phases=phases, examples=examples))
    assert wrong == []
    every = set().union(*answered.values())
    print(len(every), {phase: len(found) for phase, found in answered.items()}, sorted(every))
