"""Who may ring, and what the record shows of it."""

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
