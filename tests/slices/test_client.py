"""The Python client against the real API, and against one that fails."""

import asyncio
import dataclasses
import importlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from codegen import client as codegen
from codegen import reference
from ringdown.accounts import service as accounts
from ringdown.api import server
from ringdown.cli import calls
from ringdown.client import ApiError, AsyncClient, Client, ConnectionFailed
from ringdown.client import transport as client_transport
from ringdown.client.transport import Operation
from ringdown.config import Settings
from ringdown.db import engine

_AGENT: dict[str, Any] = {"name": "Front desk", "system_prompt": "Be kind.", "voice_id": "espeak:en-us"}


@dataclasses.dataclass(frozen=True)
class Api:
    """Where the API is, and a key for it."""

    url: str
    key: str


@pytest.fixture
async def api(sqlite_url: str, settings: Settings) -> AsyncIterator[Api]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    folder = Path(sqlite_url.removeprefix("sqlite+aiosqlite:///")).parent
    changes = {"http_port": port, "data_dir": folder, "database_url": None, "rate_limit_enabled": False}
    bound = settings.model_copy(update=changes)
    database = engine.open_database(bound.sqlalchemy_url)
    organization = await accounts.create_organization(database, name="Ours")
    _, key = await accounts.create_key(database, organization_id=organization.id, name="client")
    await database.close()
    asked, is_ready = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve(bound, asked=asked, ready=is_ready.set))
        await asyncio.wait_for(is_ready.wait(), 30)
        yield Api(f"http://127.0.0.1:{port}", key)
        asked.set()


async def test_both_clients_do_the_same(api: Api) -> None:
    def use() -> list[str]:
        with Client(api.url, key=api.key) as client:
            agent = client.agents.create(**{**_AGENT, "name": "Waiting"})
            changed = client.agents.update(agent["id"], description="night shift")
            assert changed["description"] == "night shift"
            assert client.agents.get(agent["id"]) == changed
            return [listed["name"] for listed in client.agents.list(limit=1)]

    assert await asyncio.to_thread(use) == ["Waiting"]
    async with AsyncClient(api.url + "/api/public/v1/", key=api.key) as client:
        agent = await client.agents.create(**_AGENT)
        page = await client.agents.list(name="DESK")
        assert (page.total, [listed["id"] for listed in page]) == (1, [agent["id"]])
        assert await client.agents.delete(agent["id"]) == {"id": agent["id"], "deleted": True}
        with pytest.raises(ApiError) as refused:
            await client.agents.get(agent["id"])
    assert (refused.value.status, refused.value.code) == (404, "not_found")
    assert refused.value.details["id"] == agent["id"]
    assert str(refused.value.request_id).startswith("req_")


async def test_an_iterator_goes_through_all_pages(api: Api) -> None:
    async with AsyncClient(api.url, key=api.key) as client:
        for number in range(7):
            await client.agents.create(**{**_AGENT, "name": f"Agent {number}"})
        names = [agent["name"] async for agent in client.agents.iterate(limit=3)]
        agent_id = (await client.agents.list(limit=1)).data[0]["id"]
        placed = [await client.calls.create(agent_id=agent_id, phone_number="+12025550142") for _ in range(5)]
        listed = [call["id"] async for call in client.calls.iterate(limit=2, status="failed")]

    assert names == [f"Agent {number}" for number in reversed(range(7))]
    assert listed == [call["id"] for call in reversed(placed)]

    def iterate() -> list[str]:
        with Client(api.url, key=api.key) as waiting:
            return [call["id"] for call in waiting.calls.iterate(limit=2, status="failed")]

    assert await asyncio.to_thread(iterate) == listed


async def test_a_request_that_is_sent_twice_with_one_key_creates_one(api: Api) -> None:
    async with AsyncClient(api.url, key=api.key) as client:
        made = [await client.agents.create(idempotency_key="once", **_AGENT) for _ in range(2)]
        assert made[0] == made[1]
        assert (await client.agents.list()).total == 1


