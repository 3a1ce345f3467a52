"""Calls through a Kamailio proxy that asks for credentials with 407 and stays on the route."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringdown.sip.digest import Credentials
from ringdown.sip.events import Answered, Ended, Event, Rejected
from tests.wire.sip_owner import Owner, collect, run_owner, wait_for
from tests.wire.sip_peers import run_kamailio

CONFIG = Path(__file__).parent.parent / "data" / "sip" / "kamailio.cfg"
RIGHT, WRONG = Credentials("alice", "secret"), Credentials("alice", "wrong")
TRANSPORTS = pytest.mark.parametrize("transport", ["udp", "tcp"])


@contextlib.asynccontextmanager
async def run_two_behind_a_proxy(folder: Path) -> AsyncIterator[tuple[Owner, Owner, int]]:
    """A caller, a callee, and the port of the proxy between them."""
    async with (
        run_owner() as alice,
        run_owner() as bob,
        run_kamailio(folder, CONFIG, callee_port=bob.endpoint.port) as port,
    ):
        yield alice, bob, port


@TRANSPORTS
@pytest.mark.parametrize("who_hangs_up", ["caller", "callee"])
async def test_a_call_goes_through_the_proxy_to_its_end(tmp_path: Path, transport: str, who_hangs_up: str) -> None:
    async with run_two_behind_a_proxy(tmp_path) as (alice, bob, port):
        call = await alice.dial(f"sip:bob@127.0.0.1:{port};transport={transport}", credentials=RIGHT)
        incoming = await bob.next_call()
        assert incoming.source == ("127.0.0.1", port)
        assert incoming.header("Proxy-Authorization") is None
        await incoming.answer(b"v=0\r\n")
        await wait_for(call, Answered)
        await wait_for(incoming, Answered)
        await (call if who_hangs_up == "caller" else incoming).bye()
        assert [await collect(call), await collect(incoming)] == (
            [[Ended("local")], [Ended("bye")]] if who_hangs_up == "caller" else [[Ended("bye")], [Ended("local")]]
        )


@TRANSPORTS
async def test_a_ringing_call_is_cancelled_through_the_proxy(tmp_path: Path, transport: str) -> None:
    async with run_two_behind_a_proxy(tmp_path) as (alice, bob, port):
        call = await alice.dial(f"sip:bob@127.0.0.1:{port};transport={transport}", credentials=RIGHT)
        incoming = await bob.next_call()
        await incoming.ring()
        await call.cancel()
        assert (await collect(call))[-1] == Ended("cancelled")
        assert await collect(incoming) == [Ended("cancelled")]


@pytest.mark.parametrize(("user", "credentials", "expected"), [
    ("busy", RIGHT, Rejected(486, "Busy Here")),
    ("decline", RIGHT, Rejected(603, "Decline")),
    ("bob", WRONG, Rejected(407, "Proxy Authentication Required")),
    ("bob", None, Rejected(407, "Proxy Authentication Required")),
])  # fmt: skip
async def test_the_proxys_refusals_are_told(
    tmp_path: Path, user: str, credentials: Credentials | None, expected: Event
) -> None:
    async with run_owner() as alice, run_kamailio(tmp_path, CONFIG, callee_port=9) as port:
        call = await alice.dial(f"sip:{user}@127.0.0.1:{port}", credentials=credentials)
        assert await collect(call) == [expected]


async def test_a_call_through_the_proxy_is_ended_by_another_process_after_a_crash(tmp_path: Path) -> None:
    async with run_owner() as bob, run_kamailio(tmp_path, CONFIG, callee_port=bob.endpoint.port) as port:
        async with run_owner() as dead:
            call = await dead.dial(f"sip:bob@127.0.0.1:{port}", credentials=RIGHT)
            incoming = await bob.next_call()
            await incoming.answer(b"v=0\r\n")
            await wait_for(call, Answered)
            state = call.dialog_state
        async with run_owner() as heir:
            assert await heir.endpoint.end_stale_dialog(state) == "bye"
            assert (await collect(incoming))[-1] == Ended("bye")
