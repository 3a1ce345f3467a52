"""Our own endpoints calling each other over real sockets, and the faults that only sockets have."""

import asyncio
import contextlib
import json
import socket
import struct
import sys
import time
from collections.abc import AsyncIterator

import pytest

from ringdown.sip.admission import admit_all
from ringdown.sip.call import IncomingCall, OutgoingCall
from ringdown.sip.digest import Credentials
from ringdown.sip.endpoint import Endpoint
from ringdown.sip.events import NO_RESPONSE, TRANSPORT_FAILED, Answered, Ended, Event, Provisional, Rejected
from ringdown.sip.message import Request, Response, parse_message
from ringdown.sip.transaction import Timing
from tests.wire.sip_owner import Owner, collect, run_owner, wait_for

FAST = Timing(t1=0.02, t2=0.08, t4=0.1)
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
TRANSPORTS = pytest.mark.parametrize("transport", ["udp", "tcp"])


@contextlib.asynccontextmanager
async def run_pair(host: str = "127.0.0.1") -> AsyncIterator[tuple[Owner, Owner]]:
    async with run_owner(host=host) as alice, run_owner(host=host) as bob:
        yield alice, bob


async def connect(alice: Owner, bob: Owner, target: str) -> tuple[OutgoingCall, IncomingCall]:
    call = await alice.dial(target)
    incoming = await bob.next_call()
    await incoming.ring()
    assert (await wait_for(call, Provisional)).status == 180
    await incoming.answer(b"v=0\r\n")
    assert await wait_for(call, Answered) == Answered(b"v=0\r\n")
    await wait_for(incoming, Answered)
    return call, incoming


@TRANSPORTS
async def test_a_call_is_answered_and_hung_up(transport: str) -> None:
    async with run_pair() as (alice, bob):
        call, incoming = await connect(alice, bob, f"{bob.endpoint.local_uri('bob')};transport={transport}")
        assert incoming.source[0] == "127.0.0.1"
        assert incoming.from_display == "Alice"
        assert incoming.request_uri.startswith("sip:bob@127.0.0.1:")
        await call.bye()
        await call.bye()
        assert await collect(call) == [Ended("local")]
        assert await collect(incoming) == [Ended("bye")]


@TRANSPORTS
async def test_the_callee_hangs_up(transport: str) -> None:
    async with run_pair() as (alice, bob):
        call, incoming = await connect(alice, bob, f"{bob.endpoint.local_uri('bob')};transport={transport}")
        await incoming.bye()
        assert await collect(incoming) == [Ended("local")]
        assert await collect(call) == [Ended("bye")]


@TRANSPORTS
async def test_a_call_is_cancelled(transport: str) -> None:
    async with run_pair() as (alice, bob):
        call = await alice.dial(f"{bob.endpoint.local_uri('bob')};transport={transport}")
        incoming = await bob.next_call()
        await call.cancel()
        assert await collect(call) == [Ended("cancelled")]
        assert await collect(incoming) == [Ended("cancelled")]


@TRANSPORTS
async def test_a_call_is_challenged_and_refused(transport: str) -> None:
    async with run_pair() as (alice, bob):
        target = f"{bob.endpoint.local_uri('bob')};transport={transport}"
        call = await alice.dial(target, credentials=Credentials("alice", "secret"))
        first = await bob.next_call()
        await first.reject(407, headers={"Proxy-Authenticate": 'Digest realm="r", nonce="n", algorithm=SHA-256'})
        second = await bob.next_call()
        assert 'username="alice"' in (second.header("Proxy-Authorization") or "")
        await second.reject(603)
        assert await collect(call) == [Rejected(603, "Decline")]


async def test_a_call_over_ipv6(ipv6: str) -> None:
    async with run_pair(ipv6) as (alice, bob):
        for transport in ("udp", "tcp"):
            target = f"{bob.endpoint.local_uri('bob')};transport={transport}"
            assert f"@[{ipv6}]:" in target
            call, incoming = await connect(alice, bob, target)
            assert incoming.source[0] == ipv6
            await incoming.bye()
            assert await collect(call) == [Ended("bye")]


