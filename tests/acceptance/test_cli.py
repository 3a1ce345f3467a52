"""The command line as a newcomer and as an operator use it: keys, demonstration, faults, programs one by one."""

import asyncio
import contextlib
import re
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.acceptance import commands
from tests.acceptance.running import HOST, Ringdown, run_phone, steps, wait_for_call

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = re.compile(r"truedy_\w{32}")
NUMBER = "+4930901820"

Demonstration = tuple[Path, "asyncio.Task[commands.Ended]"]


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def demonstration(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demonstration]:
    """A demonstration, running while the tests that do not need it run."""
    folder = tmp_path_factory.mktemp("demonstrated")
    running = asyncio.create_task(
        commands.run("demo", "--data-dir", str(folder / "data"), folder=folder, timeout_s=110)
    )
    yield folder, running
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demonstrated(demonstration: Demonstration) -> tuple[Path, commands.Ended]:
    """A folder whose `data` holds what the demonstration left behind."""
    folder, running = demonstration
    return folder, await running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ringdown(demonstrated: tuple[Path, commands.Ended]) -> AsyncIterator[Ringdown]:
    """`serve` on the folder of the demonstration, with a key made by the command line."""
    folder, _ = demonstrated
    product = Ringdown(folder)
    product.key = (await commands.run("keys", "create", "operator", folder=folder)).output.strip()
    await product.start()
    yield product
    assert await product.stop() == 0


