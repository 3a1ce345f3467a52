"""Finding the hosts of a SIP domain by asking a real name server over the wire (RFC 3263)."""

import asyncio
from pathlib import Path

import pytest

from ringdown.sip.destination import Destination, TlsClient, Transport
from ringdown.sip.location import LocationFailed
from ringdown.sip.locator import Locator
from ringdown.sip.resolver import Resolver
from tests.wire.name_server import NameServer, Records, run_name_server
from tests.wire.sip_owner import run_owner

CARRIER: Records = {
    ("carrier.example", "NAPTR"): [
        '20 10 "s" "SIP+D2U" "" _sip._udp.carrier.example.',
        '10 10 "s" "SIPS+D2T" "" _sips._tcp.carrier.example.',
    ],
    ("_sip._udp.carrier.example", "SRV"): ["20 0 5070 two.example.", "10 0 5060 one.example."],
    ("_sips._tcp.carrier.example", "SRV"): ["10 0 5061 one.example."],
    ("_sip._tcp.plain.example", "SRV"): ["1 0 5080 two.example."],
    ("_sip._udp.closed.example", "SRV"): ["0 0 0 ."],
    ("_sip._udp.broken.example", "SRV"): ["0 0 5060 missing.example."],
    ("carrier.example", "A"): ["192.0.2.99"],
    ("one.example", "A"): ["192.0.2.1"],
    ("two.example", "A"): ["192.0.2.2"],
    ("many.example", "A"): ["192.0.2.2", "192.0.2.3"],
    ("six.example", "AAAA"): ["2001:db8::6"],
    ("both.example", "A"): ["127.0.0.4"],
    ("both.example", "AAAA"): ["2001:db8::4"],
}


def make_locator(server: NameServer, *, host: str = "0.0.0.0", clock: list[float] | None = None) -> Locator:
    now = asyncio.get_running_loop().time if clock is None else lambda: clock[0]
    return Locator(Resolver(host=host, nameserver=server.address, now=now))


def show(found: list[Destination]) -> list[str]:
    return [f"{one.transport} {one.host} {one.port}" for one in found]


@pytest.mark.parametrize(("uri", "transport", "expected"), [
    ("sip:1@carrier.example", None, ["tls 192.0.2.1 5061", "udp 192.0.2.1 5060", "udp 192.0.2.2 5070"]),
    ("sips:1@carrier.example", None, ["tls 192.0.2.1 5061"]),
    ("sip:carrier.example", "udp", ["udp 192.0.2.1 5060", "udp 192.0.2.2 5070"]),
    ("sip:carrier.example;transport=udp", None, ["udp 192.0.2.1 5060", "udp 192.0.2.2 5070"]),
    ("sip:carrier.example", "tcp", ["tcp 192.0.2.99 5060"]),
    ("sip:carrier.example:5090", None, ["udp 192.0.2.99 5090"]),
    ("sip:carrier.example:5090", "tls", ["tls 192.0.2.99 5090"]),
    ("sip:plain.example", None, ["tcp 192.0.2.2 5080"]),
    ("sip:one.example", None, ["udp 192.0.2.1 5060"]),
    ("sip:x@ignored.example;maddr=one.example", None, ["udp 192.0.2.1 5060"]),
    ("sip:192.0.2.7", None, ["udp 192.0.2.7 5060"]),
    ("sips:192.0.2.7", None, ["tls 192.0.2.7 5061"]),
    ("sip:[2001:db8::7]:5070;transport=tcp", None, ["tcp 2001:db8::7 5070"]),
])  # fmt: skip
async def test_the_hosts_of_a_uri_are_found_in_their_order(
    uri: str, transport: Transport | None, expected: list[str]
) -> None:
    async with run_name_server(CARRIER) as server:
        assert show(await make_locator(server).locate(uri, transport=transport)) == expected


async def test_every_address_of_a_host_is_given() -> None:
    async with run_name_server(CARRIER) as server:
        found = await make_locator(server).locate("sip:many.example")
        assert sorted(show(found)) == ["udp 192.0.2.2 5060", "udp 192.0.2.3 5060"]


async def test_a_tls_host_is_verified_against_the_domain_unless_another_name_is_given() -> None:
    async with run_name_server(CARRIER) as server:
        locator = make_locator(server)
        [found] = await locator.locate("sips:carrier.example")
        assert found.security == TlsClient(server_name="carrier.example")
        [found] = await locator.locate("sips:carrier.example", security=TlsClient(server_name="other", ca="pem"))
        assert found.security == TlsClient(server_name="other", ca="pem")
        assert (await locator.locate("sip:one.example", security=TlsClient(ca="pem")))[0].security is None