async def test_a_wildcard_endpoint_shows_the_address_of_the_route() -> None:
    async with run_owner(host="0.0.0.0") as alice, run_owner() as bob:
        call, incoming = await connect(alice, bob, bob.endpoint.local_uri("bob"))
        assert "@127.0.0.1:" in (incoming.header("Contact") or "")
        await incoming.bye()
        assert await collect(call) == [Ended("bye")]


async def test_a_host_name_is_resolved() -> None:
    async with run_pair() as (alice, bob):
        call, _ = await connect(alice, bob, f"sip:bob@localhost:{bob.endpoint.port}")
        await call.bye()
        assert await collect(call) == [Ended("local")]


async def test_an_unknown_host_is_a_503_of_our_own() -> None:
    async with run_owner() as alice:
        call = await alice.dial("sip:bob@no-such-host.invalid")
        assert await collect(call) == [Rejected(503, TRANSPORT_FAILED, is_local=True)]


async def test_a_refused_connection_is_a_503_of_our_own() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        async with run_owner() as alice:
            call = await alice.dial(f"sip:bob@127.0.0.1:{port};transport=tcp")
            assert await collect(call) == [Rejected(503, TRANSPORT_FAILED, is_local=True)]
            assert alice.endpoint.statistics.transport_errors == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which datagram was refused")
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1", "::"])
async def test_a_port_that_nobody_listens_on_is_a_503_of_our_own_and_harms_no_other_call(host: str, ipv6: str) -> None:
    callee_host = ipv6 if ":" in host else "127.0.0.1"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as closed:
        closed.bind((callee_host, 0))
        port = closed.getsockname()[1]
    async with run_owner(host=host, timing=FAST) as alice, run_owner(host=callee_host) as bob:
        dead = f"sip:bob@[{callee_host}]:{port}" if ":" in host else f"sip:bob@{callee_host}:{port}"
        refused = [await alice.dial(dead) for _ in range(5)]
        call, _ = await connect(alice, bob, bob.endpoint.local_uri("bob"))
        for other in refused:
            assert await collect(other) == [Rejected(503, TRANSPORT_FAILED, is_local=True)]
        busy_since = time.process_time()
        await asyncio.sleep(0.2)
        assert time.process_time() - busy_since < 0.1
        await call.bye()
        assert await collect(call) == [Ended("local")]


async def test_a_connection_that_breaks_before_any_response_is_a_503_of_our_own() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server, run_owner() as alice:
        call = await alice.dial(f"sip:bob@127.0.0.1:{server.sockets[0].getsockname()[1]};transport=tcp")
        assert await collect(call) == [Rejected(503, TRANSPORT_FAILED, is_local=True)]


async def test_the_other_address_family_is_a_503_of_our_own() -> None:
    async with run_owner() as alice:
        call = await alice.dial("sip:bob@[2001:db8::1]")
        assert await collect(call) == [Rejected(503, TRANSPORT_FAILED, is_local=True)]


