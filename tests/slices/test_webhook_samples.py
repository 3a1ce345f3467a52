"""The samples of docs/webhooks.md, as they are printed, receive what the real sender sends of real calls."""

import asyncio
import contextlib
import json
import re
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from ringdown.secret import SecretBox
from ringdown.webhooks import posting, retrying, sender, service, signing
from ringdown.webhooks.connection import Answer
from ringdown.webhooks.models import WebhookEndpoint
from ringdown.webhooks.schemas import RotateSecret
from tests.slices.conftest import Tenant, on_sqlite
from tests.slices.webhook_sending import SECRET, add_endpoint, list_rows

_PAGE = Path(__file__).resolve().parents[2] / "docs/webhooks.md"
_TOMORROW = "the-secret-of-tomorrow"
_PATIENCE_S = 30

# Around the sample: answer 204 when it says yes to one of the headers that are compared, and print what came.
_PYTHON_SERVER = """
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        timestamp = self.headers["X-Truedy-Timestamp"]
        given = [self.headers[name] for name in sys.argv[2:] if name in self.headers]
        accepted = any(is_ours(sys.argv[1], timestamp, signature, body) for signature in given)
        print(json.dumps([accepted, body.decode()]), flush=True)
        self.send_response(204 if accepted else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""
_JAVASCRIPT_SERVER = """
const [secret, ...names] = process.argv.slice(1);
const server = require("node:http").createServer(async (request, response) => {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const body = Buffer.concat(pieces);
  const timestamp = request.headers["x-truedy-timestamp"];
  const given = names.map((name) => request.headers[name.toLowerCase()]).filter((signature) => signature);
  const accepted = given.some((signature) => isOurs(secret, timestamp, signature, body));
  console.log(JSON.stringify([accepted, body.toString()]));
  response.writeHead(accepted ? 204 : 401).end();
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
"""
_LANGUAGES: dict[str, tuple[list[str], str]] = {
    "python": ([sys.executable, "-c"], _PYTHON_SERVER),
    "js": (["node", "-e"], _JAVASCRIPT_SERVER),
}

pytestmark = [
    on_sqlite,
    pytest.mark.parametrize(
        "language",
        [
            "python",
            pytest.param("js", marks=pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")),
        ],
    ),
]


@dataclass
class SampleReceiver:
    """A process that serves the sample of one language; `came` are whether it accepted, and the body, of each."""

    url: str
    came: list[tuple[bool, str]]

    def list_accepted(self) -> list[str]:
        """The events that were accepted, in order."""
        return [json.loads(body)["event"] for is_accepted, body in self.came if is_accepted]


@contextlib.asynccontextmanager
async def _receive(language: str, secret: str, *headers: str) -> AsyncIterator[SampleReceiver]:
    """A receiver that knows one secret and compares these headers."""
    found = re.search(rf"```{language}\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    program, server = _LANGUAGES[language]
    process = await asyncio.create_subprocess_exec(
        *program, found[1] + server, secret, *(headers or [signing.SIGNATURE]), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_PATIENCE_S):
            port = int(await process.stdout.readline())
        receiver = SampleReceiver(f"http://127.0.0.1:{port}/hooks", [])
        reading = asyncio.create_task(_read(process.stdout, receiver))
        yield receiver
    finally:
        process.kill()
        await process.wait()
    await reading


async def _read(lines: asyncio.StreamReader, receiver: SampleReceiver) -> None:
    async for line in lines:
        is_accepted, body = json.loads(line)
        receiver.came.append((is_accepted, body))


@pytest.fixture
def tenant(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> Tenant:
    """One whose endpoints may be on this machine, and to which is sent again soon."""
    tenant.settings = tenant.settings.model_copy(update={"private_urls_allowed": True})
    monkeypatch.setattr(retrying, "FIRST_DELAY_MS", 20)
    monkeypatch.setattr(retrying, "MAX_DELAY_MS", 100)
    return tenant


async def _make_call(tenant: Tenant, receiver: SampleReceiver) -> WebhookEndpoint:
    """An endpoint, and a call with all its events: what was said is in them."""
    endpoint = await add_endpoint(tenant.database, tenant.settings, tenant.organization_id, receiver.url)
    call = await tenant.place_call(
        await tenant.add_agent(outbound_number="+12025550100"), metadata={"name": "Zoë “Z” 👍", "note": "a\nb"}
    )
    await tenant.answer_call(call)
    await tenant.finish_call(call)
    return endpoint


async def _send_until(tenant: Tenant, is_enough: Callable[[list[tuple[str, int]]], bool]) -> list[tuple[str, int]]:
    """Let the sender run until enough was sent; the status and the attempts of each delivery, oldest first."""
    stop = asyncio.Event()
    sending = asyncio.create_task(sender.run(tenant.database, tenant.settings, stop))
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while not is_enough(await _read_course(tenant)):
                await asyncio.sleep(0.02)
    finally:
        stop.set()
        await sending
    return await _read_course(tenant)


async def _read_course(tenant: Tenant) -> list[tuple[str, int]]:
    return [(row.status, row.attempt_count) for row in await list_rows(tenant.database)]


def _is_over(course: list[tuple[str, int]]) -> bool:
    return all(status == "delivered" for status, _ in course)


def _was_tried_twice(course: list[tuple[str, int]]) -> bool:
    return course[0][1] >= 2


async def test_the_sample_accepts_every_event_of_a_call(tenant: Tenant, language: str) -> None:
    async with _receive(language, SECRET) as receiver:
        await _make_call(tenant, receiver)
        course = await _send_until(tenant, _is_over)
    assert course == [("delivered", 1)] * 5
    assert receiver.list_accepted() == ["call.started", "call.joined", "call.ended", "call.billed", "call.analyzed"]
    assert json.loads(receiver.came[0][1])["data"]["metadata"] == {"name": "Zoë “Z” 👍", "note": "a\nb"}


@pytest.mark.parametrize(
    ("known", "headers", "attempts"),
    [
        (_TOMORROW, [signing.SIGNATURE], 1),
        (SECRET, [signing.SIGNATURE], 2),
        (_TOMORROW, [signing.SIGNATURE, signing.OTHER_SIGNATURE], 1),
        (SECRET, [signing.SIGNATURE, signing.OTHER_SIGNATURE], 1),
    ],
)
async def test_the_sample_with_either_secret_accepts_while_it_is_rotated(
    tenant: Tenant, language: str, known: str, headers: list[str], attempts: int
) -> None:
    async with _receive(language, known, *headers) as receiver:
        endpoint = await _make_call(tenant, receiver)
        await service.rotate_secret(
            tenant.database,
            box=SecretBox.open(tenant.settings),
            organization_id=tenant.organization_id,
            endpoint_id=endpoint.id,
            body=RotateSecret(secret=_TOMORROW, overlap=3600),
        )
        course = await _send_until(tenant, _is_over)
    assert course == [("delivered", attempts)] * 5
    assert len(receiver.list_accepted()) == 5


@pytest.mark.parametrize(("age_s", "is_accepted"), [(290, True), (302, False), (-330, False)])
async def test_the_sample_refuses_what_was_signed_long_ago(
    tenant: Tenant, language: str, monkeypatch: pytest.MonkeyPatch, age_s: int, is_accepted: bool
) -> None:
    make_headers = signing.make_headers

    def make_old_headers(secrets: list[str], body: bytes, *, now_ms: int, attempt: int) -> dict[str, str]:
        return make_headers(secrets, body, now_ms=now_ms - age_s * 1000, attempt=attempt)

    monkeypatch.setattr(signing, "make_headers", make_old_headers)
    async with _receive(language, SECRET) as receiver:
        await _make_call(tenant, receiver)
        await _send_until(tenant, _is_over if is_accepted else _was_tried_twice)
    assert {accepted for accepted, _ in receiver.came} == {is_accepted}


async def test_the_sample_refuses_what_another_secret_has_signed(tenant: Tenant, language: str) -> None:
    async with _receive(language, "a-secret-of-somebody-else") as receiver:
        await _make_call(tenant, receiver)
        await _send_until(tenant, _was_tried_twice)
    assert len(receiver.came) >= 2
    assert receiver.list_accepted() == []
    assert {row.response_status for row in await list_rows(tenant.database) if row.attempt_count} == {401}


async def test_the_sample_refuses_a_body_that_was_altered_on_its_way(
    tenant: Tenant, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = posting.Poster.post

    async def post_altered(
        self: posting.Poster, headers: Mapping[str, str], body: bytes, *, timeout_s: float
    ) -> Answer:
        return await post(self, headers, body.replace(b'"cost_credits":0', b'"cost_credits":9'), timeout_s=timeout_s)

    monkeypatch.setattr(posting.Poster, "post", post_altered)
    async with _receive(language, SECRET) as receiver:
        await _make_call(tenant, receiver)
        await _send_until(tenant, _was_tried_twice)
    assert json.loads(receiver.came[0][1])["data"]["cost_credits"] == 9
    assert receiver.list_accepted() == []
