"""The limits and addresses of an endpoint on real sockets: sizes, connections, public address, zones, faults."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from ringdown.sip import network, sockets
from ringdown.sip.admission import Admission
from ringdown.sip.destination import Destination
from ringdown.sip.digest import Challenge, Credentials
from ringdown.sip.events import NO_RESPONSE, Answered, Ended, Rejected
from ringdown.sip.message import Request, Response, parse_message
from ringdown.sip.resolver import Resolver
from ringdown.sip.sockets import Sockets
from ringdown.sip.transaction import Timing
from tests.unit.sip.network import is_authorized
from tests.wire.scripted_registrar import Said, run_registrar
from tests.wire.sip_owner import Owner, collect, run_owner, wait_for
from tests.wire.sip_peers import free_port

FAST = Timing(t1=0.02, t2=0.08, t4=0.1)
LARGE_SDP = b"v=0\r\n" + b"".join(b"a=x:%060d\r\n" % number for number in range(30))


async def read_message(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(30):
        return await reader.readuntil(b"\r\n\r\n")


@contextlib.asynccontextmanager
async def run_datagram_callee() -> AsyncIterator[tuple[int, "asyncio.Queue[Request]"]]:
    """A peer that knows UDP only and is busy."""
    heard: asyncio.Queue[Request] = asyncio.Queue()

    async def answer(sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            data, address = await loop.sock_recvfrom(sock, 65_535)
            request = parse_message(data)
            assert isinstance(request, Request)
            heard.put_nowait(request)
            if request.method == "INVITE":
                await loop.sock_sendto(sock, Response.build(request, 486, tag="far").serialize(), address)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.bind(("127.0.0.1", 0))
        task = asyncio.create_task(answer(sock))
        yield sock.getsockname()[1], heard
        task.cancel()
        await asyncio.wait([task])


async def dial_large(owner: Owner, target: str) -> list[object]:
    call = owner.endpoint.prepare_invite(target=target, from_uri="sip:a@127.0.0.1", body=LARGE_SDP)
    await call.send()
    return list(await collect(call))


async def test_a_large_invite_goes_over_tcp_and_its_call_to_the_end() -> None:
    async with run_owner() as alice, run_owner() as bob:
        call = alice.endpoint.prepare_invite(
            target=bob.endpoint.local_uri("bob"), from_uri="sip:a@127.0.0.1", body=LARGE_SDP
        )
        await call.send()
        incoming = await bob.next_call()
        assert (incoming.header("Via") or "").startswith("SIP/2.0/TCP ")
        assert incoming.body == LARGE_SDP
        await incoming.answer(b"v=0\r\n")
        await wait_for(call, Answered)
        await wait_for(incoming, Answered)
        await call.bye()
        assert await collect(incoming) == [Ended("bye")]


async def test_a_ringing_call_of_a_large_invite_is_cancelled() -> None:
    async with run_owner() as alice, run_owner() as bob:
        call = alice.endpoint.prepare_invite(
            target=bob.endpoint.local_uri("bob"), from_uri="sip:a@127.0.0.1", body=LARGE_SDP
        )
        await call.send()
        incoming = await bob.next_call()
        await call.cancel()
        assert await collect(call) == [Ended("cancelled")]
        assert await collect(incoming) == [Ended("cancelled")]


async def test_a_large_invite_goes_over_udp_to_a_peer_without_tcp() -> None:
    async with run_datagram_callee() as (port, heard), run_owner() as alice:
        for _ in range(2):
            assert await dial_large(alice, f"sip:bob@127.0.0.1:{port}") == [Rejected(486, "Busy Here")]
            invite, ack = await heard.get(), await heard.get()
            assert (invite.via.transport, ack.method, ack.via.transport) == ("UDP", "ACK", "UDP")
            assert ack.via.branch == invite.via.branch


@pytest.mark.parametrize("is_admitted", [True, False])
async def test_a_request_over_64_kib_is_refused_and_the_connection_closed(is_admitted: bool) -> None:
    def admit(_source: Destination, _request: Request) -> Admission:
        return "accept" if is_admitted else "drop"

    async with run_owner(admit=admit) as owner:
        reader, writer = await asyncio.open_connection("127.0.0.1", owner.endpoint.port)
        writer.write(
            b"INVITE sip:bob@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKbig\r\n"
            b"From: <sip:a@b>;tag=f\r\nTo: <sip:bob@127.0.0.1>\r\nCall-ID: big\r\nCSeq: 1 INVITE\r\n"
            b"Content-Length: 70000\r\n\r\n"
        )
        answered = await asyncio.wait_for(reader.read(), 30)
        assert answered.startswith(b"SIP/2.0 513 Message Too Large\r\n" if is_admitted else b"")
        assert bool(answered) is is_admitted
        assert owner.endpoint.statistics.malformed == 1
        writer.close()


async def test_one_source_may_hold_so_many_connections_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_MAX_CONNECTIONS_OF_SOURCE", 3)
    async with run_owner() as owner:
        opened = [await asyncio.open_connection("127.0.0.1", owner.endpoint.port) for _ in range(4)]
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(opened[3][0].read(), 30) == b""
        opened[0][1].write(b"\r\n\r\n")
        assert await asyncio.wait_for(opened[0][0].readexactly(2), 30) == b"\r\n"
        opened[1][1].close()
        await asyncio.sleep(0.05)
        reader, writer = await asyncio.open_connection("127.0.0.1", owner.endpoint.port)
        writer.write(b"\r\n\r\n")
        assert await asyncio.wait_for(reader.readexactly(2), 30) == b"\r\n"
        for _, each in [*opened, (reader, writer)]:
            each.close()


async def test_peers_outside_see_the_public_address_and_peers_inside_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async with run_owner(public_host="198.51.100.7") as alice, run_owner() as bob:
        target = bob.endpoint.local_uri("bob")
        inside = await alice.dial(target)
        assert f"@127.0.0.1:{alice.endpoint.port}>" in ((await bob.next_call()).header("Contact") or "")
        monkeypatch.setattr(network, "needs_public_address", lambda _peer: True)
        outside = await alice.dial(target)
        incoming = await bob.next_call()
        assert f"@198.51.100.7:{alice.endpoint.port}>" in (incoming.header("Contact") or "")
        assert f" 198.51.100.7:{alice.endpoint.port};" in (incoming.header("Via") or "")
        assert alice.endpoint.local_uri("a") == f"sip:a@198.51.100.7:{alice.endpoint.port}"
        alice.endpoint.set_public_host("2001:db8::7")
        other_family = await alice.dial(target)
        assert "@127.0.0.1:" in ((await bob.next_call()).header("Contact") or "")
        alice.endpoint.set_public_host(None)
        assert alice.endpoint.local_uri("a") == f"sip:a@127.0.0.1:{alice.endpoint.port}"
        for call in (inside, outside, other_family):
            await call.cancel()
            assert await collect(call) == [Ended("cancelled")]


async def test_our_address_as_a_peer_saw_it_is_known() -> None:
    async with run_registrar(lambda _: Said(200)) as peer, run_owner() as alice:
        assert alice.endpoint.observed == {}
        hop = Destination("udp", "127.0.0.1", peer.port)
        reply = await alice.endpoint.ask("OPTIONS", "sip:x", hop=hop, from_uri="sip:a@b")
        assert alice.endpoint.observed == {"127.0.0.1": ("127.0.0.1", alice.endpoint.port)}
        assert reply.observed == ("127.0.0.1", alice.endpoint.port)


async def test_a_challenged_request_is_sent_again_with_its_headers_and_body() -> None:
    challenge = Challenge(realm="r", nonce="n", has_qop=True)
    alice_of_ours = Credentials("alice", "secret")

    def demand(request: Request) -> Said:
        value = request.headers.get("Authorization")
        if value and is_authorized(value, challenge=challenge, credentials=alice_of_ours, method="MESSAGE"):
            return Said(202, (("X-Heard", request.body.decode()),))
        return Said(401, (("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth"'),))

    async with run_registrar(demand) as peer, run_owner() as owner:
        reply = await owner.endpoint.ask(
            "MESSAGE",
            "sip:bob@example.net",
            hop=Destination("udp", "127.0.0.1", peer.port),
            from_uri="sip:alice@example.net",
            credentials=alice_of_ours,
            headers=[("Content-Type", "text/plain"), ("X-Twice", "1"), ("X-Twice", "2")],
            body=b"hello",
        )
        assert (reply.status, reply.headers.get("X-Heard"), reply.is_local, reply.fault) == (202, "hello", False, None)
        first, second = peer.requests
        assert second.headers.get_all("X-Twice") == ["1", "2"]
        assert (first.cseq, second.cseq, first.call_id) == (1, 2, second.call_id)


async def test_a_route_among_the_headers_decides_the_hop() -> None:
    async with run_registrar(lambda _: Said(200)) as proxy, run_owner() as owner:
        headers = [("Route", f"<sip:127.0.0.1:{proxy.port};lr>")]
        reply = await owner.endpoint.ask("OPTIONS", "sip:nowhere.invalid", from_uri="sip:a@b", headers=headers)
        assert reply.status == 200
        assert proxy.requests[0].uri == "sip:nowhere.invalid"
        assert proxy.requests[0].headers.get_lines("Route") == [headers[0][1]]


async def test_a_peer_that_says_nothing_is_a_408_within_the_time_given() -> None:
    async with run_registrar(lambda _: Said(0)) as peer, run_owner() as owner:
        hop = Destination("udp", "127.0.0.1", peer.port)
        reply = await owner.endpoint.ask("OPTIONS", "sip:x", hop=hop, from_uri="sip:a@b", timeout_s=0.2)
        assert (reply.status, reply.reason, reply.is_local, reply.fault) == (408, NO_RESPONSE, True, "timed out")


async def test_an_endpoint_that_is_closed_while_it_asks_still_replies() -> None:
    async with run_registrar(lambda _: Said(0)) as peer, run_owner(timing=FAST) as owner:
        hop = Destination("udp", "127.0.0.1", peer.port)
        asking = asyncio.create_task(
            owner.endpoint.ask("OPTIONS", "sip:x", hop=hop, from_uri="sip:a@b", timeout_s=30.0)
        )
        await asyncio.sleep(0.05)
        await owner.endpoint.close()
        assert (await asyncio.wait_for(asking, 30)).status == 408


async def test_what_cannot_be_asked_is_a_value_error() -> None:
    async with run_owner() as owner:
        hop = Destination("udp", "127.0.0.1", free_port())
        for method, target, from_uri in (
            ("OPTIONS", "sip:x", "nonsense"), ("OPTIONS", "sip:x y", "sip:a@b"), ("NO SUCH", "sip:x", "sip:a@b"),
        ):  # fmt: skip
            with pytest.raises(ValueError, match=r".+"):
                await owner.endpoint.ask(method, target, hop=hop, from_uri=from_uri)


async def test_the_zone_of_a_link_local_peer_is_kept_for_what_is_sent_to_it() -> None:
    heard: list[Destination] = []
    edge = Sockets(
        on_message=lambda _data, source: heard.append(source),
        on_send_failure=lambda _transmission, _why: None,
        on_connection_lost=lambda _connection, _why: None,
        on_refusal=lambda _quote: None,
        on_oversize=lambda _head, _source: b"",
        resolver=Resolver(host="::", now=lambda: 0.0),
    )
    edge.take_datagram(b"x", ("fe80::1%eth0", 5060, 0, 2))
    edge.take_datagram(b"x", ("::ffff:192.0.2.1", 5060, 0, 0))
    assert heard == [Destination("udp", "fe80::1", 5060), Destination("udp", "192.0.2.1", 5060)]
    assert (edge.add_zone("fe80::1"), edge.add_zone("fe80::2")) == ("fe80::1%eth0", "fe80::2")
