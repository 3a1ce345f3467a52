"""`ringdown privacy`: what it sends to the API, what it asks, and what it prints."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from typer.testing import CliRunner

from ringdown.cli import privacy

NUMBER = "+12025550142"
COUNTS = {"deleted_contacts": 2, "deleted_batch_contacts": 1, "deleted_calls": 3, "deleted_recordings": 1}


class FakeApi:
    """Erases within two questions."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []

    @property
    def privacy(self) -> "FakeApi":
        return self

    @contextmanager
    def export_person(self, **query: str) -> Iterator["FakeApi"]:
        self.asked.append(("export", query))
        yield self

    def iter_bytes(self) -> Iterator[bytes]:
        yield from (b'{"type":"person"}\n', b'{"type":"contact"}\n')

    def erase_person(self, **body: str) -> dict[str, Any]:
        self.asked.append(("erase", body))
        return {"id": "era_1", "status": "running", **COUNTS}

    def get_erasure(self, erasure_id: str) -> dict[str, Any]:
        self.asked.append(("get", erasure_id))
        return {"id": erasure_id, "status": "completed" if len(self.asked) > 2 else "running", **COUNTS}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    fake = FakeApi()

    @contextmanager
    def reach_api(**_where: object) -> Iterator[FakeApi]:
        yield fake

    monkeypatch.setattr(privacy, "reach_api", reach_api)
    monkeypatch.setattr(privacy, "_POLL_S", 0)
    return fake


def run(*arguments: str, typed: str | None = None) -> tuple[int, str, str]:
    ended = CliRunner().invoke(privacy.app, arguments, input=typed)
    return ended.exit_code, ended.stdout, ended.stderr


def test_an_export_is_written_as_it_comes(api: FakeApi) -> None:
    lines = '{"type":"person"}\n{"type":"contact"}\n'
    assert run("export", "0301234567", "--country", "DE") == (0, lines, "")
    assert api.asked == [("export", {"phone_number": "0301234567", "country": "DE"})]


def test_an_erasure_is_waited_for(api: FakeApi) -> None:
    said = "Erased: 2 contacts, 1 places in batch calls, 3 calls, 1 recordings.\n"
    assert run("erase", NUMBER, "--yes") == (0, said, "")
    assert api.asked == [("erase", {"phone_number": NUMBER}), ("get", "era_1"), ("get", "era_1")]


def test_nobody_has_to_wait(api: FakeApi) -> None:
    assert run("erase", NUMBER, "--yes", "--no-wait") == (0, "Erasing (era_1).\n", "")
    assert len(api.asked) == 1


@pytest.mark.parametrize(("typed", "erased"), [("y\n", True), ("n\n", False), ("\n", False), ("", False)])
def test_nothing_is_erased_unless_somebody_says_yes(api: FakeApi, typed: str, erased: bool) -> None:
    code, _, asked = run("erase", NUMBER, typed=typed)
    assert f"Erase everything of {NUMBER} for good?" in asked
    assert (code == 0, bool(api.asked)) == (erased, erased)