@pytest.mark.parametrize(("uri", "why"), [
    ("sip:nowhere.example", "there is no such name"),
    ("sip:six.example", "the name has no address that this endpoint can reach"),
    ("sip:closed.example", "the domain offers no SIP service"),
    ("sip:broken.example", "the hosts of its SRV records have no address"),
    ("tel:+15550100", "only sip and sips URIs name a host"),
    ("sip:one.example;transport=sctp", "unsupported transport"),
    ("sip:one..example", "no name server answers"),
    ("nonsense", "malformed URI"),
])  # fmt: skip
async def test_what_leads_nowhere_is_told_in_a_sentence(uri: str, why: str) -> None:
    async with run_name_server(CARRIER) as server:
        with pytest.raises(LocationFailed) as failed:
            await make_locator(server).locate(uri)
        assert failed.value.why == why
        assert str(failed.value).endswith(f" cannot be found: {why}.")


async def test_addresses_of_the_endpoints_own_families_are_given_those_with_a_route_first() -> None:
    async with run_name_server(CARRIER) as server:
        assert show(await make_locator(server, host="::1").locate("sip:six.example")) == ["udp 2001:db8::6 5060"]
        assert show(await make_locator(server, host="::1").locate("sip:both.example")) == ["udp 2001:db8::4 5060"]
        dual = show(await make_locator(server, host="::").locate("sip:both.example"))
        assert sorted(dual) == ["udp 127.0.0.4 5060", "udp 2001:db8::4 5060"]


@pytest.mark.parametrize(("ttl_s", "kept_s"), [(1, 5), (60, 60), (86_400, 300)])
async def test_an_answer_is_kept_for_its_ttl_within_bounds(ttl_s: int, kept_s: int) -> None:
    async with run_name_server(CARRIER, ttl_s=ttl_s) as server:
        clock = [1000.0]
        locator = make_locator(server, clock=clock)
        for advance, asked in ((0, 1), (kept_s - 0.1, 1), (0.2, 2)):
            clock[0] += advance
            await locator.locate("sip:one.example:5060")
            assert server.asked["one.example", "A"] == asked


async def test_a_failure_is_kept_for_five_seconds() -> None:
    async with run_name_server({}) as server:
        clock = [1000.0]
        locator = make_locator(server, clock=clock)
        for advance, asked in ((0, 1), (4.9, 1), (0.2, 2)):
            clock[0] += advance
            with pytest.raises(LocationFailed):
                await locator.locate("sip:nowhere.example")
            assert server.asked["nowhere.example", "A"] == asked


async def test_a_silent_name_server_is_told() -> None:
    async with run_name_server(CARRIER) as server:
        server.is_silent = True
        with pytest.raises(LocationFailed, match=r"no name server answers"):
            await make_locator(server).locate("sip:one.example:5060")


async def test_the_hosts_file_comes_before_dns_and_names_without_dots_are_the_systems(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("# 192.0.2.66 pbx.example\n192.0.2.55\tPBX.example pbx # ours\n::5 pbx.example\n")
    resolver = Resolver(host="127.0.0.1", now=asyncio.get_running_loop().time, hosts=hosts)
    assert (await resolver.find_addresses("pbx.example")).records == ("192.0.2.55",)
    assert (await resolver.find_addresses("pbx")).records == ("192.0.2.55",)
    assert (await resolver.find_addresses("localhost")).records == ("127.0.0.1",)


async def test_an_endpoint_asks_the_hosts_of_a_domain_until_one_answers() -> None:
    async with run_owner() as bob:
        records: Records = {
            ("_sip._udp.carrier.example", "SRV"): ["1 0 9 closed.example.", f"2 0 {bob.endpoint.port} bob.example."],
            ("closed.example", "A"): ["127.0.0.1"],
            ("bob.example", "A"): ["127.0.0.1"],
        }
        async with run_name_server(records) as server, run_owner(nameserver=server.address) as alice:
            reply = await alice.endpoint.ask(
                "OPTIONS", "sip:carrier.example;transport=udp", from_uri="sip:alice@127.0.0.1", timeout_s=10
            )
            assert (reply.status, reply.source) == (200, ("127.0.0.1", bob.endpoint.port))
            call = await alice.dial(f"sip:bob@bob.example:{bob.endpoint.port}")
            assert (await bob.next_call()).request_uri == f"sip:bob@bob.example:{bob.endpoint.port}"
            await call.cancel()
            unknown = await alice.endpoint.ask("OPTIONS", "sip:nowhere.example", from_uri="sip:alice@127.0.0.1")
            assert (unknown.status, unknown.is_local, unknown.fault) == (
                503, True, "host unknown: there is no such name",
            )  # fmt: skip
