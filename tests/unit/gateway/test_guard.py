"""Who may begin anything: rates, bans, log-ins, and what is counted; on a clock of the test's."""

from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from ringdown.gateway.guard import Guard
from ringdown.sip.admission import Refusal
from ringdown.sip.destination import Destination
from ringdown.sip.digest import Authenticator, Credentials
from ringdown.sip.message import Request, Response, parse_message

STRANGER = Destination("udp", "198.51.100.8", 5060)
CARRIER = Destination("udp", "198.51.100.7", 5060)


class Book:
    """The trunks: one by its address, and where asked one that may log in from anywhere."""

    def __init__(self, *, has_logins: bool = False) -> None:
        self.has_logins = has_logins
        self.known = {CARRIER.host}

    def list_by_source(self, host: str) -> list[Any]:
        return ["trunk"] if host in self.known else []

    def find_by_login(self, username: str) -> Any:
        return SimpleNamespace(inbound_password="s3cret") if username == "ann" else None


class Door:
    def __init__(self, *, has_logins: bool = False, rate: float = 1000) -> None:
        self.now = 0.0
        self.book = Book(has_logins=has_logins)
        book: Any = self.book
        self.guard = Guard(book, requests_per_second=rate, ban_s=60, clock=lambda: self.now)

    def knock(self, source: Destination = STRANGER, request: Request | None = None) -> Any:
        return self.guard.admit(source, request or make_invite())


def make_invite(*fields: tuple[str, str]) -> Request:
    head = [
        ("Via", "SIP/2.0/UDP 198.51.100.8;branch=z9hG4bK1"),
        ("From", "<sip:ann@example.net>;tag=1"),
        ("To", "<sip:+12025550100@example.net>"),
        ("Call-ID", "1"),
        ("CSeq", "1 INVITE"),
    ]
    request = parse_message(Request.build("INVITE", "sip:+12025550100@example.net", [*head, *fields]).serialize())
    assert isinstance(request, Request)
    return request


def answer_challenge(refusal: Refusal, password: str) -> Request:
    response = Response.build(make_invite(), refusal.status, tag="2", fields=refusal.fields)
    authenticator = Authenticator(Credentials("ann", password))
    assert authenticator.accept_challenge(response)
    return make_invite(*authenticator.authorize("INVITE", "sip:+12025550100@example.net"))


def test_this_machine_and_known_trunks_come_in_and_strangers_get_nothing() -> None:
    door = Door()
    assert door.knock(Destination("udp", "127.0.0.1", 40000)) == "accept"
    assert door.knock(CARRIER) == "accept"
    assert door.knock() == "drop"
    assert door.guard.statistics.unknown == 1


def test_a_known_source_over_its_rate_is_told_to_come_later_and_recovers() -> None:
    door = Door(rate=5)
    assert [door.knock(CARRIER) for _ in range(5)] == ["accept"] * 5
    assert door.knock(CARRIER) == Refusal(503, (("Retry-After", "5"),))
    door.now += 0.2
    assert door.knock(CARRIER) == "accept"
    assert door.guard.statistics.over_rate == 1


def test_a_stranger_who_goes_on_is_banned_and_each_ban_is_longer() -> None:
    door = Door()
    for length in (60, 120, 240):
        before = door.guard.statistics.unknown
        for _ in range(10):
            assert door.knock() == "drop"
        assert door.guard.statistics.unknown == before + 10
        door.now += length - 1
        door.knock()
        assert door.guard.statistics.unknown == before + 10, "still banned"
        door.now += 2


def test_a_log_in_from_anywhere_is_challenged_and_let_in_with_the_password() -> None:
    door = Door(has_logins=True)
    refusal = door.knock()
    assert refusal.status == 401
    assert door.knock(request=answer_challenge(refusal, "s3cret")) == "accept"


def test_a_wrong_password_is_challenged_again_counted_and_in_the_end_banned() -> None:
    door = Door(has_logins=True)
    refusal = door.knock()
    for _ in range(8):
        refusal = door.knock(request=answer_challenge(refusal, "guess"))
        assert refusal.status == 401
    door.knock(request=answer_challenge(refusal, "guess"))
    assert door.guard.statistics.wrong_password == 9
    assert door.knock() == "drop"
    assert door.guard.statistics.banned == 1


def test_callers_who_log_in_each_time_are_never_banned() -> None:
    door = Door(has_logins=True)
    for _ in range(50):
        assert door.knock(request=answer_challenge(door.knock(), "s3cret")) == "accept"


