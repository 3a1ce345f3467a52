"""`ringdown batches`: what it refuses, what it sends, and what it shows."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ringdown.cli import batches
from ringdown.client import ApiError

ACTIVE = {
    "id": "batch_1", "name": "Recall", "status": "active", "status_reason": None, "progress": 50.0, "called": 2,
    "total_contacts": 4, "completed": 1, "failed": 1, "calling": 1, "retrying": 1, "attempts": 3, "answered": 1,
    "estimated_completion_at": "2026-06-01T10:00:00Z", "next_call_at": None, "started_at": "2026-06-01T09:00:00Z",
    "timezone": "UTC", "start_time": "09:00", "end_time": None, "working_days": [1, 2], "max_calls_per_day": None,
    "max_concurrent_calls": 10, "failed_count": 0, "errors": [],
}  # fmt: skip


class FakeBatchCalls:
    """Remembers what was asked, and answers with `states` one after the other."""

    def __init__(self, states: list[dict[str, Any]]) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.states = states

    def iterate(self, **query: Any) -> Iterator[dict[str, Any]]:
        self.asked.append(("list", query))
        return iter(self.states)

    def get(self, batch_id: str) -> dict[str, Any]:
        return self.states.pop(0)

    def create(self, **body: Any) -> dict[str, Any]:
        self.asked.append(("create", body))
        return self.states[0]

    def __getattr__(self, action: str) -> Any:
        def act(batch_id: str, **body: Any) -> dict[str, Any]:
            self.asked.append((action, batch_id, body))
            return self.states[0]

        return act


class FakeContacts:
    def __init__(self) -> None:
        self.imported = b""
        self.deleted: list[str] = []

    def create_folder(self, *, name: str) -> dict[str, Any]:
        return {"id": "folder_1", "name": name}

    def import_contacts(self, *, file: Any, folder_id: str) -> dict[str, Any]:
        self.imported = file.read()
        wrong = {"row": 4, "phone": "12", "reason": "phone: is too short"}
        return {"imported": 3, "errors": 1, "error_details": [wrong]}

    def delete_folder(self, folder_id: str) -> dict[str, Any]:
        self.deleted.append(folder_id)
        return {"id": folder_id, "deleted": True}


class FakeClient:
    def __init__(self, *states: dict[str, Any]) -> None:
        self.batch_calls = FakeBatchCalls(list(states))
        self.contacts = FakeContacts()


def run(monkeypatch: pytest.MonkeyPatch, client: FakeClient, *arguments: str) -> Result:
    @contextmanager
    def reach(**_: Any) -> Iterator[FakeClient]:
        yield client

    monkeypatch.setattr(batches, "reach_api", reach)
    return CliRunner().invoke(batches.app, arguments)


def test_a_list_is_a_table_of_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    client = FakeClient(ACTIVE, ACTIVE | {"id": "batch_2", "estimated_completion_at": None})
    shown = run(monkeypatch, client, "list", "--status", "active", "--limit", "500")
    heading, first, second = shown.stdout.splitlines()
    assert heading.split()[:4] == ["ID", "NAME", "STATUS", "DONE"]
    assert first.split() == [
        "batch_1", "Recall", "active", "50", "%", "4", "1", "1", "1", "1", "2026-06-01T10:00:00Z"
    ]  # fmt: skip
    assert second.split()[-1] == "-"
    assert client.batch_calls.asked == [("list", {"limit": 100, "status": "active"})]
    assert json.loads(run(monkeypatch, FakeClient(ACTIVE), "list", "--json").stdout) == [ACTIVE]


def test_one_is_shown_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = run(monkeypatch, FakeClient(ACTIVE), "get", "batch_1").stdout.splitlines()
    assert lines[0].split() == ["ID", "batch_1"]
    assert ["REASON", "-"] in [line.split() for line in lines]


def test_one_is_created_with_numbers_and_any_other_field(monkeypatch: pytest.MonkeyPatch) -> None:
    client = FakeClient(ACTIVE)
    numbers = ("--to", "+12125551234", "--to", "+12125551235")
    fields = ("--set", "start_time=09:00", "--set", "working_days=[1,2]", "--set", "retry_failed=true")
    made = run(monkeypatch, client, "create", "Recall", "--agent", "agt_1", *numbers, *fields)
    assert made.exit_code == 0, made.output
    contacts = [{"phone_number": "+12125551234"}, {"phone_number": "+12125551235"}]
    assert client.batch_calls.asked == [
        (
            "create",
            {
                "name": "Recall",
                "agent_id": "agt_1",
                "contacts": contacts,
                "start_time": "09:00",
                "working_days": [1, 2],
                "retry_failed": True,
            },
        )
    ]


def test_a_csv_file_becomes_a_folder_and_whoever_is_left_out_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "people.csv"
    file.write_text("phone_number\n+12125551234\n")
    client = FakeClient(ACTIVE | {"failed_count": 1, "errors": [{"phone_number": "12", "reason": "is none"}]})
    made = run(monkeypatch, client, "create", "Recall", "--agent", "agt_1", "--csv", str(file))
    assert client.contacts.imported == file.read_bytes()
    assert client.batch_calls.asked[0][1]["contact_folder_id"] == "folder_1"
    assert made.stderr.splitlines() == [
        "Imported 3 contacts into the folder folder_1.",
        "1 rows were left out, the first of them:",
        "  row 4: phone: is too short",
    ]
    assert made.stdout.splitlines()[-1] == "  12: is none"
    assert client.contacts.deleted == []


def test_a_batch_call_that_is_refused_leaves_no_folder_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("phone_number\n+12125551234\n")
    client = FakeClient(ACTIVE)

    def refuse(**_: Any) -> dict[str, Any]:
        raise ApiError(status=422, code="validation_error", message="No such agent.", details={}, request_id=None)

    monkeypatch.setattr(client.batch_calls, "create", refuse)
    refused = run(monkeypatch, client, "create", "Recall", "--agent", "agt_0", "--csv", str(file))
    assert (refused.exit_code, client.contacts.deleted) == (1, ["folder_1"])
    assert isinstance(refused.exception, ApiError)


@pytest.mark.parametrize("action", ["pause", "resume", "cancel"])
def test_it_is_steered(monkeypatch: pytest.MonkeyPatch, action: str) -> None:
    client = FakeClient(ACTIVE)
    assert "batch_1" in run(monkeypatch, client, action, "batch_1").stdout
    assert client.batch_calls.asked == [(action, "batch_1", {})]


def test_a_retry_may_name_endings(monkeypatch: pytest.MonkeyPatch) -> None:
    client = FakeClient(ACTIVE)
    run(monkeypatch, client, "retry", "batch_1", "--reason", "busy", "--reason", "no_answer")
    run(monkeypatch, client, "retry", "batch_1")
    assert client.batch_calls.asked == [
        ("retry", "batch_1", {"reasons": ["busy", "no_answer"]}),
        ("retry", "batch_1", {}),
    ]


def test_watching_prints_what_changes_until_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    paused = ACTIVE | {"status": "paused", "status_reason": "too many calls failed"}
    done = ACTIVE | {"status": "completed", "progress": 100.0, "estimated_completion_at": None}
    monkeypatch.setattr(batches.time, "sleep", lambda seconds: None)
    lines = run(monkeypatch, FakeClient(ACTIVE, ACTIVE, paused, done), "watch", "batch_1").stdout.splitlines()
    assert [line.split()[1] for line in lines] == ["active", "paused", "completed"]
    assert "finishes 2026-06-01T10:00:00Z" in lines[0]
    assert lines[1].endswith("too many calls failed")
    seen = run(monkeypatch, FakeClient(ACTIVE, done), "watch", "batch_1", "--json").stdout.splitlines()
    assert [json.loads(line)["status"] for line in seen] == ["active", "completed"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--set", "start_time"], "--set takes NAME=VALUE, not 'start_time'."),
        (["--csv", "none.csv"], "There is no file none.csv."),
        (["--csv", "none.csv", "--folder", "folder_1"], "--folder and --csv are two folders; give one of them."),
    ],
)
def test_what_cannot_be_meant_is_refused(monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str) -> None:
    ended = run(monkeypatch, FakeClient(), "create", "Recall", "--agent", "agt_1", *arguments)
    assert (ended.exit_code, ended.stdout, ended.stderr) == (1, "", f"ringdown: {sentence}\n")


def test_a_draft_is_scheduled_for_a_time_or_for_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    client = FakeClient(ACTIVE)
    run(monkeypatch, client, "schedule", "batch_1")
    run(monkeypatch, client, "schedule", "batch_1", "--at", "2026-12-01T09:00", "--timezone", "Europe/Berlin")
    at = {"scheduled_at": "2026-12-01T09:00", "timezone": "Europe/Berlin"}
    assert client.batch_calls.asked == [("schedule", "batch_1", {}), ("schedule", "batch_1", at)]
