"""The documentation says what the code says: settings, error codes, endings, endpoints, links, set-up commands."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from ringdown import errors
from ringdown.api import app as api_app
from ringdown.calls import models as call_models
from ringdown.cli import reach
from ringdown.config import Settings
from ringdown.db import engine
from ringdown.doctor import finding
from ringdown.voice.flow import Flow

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
#: The reference is generated, and its tables have a row for each field.
WRITTEN = [page for page in PAGES if page.parent != DOCS / "api/reference"]

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"```.*?```", re.DOTALL)
_NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")
_MAX_LINE_LENGTH = 120


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def all_refusals(kind: type[errors.RingdownError] = errors.RingdownError) -> Iterator[type[errors.RingdownError]]:
    yield kind
    for derived in kind.__subclasses__():
        yield from all_refusals(derived)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = _CODE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    made = {_NOT_IN_ANCHORS.sub("", heading.lower()).replace(" ", "-") for heading in headings}
    return made | set(re.findall(r'<a id="([^"]+)">', text))


@pytest.fixture
async def document(tmp_path: Path) -> Any:
    settings = Settings(data_dir=tmp_path)
    database = engine.open_database(settings.sqlalchemy_url)
    try:
        return api_app.create_app(settings, database).openapi()
    finally:
        await database.close()


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_stands_in_the_settings_page_with_its_default(name: str) -> None:
    rows = [line for line in read("docs/settings.md").splitlines() if f"| `RINGDOWN_{name.upper()}` |" in line]
    assert len(rows) == 1, f"RINGDOWN_{name.upper()} needs exactly one row in docs/settings.md"
    default = Settings.model_fields[name].default
    shown = rows[0].rstrip("| ").rpartition("|")[2].strip()
    if isinstance(default, bool):
        assert shown == f"`{str(default).lower()}`"
    elif isinstance(default, (int, str, Path)):
        assert shown == f"`{default}`"
    else:
        assert shown


def test_the_settings_page_names_no_setting_that_does_not_exist() -> None:
    known = {f"RINGDOWN_{name.upper()}" for name in Settings.model_fields}
    known |= {get_args(option)[1].envvar for option in (reach.Url, reach.Key)}
    for page in PAGES:
        named = set(re.findall(r"RINGDOWN_[A-Z_]*[A-Z]", page.read_text(encoding="utf-8")))
        assert named <= known, page.name


def test_every_error_code_of_the_api_stands_in_the_error_table() -> None:
    table = read("docs/api.md")
    for refusal in all_refusals():
        if refusal.__module__.startswith("ringdown."):
            assert f"| {refusal.status} | `{refusal.code}` |" in table, refusal.__name__


def test_every_ended_reason_outcome_and_status_stands_in_the_api_page() -> None:
    page = read("docs/api.md")
    for word in (*call_models.ENDED_REASONS, *call_models.OUTCOMES, *call_models.CALL_STATUSES):
        assert f"`{word}`" in page, word


async def test_every_endpoint_stands_in_the_api_page_with_its_methods(document: Any) -> None:
    rows = [line for line in read("docs/api.md").splitlines() if line.startswith("| `")]
    for path, operations in document["paths"].items():
        described = " ".join(row for row in rows if f" {path}`" in row)
        for method in operations:
            assert re.search(rf"`{method.upper()}\b", described), f"{method.upper()} {path}"


async def test_the_api_page_names_no_endpoint_that_does_not_exist(document: Any) -> None:
    named = re.findall(r"^\| `[^|]*?(/[^`|]+)` \|", read("docs/api.md"), re.MULTILINE)
    assert named
    assert set(named) <= set(document["paths"])


async def test_every_query_parameter_of_the_list_of_calls_stands_in_its_page(document: Any) -> None:
    page = read("docs/calls.md")
    for path in ("/api/public/v1/calls", "/api/public/v1/calls/export"):
        parameters = document["paths"][path]["get"]["parameters"]
        assert parameters
        for parameter in parameters:
            assert re.search(rf"`{parameter['name']}[`=.]", page), parameter["name"]


async def test_every_field_that_a_request_may_send_stands_in_the_api_page(document: Any) -> None:
    page = read("docs/api.md")
    for schema in (
        "CreateAgent",
        "CreateCall",
        "CallSettingsBody",
        "GreetingSettings",
        "VadSettingsBody",
        "BulkDelete",
        "SendDigits",
        "TransferCall",
    ):
        for field in document["components"]["schemas"][schema]["properties"]:
            assert re.search(rf"`([a-z_]+\.)?{field}`|\"{field}\"", page), f"{schema}.{field}"


async def test_every_field_of_a_trunk_stands_in_the_trunks_page(document: Any) -> None:
    rows = " ".join(line for line in read("docs/trunks.md").splitlines() if line.startswith("| `"))
    for field in document["components"]["schemas"]["CreateTrunk"]["properties"]:
        assert f"`{field}`" in rows, field


def test_the_doctor_page_explains_exactly_the_faults_that_there_are() -> None:
    faults = read("docs/doctor.md").partition("## Faults")[2]
    assert re.findall(r"^\| `([a-z_]+)` \|", faults, re.MULTILINE) == list(get_args(finding.Code))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_resolves(page: Path) -> None:
    for target in _LINK.findall(_CODE.sub("", page.read_text(encoding="utf-8"))):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.is_file(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(file), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_lines_stay_readable(page: Path) -> None:
    too_long = [line for line in page.read_text(encoding="utf-8").splitlines() if len(line) > _MAX_LINE_LENGTH]
    assert not too_long


@pytest.mark.parametrize("name", ["docs/flows.md", "docs/quickstart.md"])
def test_the_flows_that_are_shown_can_run(name: str) -> None:
    documents = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", read(name), re.DOTALL)]
    shown = [document.get("flow", document) for document in documents]
    assert shown
    for document in shown:
        assert Flow.parse(document).summary


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        links = (link.partition("#")[0] for link in _LINK.findall(page.read_text(encoding="utf-8")))
        waiting += [(page.parent / link).resolve() for link in links if link.endswith(".md") and "://" not in link]
    assert set(PAGES) <= reached


def test_the_readme_sets_up_with_exactly_the_two_commands() -> None:
    section = re.search(r"^## Set-up$(.*?)^## ", read("README.md"), re.MULTILINE | re.DOTALL)
    assert section is not None
    blocks = re.findall(r"```sh\n(.*?)```", section[1], re.DOTALL)
    commands = [line.partition("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]
    assert commands == ["make run", "make test"]


def test_the_changelog_has_a_section_for_this_version() -> None:
    version = re.search(r'^version = "(.+)"$', read("pyproject.toml"), re.MULTILINE)
    assert version is not None
    assert f"## [{version[1]}]" in read("CHANGELOG.md")
