"""SIP over TLS on real sockets: verification of both sides, what goes wrong in words, calls, reuse."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from ringdown.sip import sockets
from ringdown.sip.admission import Admission
from ringdown.sip.call import IncomingCall, OutgoingCall
from ringdown.sip.destination import Destination, TlsClient
from ringdown.sip.events import TRANSPORT_FAILED, Answered, Ended, Rejected
from ringdown.sip.inquiry import Reply
from ringdown.sip.message import Request
from ringdown.sip.tls import build_server_context
from tests.wire.certificates import Authority, Certificate
from tests.wire.sip_owner import Owner, collect, run_owner, wait_for

NAME = "sip.example.net"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def server(authority: Authority) -> Certificate:
    return authority.sign(NAME)


async def ask(owner: Owner, hop: Destination, timeout_s: float = 8.0) -> Reply:
    return await owner.endpoint.ask(
        "OPTIONS", f"sip:{NAME}", hop=hop, from_uri="sip:alice@127.0.0.1", timeout_s=timeout_s
    )


def make_hop(port: int | None, authority: Authority, *, name: str = NAME) -> Destination:
    assert port is not None
    return Destination("tls", "127.0.0.1", port, security=TlsClient(server_name=name, ca=authority.certificate))


@contextlib.asynccontextmanager
async def run_pair(folder: Path, server: Certificate) -> AsyncIterator[tuple[Owner, Owner]]:
    async with run_owner() as alice, run_owner(tls=server.listen(folder)) as bob:
        yield alice, bob


async def connect(alice: Owner, bob: Owner, hop: Destination) -> tuple[OutgoingCall, IncomingCall]:
    call = await alice.dial(f"sip:bob@{NAME};transport=tls", hop=hop)
    incoming = await bob.next_call()
    await incoming.answer(b"v=0\r\n")
    await wait_for(call, Answered)
    await wait_for(incoming, Answered)
    return call, incoming


@pytest.mark.parametrize("who_hangs_up", ["caller", "callee"])
async def test_a_call_over_tls_goes_to_its_end(
    tmp_path: Path, authority: Authority, server: Certificate, who_hangs_up: str
) -> None:
    async with run_pair(tmp_path, server) as (alice, bob):
        # The callee shows no name in its Contact, so the caller verifies that connection as the first one.
        call, incoming = await connect(alice, bob, make_hop(bob.endpoint.tls_port, authority))
        assert (incoming.header("Via") or "").startswith("SIP/2.0/TLS ")
        assert ";transport=tls>" in (incoming.header("Contact") or "")
        await (call if who_hangs_up == "caller" else incoming).bye()
        mine, other = [Ended("local")], [Ended("bye")]
        assert await collect(call) == (mine if who_hangs_up == "caller" else other)
        assert await collect(incoming) == (other if who_hangs_up == "caller" else mine)


@pytest.mark.parametrize(("signed_for", "name"), [
    (NAME, NAME), ("*.example.net", NAME), ("sip:example.net", "example.net"), ("127.0.0.1", "127.0.0.1"),
])  # fmt: skip
async def test_a_certificate_of_the_name_is_accepted(
    tmp_path: Path, authority: Authority, signed_for: str, name: str
) -> None:
    async with run_pair(tmp_path, authority.sign(signed_for)) as (alice, bob):
        assert (await ask(alice, make_hop(bob.endpoint.tls_port, authority, name=name))).status == 200


async def test_without_a_named_server_the_address_itself_is_verified(tmp_path: Path, authority: Authority) -> None:
    async with run_pair(tmp_path, authority.sign("127.0.0.1")) as (alice, bob):
        hop = make_hop(bob.endpoint.tls_port, authority)
        assert (await ask(alice, replace(hop, security=TlsClient(ca=authority.certificate)))).status == 200


async def test_a_certificate_of_another_name_is_told(tmp_path: Path, authority: Authority) -> None:
    async with run_pair(tmp_path, authority.sign("other.example")) as (alice, bob):
        reply = await ask(alice, make_hop(bob.endpoint.tls_port, authority))
        assert (reply.status, reply.is_local) == (503, True)
        assert reply.fault == f"certificate: it is for other.example, not for {NAME}"
        assert bob.endpoint.statistics.received == 0


async def test_an_expired_certificate_is_told(tmp_path: Path, authority: Authority) -> None:
    async with run_pair(tmp_path, authority.sign(NAME, is_expired=True)) as (alice, bob):
        reply = await ask(alice, make_hop(bob.endpoint.tls_port, authority))
        assert reply.fault == "certificate: certificate has expired"


async def test_an_unknown_authority_is_told_and_ends_a_call(tmp_path: Path, server: Certificate) -> None:
    async with run_pair(tmp_path, server) as (alice, bob):
        hop = make_hop(bob.endpoint.tls_port, Authority("Another"))
        reply = await ask(alice, hop)
        assert reply.fault is not None
        assert reply.fault.startswith("certificate: ")
        call = await alice.dial(f"sip:bob@{NAME};transport=tls", hop=hop)
        [rejected] = await collect(call)
        assert isinstance(rejected, Rejected)
        assert (rejected.status, rejected.reason, rejected.is_local) == (503, TRANSPORT_FAILED, True)


async def test_the_system_trusts_no_authority_of_a_test(tmp_path: Path, server: Certificate) -> None:
    async with run_pair(tmp_path, server) as (alice, bob):
        hop = Destination("tls", "127.0.0.1", bob.endpoint.tls_port or 0)
        assert ((await ask(alice, hop)).fault or "").startswith("certificate: ")


async def test_an_unverified_peer_may_show_anything(tmp_path: Path, server: Certificate) -> None:
    async with run_pair(tmp_path, server) as (alice, bob):
        hop = Destination("tls", "127.0.0.1", bob.endpoint.tls_port or 0, security=TlsClient(is_verified=False))
        assert (await ask(alice, hop)).status == 200


async def test_a_certificate_that_is_trusted_by_itself_is_accepted(tmp_path: Path, server: Certificate) -> None:
    async with run_pair(tmp_path, server) as (alice, bob):
        security = TlsClient(server_name=NAME, ca=server.certificate)
        hop = Destination("tls", "127.0.0.1", bob.endpoint.tls_port or 0, security=security)
        assert (await ask(alice, hop)).status == 200


async def test_a_client_certificate_is_demanded_and_verified(
    tmp_path: Path, authority: Authority, server: Certificate
) -> None:
    ca = tmp_path / "clients.pem"
    ca.write_text(authority.certificate)
    async with run_owner() as alice, run_owner(tls=server.listen(tmp_path, client_ca=ca)) as bob:
        hop = make_hop(bob.endpoint.tls_port, authority)
        assert hop.security is not None
        assert (await ask(alice, hop)).fault == "connection closed"
        for signer, status in ((Authority("Another"), 503), (authority, 200)):
            mine = signer.sign("alice.example")
            security = replace(hop.security, certificate=mine.certificate, private_key=mine.private_key)
            assert (await ask(alice, replace(hop, security=security))).status == status


async def test_a_server_that_says_why_it_refuses_us_is_understood(
    tmp_path: Path, authority: Authority, server: Certificate
) -> None:
    ca = tmp_path / "clients.pem"
    ca.write_text(authority.certificate)
    context = build_server_context(server.listen(tmp_path, client_ca=ca))

    def refuse(listener: socket.socket) -> None:
        plain, _ = listener.accept()
        with plain.dup() as kept:  # a reset could overtake the alert
            with contextlib.suppress(ssl.SSLError):  # asyncio's server closes without the alert
                context.wrap_socket(plain, server_side=True)
            kept.settimeout(5)
            while kept.recv(4096):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        async with run_owner() as alice, asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.to_thread(refuse, listener))
            reply = await ask(alice, make_hop(listener.getsockname()[1], authority))
    assert reply.fault == "certificate: the peer refuses ours (certificate required)"


@pytest.mark.parametrize(("certificate", "private_key"), [("nonsense", "nonsense"), ("", None)])
async def test_our_own_unusable_certificate_is_told(
    tmp_path: Path, authority: Authority, server: Certificate, certificate: str, private_key: str | None
) -> None:
    async with run_pair(tmp_path, server) as (alice, bob):
        hop = make_hop(bob.endpoint.tls_port, authority)
        assert hop.security is not None
        security = replace(hop.security, certificate=certificate, private_key=private_key)
        assert ((await ask(alice, replace(hop, security=security))).fault or "").startswith("certificate: ")


async def test_a_peer_that_speaks_no_tls_is_told(authority: Authority) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")

    plain = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with run_owner() as alice, run_owner() as bob, plain:
        for port in (bob.endpoint.port, plain.sockets[0].getsockname()[1]):
            assert (await ask(alice, make_hop(port, authority))).fault == "not TLS"


async def test_a_peer_that_accepts_and_says_nothing_speaks_no_tls(authority: Authority) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        async with run_owner() as alice:
            assert (await ask(alice, make_hop(deaf.getsockname()[1], authority))).fault == "not TLS"


async def test_plain_tcp_to_a_tls_port_fails_and_a_peer_that_answers_with_tls_is_told(
    tmp_path: Path, server: Certificate
) -> None:
    async def alert(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"\x15\x03\x01\x00\x02\x02\x46")
        writer.close()

    alerting = await asyncio.start_server(alert, "127.0.0.1", 0)
    async with run_pair(tmp_path, server) as (alice, bob), alerting:
        faults = [
            (await ask(alice, Destination("tcp", "127.0.0.1", port))).fault
            for port in (bob.endpoint.tls_port or 0, alerting.sockets[0].getsockname()[1])
        ]
        assert faults == ["connection closed", "the peer speaks TLS here"]


async def test_a_closed_port_is_told(authority: Authority) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        async with run_owner() as alice:
            assert (await ask(alice, make_hop(closed.getsockname()[1], authority))).fault == "connection refused"


async def test_connections_are_reused_by_those_who_verified_the_same_name_only(
    tmp_path: Path, authority: Authority
) -> None:
    sources: list[int] = []

    def admit(source: Destination, _request: Request) -> Admission:
        sources.append(source.port)
        return "accept"

    listener = authority.sign(NAME, "second.example").listen(tmp_path)
    async with run_owner() as alice, run_owner(tls=listener, admit=admit) as bob:
        for name in (NAME, NAME, "second.example", "third.example", NAME):
            await ask(alice, make_hop(bob.endpoint.tls_port, authority, name=name))
        unnamed = Destination("tls", "127.0.0.1", bob.endpoint.tls_port or 0, security=TlsClient(is_verified=False))
        assert [(await ask(alice, unnamed)).status for _ in range(2)] == [200, 200]
        assert sources[4] == sources[5] not in sources[:4]
        del sources[4:]
    assert len(sources) == 4
    assert sources[0] == sources[1] == sources[3] != sources[2]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_old_versions_of_tls_are_refused(tmp_path: Path, server: Certificate) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    async with run_owner(tls=server.listen(tmp_path)) as bob:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", bob.endpoint.tls_port, ssl=context)


async def test_garbage_on_the_tls_port_does_no_harm(tmp_path: Path, authority: Authority, server: Certificate) -> None:
    async with run_pair(tmp_path, server) as (alice, bob):
        for data in (b"", b"\x16\x03\x01" + b"\xff" * 500, b"OPTIONS sip:x SIP/2.0\r\n\r\n"):
            _, writer = await asyncio.open_connection("127.0.0.1", bob.endpoint.tls_port)
            writer.write(data)
            writer.close()
        assert (await ask(alice, make_hop(bob.endpoint.tls_port, authority))).status == 200


async def test_connections_on_which_tls_is_not_agreed_count_and_do_not_stay(
    tmp_path: Path, authority: Authority, server: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "_MAX_CONNECTIONS_OF_SOURCE", 3)
    monkeypatch.setattr(sockets, "_HANDSHAKE_TIMEOUT", 0.3)
    async with run_pair(tmp_path, server) as (alice, bob):
        opened = [await asyncio.open_connection("127.0.0.1", bob.endpoint.tls_port) for _ in range(4)]
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(opened[3][0].read(), 0.2) == b""
        hop = make_hop(bob.endpoint.tls_port, authority)
        assert (await ask(alice, hop)).is_local
        for reader, _ in opened[:3]:
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(), 30) == b""
        assert (await ask(alice, hop)).status == 200
        for _, writer in opened:
            writer.close()


async def test_a_request_that_comes_with_the_end_of_the_handshake_is_answered(
    tmp_path: Path, server: Certificate
) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    session = context.wrap_bio(incoming, outgoing, server_hostname=NAME)
    request = (
        b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bKearly\r\nFrom: <sip:a@b>;tag=f\r\n"
        b"To: <sip:x>\r\nCall-ID: early\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 5\r\nContent-Length: 0\r\n\r\n"
    )
    async with run_owner(tls=server.listen(tmp_path)) as bob:
        reader, writer = await asyncio.open_connection("127.0.0.1", bob.endpoint.tls_port)
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
                incoming.write(await asyncio.wait_for(reader.read(65_535), 30))
        session.write(request)
        writer.write(outgoing.read())  # the client's Finished and its first record at once
        answered = b""
        while b"\r\n\r\n" not in answered:
            incoming.write(await asyncio.wait_for(reader.read(65_535), 30))
            with contextlib.suppress(ssl.SSLWantReadError):
                answered += session.read(65_535)
        assert answered.startswith(b"SIP/2.0 200 OK\r\n")
        writer.close()


async def test_an_unusable_certificate_or_a_taken_port_keeps_the_endpoint_from_starting(
    tmp_path: Path, authority: Authority, server: Certificate
) -> None:
    listener = server.listen(tmp_path)
    other = authority.sign("other.example").write(tmp_path, "other")[1]
    for bad in (replace(listener, private_key=other), replace(listener, certificate=tmp_path / "missing.pem")):
        with pytest.raises(OSError, match=r".+"):
            async with run_owner(tls=bad):
                pass
    async with run_owner(tls=listener) as owner:
        with pytest.raises(OSError, match=r".+"):
            async with run_owner(tls=replace(listener, port=owner.endpoint.tls_port or 0)):
                pass
