"""Who may call from outside, on hosts of their own: logins from anywhere, strangers, bans; trunks found by DNS."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from ringdown.sip.digest import Challenge, Credentials, build_authorization
from ringdown.sip.message import Request, Response, parse_message
from ringdown.sip.sdp import build_offer
from tests.wire.name_server import NameServer
from tests.wire.namespaces import PUBLIC_HOST, ROUTER_HOST, Host, NatNetwork, build_nat_network
from tests.wire.nat_product import HostedProduct, open_product_on
from tests.wire.trunk_product import give_number, make_line, make_trunk, wait_for_status

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBER, DIALLING, TAKEN, UNKNOWN = (f"+120255506{n:02}" for n in range(1, 5))
BAN_S, PATIENCE_S = 8, 3
RIGHT, WRONG = Credentials("ann", "s3cret"), Credentials("ann", "guess")
NOWHERE = "198.51.100.1"
PRIMARY, BACKUP = ("127.0.0.2", 5090), ("127.0.0.3", 5091)
RECORDS = {
    ("_sip._udp.carrier.test", "SRV"): ["20 0 5091 backup.carrier.test.", "10 0 5090 primary.carrier.test."],
    ("primary.carrier.test", "A"): [PRIMARY[0]],
    ("backup.carrier.test", "A"): [BACKUP[0]],
}


class Stranger:
    """A phone on a socket of its own; the product sees it as the router."""

    def __init__(self, opened: socket.socket, port: int) -> None:
        self.socket = opened
        self._server = (PUBLIC_HOST, port)
        self._call_id = secrets.token_hex(8)
        self._cseq = 0

    async def ask(
        self, method: str, user: str = NUMBER, *, authorization: str | None = None, tag: str | None = None
    ) -> Response | None:
        """The final response, or None when nothing at all came for a while."""
        self._cseq += 1
        to = f"<sip:{user}@{PUBLIC_HOST}>" + (f";tag={tag}" if tag else "")
        fields = [
            ("Via", f"SIP/2.0/UDP 10.77.0.2;rport;branch=z9hG4bK{secrets.token_hex(8)}"),
            ("Max-Forwards", "70"),
            ("From", "<sip:+4930901820@stranger.example>;tag=s"),
            ("To", to),
            ("Call-ID", self._call_id),
            ("CSeq", f"{self._cseq if method != 'ACK' else self._cseq - 1} {method}"),
            ("Contact", "<sip:stranger@10.77.0.2>"),
        ]
        fields += [("Authorization", authorization)] if authorization else []
        body = build_offer("10.77.0.2", 30_000) if method == "INVITE" else b""
        fields += [("Content-Type", "application/sdp")] if body else []
        request = Request.build(method, f"sip:{user}@{PUBLIC_HOST}", fields, body)
        self.socket.sendto(request.serialize(), self._server)
        return None if method == "ACK" else await self._receive(method)

    async def _receive(self, method: str) -> Response | None:
        is_trying = False
        while True:
            try:
                async with asyncio.timeout(10 if is_trying else PATIENCE_S):
                    data = await asyncio.get_running_loop().sock_recv(self.socket, 65_535)
            except TimeoutError:
                return None
            message = parse_message(data)
            if isinstance(message, Response) and (message.cseq, message.cseq_method) == (self._cseq, method):
                if message.status >= 200:
                    return message
                is_trying = True

    async def log_in(self, credentials: Credentials, user: str = NUMBER) -> Response | None:
        """What an INVITE with these credentials gets in the end."""
        challenged = await self.ask("INVITE", user)
        if challenged is None or challenged.status != 401:
            return challenged
        await self.ask("ACK", user, tag=challenged.to.tag)
        value = build_authorization(
            Challenge.parse(challenged.headers.get("WWW-Authenticate") or ""),
            credentials=credentials,
            method="INVITE",
            uri=f"sip:{user}@{PUBLIC_HOST}",
            nonce_count=1,
            cnonce=secrets.token_hex(4),
        )
        return await self.ask("INVITE", user, authorization=value)


@dataclass(frozen=True, slots=True)
class Site:
    network: NatNetwork
    product: HostedProduct
    primary: socket.socket
    backup: socket.socket

    def call(self) -> "Stranger":
        """A new phone of the private network."""
        return Stranger(open_socket(self.network.private), self.product.ports["SIP_PORT"])

    def log_lines(self, said: str) -> list[str]:
        return [line for line in self.product.log.read_text().splitlines() if said in line]


def open_socket(host: Host, address: tuple[str, int] = ("0.0.0.0", 0)) -> socket.socket:
    with host.entered():
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setblocking(False)
    opened.bind(address)
    return opened


@pytest.fixture(scope="module")
def network() -> Iterator[NatNetwork]:
    with build_nat_network() as built:
        yield built


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(network: NatNetwork, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("product")
    product = HostedProduct(folder, network.public, sip_ban_seconds=BAN_S)
    product.launcher = (*network.public.launcher, *_resolve_by(folder, "127.0.0.1"))
    names = NameServer(RECORDS)
    server, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: names, sock=open_socket(network.public, ("127.0.0.1", 53))
    )
    try:
        async with open_product_on(product):
            yield Site(network, product, open_socket(network.public, PRIMARY), open_socket(network.public, BACKUP))
    finally:
        server.close()


def _resolve_by(folder: Path, name_server: str) -> tuple[str, ...]:
    """Runs a command that sees another resolv.conf; `ip netns exec` has given it mounts of its own."""
    resolver = folder / "resolv.conf"
    resolver.write_text(f"nameserver {name_server}\noptions timeout:1 attempts:2\n")
    return ("sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', str(resolver))


async def test_a_stranger_gets_nothing_and_is_counted(site: Site) -> None:
    stranger = site.call()
    for method in ("INVITE", "OPTIONS", "REGISTER"):
        assert await stranger.ask(method) is None
    assert await stranger.ask("INVITE", "agent") is None
    assert await site.product.calls() == []
    [line, *_] = site.log_lines("sip request refused")
    assert f"source={ROUTER_HOST}" in line
    assert "unknown source" in line


async def test_who_knows_the_login_of_a_trunk_may_call_from_anywhere(site: Site) -> None:
    trunk_id = await make_trunk(
        site.product, "login", NOWHERE, inbound_username=RIGHT.username, inbound_password=RIGHT.password
    )
    await give_number(site.product, NUMBER, trunk_id)
    stranger = site.call()
    challenged = await stranger.ask("INVITE")
    assert challenged is not None and challenged.status == 401
    refused = await site.call().log_in(WRONG)
    assert refused is not None and refused.status == 401
    answered = await stranger.log_in(RIGHT)
    assert answered is not None and answered.status == 200
    await stranger.ask("ACK", tag=answered.to.tag)
    [call] = await site.product.calls()
    await site.product.reach(call["id"], "in_progress")
    over = await stranger.ask("BYE", tag=answered.to.tag)
    assert over is not None and over.status == 200
    ended = await site.product.end_of(call["id"])
    assert (ended["ended_reason"], ended["to_number"]) == ("user_hangup", NUMBER)
    assert site.product.rows("SELECT trunk_id FROM calls") == [(trunk_id,)]


@pytest.mark.parametrize("user", ["agent", "+12025550199", "+12025550142"])
async def test_who_is_logged_in_reaches_the_numbers_of_the_trunk_only(site: Site, user: str) -> None:
    refused = await site.call().log_in(RIGHT, user)
    assert refused is not None and refused.status == 404


async def test_who_guesses_passwords_is_not_heard_for_a_while(site: Site) -> None:
    accepted = await site.call().log_in(RIGHT, "nobody")  # forgives what was before
    assert accepted is not None and accepted.status == 404
    guesses = 0
    while (refused := await site.call().log_in(WRONG)) is not None:
        assert refused.status == 401
        guesses += 1
        assert guesses <= 10
    assert guesses >= 3
    assert await site.call().log_in(RIGHT) is None
    [line] = site.log_lines("sip source banned")
    assert f"source={ROUTER_HOST}" in line
    async with asyncio.timeout(BAN_S + 5):
        while (heard := await site.call().log_in(RIGHT, "nobody")) is None:
            await asyncio.sleep(0.2)
    assert heard.status == 404


async def test_an_address_of_a_trunk_may_call_without_a_login(site: Site) -> None:
    trunk_id = await make_trunk(site.product, "source", NOWHERE, allowed_sources=["203.0.113.0/30"])
    await give_number(site.product, TAKEN, trunk_id)
    stranger = site.call()
    answered = await stranger.ask("INVITE", TAKEN.replace("+", "00"))
    assert answered is not None and answered.status == 200
    await stranger.ask("ACK", tag=answered.to.tag)
    over = await stranger.ask("BYE", tag=answered.to.tag)
    assert over is not None and over.status == 200
    refused = await site.call().ask("INVITE", "agent")
    assert refused is not None and refused.status == 404
    assert (await site.product.newest_ended())["to_number"] == TAKEN


async def test_the_hosts_of_a_trunk_are_found_by_srv_and_the_backup_takes_over(site: Site) -> None:
    await make_line(site.product, DIALLING, "carrier.test")
    call_id = await site.product.place(from_number=DIALLING)
    await _refuse(site.primary, 503)
    invite = await _refuse(site.backup, 486)
    assert invite.uri == "sip:+4930901820@carrier.test"
    assert (await site.product.end_of(call_id))["ended_reason"] == "busy"


async def test_a_trunk_whose_host_has_no_address_says_so(site: Site) -> None:
    trunk_id = await make_line(site.product, UNKNOWN, "nowhere.test")
    status = await wait_for_status(site.product, trunk_id, is_reachable=False)
    assert "nowhere.test" in status["last_error"]
    call = await site.product.end_of(await site.product.place(from_number=UNKNOWN))
    assert (call["ended_reason"], "nowhere.test" in call["summary"]) == ("unreachable", True)


async def _refuse(opened: socket.socket, status: int) -> Request:
    """Answer the next INVITE; other requests are passed over."""
    async with asyncio.timeout(30):
        while True:
            data, source = await asyncio.get_running_loop().sock_recvfrom(opened, 65_535)
            message = parse_message(data)
            if isinstance(message, Request) and message.method == "INVITE":
                opened.sendto(Response.build(message, status, tag="far").serialize(), source)
                return message
