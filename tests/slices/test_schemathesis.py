"""The whole API under schemathesis: no bug, no undocumented status, no answer that breaks its schema, no open door."""

import asyncio
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

import httpx
import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder

from ringdown.accounts import service
from ringdown.api import server
from ringdown.config import Settings
from ringdown.db import engine
from tests.slices.conftest import BASE

# A key that is deleted or tied to other addresses would shut the test out; test_account_api.py covers these.
_OWN_KEY = ["delete_api_key", "update_api_key", "replace_api_key"]
# A rule that no schema can tell refuses with 422, a limit of credits that the run has set by itself with 402, a link
# without its signature with 403; and no vendor is reachable.
_ACCEPTED = ["2xx", "402", "403", "404", "409", "422", "502"]
_MAY_BE_GONE = ["get_contact", "update_contact", "replace_contact", "delete_contact", "get_recording"]
_PHONE = "+12025550142"
_SCHEDULE = {"schedule_type": "scheduled", "scheduled_at": "2040-01-02T09:00:00Z"}
# `FUZZ_SCALE=50` looks much longer for what is wrong.
_SCALE = int(os.environ.get("FUZZ_SCALE", "1"))
_find_address = socket.getaddrinfo


def _configure(
    key: str, known: Mapping[str, Sequence[str]], *, phases: Sequence[str], examples: int, seed: int
) -> SchemathesisConfig:
    names = ("examples", "coverage", "fuzzing", "stateful")
    bound = [f"{place}.{name}" for name in known for place in ("path", "query", "body")]
    return SchemathesisConfig.from_dict(
        {
            "seed": seed,
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
            "phases": {
                name: {"enabled": name in phases, **({"max-steps": 6} if name == "stateful" else {})} for name in names
            },
            "operations": [
                # PUT and PATCH are one function each: what is sent to the one in every variation stands for both.
                {"include-method": "PUT", "phases": {"coverage": {"enabled": False}}},
                # A contact goes with its folder, and a call has no recording before it has ended.
                {"include-operation-id": _MAY_BE_GONE, "checks": {"ensure_resource_availability": {"enabled": False}}},
            ],
            "dictionaries": {name: {"values": list(values)} for name, values in known.items()},
            "parameters": {each: {"dictionary": each.partition(".")[2], "probability": 0.8} for each in bound},
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


def _make_known(url: str, key: str) -> dict[str, list[str]]:
    """Ids of one of each resource and other good values, by the name of the field or parameter that takes them."""
    with httpx.Client(base_url=f"{url}{BASE}", headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:

        def create(path: str, **body: Any) -> str:
            response = client.post(path, json=body)
            assert response.status_code == 201, response.text
            made: str = response.json()["data"]["id"]
            return made

        agent = create("/agents", name="A", voice_id="espeak:en-us", system_prompt="Be kind.")
        trunk = create("/telephony/trunks", name="carrier", hosts=["sip.example.net"])
        numbers = [
            create("/telephony/numbers/import", phone_number=f"+1202555010{digit}", trunk_id=trunk)
            for digit in range(4)
        ]
        for number in numbers[:2]:
            body = {"number_id": number, "agent_id": agent, "assignment_type": "outbound"}
            assert client.post("/telephony/numbers/assign", json=body).is_success
        queued = [create("/calls", agent_id=agent, phone_number=_PHONE) for _ in range(4)]
        assert client.post(f"/calls/{queued[0]}/hangup").is_success
        base = create("/knowledge-bases", name="Help")
        folder = create("/contacts/folders", name="Customers")
        batches = [
            create("/batch-calls", name="Recall", agent_id=agent, contacts=[{"phone_number": phone}], **schedule)
            for phone, schedule in ((_PHONE, _SCHEDULE), ("+12125551234", {}))
        ]
        assert client.post("/contacts/dnc", json={"phone_number": "+12125551235"}).is_success
        endpoint = create("/webhook-endpoints", url="https://shop.example/hook")
        return {
            "agent_id": [agent],
            "batch_call_id": batches,
            "call_id": queued,
            "contact_id": [create("/contacts", phone_number=_PHONE, folder_id=folder)],
            "contact_folder_id": [folder],
            "credential_id": [create("/telephony/credentials", provider_type="telnyx", api_key="KEY")],
            "endpoint_id": [endpoint],
            "folder_id": [folder],
            "knowledge_base_id": [base],
            "language": ["en", "de-DE"],
            "model": ["builtin", "gpt-4o"],
            "number_id": numbers,
            "phone": [_PHONE],
            "phone_number": [_PHONE, "+12125551235"],
            "source_id": [create(f"/knowledge-bases/{base}/sources/text", name="Hours", text="We open at nine.")],
            "timezone": ["Europe/Berlin", "America/New_York"],
            "tool_id": [create("/tools", name="Shop", url="https://shop.example/", method="POST")],
            "trunk_id": [trunk],
            "url": ["https://shop.example/hook"],
            "voice_id": ["espeak:en-us", "espeak:en-gb"],
        }


def _find_only_this_machine(host: Any, *arguments: Any, **named: Any) -> Any:
    if host not in ("127.0.0.1", b"127.0.0.1"):
        raise socket.gaierror(socket.EAI_NONAME, "this test leaves nobody's machine")
    return _find_address(host, *arguments, **named)


def _run(url: str, config: SchemathesisConfig) -> tuple[list[str], set[str]]:
    """What is wrong, and the operations that did what they were asked to."""
    schema = schemathesis.openapi.from_url(f"{url}{BASE}/openapi.json", config=config).exclude(operation_id=_OWN_KEY)
    wrong: list[str] = []
    done: set[str] = set()
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            wrong.append(repr(event))
        if not isinstance(event, events.ScenarioFinished):
            continue
        record = event.recorder
        for case_id, interaction in record.interactions.items():
            if interaction.response is not None and interaction.response.status_code < 300:
                done.add(record.cases[case_id].value.operation.label)
        for case_id, checks in record.checks.items():
            for check in checks:
                if check.status == Status.FAILURE and check.failure_info is not None:
                    if check.name == "ensure_resource_availability" and _is_repetition(record, case_id):
                        continue
                    wrong.append(f"{check.name}: {check.failure_info.failure} {check.failure_info.code_sample}")
    return wrong, done


def _is_repetition(record: ScenarioRecorder, case_id: str) -> bool:
    """Whether the case uses what a POST with an idempotency key made: perhaps earlier, and gone since."""
    parent_id = record.cases[case_id].parent_id
    return parent_id is not None and "X-Idempotency-Key" in (record.cases[parent_id].value.headers or {})


@pytest.fixture
def settings(settings: Settings, database_url: str) -> Settings:
    """Settings with a database, without limit, whose carriers refuse to connect."""
    nobody = "http://127.0.0.1:9"
    return settings.model_copy(
        update={
            "database_url": database_url,
            "rate_limit_enabled": False,
            "telnyx_url": f"{nobody}/v2",
            "twilio_url": nobody,
        }
    )


@pytest.fixture
def database_url(request: pytest.FixtureRequest, kind: str) -> str:
    """The URL of a new, migrated database of this kind."""
    url: str = request.getfixturevalue(f"{kind}_url")
    return url


# Which phases, from how many seeds, with how many examples each, and how many operations are to succeed at least.
_RUNS: dict[str, tuple[tuple[str, ...], int, int, int]] = {
    "variations": (("examples", "coverage"), 1, 1, 60),
    "fuzzing": (("fuzzing",), 1, 2, 50),
    # A run ends when the same steps are answered in another way, as they are where something exists already.
    "sequences": (("stateful",), 6, 20, 50),
}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("kind", "run"),
    [("sqlite", "variations"), ("sqlite", "fuzzing"), ("postgresql", "fuzzing"), ("sqlite", "sequences")],
)
def test_every_answer_is_a_documented_one(settings: Settings, monkeypatch: pytest.MonkeyPatch, run: str) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", _find_only_this_machine)
    key = asyncio.run(_create_key(settings.sqlalchemy_url))
    phases, seeds, examples, least = _RUNS[run]
    done: set[str] = set()
    with _serve(settings) as url:
        known = _make_known(url, key)
        for seed in range(seeds * _SCALE):
            config = _configure(key, known, phases=phases, examples=examples, seed=seed)
            wrong, succeeded = _run(url, config)
            assert wrong == []
            done |= succeeded
    assert len(done) >= least, sorted(done)
