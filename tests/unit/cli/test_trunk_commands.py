"""`ringdown trunks` and `ringdown numbers import` against a data folder of their own."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ringdown import log
from ringdown.cli import preflight
from ringdown.cli.app import app
from ringdown.config import Settings
from ringdown.errors import RingdownError
from ringdown.lifecycle import CannotStart

pytestmark = pytest.mark.usefixtures("own_settings")


@pytest.fixture
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGDOWN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    # The runner's standard error is closed after each command; the log of this process must not point to it.
    monkeypatch.setattr(log, "configure", lambda settings: None)


def run(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=typed)


def refuse(*arguments: str) -> str:
    refused = run(*arguments)
    assert isinstance(refused.exception, RingdownError), refused.output
    return refused.exception.message


def test_a_trunk_is_added_listed_shown_and_removed() -> None:
    arguments = ("trunks", "add", "carrier", "--host", "a.example.net", "--host", "b.example.net:5080")
    options = ("--username", "alice", "--password-file", "-", "--register", "--transport", "tls", "--set",
               "codecs=PCMA, G722", "--set", "max_concurrent_calls=5", "--set", "srtp=required")  # fmt: skip
    added = run(*arguments, *options, typed="s3cret\n")
    assert added.exit_code == 0, added.output
    expected = ["carrier", "tls:a.example.net,b.example.net:5080", "not", "seen", "by", "a", "gateway", "yet"]
    assert added.stdout.split()[1:] == expected
    assert run("trunks", "list").stdout == added.stdout
    shown = run("trunks", "show", "carrier")
    trunk = json.loads(shown.stdout)
    assert (trunk["codecs"], trunk["max_concurrent_calls"], trunk["srtp"]) == (["PCMA", "G722"], 5, "required")
    assert (trunk["registers"], trunk["has_password"]) == (True, True)
    assert "s3cret" not in shown.stdout
    assert run("trunks", "remove", trunk["id"]).stdout == "Removed carrier.\n"
    assert run("trunks", "list").stdout == ""


def test_a_password_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret\n")
    added = run("trunks", "add", "c", "--host", "x", "--username", "a", "--password-file", str(tmp_path / "password"))
    assert added.exit_code == 0, added.output
    assert json.loads(run("trunks", "show", "c").stdout)["has_password"]
    assert "cannot be read" in refuse("trunks", "add", "d", "--host", "x", "--password-file", "absent")


def test_trunks_that_cannot_be_used_are_refused() -> None:
    assert run("trunks", "add", "pbx", "--host", "192.0.2.1").exit_code == 0
    assert refuse("trunks", "add", "pbx", "--host", "x") == "The organization has a trunk with the name pbx already."
    assert refuse("trunks", "add", "p", "--host", "a b") == "hosts.0: must be a host name or an address"
    assert refuse("trunks", "add", "p", "--host", "x", "--set", "bad=1") == "bad: is not a known field"
    assert refuse("trunks", "add", "p", "--host", "x", "--set", "bad") == "--set: must look like field=value"
    assert "must not show secrets" in refuse("trunks", "add", "p", "--host", "x", "--set", "inbound_password=x")
    assert refuse("trunks", "show", "nobody") == "Trunk not found: nobody"
    assert refuse("trunks", "remove", "nobody") == "Trunk not found: nobody"
    assert len(run("trunks", "list").stdout.splitlines()) == 1


def test_a_key_file_that_cannot_be_used_is_told_in_a_sentence(tmp_path: Path) -> None:
    run("trunks", "list")
    (tmp_path / "data" / "secret.key").write_text("short")
    (tmp_path / "password").write_text("s3cret")
    refused = run("trunks", "add", "c", "--host", "x", "--username", "a", "--password-file", str(tmp_path / "password"))
    assert isinstance(refused.exception, CannotStart)
    assert "secret.key" in str(refused.exception)


def test_numbers_are_imported_onto_a_trunk_all_or_none() -> None:
    run("trunks", "add", "carrier", "--host", "x")
    agent_id = run("numbers", "list").stdout.split()[-1]
    imported = run("numbers", "import", "+4930901820", "+4930901821", "--trunk", "carrier", "--agent", agent_id)
    assert [line.split()[1:] for line in imported.stdout.splitlines()] == [
        [number, "rings", agent_id, "calls", agent_id] for number in ("+4930901820", "+4930901821")
    ]
    assert "delete or move its numbers first: +4930901820" in refuse("trunks", "remove", "carrier")
    taken = "This installation has the number +4930901820 already."
    assert refuse("numbers", "import", "+4930901829", "+4930901820", "--trunk", "carrier") == taken
    assert refuse("numbers", "import", "+4930901829", "--trunk", "nobody") == "Trunk not found: nobody"
    assert refuse("numbers", "import", "0309", "--trunk", "carrier").startswith("number: must be in E.164 form")
    assert "+4930901829" not in run("numbers", "list").stdout


def test_a_bad_table_of_the_file_keeps_serve_from_starting(tmp_path: Path) -> None:
    (tmp_path / "ringdown.toml").write_text('[[trunks]]\nname = "carrier"\nhost = "x"\n')
    with pytest.raises(CannotStart, match=r"^The trunk carrier in ringdown\.toml: hosts is required\.$"):
        preflight.check_trunks(Settings())
