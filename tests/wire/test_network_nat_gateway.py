"""A gateway behind NAT calls out: the peer sees its public address, set or found by STUN, and both hear each other."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.acceptance.running import Phone, run_phone, steps
from tests.fakes.stun_server import FakeStunServer
from tests.wire.namespaces import PRIVATE_HOST, PUBLIC_HOST, ROUTER_HOST, NatNetwork, build_nat_network
from tests.wire.nat_product import HostedProduct, heard_seconds, run_product_on

pytestmark = pytest.mark.asyncio(loop_scope="module")
PEER_PORT = 5090
STUN_PORT = 3478


@dataclass(frozen=True, slots=True)
class Site:
    """A gateway behind a NAT, and how it knows its public address."""

    network: NatNetwork
    product: HostedProduct
    changes_ports: bool
    stun_server: FakeStunServer | None


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="module",
    params=[(False, False), (False, True), (True, True)],
    ids=["address set", "STUN", "STUN, ports changed"],
)
async def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    changes_ports, has_stun = request.param
    with build_nat_network(changes_ports=changes_ports) as network, contextlib.ExitStack() as stack:
        stun_server = None
        settings = {"public_host": ROUTER_HOST}
        if has_stun:
            stun_server = FakeStunServer(open_socket(network, STUN_PORT))
            stack.callback(stun_server.close)
            settings = {"public_host": "stun", "stun_server": f"{PUBLIC_HOST}:{STUN_PORT}"}
        folder, peer = tmp_path_factory.mktemp("product"), f"sip:{PUBLIC_HOST}:{PEER_PORT}"
        async with run_product_on(network.private, folder, outbound_peer=peer, **settings) as product:
            yield Site(network, product, changes_ports, stun_server)


def open_socket(network: NatNetwork, port: int) -> socket.socket:
    with network.public.entered():
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setblocking(False)
    opened.bind((PUBLIC_HOST, port))
    return opened


def run_peer(site: Site, *said: str) -> contextlib.AbstractAsyncContextManager[Phone]:
    """The phone outside, which hears nobody but whom the SDP names."""
    answers = ("--answer-after", "0", *steps(*said))
    return run_phone(PEER_PORT, *answers, host=PUBLIC_HOST, launcher=site.network.public.launcher)


async def test_both_hear_each_other(site: Site) -> None:
    async with run_peer(site, "say yes", "wait 30") as phone:
        call = await site.product.end_of(await site.product.place())
        await phone.wait_for("ended", 30)
    assert (call["ended_reason"], call["summary"]) == ("agent_hangup", "Deliver today: yes.")
    assert heard_seconds(phone) > 1


async def test_the_peers_bye_reaches_the_gateway(site: Site) -> None:
    if site.changes_ports:
        pytest.skip("nobody can reach a SIP port that the NAT changes for each peer")
    async with run_peer(site, "wait 1", "hang_up") as phone:
        call = await site.product.end_of(await site.product.place(), timeout_s=20)
        await phone.wait_for("ended", 30)
    assert call["ended_reason"] == "user_hangup"


async def test_the_invite_names_no_private_address(site: Site) -> None:
    with open_socket(site.network, PEER_PORT) as peer:
        call_id = await site.product.place()
        async with asyncio.timeout(30):
            invite, source = await asyncio.get_running_loop().sock_recvfrom(peer, 65536)
        peer.sendto(refuse(invite), source)
        assert (await site.product.end_of(call_id))["status"] == "failed"
    assert invite.startswith(b"INVITE ")
    assert PRIVATE_HOST.encode() not in invite
    assert f"c=IN IP4 {ROUTER_HOST}\r\n".encode() in invite
    assert f"{ROUTER_HOST}:{site.product.ports['SIP_PORT']}".encode() in invite
    if site.stun_server is not None:
        assert site.stun_server.asked > 0


def refuse(invite: bytes) -> bytes:
    """603 to an INVITE."""
    copied = [
        line + (b";tag=refused" if line.startswith(b"To:") else b"")
        for line in invite.partition(b"\r\n\r\n")[0].split(b"\r\n")
        if line.startswith((b"Via:", b"From:", b"To:", b"Call-ID:", b"CSeq:"))
    ]
    return b"\r\n".join([b"SIP/2.0 603 Decline", *copied, b"Content-Length: 0", b"", b""])