@pytest.mark.parametrize("setting", ["HTTP_PORT", "SIP_PORT"])
async def test_a_port_in_use_is_one_sentence(tmp_path: Path, setting: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind((HOST, 0))
        taken.listen()
        ports = {**Ringdown(tmp_path).ports, setting: taken.getsockname()[1]}
        environment = {f"RINGDOWN_{name}": str(port) for name, port in ports.items() if name != "PEER_PORT"}
        ended = await commands.run("serve", folder=tmp_path, environment=environment)
        assert (ended.status, ended.output) == (1, "")
        sentence = rf"ringdown: Port {ports[setting]} on {HOST} for .* cannot be used .* set RINGDOWN_{setting} .*\n"
        assert re.fullmatch(sentence, ended.errors)


async def test_the_first_command_on_a_new_folder_makes_its_first_key(tmp_path: Path) -> None:
    ended = await commands.run("keys", "list", folder=tmp_path)
    assert ended.status == 0
    key = KEY.search(ended.errors)
    assert key is not None
    assert ended.output.split()[-2:] == ["active", "default"]
    assert key[0] not in ended.output


async def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = str(tmp_path / "file" / "data")
    for command in (["keys", "list"], ["serve"]):
        ended = await commands.run(*command, "--data-dir", folder, folder=tmp_path)
        assert (ended.status, ended.errors.count("\n")) == (1, 1)
        assert ended.errors.startswith(f"ringdown: The data folder {folder} cannot be written (Not a directory);")


async def test_the_phone_explains_itself_and_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    helped = await commands.run("phone", "--help", folder=tmp_path)
    assert helped.status == 0
    for option in ("--step", "--dial", "--reaction", "--answer-after", "--json"):
        assert option in helped.output
    for option, value, allowed in (
        ("--step", "sing a song", "say TEXT, digits"),
        ("--reaction", "shrug", "decline"),
    ):
        refused = await commands.run("phone", option, value, folder=tmp_path)
        assert (refused.status, refused.output) == (2, "")
        message = " ".join(refused.errors.replace("│", " ").split())
        assert option in message
        assert allowed in message
        assert "Traceback" not in message


async def test_a_program_alone_wants_a_prepared_database(tmp_path: Path) -> None:
    ended = await commands.run("gateway", folder=tmp_path)
    assert (ended.status, ended.output) == (1, "")
    assert ended.errors == (
        "ringdown: The database does not have the tables of this version; run `ringdown migrate` first.\n"
    )


async def test_the_programs_started_one_by_one_carry_a_call(tmp_path: Path) -> None:
    product = Ringdown(tmp_path)
    migrated = await commands.run("migrate", folder=tmp_path)
    assert (migrated.status, migrated.errors) == (0, "")
    made = await commands.run("keys", "create", "operator", folder=tmp_path)
    product.key = made.output.splitlines()[-1]
    async with contextlib.AsyncExitStack() as stack:
        programs = [await stack.enter_async_context(_run_alone(product, name)) for name in ("api", "gateway", "worker")]
        client = await stack.enter_async_context(product.client())
        await _wait_until_healthy(product)
        phone = run_phone(product.ports["PEER_PORT"], "--answer-after", "0", *steps("wait 1", "hang_up"))
        await stack.enter_async_context(phone)
        agent_id = (await client.get("/agents")).json()["data"][0]["id"]
        placed = await client.post("/calls", json={"agent_id": agent_id, "phone_number": NUMBER})
        call = await wait_for_call(client, placed.json()["data"]["id"], "completed", "failed")
        assert (call["status"], call["ended_reason"]) == ("completed", "user_hangup")
        for program in programs:
            program.terminate()
        async with asyncio.timeout(20):
            assert [await program.wait() for program in programs] == [0, 0, 0]
    assert (tmp_path / "log").read_text().count("Traceback") == 0


async def test_a_demonstration_shows_its_progress_and_keeps_its_folder(
    demonstrated: tuple[Path, commands.Ended],
) -> None:
    folder, ended = demonstrated
    assert (ended.status, ended.errors) == (0, "")
    for line in ("Calling the test phone", "ringing", "in_progress", "contact: ", "agent: ", "completed"):
        assert line in ended.output
    assert (folder / "data" / "ringdown.db").is_file()
    assert len(list((folder / "data" / "recordings").glob("*/*.mp3"))) == 1
    assert list((folder / "data" / "spool").rglob("*.mp3")) == []


async def test_a_later_serve_lists_the_call_of_the_demonstration(ringdown: Ringdown) -> None:
    assert not KEY.search(ringdown.output), "a key is shown at the first start only"
    async with ringdown.client() as client:
        listed = (await client.get("/calls")).json()
        assert listed["pagination"]["total"] == 1
        call = listed["data"][0]
        assert (call["status"], call["outcome"]) == ("completed", "interested")
        assert call["recording_url"].startswith(ringdown.base_url)
        assert (await client.get(call["recording_url"])).status_code == 200
        transcript = await client.get(call["transcript_url"])
        assert len(transcript.json()["data"]["transcript"]) > 3


async def test_a_revoked_key_is_refused_at_once(ringdown: Ringdown) -> None:
    made = await commands.run("keys", "create", "shop", folder=ringdown.folder)
    assert made.status == 0
    assert KEY.fullmatch(made.output.strip())
    taken = await commands.run("keys", "create", "shop", folder=ringdown.folder)
    assert (taken.status, taken.output) == (1, "")
    assert taken.errors == "ringdown: An API key with this name exists: shop\n"

    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {made.output.strip()}"}) as shop:
        url = f"{ringdown.base_url}/api/public/v1/calls"
        assert (await shop.get(url)).status_code == 200
        revoked = await commands.run("keys", "revoke", "shop", folder=ringdown.folder)
        assert (revoked.status, revoked.errors) == (0, "")
        refused = await shop.get(url)
    assert refused.status_code == 401
    assert refused.json()["error"]["code"] == "unauthorized"

    again = await commands.run("keys", "revoke", "shop", folder=ringdown.folder)
    assert (again.status, again.output) == (1, "")
    assert re.fullmatch(r"ringdown: .*shop.*\n", again.errors)
    listed = await commands.run("keys", "list", folder=ringdown.folder)
    states = {line.split()[-1]: line.split()[-2] for line in listed.output.splitlines()}
    assert states["shop"] == "revoked"
    assert states["operator"] == "active"
    assert made.output.strip() not in listed.output


async def test_a_second_start_on_the_same_data_is_refused_in_one_sentence(ringdown: Ringdown) -> None:
    for command in (["serve"], ["demo", "--data-dir", str(ringdown.folder / "data")]):
        ended = await commands.run(*command, folder=ringdown.folder)
        assert ended.status == 1
        assert re.fullmatch(
            r"ringdown: Ringdown already runs on the data folder \S+ \(process \d+\); .*\n", ended.errors
        )
    async with ringdown.client() as client:
        assert (await client.get("/calls")).status_code == 200


@contextlib.asynccontextmanager
async def _run_alone(product: Ringdown, program: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ringdown", program,
        cwd=product.folder, env=product.environment, stderr=(product.folder / "log").open("a"),
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _wait_until_healthy(product: Ringdown) -> None:
    async with httpx.AsyncClient() as anyone, asyncio.timeout(30):
        while True:
            with contextlib.suppress(httpx.ConnectError):
                if (await anyone.get(f"{product.base_url}/healthz")).status_code == 200:
                    return
            await asyncio.sleep(0.1)
