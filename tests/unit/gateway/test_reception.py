"""Who may ring, and what the record shows of it."""

from types import SimpleNamespace
from typing import Any

import pytest

from ringdown.gateway import reception
from ringdown.sip import network


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("198.51.100.1", False),
        ("2001:db8::1", False),
        ("somebody", False),
        ("", False),
    ],
)
def test_this_machine_is_known_by_all_its_addresses(host: str, is_own: bool) -> None:
    assert reception.is_own_address(host) is is_own


def test_the_address_of_a_network_interface_is_this_machine() -> None:
    # The name of a machine need not resolve; without any network this is the loopback.
    assert reception.is_own_address(network.local_address(network.DEFAULT_ROUTE))


def test_a_caller_without_a_number_is_shown_by_its_address() -> None:
    assert reception.show_number("sip:+4930901820@127.0.0.1:5060") == "+4930901820"
    assert reception.show_number("sip:ana@127.0.0.1") == "sip:ana@127.0.0.1"


class Book:
    """One trunk by its address, two that log in."""

    def list_by_source(self, host: str) -> list[str]:
        return ["known"] if host == "198.51.100.7" else []

    def find_by_login(self, username: str) -> str | None:
        return f"trunk of {username}" if username in ("ann", "bob") else None


def list_trunks(host: str, *authorizations: str) -> list[Any]:
    incoming: Any = SimpleNamespace(source=(host, 5060), header_lines=lambda _name: list(authorizations))
    book: Any = Book()
    return reception.list_trunks(book, incoming)


def test_a_call_is_of_the_trunk_whose_log_in_was_verified() -> None:
    """Whatever else it shows, of other realms or afterwards."""
    verified = 'Digest username="ann", realm="ringdown", nonce="n", uri="sip:x", response="r"'
    other_realm = verified.replace("ann", "bob").replace("ringdown", "elsewhere")
    assert list_trunks("203.0.113.9", other_realm, verified, verified.replace("ann", "bob")) == ["trunk of ann"]
    assert list_trunks("203.0.113.9", other_realm) == []


def test_who_came_in_by_its_address_is_no_other_trunk_by_a_name_that_nobody_verified() -> None:
    claimed = 'Digest username="bob", realm="ringdown", nonce="n", uri="sip:x", response="r"'
    assert list_trunks("127.0.0.1", claimed) == []
    assert list_trunks("198.51.100.7", claimed) == ["known"]