def test_a_nonce_that_has_expired_is_stale_and_not_an_offence() -> None:
    door = Door(has_logins=True)
    late = answer_challenge(door.knock(), "s3cret")
    door.now += 3600
    refusal = door.knock(request=late)
    assert refusal.status == 401 and "stale=true" in refusal.fields[0][1]


def test_a_flood_is_one_line_of_the_log_with_its_source() -> None:
    door = Door()
    with capture_logs() as lines:
        for _ in range(8):
            door.knock()
        door.now += 6
        door.knock()
    refused = [line for line in lines if line["event"] == "sip request refused"]
    assert [(line["source"], line["reason"], line["count"]) for line in refused] == [
        (STRANGER.host, "unknown source", 1),
        (STRANGER.host, "unknown source", 8),
    ]


def test_a_ban_is_a_line_of_the_log_with_its_source_and_length() -> None:
    door = Door()
    with capture_logs() as lines:
        for _ in range(10):
            door.knock()
    [banned] = [line for line in lines if line["event"] == "sip source banned"]
    assert (banned["source"], banned["seconds"]) == (STRANGER.host, 60)


@pytest.mark.parametrize("method", ["REGISTER", "MESSAGE", "SUBSCRIBE"])
def test_only_calls_may_log_in(method: str) -> None:
    door = Door(has_logins=True)
    request = make_invite()
    request.method = method
    assert door.knock(request=request) == "drop"


def test_many_sources_are_remembered_and_no_more_than_that() -> None:
    door = Door()
    for index in range(11_000):
        door.knock(Destination("udp", f"198.51.{100 + index // 250}.{index % 250}", 5060))
    assert len(door.guard._sources) == 10_000


def test_a_source_that_becomes_a_trunk_is_not_banned_any_more() -> None:
    door = Door()
    for _ in range(10):
        door.knock()
    door.book.known.add(STRANGER.host)
    assert door.knock() == "accept"


def test_nobody_can_have_somebody_banned_who_has_logged_in() -> None:
    """A datagram names any source it likes, but nobody elsewhere sees our challenge to that source."""
    door = Door(has_logins=True)
    refusal = door.knock()
    assert door.knock(request=answer_challenge(refusal, "s3cret")) == "accept"
    elsewhere = door.knock(Destination("udp", "203.0.113.9", 5060))
    for _ in range(30):
        door.knock()
        door.knock(request=answer_challenge(elsewhere, "guess"))
    assert door.guard.statistics.banned == door.guard.statistics.wrong_password == 0
    assert door.knock(request=answer_challenge(door.knock(), "s3cret")) == "accept"


def test_an_answer_to_somebody_elses_challenge_is_stale() -> None:
    door = Door(has_logins=True)
    right = answer_challenge(door.knock(), "s3cret")
    elsewhere = Destination("udp", "203.0.113.9", 5060)
    assert "stale=true" in door.knock(elsewhere, right).fields[0][1]
    assert door.knock(request=right) == "accept"


def test_an_ipv6_site_is_one_source_with_all_its_addresses() -> None:
    door = Door()
    for index in range(10):
        door.knock(Destination("udp", f"2001:db8:0:1::{index:x}", 5060))
    door.knock(Destination("udp", "2001:db8:0:1:ffff::1", 5060))
    assert door.guard.statistics.banned == 1
    door.knock(Destination("udp", "2001:db8:0:2::1", 5060))
    assert door.guard.statistics.banned == 1


def test_the_transport_and_the_port_make_no_other_source() -> None:
    door = Door(rate=5)
    sources = [Destination("udp", CARRIER.host, port) for port in (1, 2)]
    sources += [Destination("tcp", CARRIER.host, 3, 7), Destination("tcp", CARRIER.host, 4, 8)]
    knocks: list[Any] = [door.knock(source) for source in (*sources, Destination("tls", CARRIER.host, 5, 9))]
    assert knocks == ["accept"] * 5
    assert door.knock(Destination("tls", CARRIER.host, 6, 10)) == Refusal(503, (("Retry-After", "5"),))


def test_bans_are_short_again_after_a_quiet_day() -> None:
    door = Door()
    with capture_logs() as lines:
        for pause_s in (0, 61, 86_400 + 200):
            door.now += pause_s
            for _ in range(10):
                door.knock()
    assert [line["seconds"] for line in lines if line["event"] == "sip source banned"] == [60, 120, 60]
