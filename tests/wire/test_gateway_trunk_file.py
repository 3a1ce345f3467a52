"""Trunks of `ringdown.toml`, taken over by `ringdown serve`; what is wrong with the file is told in one sentence."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.wire.gateway_product import Product
from tests.wire.sip_owner import Owner, run_owner
from tests.wire.trunk_product import give_number, make_trunk, wait_for_status

HOST = "127.0.0.2"
NUMBER = "+12025550501"
TRUNK = """
[[trunks]]
name = "carrier"
hosts = ["{place}"]
username = "ann"
password = "s3cret"
{more}
"""


async def run_serve(product: Product) -> tuple[int, str]:
    """The exit status of a `ringdown serve` that cannot start, and all that it says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ringdown", "serve",
        env=product.environment, cwd=product.folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode is not None
    return process.returncode, output.decode()


def write(folder: Path, owner: Owner, more: str = "") -> None:
    text = TRUNK.format(place=f"{HOST}:{owner.endpoint.port}", more=more)
    (folder / "ringdown.toml").write_text(text)


async def call_out(product: Product, owner: Owner) -> str:
    """The From of a call of the agent's."""
    call_id = await product.place(from_number=NUMBER)
    incoming = await owner.next_call()
    await incoming.reject(486)
    assert (await product.end_of(call_id))["ended_reason"] == "busy"
    return incoming.from_uri


async def list_trunks(product: Product) -> dict[str, dict[str, Any]]:
    """The trunks by their names."""
    async with product.client() as client:
        return {trunk["name"]: trunk for trunk in (await client.get("/telephony/trunks")).json()["data"]}


async def test_a_trunk_of_the_file_carries_calls_and_follows_the_file(tmp_path: Path) -> None:
    product = Product(tmp_path)
    async with run_owner(host=HOST) as owner:
        write(tmp_path, owner)
        await product.start()
        try:
            await product.prepare()
            trunk = (await list_trunks(product))["carrier"]
            assert (trunk["origin"], trunk["has_password"]) == ("toml", True)
            await wait_for_status(product, trunk["id"], is_reachable=True)
            async with product.client() as client:
                answer = await client.patch(f"/telephony/trunks/{trunk['id']}", json={"name": "mine"})
            assert (answer.status_code, "ringdown.toml" in answer.text) == (422, True)
            await give_number(product, NUMBER, trunk["id"])
            assert await call_out(product, owner) == f"sip:{NUMBER}@{HOST}:{owner.endpoint.port}"
            await make_trunk(product, "of the API", "127.0.0.9", username="ann", password="s3cret")
        finally:
            assert await product.stop() == 0
        write(tmp_path, owner, 'number_format = "national"')
        product.environment["RINGDOWN_SECRET_KEY"] = "another key than before"
        await product.start()
        try:
            # The file holds its trunk's secrets; those of the other one are lost, and only that one is.
            assert await call_out(product, owner) == f"sip:2025550501@{HOST}:{owner.endpoint.port}"
            assert (await list_trunks(product))["carrier"]["id"] == trunk["id"]
        finally:
            assert await product.stop() == 0
    log = product.log.read_text()
    assert "trunk left out" in log
    assert "Traceback" not in log and "s3cret" not in log + product.output


@pytest.mark.parametrize(("more", "said"), [
    ('pasword = "x"', ["trunk carrier", "pasword"]),
    ('transport = "sctp"', ["trunk carrier", "transport"]),
    ("max_concurrent_calls = 0", ["trunk carrier", "max_concurrent_calls"]),
    ('[[trunks]]\nname = "carrier"\nhosts = ["a.example"]', ["trunk carrier", "twice"]),
    ('[[trunks]]\nhosts = ["a.example"]', ["trunk number 2", "name"]),
    ("registers = maybe", ["ringdown.toml cannot be read", "line 7"]),
    ("registers = 1\n[sip]\nport = 5070", ["setting sip"]),
])  # fmt: skip
async def test_what_is_wrong_with_the_file_is_told_in_one_sentence(tmp_path: Path, more: str, said: list[str]) -> None:
    product = Product(tmp_path)
    (tmp_path / "ringdown.toml").write_text(TRUNK.format(place="a.example", more=more))
    status, output = await run_serve(product)
    assert status == 1
    assert len(output.strip().splitlines()) == 1, output
    assert all(part in output for part in said), output
    assert "s3cret" not in output
