"""The API with two organizations and fake vendors, and each operation of its OpenAPI document."""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import jsonschema
import pytest
import pytest_asyncio

from ringdown.accounts import service as account_service
from ringdown.api import app as api_app
from ringdown.config import Settings
from ringdown.db import engine
from tests.fakes.elevenlabs_server import KEY, FakeElevenLabsServer
from tests.fakes.telnyx_server import FakeTelnyxServer
from tests.slices.conftest import Tenant
from tests.slices.contract_entry import PATHS, Entry
from tests.slices.contract_table import TABLE
from tests.slices.contract_things import Things

# A key notes when it was used, and a secret is made when it is first needed.
_OF_REQUESTS = frozenset({"api_keys", "secrets"})
_METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the document, with its entry in the table."""

    id: str
    method: str
    path: str
    described: Mapping[str, Any]
    components: Mapping[str, Any]
    entry: Entry

    @property
    def is_required(self) -> bool:
        """Whether a body must be sent."""
        return bool(self.described.get("requestBody", {}).get("required"))

    @property
    def body_schema(self) -> Mapping[str, Any] | None:
        """The schema of the body as JSON, references followed."""
        content = self.described.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            return None
        schema: Mapping[str, Any] = content["schema"]
        if "$ref" in schema:
            schema = self.components["schemas"][schema["$ref"].rpartition("/")[2]]
        return schema

    @property
    def query(self) -> dict[str, Mapping[str, Any]]:
        """The query parameters."""
        return {one["name"]: one for one in self.described.get("parameters", ()) if one["in"] == "query"}

    @property
    def path_names(self) -> list[str]:
        return [one["name"] for one in self.described.get("parameters", ()) if one["in"] == "path"]

    @property
    def status(self) -> int:
        """The status of success."""
        return self.entry.status or (201 if self.method == "post" else 200)

    async def fill_path(self, things: Things) -> dict[str, str]:
        """The values of the path's parameters."""
        return {name: str(await things.fill(self.entry.path.get(name, PATHS[name]))) for name in self.path_names}

    async def send(
        self,
        client: httpx.AsyncClient,
        path: Mapping[str, str],
        *,
        query: Mapping[str, Any] | None = None,
        **sent: Any,
    ) -> httpx.Response:
        """The answer; `sent` is what httpx takes."""
        url = self.path.format_map({name: quote(value, safe=":") for name, value in path.items()})
        return await client.request(self.method.upper(), url, params=query or None, **sent)

    async def ask(self, things: Things, *, path: Mapping[str, str] | None = None, **sent: Any) -> httpx.Response:
        """The answer to the table's request, with what is `sent` in place of the table's."""
        entry = self.entry
        if entry.form is not None and not sent:
            form = await things.fill(dict(entry.form))
            sent = {"files": {"file": form.pop("file")}, "data": form}
        elif entry.body is not None and not sent:
            sent = {"json": await things.fill(dict(entry.body))}
        filled = path if path is not None else await self.fill_path(things)
        sent.setdefault("query", await things.fill(entry.query))
        return await self.send(things.tenant.client, filled, **sent)


@dataclass(frozen=True, slots=True)
class World:
    """What the tests of the contract run in."""

    file: Path
    anonymous: httpx.AsyncClient
    operations: Mapping[str, Operation]
    document: Mapping[str, Any]
    ours: Things
    theirs: Things

    def read_rows(self, *, organization_id: str | None = None) -> dict[str, list[Any]]:
        """What the database holds, of one organization or of all, by table."""
        rows = {}
        with contextlib.closing(sqlite3.connect(self.file)) as connection:
            for table in engine.metadata.sorted_tables:
                if table.name in _OF_REQUESTS or (organization_id is not None and "organization_id" not in table.c):
                    continue
                where, values = (
                    ("", ()) if organization_id is None else (" WHERE organization_id = ?", (organization_id,))
                )
                rows[table.name] = connection.execute(f"SELECT * FROM {table.name}{where}", values).fetchall()
        return rows