async def test_an_iterator_of_events_ends_and_begins_after_any(api: Api) -> None:
    async with AsyncClient(api.url, key=api.key) as client:
        agent_id = (await client.agents.create(**_AGENT))["id"]
        for _ in range(3):
            await client.calls.create(agent_id=agent_id, phone_number="+12025550142")
        known = [event["id"] for event in await client.webhooks.list_all_events(sort="created_at")]
        assert len(known) > 3
        async with asyncio.timeout(30):
            for limit in (2, len(known)):
                events = client.webhooks.iterate_all_events(sort="created_at", limit=limit)
                assert [event["id"] async for event in events] == known
            later = [event["id"] async for event in client.webhooks.iterate_all_events(after=known[0], limit=1)]
    assert later == known[1:]


async def test_an_iterator_of_contacts_begins_at_any_page(api: Api) -> None:
    file = b"phone\n" + b"".join(b"+1202555014%d\n" % number for number in range(5))
    async with AsyncClient(api.url, key=api.key) as client:
        await client.contacts.import_contacts(file=file)
        known = [contact["id"] for contact in await client.contacts.list()]
        assert len(known) == 5
        for page in (1, 2, 3):
            found = [contact["id"] async for contact in client.contacts.iterate(page=page, limit=2)]
            assert found == known[2 * (page - 1) :]


async def test_a_file_that_is_sent_twice_with_one_key_is_imported_once(api: Api) -> None:
    file = b"phone\n+12025550142\n"
    async with AsyncClient(api.url, key=api.key) as client:
        imports = [await client.contacts.import_contacts(file=file, idempotency_key="once") for _ in range(2)]
        entries = [await client.contacts.import_dnc_entries(file=file, idempotency_key="once") for _ in range(2)]
    assert imports[0] == imports[1]
    assert entries[0] == entries[1]
    assert (imports[0]["imported"], entries[0]["imported"]) == (1, 1)


async def test_refused_values_are_named(api: Api) -> None:
    async with AsyncClient(api.url, key=api.key) as client:
        with pytest.raises(ApiError, match="limit: must be a whole number from 1 to 100") as refused:
            await client.calls.list(limit=0)
    assert refused.value.details["field"] == "limit"


