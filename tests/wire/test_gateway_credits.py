"""The running product where credits are enforced: calls go on as long as there are credits, and end in time."""

from pathlib import Path

from ringdown.accounts import store as account_store
from ringdown.billing import service as billing
from ringdown.db.engine import open_database
from tests.acceptance import recordings
from tests.wire.gateway_product import Product, run_product
from tests.wire.sip_peers import run_sipp

_LONG = "This is a sentence that takes so much longer than all that is left of the credits. " * 3


async def _grant(product: Product, amount: int) -> None:
    database = open_database(f"sqlite+aiosqlite:///{product.database}")
    async with database.write() as connection:
        [organization] = await account_store.list_organizations(connection)
        await billing.grant(connection, organization_id=organization.id, amount=amount)
    await database.close()


async def _call_in(product: Product, folder: Path, talk_ms: int) -> int:
    """Ring the agent and talk so long; the exit status of SIPp, 0 when it was the one that hung up."""
    target = f"127.0.0.1:{product.ports['SIP_PORT']}"
    async with run_sipp(folder, "-sn", "uac", "-s", "agent", "-d", str(talk_ms), target, timeout_s=60) as sipp:
        return await sipp.wait()


async def _get_balance(product: Product) -> int:
    async with product.client() as client:
        found = (await client.get("/credits")).json()["data"]
    assert found["held"] == 0
    balance: int = found["balance"]
    return balance


async def _say_at_the_end(product: Product, message: str | None) -> None:
    async with product.client() as client:
        changed = await client.patch(f"/agents/{product.agent_id}", json={"time_exceeded_message": message})
        assert changed.status_code == 200


async def test_calls_go_on_beyond_their_hold_and_end_with_the_credits(tmp_path: Path) -> None:
    async with run_product(
        tmp_path, credits_enforced=True, credit_increment_seconds=1, credits_hold_seconds=2
    ) as product:
        await _grant(product, 3)
        await _say_at_the_end(product, _LONG)
        await _call_in(product, tmp_path, 30_000)
        cut = await product.newest_ended()
        assert (cut["ended_reason"], cut["duration_seconds"]) == ("insufficient_credits", 3)
        assert (await product.turns_of(cut["id"]))[-1]["interrupted"]
        _, near = await recordings.fetch(cut["recording_url"])
        assert recordings.loudness(near, 1.5, 2.8) > 0.02
        assert await _get_balance(product) == 0

        assert await _call_in(product, tmp_path, 1000) != 0  # refused
        assert (await product.newest_ended())["id"] == cut["id"]

        await _grant(product, 7)
        await _say_at_the_end(product, None)
        await _call_in(product, tmp_path, 30_000)
        dismissed = await product.newest_ended()
        assert dismissed["ended_reason"] == "insufficient_credits"
        last = (await product.turns_of(dismissed["id"]))[-1]
        assert (last["text"], last["interrupted"]) == ("I'm sorry, I have to end our call here. Goodbye.", False)
        assert await _get_balance(product) == 7 - dismissed["cost_credits"] >= 0

        await _grant(product, 100)
        assert await _call_in(product, tmp_path, 4500) == 0
        call = await product.newest_ended()
        assert (call["ended_reason"], call["cost_credits"]) == ("user_hangup", 4)
        query = f"SELECT part FROM ledger_entries WHERE kind = 'hold' AND call_id = '{call['id']}' ORDER BY part"
        assert product.rows(query)[:2] == [(0,), (1,)]  # longer than the hold of two seconds