@TRANSPORTS
async def test_a_silent_peer_is_a_408_of_our_own(transport: str) -> None:
    with socket.socket(type=socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        if transport == "tcp":
            deaf.listen()
        async with run_owner(timing=FAST) as alice:
            call = await alice.dial(f"sip:bob@127.0.0.1:{deaf.getsockname()[1]};transport={transport}")
            assert await collect(call) == [Rejected(408, NO_RESPONSE, is_local=True)]


async def test_connections_are_reused() -> None:
    async with run_pair() as (alice, bob):
        target = f"{bob.endpoint.local_uri('bob')};transport=tcp"
        sources = set()
        for _ in range(3):
            call, incoming = await connect(alice, bob, target)
            sources.add(incoming.source)
            await call.bye()
            await collect(call)
        assert len(sources) == 1


async def test_a_connection_that_the_peer_closed_is_made_anew() -> None:
    async with run_owner() as alice:
        port = 0
        for _ in range(2):
            async with run_owner(port=port) as bob:
                port = bob.endpoint.port
                call, _ = await connect(alice, bob, f"{bob.endpoint.local_uri('bob')};transport=tcp")
                await call.bye()
                assert await collect(call) == [Ended("local")]


@pytest.mark.parametrize("is_noticed", [True, False])
async def test_a_call_right_after_the_peer_closed_or_reset_its_connection_goes_through(is_noticed: bool) -> None:
    invites = asyncio.Queue[int]()
    last: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        last.append(writer)
        while data := await read_head(reader):
            request = parse_message(data)
            assert isinstance(request, Request)
            if request.method == "INVITE":
                invites.put_nowait(len(last))
                writer.write(Response.build(request, 486, tag="far").serialize())

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, run_owner() as alice:
        target = f"sip:bob@127.0.0.1:{server.sockets[0].getsockname()[1]};transport=tcp"
        for number in (1, 2, 3):
            call = await alice.dial(target)
            assert await collect(call) == [Rejected(486, "Busy Here")]
            assert await invites.get() == number
            last[-1].get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            last[-1].transport.abort()
            if is_noticed:
                await asyncio.sleep(0.05)
            else:
                await asyncio.sleep(0)  # the transport closes its socket; the next call is written before it is seen


async def read_head(reader: asyncio.StreamReader) -> bytes:
    """A message with its body; empty at the end of the stream."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
        return head + await reader.readexactly(int(length.partition(b":")[2]))
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def test_a_long_message_arrives_whole_over_tcp() -> None:
    async with run_pair() as (alice, bob):
        body = b"v=0\r\n" + b"a=x:" + b"y" * 40_000 + b"\r\n"
        call = alice.endpoint.prepare_invite(
            target=f"{bob.endpoint.local_uri('bob')};transport=tcp", from_uri="sip:a@127.0.0.1", body=body
        )
        await call.send()
        assert (await bob.next_call()).body == body


async def test_a_stream_of_garbage_is_cut_off_and_a_keep_alive_is_answered() -> None:
    async with run_owner() as owner:
        reader, writer = await asyncio.open_connection("127.0.0.1", owner.endpoint.port)
        writer.write(b"\r\n\r\n")
        assert await asyncio.wait_for(reader.readexactly(2), 30) == b"\r\n"
        writer.write(b"x" * 40_000)
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()


async def test_datagrams_of_garbage_and_keep_alives_do_no_harm() -> None:
    async with run_pair() as (alice, bob):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for data in (b"", b"\r\n\r\n", b"\x00\x00", b"\xff" * 2000, b"INVITE x SIP/2.0\r\n\r\n"):
                stranger.sendto(data, ("127.0.0.1", bob.endpoint.port))
        call, _ = await connect(alice, bob, bob.endpoint.local_uri("bob"))
        await call.bye()
        assert await collect(call) == [Ended("local")]
        assert bob.endpoint.statistics.malformed == 2


async def test_a_taken_port_is_an_os_error() -> None:
    async with run_owner() as owner:
        with pytest.raises(OSError, match=r".+"):
            async with run_owner(port=owner.endpoint.port):
                pass


async def test_closing_twice_and_with_a_live_call_ends_its_events() -> None:
    async with run_pair() as (alice, bob):
        call, _ = await connect(alice, bob, bob.endpoint.local_uri("bob"))
        await alice.endpoint.close()
        await alice.endpoint.close()
        assert await collect(call) == [Ended("local")]


async def test_a_closing_endpoint_still_delivers_its_bye() -> None:
    async with run_pair() as (alice, bob):
        call, incoming = await connect(alice, bob, bob.endpoint.local_uri("bob"))
        await call.bye()
        await alice.endpoint.close()
        assert await collect(incoming) == [Ended("bye")]


async def test_an_owner_that_raises_does_not_stop_the_endpoint() -> None:
    loop, faults = asyncio.get_running_loop(), list[object]()
    loop.set_exception_handler(lambda _loop, context: faults.append(context["exception"]))

    def fail(_call: IncomingCall) -> None:
        raise RuntimeError("a fault of the owner")

    bob = await Endpoint.start(host="127.0.0.1", port=0, user_agent="Test", on_invite=fail, admit=admit_all)
    async with run_owner(timing=FAST) as alice:
        for expected in (1, 2):
            call = await alice.dial(bob.local_uri("bob"))
            await call.cancel()
            assert await collect(call) == [Ended("cancelled")]
            assert len(faults) == expected
    await bob.close()


async def test_a_forbidden_source_hears_nothing() -> None:
    bob = await Endpoint.start(
        host="127.0.0.1",
        port=0,
        user_agent="Test",
        on_invite=lambda _call: None,
        admit=lambda source, request: "accept" if source.host != "127.0.0.1" or request.method == "OPTIONS" else "drop",
    )
    async with run_owner(timing=FAST) as alice:
        call = await alice.dial(bob.local_uri("bob"))
        assert await collect(call) == [Rejected(408, NO_RESPONSE, is_local=True)]
        assert bob.statistics.dropped >= 1
    await bob.close()


@TRANSPORTS
@pytest.mark.parametrize("stored", ["prepared", "ringing"])
async def test_a_call_that_was_answered_after_its_state_was_stored_is_hung_up_once(transport: str, stored: str) -> None:
    async with run_owner() as bob:
        async with run_owner() as dead:
            port = dead.endpoint.port
            call = await dead.dial(f"{bob.endpoint.local_uri('bob')};transport={transport}")
            states = {"prepared": call.dialog_state}
            incoming = await bob.next_call()
            await incoming.ring()
            await wait_for(call, Provisional)
            states["ringing"] = call.dialog_state
            await incoming.answer(b"v=0\r\n")
            await wait_for(incoming, Answered)
        async with run_owner(port=port) as heir:
            assert await heir.endpoint.end_stale_dialog(states[stored]) == "cancel"
            assert await collect(incoming) == [Ended("bye")]
            assert heir.endpoint.statistics.sent == 2


async def test_a_state_of_something_else_ends_nothing() -> None:
    async with run_owner() as owner:
        assert await owner.endpoint.end_stale_dialog({}) == "none"
        assert await owner.endpoint.end_stale_dialog(json.loads('{"role": "caller", "phase": 7}')) == "none"


@pytest.mark.parametrize("target", ["", "bob", "tel:+15550100", "sip:bob@host;transport=ws", "sip:bob@host\r\nX: y"])
async def test_an_unusable_target_is_a_value_error(target: str) -> None:
    async with run_owner() as owner:
        with pytest.raises(ValueError, match=r".+"):
            await owner.dial(target)


async def test_two_hundred_calls_at_once() -> None:
    async with run_pair() as (alice, bob):

        async def callee() -> list[Event]:
            incoming = await bob.next_call()
            await incoming.answer(b"v=0\r\n")
            return await collect(incoming)

        async def caller(transport: str) -> list[Event]:
            call = await alice.dial(f"{bob.endpoint.local_uri('bob')};transport={transport}")
            await wait_for(call, Answered)
            await call.bye()
            return await collect(call)

        callees = [asyncio.create_task(callee()) for _ in range(200)]
        ended = await asyncio.gather(*(caller("tcp" if number % 2 else "udp") for number in range(200)))
        assert all(events == [Ended("local")] for events in ended)
        assert all(events[-1] == Ended("bye") for events in await asyncio.gather(*callees))


@pytest.fixture
def ipv6() -> str:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6 loopback")
    return "::1"
