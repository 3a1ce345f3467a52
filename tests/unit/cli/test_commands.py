"""Commands against a data folder of their own."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ringdown import log
from ringdown.cli.app import app
from ringdown.errors import RingdownError

pytestmark = pytest.mark.usefixtures("own_settings")


@pytest.fixture
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGDOWN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    # The runner's standard error is closed after each command; the log of this process must not point to it.
    monkeypatch.setattr(log, "configure", lambda settings: None)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def refuse(*arguments: str) -> str:
    refused = run(*arguments)
    assert isinstance(refused.exception, RingdownError), refused.output
    return refused.exception.message


def test_standard_output_is_the_new_key_alone_even_in_a_new_folder() -> None:
    made = run("keys", "create", "crm")
    assert made.exit_code == 0
    assert made.stdout.startswith("truedy_")
    assert len(made.stdout.split()) == 1
    assert "Made a new data folder" in made.stderr


def test_a_number_is_added_assigned_and_listed() -> None:
    sample = run("numbers", "list").stdout.split()
    agent_id = sample[-1]
    assert sample[1] == "+12025550101"
    assert run("numbers", "add", "+4930901820").stdout.split()[1:] == [
        "+4930901820", "rings", "nobody", "calls", "nobody"
    ]  # fmt: skip
    assert run("numbers", "assign", "+4930901820", agent_id).stdout.split()[-1] == agent_id
    assert len(run("numbers", "list").stdout.splitlines()) == 2


def test_numbers_that_cannot_be_used_are_refused() -> None:
    assert refuse("numbers", "add", "030901820") == "number: must be in E.164 form, as in +12025550101"
    assert refuse("numbers", "add", "+12025550101") == "This installation has the number +12025550101 already."
    assert refuse("numbers", "assign", "+12025550101", "agt_x") == "Agent not found: agt_x"
    assert refuse("numbers", "add", "+4930901820", "--agent", "agt_x") == "Agent not found: agt_x"
    assert len(run("numbers", "list").stdout.splitlines()) == 1


def test_credits_are_granted_and_counted() -> None:
    assert run("credits", "balance").stdout == "0\n"
    assert run("credits", "grant", "100", "--note", "welcome").stdout == "100\n"
    assert run("credits", "grant", "20").stdout == "120\n"
    assert run("credits", "balance").stdout == "120\n"
    assert "must be at least 1" in refuse("credits", "grant", "0")
    for _ in range(2):
        assert run("credits", "grant", "5", "--reference", "invoice 7").stdout == "125\n"
    assert "another entry" in refuse("credits", "grant", "6", "--reference", "invoice 7")
    assert run("credits", "show").stdout.split()[:6] == ["WHAT", "CREDITS", "balance", "125", "held", "0"]
    heading, *entries = run("credits", "ledger", "--type", "grant").stdout.splitlines()
    assert heading.split() == ["TIME", "TYPE", "AMOUNT", "CALL", "BATCH", "REFERENCE", "NOTE"]
    assert [line.split()[1:3] for line in entries] == [["grant", "5"], ["grant", "20"], ["grant", "100"]]
    assert len(run("credits", "ledger", "--limit", "2").stdout.splitlines()) == 3
    assert "must be one of grant" in refuse("credits", "ledger", "--type", "gift")
    assert refuse("credits", "refund", "call_x") == "Charged call not found: call_x"
