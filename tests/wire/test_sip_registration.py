"""Registrations over real sockets: refresh, challenges, too brief, failover, broken connections, leaving."""

import asyncio
import socket
from pathlib import Path

import pytest

from ringdown.sip import registrant, registration
from ringdown.sip.destination import Destination, TlsClient, Transport
from ringdown.sip.digest import Challenge, Credentials
from ringdown.sip.message import Request
from ringdown.sip.registrant import Registration
from ringdown.sip.registration import Registrar, RegistrationStatus
from ringdown.sip.transaction import Timing
from tests.unit.sip.network import is_authorized
from tests.wire.certificates import Authority
from tests.wire.name_server import run_name_server
from tests.wire.scripted_registrar import Said, ScriptedRegistrar, run_registrar
from tests.wire.sip_owner import Owner, run_owner
from tests.wire.sip_peers import free_port, run_kamailio

KAMAILIO = Path(__file__).parent.parent / "data" / "sip" / "kamailio_registrar.cfg"
ALICE = Credentials("alice", "secret")
FAST = Timing(t1=0.02, t2=0.08, t4=0.1)
OK = Said(200)
TRANSPORTS = pytest.mark.parametrize("transport", ["udp", "tcp"])


class Watched:
    """A registration and what it told."""

    def __init__(self, registration: Registration, told: "asyncio.Queue[RegistrationStatus]") -> None:
        self.registration = registration
        self._told = told

    async def next(self) -> RegistrationStatus:
        async with asyncio.timeout(30):
            return await self._told.get()


def register(owner: Owner, *hops: Destination, expires_s: int = 300, credentials: Credentials | None = None) -> Watched:
    told: asyncio.Queue[RegistrationStatus] = asyncio.Queue()
    registrar = Registrar(
        uri="sip:example.net",
        address_of_record="sip:alice@example.net",
        credentials=credentials,
        hops=hops or None,
        expires_s=expires_s,
    )
    return Watched(owner.endpoint.register(registrar, told.put_nowait), told)


