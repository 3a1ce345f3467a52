"""Each request that a page shows is one that the API knows: its path, method, parameters and fields."""

import itertools
import json
import re
import shlex
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ringdown.api import app as api_app
from ringdown.config import Settings
from ringdown.db import engine

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(page for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")] if "```sh" in page.read_text())

_BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
_WITH_BODY = ("-d", "--data", "-F")
_WITH_VALUE = (*_WITH_BODY, "-X", "-H", "-o", "--data-urlencode", "-w")


@dataclass(frozen=True, slots=True)
class Request:
    """A request as a page shows it; `body` is what its JSON holds, if it is shown."""

    method: str
    path: str
    query: Sequence[str]
    body: Mapping[str, Any] | None


def read_requests(page: Path) -> Iterator[Request]:
    """The requests to the API in the commands of a page."""
    for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        # A command inside quotes has quotes of its own.
        lexer = shlex.shlex(block.replace('"$(', "$(").replace(')"', ")"), posix=True, punctuation_chars="|;&()")
        lexer.whitespace_split = True
        words = list(lexer)
        starts = [place for place, word in enumerate(words) if word == "curl"]
        for start, after in itertools.pairwise([*starts, len(words)]):
            if request := _read_request(words[start + 1 : after]):
                yield request


def _read_request(words: list[str]) -> Request | None:
    method, url, sent, is_get = None, None, [], False
    for place, word in enumerate(words):
        before = words[place - 1] if place else ""
        if before == "-X":
            method = word
        elif before in (*_WITH_BODY, "--data-urlencode"):
            sent.append(word)
        elif before not in _WITH_VALUE and url is None and word.startswith(("$API/", "http://127.0.0.1:8080")):
            url = word
        is_get = is_get or word == "-G"
    if url is None:
        return None
    parts = urllib.parse.urlsplit(url.replace("$API", "http://127.0.0.1:8080/api/public/v1"))
    named = [pair.partition("=")[0] for pair in [*parts.query.split("&"), *(sent if is_get else ())] if pair]
    body = json.loads(sent[0]) if sent and not is_get and sent[0].startswith("{") else None
    return Request(method or ("POST" if sent and not is_get else "GET"), parts.path, named, body)


def find_operation(document: Any, request: Request) -> Any:
    """What the document says of the request; None when it knows none such."""
    found = []
    for path, operations in document["paths"].items():
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", path), request.path) and request.method.lower() in operations:
            found.append((path.count("{"), operations[request.method.lower()]))
    return min(found, key=lambda pair: pair[0])[1] if found else None


def list_fields(document: Any, schema: Any) -> Iterator[str]:
    """The fields of an object, of any of its forms."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    yield from schema.get("properties", ())
    for form in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from list_fields(document, form)


@pytest.fixture
async def document(tmp_path: Path) -> Any:
    settings = Settings(data_dir=tmp_path)
    database = engine.open_database(settings.sqlalchemy_url)
    try:
        return api_app.create_app(settings, database).openapi()
    finally:
        await database.close()


async def test_every_shown_request_is_one_of_the_api(document: Any) -> None:
    seen = 0
    for page in PAGES:
        for request in read_requests(page):
            operation = find_operation(document, request)
            if operation is None:  # not of the document: the page's script, a recording, health
                assert not request.path.startswith("/api/"), f"{page.name}: {request}"
                continue
            seen += 1
            parameters = {one["name"] for one in operation.get("parameters", ())}
            assert {name.partition(".")[0] for name in request.query} <= parameters, f"{page.name}: {request}"
            if request.body is not None:
                content = operation["requestBody"]["content"]["application/json"]["schema"]
                assert set(request.body) <= set(list_fields(document, content)), f"{page.name}: {request}"
    assert seen > 100
