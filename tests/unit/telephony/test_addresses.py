"""Hosts and networks as operators write them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringdown.telephony import addresses


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sip.example.net", ("sip.example.net", None)),
        ("SIP.Example.net:5080", ("sip.example.net", 5080)),
        ("192.0.2.1:5060", ("192.0.2.1", 5060)),
        ("pbx", ("pbx", None)),
        ("2001:db8::1", ("2001:db8::1", None)),
        ("[2001:DB8::1]", ("2001:db8::1", None)),
        ("[2001:db8::1]:5061", ("2001:db8::1", 5061)),
    ],
)
def test_a_host_may_have_a_port(text: str, expected: tuple[str, int | None]) -> None:
    assert addresses.parse_host_port(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", ":5060", "host:", "host:0", "host:65536", "host:5060x", "-a.example", "a..b", "a b", "300.1.1.1", "a/b",
     "x" * 64, "sip:host", "user@host", "[::1", "[pbx", "h\nost", "host:²"],
)  # fmt: skip
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        addresses.parse_host_port(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7/24", "203.0.113.0/24"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("sbc.example.net", "sbc.example.net"),
    ],
)
def test_a_source_is_an_address_a_network_or_a_name(text: str, expected: str) -> None:
    assert addresses.parse_source(text) == expected


@pytest.mark.parametrize("text", ["0.0.0.0/0", "::/0"])
def test_the_whole_internet_is_no_source(text: str) -> None:
    with pytest.raises(ValueError, match="inbound_username"):
        addresses.parse_source(text)


@given(st.text(max_size=40))
@settings(max_examples=200)
def test_nothing_but_value_errors_comes_out(text: str) -> None:
    for parse in (addresses.parse_host_port, addresses.parse_source):
        try:
            parse(text)
        except ValueError as error:
            assert str(error).startswith("must ")
