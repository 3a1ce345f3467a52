"""Calls through a Kamailio proxy that asks for credentials with 407 and stays on the route."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringdown.sip.call import IncomingCall
from ringdown.sip.digest import Credentials, parse_digest
from ringdown.sip.events import Answered, Ended, Event, Rejected
from ringdown.sip.sdp import build_offer
from tests.wire.sip_owner import Owner, collect, run_owner, wait_for
from tests.wire.sip_peers import run_kamailio

CONFIG = Path(__file__).parent.parent / "data" / "sip" / "kamailio.cfg"
SDP = build_offer("127.0.0.1", 30_000)
RIGHT, WRONG = Credentials("alice", "secret"), Credentials("alice", "wrong")
TRANSPORTS = pytest.mark.parametrize("transport", ["udp", "tcp"])


@contextlib.asynccontextmanager
async def run_two_behind_a_proxy(
    folder: Path, *, callee_transport: str = "udp", nonce_expire: int = 300
) -> AsyncIterator[tuple[Owner, Owner, int]]:
    """A caller, a callee, and the port of the proxy between them."""
    async with (
        run_owner() as alice,
        run_owner() as bob,
        run_proxy(folder, bob.endpoint.port, callee_transport=callee_transport, nonce_expire=nonce_expire) as port,
    ):
        yield alice, bob, port


def routes_of(call: IncomingCall) -> list[str]:
    dialog = call._session.dialog
    assert dialog is not None
    return dialog.route_set


def run_proxy(
    folder: Path, callee_port: int, *, callee_transport: str = "udp", nonce_expire: int = 300
) -> contextlib.AbstractAsyncContextManager[int]:
    return run_kamailio(
        folder, CONFIG, callee_port=callee_port, callee_transport=callee_transport, nonce_expire=nonce_expire
    )


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
    ("away", RIGHT, Rejected(480, "Temporarily Unavailable")),
    ("nobody", RIGHT, Rejected(404, "Not Found")),
    ("bob", WRONG, Rejected(407, "Proxy Authentication Required")),
    ("bob", None, Rejected(407, "Proxy Authentication Required")),
])  # fmt: skip
async def test_the_proxys_refusals_are_told(
    tmp_path: Path, user: str, credentials: Credentials | None, expected: Event
) -> None:
    async with run_owner() as alice, run_proxy(tmp_path, 9) as port:
        call = await alice.dial(f"sip:{user}@127.0.0.1:{port}", credentials=credentials)
        assert await collect(call) == [expected]


async def test_a_call_through_the_proxy_is_ended_by_another_process_after_a_crash(tmp_path: Path) -> None:
    async with run_owner() as bob, run_proxy(tmp_path, bob.endpoint.port) as port:
        async with run_owner() as dead:
            call = await dead.dial(f"sip:bob@127.0.0.1:{port}", credentials=RIGHT)
            incoming = await bob.next_call()
            await incoming.answer(b"v=0\r\n")
            await wait_for(call, Answered)
            state = call.dialog_state
        async with run_owner() as heir:
            assert await heir.endpoint.end_stale_dialog(state) == "bye"
            assert (await collect(incoming))[-1] == Ended("bye")


@pytest.mark.parametrize(("ours", "theirs"), [("udp", "udp"), ("tcp", "tcp"), ("udp", "tcp"), ("tcp", "udp")])
async def test_every_request_of_a_call_follows_the_route_between_two_transports(
    tmp_path: Path, ours: str, theirs: str
) -> None:
    async with run_two_behind_a_proxy(tmp_path, callee_transport=theirs) as (alice, bob, port):
        call = await alice.dial(f"sip:bob@127.0.0.1:{port};transport={ours}", credentials=RIGHT)
        incoming = await bob.next_call()
        assert len(routes_of(incoming)) == (1 if ours == theirs else 2)
        await incoming.answer(SDP)
        await wait_for(call, Answered)
        await wait_for(incoming, Answered)
        call.on_reoffer = incoming.on_reoffer = lambda _offer: SDP
        assert await call.reoffer(SDP) == SDP
        assert await incoming.reoffer(SDP) == SDP
        await incoming.bye()
        assert await wait_for(call, Ended) == Ended("bye")


async def test_a_stale_nonce_is_answered_within_a_call(tmp_path: Path) -> None:
    async with run_two_behind_a_proxy(tmp_path, nonce_expire=1) as (alice, bob, port):
        call = await alice.dial(f"sip:bob@127.0.0.1:{port}", credentials=RIGHT)
        incoming = await bob.next_call()
        await incoming.answer(SDP)
        await wait_for(call, Answered)
        await wait_for(incoming, Answered)
        incoming.on_reoffer = lambda _offer: SDP
        authenticator = call._session.authenticator
        (before,) = authenticator.authorize("INVITE", "sip:bob")
        await asyncio.sleep(2.5)  # the nonce has expired by Kamailio's clock of whole seconds
        assert await call.reoffer(SDP) == SDP
        (after,) = authenticator.authorize("INVITE", "sip:bob")
        assert parse_digest(before[1])["nonce"] != parse_digest(after[1])["nonce"]
        await call.bye()
        assert await wait_for(incoming, Ended) == Ended("bye")


async def test_a_large_invite_goes_to_the_proxy_over_tcp(tmp_path: Path) -> None:
    async with run_two_behind_a_proxy(tmp_path) as (alice, bob, port):
        pages = [(f"X-Page-{number}", "x" * 100) for number in range(15)]
        call = await alice.dial(f"sip:bob@127.0.0.1:{port}", credentials=RIGHT, headers=pages)
        incoming = await bob.next_call()
        assert incoming.header("X-Page-14") == "x" * 100
        assert any("transport=tcp" in route for route in routes_of(incoming))
        await incoming.answer(SDP)
        await wait_for(call, Answered)
        await wait_for(incoming, Answered)
        await call.bye()
        assert await wait_for(incoming, Ended) == Ended("bye")