@contextmanager
def _serve(answer: Callable[[BaseHTTPRequestHandler, int], tuple[int, object, dict[str, str]] | None]) -> Iterator[str]:
    """A server whose answers the test decides by the number of the request; None breaks the connection."""
    count = iter(range(1, 100))

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            decided = answer(self, next(count))
            if decided is None:
                self.close_connection = True
                return
            status, document, headers = decided
            body = json.dumps(document).encode() if not isinstance(document, bytes) else document
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}"
        finally:
            listening.shutdown()
            thread.join()


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the client would have waited."""
    waits: list[float] = []

    async def note(delay_s: float) -> None:
        waits.append(delay_s)

    monkeypatch.setattr(client_transport.time, "sleep", waits.append)
    monkeypatch.setattr(client_transport.asyncio, "sleep", note)
    return waits


_MADE = {"data": {"id": "agt_1"}, "meta": {}}


async def test_a_post_is_sent_again_with_the_same_key(no_waits: list[float]) -> None:
    keys: list[str | None] = []

    def answer(request: BaseHTTPRequestHandler, number: int) -> tuple[int, object, dict[str, str]] | None:
        keys.append(request.headers["x-idempotency-key"])
        return {1: None, 2: (503, b"<html>", {}), 3: (429, {}, {"retry-after": "7"})}.get(number, (201, _MADE, {}))

    with _serve(answer) as url, Client(url, key="k") as client:
        assert client.agents.create(**_AGENT) == {"id": "agt_1"}
    assert len(keys) == 4
    assert len(set(keys)) == 1
    assert keys[0]
    assert no_waits[2] == 7

    keys.clear()
    with _serve(answer) as url:
        async with AsyncClient(url, key="k") as client_of_loop:
            assert await client_of_loop.agents.create(**_AGENT) == {"id": "agt_1"}
    assert len(keys) == 4


def test_an_api_that_stays_away_is_told(no_waits: list[float]) -> None:
    with _serve(lambda _request, _number: (502, b"<html>Bad gateway", {})) as url, Client(url, key="k") as client:
        with pytest.raises(ApiError, match="not the API's") as refused:
            client.agents.list()
        assert refused.value.status == 502
    assert len(no_waits) == 3
    with Client(url, key="k", tries=1) as client, pytest.raises(ConnectionFailed):
        client.agents.list()


def test_a_deletion_that_may_have_been_done_is_not_sent_again(no_waits: list[float]) -> None:
    with (
        _serve(lambda _request, _number: None) as url,
        Client(url, key="k") as client,
        pytest.raises(ConnectionFailed),
    ):
        client.agents.delete("agt_1")
    assert no_waits == []


def test_an_answer_that_breaks_off_is_read_again_and_a_file_that_does_is_told(no_waits: list[float]) -> None:
    cut_off = {"content-length": "99", "content-type": "text/csv"}

    def answer(_request: BaseHTTPRequestHandler, number: int) -> tuple[int, object, dict[str, str]]:
        _request.close_connection = True
        return (200, b'{"data": {"id"', cut_off) if number != 2 else (200, _MADE, {})

    with _serve(answer) as url, Client(url, key="k") as client:
        assert client.agents.get("agt_1") == {"id": "agt_1"}
        with pytest.raises(ConnectionFailed), client.calls.export() as file:
            file.read()


async def test_an_import_may_take_longer_than_other_requests() -> None:
    def answer(request: BaseHTTPRequestHandler, _number: int) -> tuple[int, object, dict[str, str]]:
        request.rfile.read(int(request.headers["content-length"]))
        time.sleep(0.6)
        return 201, _MADE, {}

    with _serve(answer) as url:
        with Client(url, key="k", tries=1, timeout_s=0.2) as client:
            assert client.contacts.import_contacts(file=b"phone\n") == _MADE["data"]
            with pytest.raises(ConnectionFailed, match="ReadTimeout"):
                client.agents.create(**_AGENT)
        async with AsyncClient(url, key="k", tries=1, timeout_s=0.2) as client_of_loop:
            assert await client_of_loop.contacts.import_dnc_entries(file=b"phone\n") == _MADE["data"]


_PAGE = b"<html>Please log in"
_CAME = r"^The answer is not the API's \(text/html, status 200\)"


@contextmanager
def _serve_page() -> Iterator[str]:
    """What a proxy may answer instead of the API."""
    with _serve(lambda _request, _number: (200, _PAGE, {"content-type": "text/html"})) as url:
        yield url


async def test_a_page_is_not_taken_for_the_answer_of_the_api() -> None:
    with _serve_page() as url:
        with Client(url, key="k") as client:
            with pytest.raises(ApiError, match=_CAME) as refused:
                client.agents.list()
            with pytest.raises(ApiError, match=_CAME), client.calls.export():
                pytest.fail("A page passed for a file.")
        async with AsyncClient(url, key="k") as client_of_loop:
            with pytest.raises(ApiError, match=_CAME):
                await client_of_loop.agents.get("agt_1")
            with pytest.raises(ApiError, match=_CAME):
                async with client_of_loop.voices.preview("voice_1"):
                    pytest.fail("A page passed for sound.")
    assert (refused.value.status, refused.value.code) == (200, "unknown")


async def test_json_without_the_envelope_is_not_taken_for_the_answer_of_the_api() -> None:
    with _serve(lambda _request, _number: (200, {"data": []}, {"content-type": "application/json"})) as url:
        async with AsyncClient(url, key="k") as client_of_loop:
            with pytest.raises(ApiError, match="not the API's"):
                await client_of_loop.agents.list()
    with _serve(lambda _request, _number: (200, {"id": "agt_1"}, {"content-type": "application/json"})) as url:
        with Client(url, key="k") as client, pytest.raises(ApiError, match="not the API's"):
            client.agents.get("agt_1")
        async with AsyncClient(url, key="k") as client_of_loop:
            with pytest.raises(ApiError, match="not the API's"):
                await client_of_loop.agents.get("agt_1")


@pytest.mark.parametrize("command", ["list", "export"])
def test_a_page_instead_of_the_api_is_one_sentence_on_the_command_line(tmp_path: Path, command: str) -> None:
    with _serve_page() as url:
        ended = CliRunner().invoke(calls.app, [command, "--url", url, "--key", "k", "--data-dir", str(tmp_path)])
    sentence = "ringdown: The answer is not the API's (text/html, status 200).\n"
    assert (ended.exit_code, ended.stdout, ended.stderr) == (1, "", sentence)


def test_parameters_are_written_as_the_api_reads_them() -> None:
    paths: list[str] = []

    def answer(request: BaseHTTPRequestHandler, _number: int) -> tuple[int, object, dict[str, str]]:
        paths.append(request.path)
        return 200, {"data": [], "meta": {}, "pagination": {"total": 0}}, {}

    with _serve(answer) as url, Client(url, key="k") as client:
        query = {"metadata": {"order": "7 & 8"}, "enabled": True, "tags": ["a", "b"], "status": None}
        client._transport.request_page(Operation(method="GET", path="/calls", query=query))
        client.agents.get("../calls/x?y")
    assert paths == [
        "/api/public/v1/calls?metadata.order=7+%26+8&enabled=true&tags=a&tags=b",
        "/api/public/v1/agents/..%2Fcalls%2Fx%3Fy",
    ]


def test_the_generated_client_is_that_of_the_document(tmp_path: Path) -> None:
    """`make generate` mends it."""
    for name, text in codegen.make_files(codegen.make_document()).items():
        (tmp_path / name).write_text(text)
    rules = f'extend = "{codegen.FOLDER.parents[3] / "pyproject.toml"}"\nlint.ignore = ["E501", "A001", "A002", "A003"]'
    (tmp_path / "ruff.toml").write_text(rules)
    for arguments in (["format", "-q"], ["check", "-q", "--fix"]):
        subprocess.run([sys.executable, "-m", "ruff", *arguments, tmp_path], check=True)
    assert _read(tmp_path, "*.py") == _read(codegen.FOLDER, "*.py")


def test_the_generated_reference_is_that_of_the_document() -> None:
    """`make generate` mends it."""
    made = {name: text.rstrip() for name, text in reference.make_files(codegen.make_document()).items()}
    assert made == {name: text.rstrip() for name, text in _read(reference.FOLDER, "*.md").items()}


def _read(folder: Path, pattern: str) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.glob(pattern)}


async def test_a_client_made_by_a_public_generator_works(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "openapi.json").write_text(json.dumps(codegen.make_document()))
    (tmp_path / "config.yml").write_text("post_hooks: []\n")
    generate = ["openapi-python-client", "generate", "--path", "openapi.json", "--config", "config.yml"]
    program = Path(sys.executable).parent / generate[0]
    made = await asyncio.create_subprocess_exec(
        program, *generate[1:], "--meta", "none", "--output-path", "made_client",
        cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    told = (await asyncio.wait_for(made.communicate(), 120))[0].decode()
    # It knows neither sound nor lines of JSON, and says so; anything else is a fault of the document.
    refused = {line for line in told.splitlines() if line.startswith("WARNING")}
    assert refused <= {
        "WARNING parsing GET /api/public/v1/privacy/export within privacy.",
        "WARNING parsing GET /api/public/v1/voices/{voice_id}/preview within voices.",
        "WARNING parsing GET /recordings/{call_id}.mp3 within recordings.",
    }, told
    assert made.returncode == 0
    monkeypatch.syspath_prepend(tmp_path)
    kind = importlib.import_module("made_client").AuthenticatedClient
    body = importlib.import_module("made_client.models.create_agent").CreateAgent.from_dict(_AGENT)
    create = importlib.import_module("made_client.api.agents.create_agent")
    listing = importlib.import_module("made_client.api.agents.list_agents")
    async with kind(base_url=api.url, token=api.key) as client:
        agent = (await create.asyncio(client=client, body=body)).data
        page = await listing.asyncio(client=client, limit=1)
    assert agent.name == "Front desk"
    assert (page.pagination.total, [listed.id for listed in page.data]) == (1, [agent.id])
