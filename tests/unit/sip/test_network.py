"""The machine's own addresses, as the routes of the system give them."""

import socket
import time

import pytest

from ringdown.sip import network


def test_the_address_shown_to_a_peer_on_this_machine_is_the_loopback() -> None:
    assert network.local_address("127.0.0.1") == "127.0.0.1"


def test_a_network_that_comes_up_later_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, is_up = time.monotonic() + 1000, False

    class Probe(socket.socket):
        def connect(self, _address: object) -> None:
            if not is_up:
                raise OSError("Network is unreachable")

        def getsockname(self) -> tuple[str, int]:
            return ("192.0.2.9", 5060)

    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    monkeypatch.setattr(socket, "socket", Probe)
    assert network.local_address("198.51.100.1") == "127.0.0.1"
    assert network.local_address("2001:db8::1") == "::1"
    is_up = True
    now_s += 11
    assert network.local_address("198.51.100.1") == network.local_address("carrier.example") == "192.0.2.9"


@pytest.mark.parametrize("peer", ["10.1.2.3", "172.31.0.1", "192.168.1.1", "100.64.0.9", "127.0.0.9", "169.254.1.1",
                                  "fd00::1", "fe80::1", "::1"])  # fmt: skip
def test_a_peer_in_a_private_network_needs_no_public_address(peer: str) -> None:
    assert not network.needs_public_address(peer)


@pytest.mark.parametrize("peer", ["192.0.2.1", "172.32.0.1", "100.128.0.1", "2001:db8::1", "carrier.example"])
def test_a_peer_outside_needs_our_public_address(peer: str) -> None:
    assert network.needs_public_address(peer)


def test_a_peer_with_an_address_of_this_machine_needs_no_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "local_address", lambda peer: peer)
    assert not network.needs_public_address("198.51.100.1")


@pytest.mark.parametrize(
    ("host", "is_unicast"),
    [
        ("192.0.2.1", True),
        ("::ffff:192.0.2.1", True),
        ("fe80::1%eth0", True),
        ("224.0.0.1", False),
        ("::ffff:224.0.0.1", False),
        ("255.255.255.255", False),
        ("ff02::1", False),
        ("phone.example.net", False),
    ],
)
def test_media_goes_to_one_machine(host: str, is_unicast: bool) -> None:
    assert network.is_unicast(host) is is_unicast


def test_an_ipv6_site_is_counted_as_one() -> None:
    assert network.name_site("2001:db8:0:1::1") == network.name_site("2001:db8:0:1:ffff::2%eth0")
    assert network.name_site("2001:db8:0:1::1") != network.name_site("2001:db8:0:2::1")
    assert (network.name_site("192.0.2.1"), network.name_site("a.example")) == ("192.0.2.1", "a.example")
