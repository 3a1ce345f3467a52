"""Whom a certificate names (RFC 5922 §7)."""

from typing import Any

import pytest

from ringdown.sip.tls import check_name


def make_certificate(*names: tuple[str, str], common_name: str = "common.example") -> dict[str, Any]:
    return {"subject": ((("commonName", common_name),),), "subjectAltName": names}


@pytest.mark.parametrize(("names", "wanted"), [
    ([("DNS", "sip.example.net")], "sip.example.net"),
    ([("DNS", "SIP.Example.net")], "sip.example.NET."),
    ([("DNS", "other.example"), ("DNS", "sip.example.net")], "sip.example.net"),
    ([("DNS", "*.pstn.example.com")], "mine.pstn.example.com"),
    ([("URI", "sip:example.net")], "example.net"),
    ([("URI", "sips:example.net"), ("DNS", "host7.example.net")], "example.net"),
    ([("IP Address", "192.0.2.1")], "192.0.2.1"),
    ([("IP Address", "2001:DB8:0:0:0:0:0:1")], "2001:db8::1"),
    ([("IP Address", "FE80:0:0:0:0:0:0:1\n")], "fe80::1%eth0"),
    ([("DNS", "192.0.2.1")], "192.0.2.1"),
    ([], "common.example"),
])  # fmt: skip
def test_a_certificate_of_the_wanted_name_is_accepted(names: list[tuple[str, str]], wanted: str) -> None:
    check_name(make_certificate(*names), wanted)


@pytest.mark.parametrize(("names", "wanted"), [
    ([("DNS", "sip.example.net")], "example.net"),
    ([("DNS", "example.net")], "sip.example.net"),
    ([("DNS", "*.example.net")], "example.net"),
    ([("DNS", "*.example.net")], "a.b.example.net"),
    ([("DNS", "*.net")], "example"),
    ([("DNS", "*")], "example"),
    ([("DNS", "s*.example.net")], "sip.example.net"),
    ([("DNS", "*.0.2.1")], "192.0.2.1"),
    ([("URI", "sip:alice@example.net")], "example.net"),
    ([("URI", "http://example.net")], "example.net"),
    ([("IP Address", "192.0.2.1")], "192.0.2.2"),
    ([("DNS", "other.example")], "common.example"),
    ([("email", "example.net")], "example.net"),
])  # fmt: skip
def test_a_certificate_of_another_name_is_refused(names: list[tuple[str, str]], wanted: str) -> None:
    with pytest.raises(ValueError, match=f"not for {wanted}"):
        check_name(make_certificate(*names), wanted)


def test_no_certificate_names_nobody() -> None:
    with pytest.raises(ValueError, match=r"it is for nobody, not for example\.net"):
        check_name({}, "example.net")