def hop_to(registrar: ScriptedRegistrar, transport: Transport = "udp") -> Destination:
    return Destination(transport, "127.0.0.1", registrar.port)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refresh, back off and keep alive in hundredths of seconds."""
    monkeypatch.setattr(registration, "choose_delay", lambda _granted_s: 0.05)
    monkeypatch.setattr(registration, "_FIRST_BACK_OFF", 0.05)
    monkeypatch.setattr(registration, "_REFUSED_BACK_OFF", 0.05)
    monkeypatch.setattr(registrant, "_RECONNECT_S", 0.02)


@TRANSPORTS
async def test_an_address_is_registered_and_taken_away_at_the_end(transport: Transport) -> None:
    def grant(request: Request) -> Said:
        contact = (request.headers.get("Contact") or "").partition(">;")[0]
        return Said(200, (("Contact", f"{contact}>;expires=120"),))

    async with run_registrar(grant) as registrar, run_owner() as owner:
        watched = register(owner, hop_to(registrar, transport))
        status = await watched.next()
        assert (status.state, status.status, status.hop) == ("registered", 200, hop_to(registrar, transport))
        assert status.expires_at == pytest.approx(asyncio.get_running_loop().time() + 120, abs=5)
        assert 0 < (status.round_trip_ms or 0) < 1000
        assert status.observed is not None
        assert status.observed[0] == "127.0.0.1"
        first = registrar.requests[0]
        assert (first.uri, first.to.uri, first.from_.uri) == (
            "sip:example.net", "sip:alice@example.net", "sip:alice@example.net",
        )  # fmt: skip
        suffix = ";transport=tcp" if transport == "tcp" else ""
        contact = f"<sip:alice@127.0.0.1:{owner.endpoint.port}{suffix}>"
        assert first.headers.get("Contact") == f"{contact};expires=300"
        await watched.registration.close()
        await watched.registration.close()
        assert watched.registration.status == await watched.next() == RegistrationStatus(state="unregistered")
        assert registrar.expires() == ["300", "0"]
        assert registrar.requests[1].headers.get("Contact") == f"{contact};expires=0"
        assert (registrar.requests[1].call_id, registrar.requests[1].cseq) == (first.call_id, first.cseq + 1)


@pytest.mark.usefixtures("soon")
async def test_a_registration_is_renewed_with_the_same_call_id_and_told_once() -> None:
    async with run_registrar(lambda _: OK) as registrar, run_owner() as owner:
        watched = register(owner, hop_to(registrar))
        assert (await watched.next()).state == "registered"
        await registrar.wait_for(3)
        assert len({request.call_id for request in registrar.requests}) == 1
        assert [request.cseq for request in registrar.requests[:3]] == [1, 2, 3]


@pytest.mark.usefixtures("soon")
async def test_a_challenge_is_answered_and_so_is_a_stale_nonce_later() -> None:
    nonces = iter(["one", "two", "three", "four"])
    valid = next(nonces)

    def challenge(request: Request) -> Said:
        nonlocal valid
        value = request.headers.get("Authorization")
        known = Challenge(realm="r", nonce=valid, has_qop=True)
        if value is None or not is_authorized(value, challenge=known, credentials=ALICE, method="REGISTER"):
            stale = ", stale=true" if value else ""
            return Said(401, (("WWW-Authenticate", f'Digest realm="r", nonce="{valid}", qop="auth"{stale}'),))
        valid = next(nonces, valid)
        return OK

    async with run_registrar(challenge) as registrar, run_owner() as owner:
        watched = register(owner, hop_to(registrar), credentials=ALICE)
        assert (await watched.next()).state == "registered"
        await registrar.wait_for(6)
        assert watched.registration.status.state == "registered"


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("status", [403, 404])
async def test_a_refusal_is_told_with_its_reason_and_tried_again(status: int) -> None:
    answers = iter([Said(status), Said(status)])
    async with run_registrar(lambda _: next(answers, OK)) as registrar, run_owner() as owner:
        watched = register(owner, hop_to(registrar))
        refused = await watched.next()
        assert (refused.state, refused.status, refused.fault) == ("refused", status, None)
        while (told := await watched.next()).state == "refused":
            pass
        assert told.state == "registered"


async def test_a_wrong_password_is_a_refusal() -> None:
    said = Said(401, (("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth"'),))
    async with run_registrar(lambda _: said) as registrar, run_owner() as owner:
        watched = register(owner, hop_to(registrar), credentials=ALICE)
        status = await watched.next()
        assert (status.state, status.status) == ("refused", 401)
        assert len(registrar.requests) == 2


async def test_a_registrar_that_wants_longer_registrations_gets_them() -> None:
    def demand(request: Request) -> Said:
        is_brief = int(request.headers.get("Expires") or 0) < 900
        return Said(423, (("Min-Expires", "900"),)) if is_brief else OK

    async with run_registrar(demand) as registrar, run_owner() as owner:
        watched = register(owner, hop_to(registrar), expires_s=60)
        status = await watched.next()
        assert status.state == "registered"
        assert registrar.expires() == ["60", "900"]
        assert status.expires_at == pytest.approx(asyncio.get_running_loop().time() + 900, abs=5)


@pytest.mark.parametrize("trouble", ["silence", "503", "closed port"])
async def test_the_next_hop_is_tried_when_one_is_in_trouble(trouble: str) -> None:
    said = Said(0 if trouble == "silence" else 503)
    async with (
        run_registrar(lambda _: said) as bad,
        run_registrar(lambda _: OK) as good,
        run_owner(timing=FAST) as owner,
    ):
        first = Destination("udp", "127.0.0.1", free_port()) if trouble == "closed port" else hop_to(bad)
        status = await register(owner, first, hop_to(good)).next()
        assert (status.state, status.hop) == ("registered", hop_to(good))


@pytest.mark.usefixtures("soon")
async def test_a_registration_stays_at_the_hop_that_took_it() -> None:
    answers = iter([Said(503)])
    async with (
        run_registrar(lambda _: next(answers, OK)) as first,
        run_registrar(lambda _: OK) as second,
        run_owner() as owner,
    ):
        register(owner, hop_to(first), hop_to(second))
        await second.wait_for(3)
        assert len(first.requests) == 1


@pytest.mark.usefixtures("soon")
async def test_when_every_hop_fails_that_is_told_with_the_fault_and_tried_again() -> None:
    port = free_port()
    async with run_owner() as owner:
        watched = register(owner, Destination("tcp", "127.0.0.1", port))
        status = await watched.next()
        assert (status.state, status.status, status.fault) == ("failed", 503, "connection refused")
        server = await asyncio.start_server(ScriptedRegistrar(lambda _: OK).serve_stream, "127.0.0.1", port)
        async with server:
            while (told := await watched.next()).state == "failed":
                pass
            assert (told.state, told.fault) == ("registered", None)
            await owner.endpoint.close()


async def test_the_registrar_is_located_in_dns() -> None:
    async with run_registrar(lambda _: OK) as registrar:
        records = {
            ("_sip._udp.example.net", "SRV"): [f"1 1 {registrar.port} host.example.net."],
            ("host.example.net", "A"): ["127.0.0.1"],
        }
        async with run_name_server(records) as server, run_owner(nameserver=server.address) as owner:
            status = await register(owner).next()
            assert (status.state, status.hop) == ("registered", hop_to(registrar))


async def test_a_domain_that_is_not_in_dns_is_told() -> None:
    async with run_name_server({}) as server, run_owner(nameserver=server.address) as owner:
        status = await register(owner).next()
        assert (status.state, status.fault) == ("failed", "host unknown: there is no such name")


@pytest.mark.parametrize("is_reset", [True, False])
async def test_a_broken_connection_is_registered_anew_at_once(monkeypatch: pytest.MonkeyPatch, is_reset: bool) -> None:
    monkeypatch.setattr(registrant, "_RECONNECT_S", 0.02)
    async with run_registrar(lambda _: OK) as registrar, run_owner() as owner:
        watched = register(owner, hop_to(registrar, "tcp"))
        await watched.next()
        if is_reset:
            registrar.writers[0].transport.abort()
        else:
            registrar.writers[0].close()
        await registrar.wait_for(2)
        assert len(registrar.writers) == 2


@pytest.mark.parametrize("status", [200, 503])
async def test_a_registrar_that_closes_after_every_answer_is_not_overrun(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(registrant, "_RECONNECT_S", 0.05)

    async def answer_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await registrar.take(await reader.readuntil(b"\r\n\r\n"), writer.get_extra_info("peername"))
        writer.write(data or b"")
        writer.close()

    registrar = ScriptedRegistrar(lambda _: Said(status))
    server = await asyncio.start_server(answer_and_close, "127.0.0.1", 0)
    async with server, run_owner() as owner:
        register(owner, Destination("tcp", "127.0.0.1", server.sockets[0].getsockname()[1]))
        await asyncio.sleep(1.0)
        # After 0.1, 0.2, 0.4 s, of which a random half may be left out; a failed one waits for its back-off.
        assert len(registrar.requests) in ((3, 4, 5) if status == 200 else (1,))


@TRANSPORTS
async def test_the_way_to_the_registrar_is_kept_open(monkeypatch: pytest.MonkeyPatch, transport: Transport) -> None:
    monkeypatch.setattr(registrant, "_KEEP_ALIVE_S", 0.03)
    async with run_registrar(lambda _: OK) as registrar, run_owner() as owner:
        await register(owner, hop_to(registrar, transport)).next()
        await asyncio.sleep(0.2)
        assert len(registrar.keep_alives) >= 2
        assert set(registrar.keep_alives) == {b"\r\n\r\n" if transport == "tcp" else b"\r\n"}
        assert len(registrar.requests) == 1


async def test_leaving_a_dead_registrar_takes_two_seconds_at_most_and_an_unused_one_no_time() -> None:
    answers = iter([OK])
    async with run_registrar(lambda _: next(answers, Said(0))) as registrar, run_owner() as owner:
        watched = register(owner, hop_to(registrar))
        await watched.next()
        began = asyncio.get_running_loop().time()
        await watched.registration.close()
        assert asyncio.get_running_loop().time() - began < 2.5
    async with run_owner() as owner:
        watched = register(owner, Destination("udp", "127.0.0.1", free_port()))
        await watched.registration.close()
        assert (await watched.next()).state == "unregistered"


async def test_a_closing_endpoint_takes_its_registrations_away() -> None:
    async with run_registrar(lambda _: OK) as registrar:
        async with run_owner() as owner:
            await register(owner, hop_to(registrar)).next()
        assert registrar.expires() == ["300", "0"]


async def test_an_owner_that_raises_does_not_stop_the_registration() -> None:
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: faults.append(context["exception"]))

    def fail(_status: RegistrationStatus) -> None:
        raise RuntimeError("a fault of the owner")

    async with run_registrar(lambda _: OK) as registrar, run_owner() as owner:
        registrar_of_ours = Registrar(uri="sip:x", address_of_record="sip:a@x", hops=[hop_to(registrar)])
        made = owner.endpoint.register(registrar_of_ours, fail)
        await registrar.wait_for(1)
        await made.close()
        assert registrar.expires() == ["300", "0"]
    assert len(faults) >= 1


async def test_an_unusable_address_is_a_value_error() -> None:
    async with run_owner() as owner:
        for uri, address in (("sip:x", "nonsense"), ("sip:x", "sip:a b@x"), ("nonsense", "sip:a@x")):
            with pytest.raises(ValueError, match=r".+"):
                owner.endpoint.register(Registrar(uri=uri, address_of_record=address), lambda _status: None)


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_kamailio_registers_us_and_takes_us_away(tmp_path: Path, transport: Transport) -> None:
    authority, tls_port = Authority(), free_port()
    authority.sign("sip.example.net").write(tmp_path, "server")
    async with run_kamailio(tmp_path, KAMAILIO, tls_port=tls_port, dir=tmp_path) as port, run_owner() as owner:
        security = TlsClient(server_name="sip.example.net", ca=authority.certificate)
        hop = (
            Destination("tls", "127.0.0.1", tls_port, security=security)
            if transport == "tls"
            else Destination(transport, "127.0.0.1", port)
        )
        status = await register(owner, hop, credentials=Credentials("alice", "wrong")).next()
        assert (status.state, status.status) == ("refused", 401)
        watched = register(owner, hop, credentials=ALICE, expires_s=60)
        status = await watched.next()
        assert (status.state, status.status, status.reason) == ("registered", 200, "OK")
        assert status.expires_at is not None
        bindings = await list_bindings(owner, hop)
        assert len(bindings) == 1
        assert f"sip:alice@127.0.0.1:{owner.endpoint.port}" in bindings[0]
        await watched.registration.close()
        assert await list_bindings(owner, hop) == []


async def list_bindings(owner: Owner, hop: Destination) -> list[str]:
    """What a REGISTER without a Contact gives (RFC 3261 §10.2.3)."""
    reply = await owner.endpoint.ask(
        "REGISTER", "sip:example.net", hop=hop, from_uri="sip:alice@example.net", to_uri="sip:alice@example.net",
        credentials=ALICE,
    )  # fmt: skip
    assert reply.status == 200
    return reply.headers.get_all("Contact")


async def test_a_closed_udp_port_ends_a_registration_attempt_before_the_timeout() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        hop = Destination("udp", *closed.getsockname())
    async with run_owner(timing=FAST) as owner:
        status = await register(owner, hop).next()
        assert (status.state, status.fault) == ("failed", "connection refused")