def list_operations(document: Mapping[str, Any]) -> dict[str, Operation]:
    """The operations of a document by their ids, as far as the table has them."""
    found = {}
    for path, operations in document["paths"].items():
        for method in _METHODS:
            described = operations.get(method)
            if described is not None and described["operationId"] in TABLE:
                name = described["operationId"]
                found[name] = Operation(name, method, path, described, document["components"], TABLE[name])
    return found


@asynccontextmanager
async def open_world(folder: Path) -> AsyncIterator[World]:
    """The API on the SQLite file in this folder."""
    file = folder / "ringdown.db"
    async with AsyncExitStack() as stack:
        telnyx = await stack.enter_async_context(FakeTelnyxServer().run())
        elevenlabs = await stack.enter_async_context(FakeElevenLabsServer().run())
        speaks = {"kind": "text_to_speech", "timeout_seconds": 20}
        providers = ({**speaks, "name": "elevenlabs", "type": "elevenlabs", "url": elevenlabs.url, "key": KEY},)
        settings = _read_settings(folder).model_copy(
            update={
                "rate_limit_enabled": False,
                "public_url": "https://calls.example",
                "private_urls_allowed": True,
                "sip_host": "192.0.2.7",
                "telnyx_url": telnyx.url,
                "providers": providers,
            }
        )
        database = engine.open_database(f"sqlite+aiosqlite:///{file}")
        stack.push_async_callback(database.close)
        app = api_app.create_app(settings, database)
        transport = httpx.ASGITransport(app)

        async def open_tenant(name: str) -> Things:
            organization = await account_service.create_organization(database, name=name)
            _, key = await account_service.create_key(database, organization_id=organization.id, name="tests")
            headers = {"Authorization": f"Bearer {key}"}
            client = httpx.AsyncClient(transport=transport, base_url="http://api.test", headers=headers)
            await stack.enter_async_context(client)
            return Things(Tenant(database, settings, organization.id, client))

        anonymous = httpx.AsyncClient(transport=transport, base_url="http://api.test")
        await stack.enter_async_context(anonymous)
        document = app.openapi()
        ours, theirs = await open_tenant("Ours"), await open_tenant("Theirs")
        yield World(file, anonymous, list_operations(document), document, ours, theirs)


def _read_settings(folder: Path) -> Settings:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("RINGDOWN_")]:
            patch.delenv(name)
        patch.chdir(folder)
        return Settings(data_dir=folder / "data")


@pytest_asyncio.fixture(name="world", scope="module", loop_scope="module")
async def make_world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One API for all tests of a module; SQLite: how requests are read and answered is the same on both."""
    folder = tmp_path_factory.mktemp("contract")
    shutil.copyfile(sqlite_template, folder / "ringdown.db")
    async with open_world(folder) as opened:
        yield opened


def check_answer(operation: Operation, response: httpx.Response, *, status: int, media_type: str) -> Any:
    """The answer, if it is as the document says."""
    told = f"{operation.id}: {response.status_code} {response.text[:500]}"
    assert response.status_code == status, told
    assert response.headers["Content-Type"].partition(";")[0] == media_type, told
    described = operation.described["responses"][str(status)]["content"][media_type]["schema"]
    if media_type != "application/json":
        assert response.content
        return response.text
    answer = response.json()
    jsonschema.Draft202012Validator({**described, "components": operation.components}).validate(answer)
    if status < 300 and operation.entry.is_bare:
        assert "meta" not in answer
        return answer
    assert answer["meta"]["request_id"] == response.headers["X-Request-Id"]
    return answer


def check_refusal(operation: Operation, response: httpx.Response, status: int, code: str) -> Mapping[str, Any]:
    """The details of a refusal, if it is as the document says and has this status and code."""
    answer = check_answer(operation, response, status=status, media_type="application/json")
    assert answer.keys() == {"error", "meta"}
    assert answer["error"]["code"] == code
    details: Mapping[str, Any] = answer["error"]["details"]
    return details
