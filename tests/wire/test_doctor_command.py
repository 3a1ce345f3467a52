"""`ringdown doctor` as an operator runs it, against a fake carrier."""

import asyncio
import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ringdown import lifecycle, log
from ringdown.accounts import store as account_store
from ringdown.cli.app import app
from ringdown.db.engine import open_database
from ringdown.errors import ValidationFailed
from tests.fakes.carrier import Behaviour, Carrier
from tests.slices.webhook_sending import VirtualSender, add_endpoint, record


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("RINGDOWN_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    # The runner's standard error is closed after each command; the log of this process must not point to it.
    monkeypatch.setattr(log, "configure", lambda settings: None)


async def run(*arguments: str) -> Result:
    """A command in a thread, while the carrier answers in this one."""
    async with asyncio.timeout(60):
        return await asyncio.to_thread(CliRunner().invoke, app, arguments)


async def test_a_fault_is_told_to_people_and_to_programs_with_exit_status_1(tmp_path: Path) -> None:
    async with Carrier(Behaviour(users={"alice": "other"})).run() as carrier:
        (tmp_path / "ringdown.toml").write_text(
            f"""
            [[trunks]]
            name = "carrier"
            hosts = ["127.0.0.1:{carrier.port}"]
            username = "alice"
            password = "topsecret"
            registers = true
            """
        )
        told = await run("doctor", "carrier")
        assert told.exit_code == 1
        assert "Trunk carrier: 1 fault" in told.stdout
        assert "FAULT   The password is wrong" in told.stdout
        assert "REMEDY  Correct `password`." in told.stdout
        assert "topsecret" not in told.stdout
        told = await run("doctor", "--json")
    assert told.exit_code == 1
    (trunk,) = json.loads(told.stdout)["trunks"]
    assert (trunk["name"], trunk["healthy"]) == ("carrier", False)
    assert [finding["code"] for finding in trunk["findings"]] == ["password_wrong"]


async def test_parked_deliveries_are_told_with_exit_status_1(tmp_path: Path) -> None:
    async with Carrier(Behaviour()).run() as carrier:
        await run("trunks", "add", "carrier", "--host", f"127.0.0.1:{carrier.port}")
        settings = lifecycle.load_settings()
        database = open_database(settings.sqlalchemy_url)
        async with database.read() as connection:
            [organization] = await account_store.list_organizations(connection)
        endpoint = await add_endpoint(database, settings, organization.id)
        await record(database, organization.id, "call_1", "call.ended")
        sender = VirtualSender(database)
        await sender.claim()
        await sender.send(410)
        await database.close()
        told = await run("doctor", "--json")
        shown = await run("doctor")
        await run("trunks", "remove", "carrier")
    without = await run("doctor")
    assert without.stdout == shown.stdout[shown.stdout.index("Webhooks: 2 faults") :]
    assert (told.exit_code, shown.exit_code) == (1, 1)
    webhooks = json.loads(told.stdout)["webhooks"]
    assert [finding["code"] for finding in webhooks["findings"]] == ["webhook_failing", "webhook_parked"]
    assert "Webhooks: 2 faults\n  FAULT   " in shown.stdout
    assert f"REMEDY  `ringdown webhooks replay {endpoint.id} --status parked`" in shown.stdout


async def test_nothing_wrong_is_exit_status_0_and_an_emergency_number_is_not_called() -> None:
    async with Carrier(Behaviour()).run() as carrier:
        await run("trunks", "add", "carrier", "--host", f"127.0.0.1:{carrier.port}")
        told = await run("doctor")
        assert told.exit_code == 0
        assert "Trunk carrier: nothing wrong" in told.stdout
        assert "not placed" in told.stdout
        assert told.stdout.endswith("\nWebhooks: nothing wrong\n")
        told = await run("doctor", "carrier", "--json")
        assert list(json.loads(told.stdout)) == ["trunks"]
        refused = await run("doctor", "--number", "+1911")
        assert isinstance(refused.exception, ValidationFailed)
        assert {request.method for request in carrier.requests} == {"OPTIONS"}
