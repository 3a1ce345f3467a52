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
