"""INFO and other requests within a call: keys are told, the rest gets a graceful answer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringdown.sip.events import DigitPressed, Ended
from ringdown.sip.info import read_digit
from ringdown.sip.message import Request
from ringdown.sip.replaces import Replaces
from ringdown.sip.sipfrag import parse_fragment
from tests.unit.sip.calls import connect, in_dialog, last_response, make_pair


def send(method: str, body: bytes = b"", **fields: str) -> tuple[int, list[str]]:
    """The status that a request within a call gets, and the digits that the owner heard."""
    network, alice, bob = make_pair()
    call, incoming = connect(network, alice, bob)
    named = [(name.replace("_", "-"), value) for name, value in fields.items()]
    request = in_dialog(incoming, method, branch="z9hG4bKinfo", cseq=1, fields=named, body=body)
    network.inject(request, to="10.0.0.1", source="10.0.0.2")
    network.run(0.1)
    heard = [event.digit for event in alice.events_of(call) if isinstance(event, DigitPressed)]
    assert last_response(bob).cseq_method == method
    return last_response(bob).status, heard


@pytest.mark.parametrize(("kind", "body", "digits"), [
    ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", ["5"]),
    ("application/dtmf-relay", b"Signal= *\r\nDuration= 160\r\n", ["*"]),
    ("application/dtmf-relay", b"signal=11\nduration=100", ["#"]),
    ("Application/DTMF-Relay; charset=utf-8", b"Signal=d\r\n", ["D"]),
    ("application/dtmf-relay", b"Signal=!\r\n", []),
    ("application/dtmf", b"7", ["7"]),
    ("application/dtmf", b" # \r\n", ["#"]),
])  # fmt: skip
def test_a_key_is_told_and_answered(kind: str, body: bytes, digits: list[str]) -> None:
    assert send("INFO", body, Content_Type=kind) == (200, digits)


@pytest.mark.parametrize(("fields", "body", "status"), [
    ({}, b"", 200),
    ({"Content_Type": "text/plain"}, b"5", 415),
    ({"Content_Type": "application/dtmf-relay"}, b"Duration=160", 415),
    ({"Content_Type": "application/dtmf-relay"}, b"\xff\xfe", 415),
    ({"Info_Package": "foo"}, b"", 469),
])  # fmt: skip
def test_another_info_is_answered_without_a_key(fields: dict[str, str], body: bytes, status: int) -> None:
    assert send("INFO", body, **fields) == (status, [])


@pytest.mark.parametrize(("method", "status"), [
    ("SUBSCRIBE", 489), ("PUBLISH", 489), ("NOTIFY", 481), ("MESSAGE", 405), ("REGISTER", 405), ("OPTIONS", 200),
    ("FOO", 405), ("PRACK", 481),
])  # fmt: skip
def test_other_requests_within_a_call_are_answered_gracefully(method: str, status: int) -> None:
    assert send(method) == (status, [])


@given(st.binary(max_size=60), st.sampled_from(["application/dtmf", "application/dtmf-relay", "text/plain", ""]))
@settings(max_examples=200, deadline=None)
def test_a_body_of_any_bytes_is_a_key_nothing_or_a_value_error(body: bytes, kind: str) -> None:
    fields = [
        ("Via", "SIP/2.0/UDP a;branch=z9hG4bK1"),
        ("From", "<sip:a@b>;tag=1"),
        ("To", "<sip:b@c>;tag=2"),
        ("Call-ID", "id"),
        ("CSeq", "1 INFO"),
        ("Content-Type", kind),
    ]
    try:
        digit = read_digit(Request.build("INFO", "sip:b@c", fields, body))
    except ValueError:
        digit = None
    assert digit is None or digit in "0123456789*#ABCD"
    try:
        status, reason = parse_fragment(body)
    except ValueError:
        return
    assert 100 <= status <= 699
    assert "\n" not in reason


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_a_replaces_of_any_text_is_read_back_or_a_value_error(text: str) -> None:
    for value in (text, f"id;to-tag={text};from-tag=x"):
        try:
            replaces = Replaces.parse(value)
        except ValueError:
            continue
        assert Replaces.parse(replaces.serialize()) == replaces


_REQUESTS = [
    ("REFER", [("Refer-To", "<sip:carol@10.0.0.3?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2>")], b""),
    ("NOTIFY", [("Event", "refer;id=2"), ("Subscription-State", "active")], b"SIP/2.0 180 Ringing"),
    ("INFO", [("Content-Type", "application/dtmf-relay")], b"Signal=5"),
    ("UPDATE", [("Session-Expires", "90;refresher=uac"), ("Supported", "timer")], b"v=0\r\n"),
    ("INVITE", [("Contact", "<sip:bob@10.0.0.2>"), ("Min-SE", "90"), ("Session-Expires", "90")], b""),
    ("PRACK", [("RAck", "1 1 INVITE")], b""),
]


@given(st.integers(0, 5), st.integers(0, 10**6), st.integers(0, 6), st.binary(max_size=6))
@settings(max_examples=200, deadline=None)
def test_no_mutated_request_within_a_call_raises_or_keeps_it_from_ending(
    which: int, at: int, cut: int, piece: bytes
) -> None:
    network, alice, bob = make_pair()
    call, incoming = connect(network, alice, bob)
    call.refer("sip:c@d", replaces=None, referred_by=None, timeout_s=30, on_done=lambda _: None, now=network.now)
    network.run(0.05)
    method, fields, body = _REQUESTS[which]
    data = in_dialog(incoming, method, branch="z9hG4bKm", cseq=1, fields=fields, body=body)
    at %= len(data)
    network.inject(data[:at] + piece + data[at + cut :], to="10.0.0.1", source="10.0.0.2")
    network.run(1)
    for begun in alice.incoming:  # the mutation took the tag away: a call of its own
        begun.reject(486, now=network.now)
    call.bye(network.now)
    network.run(120)
    assert isinstance(alice.events_of(call)[-1], Ended)
    assert alice.agent._stack.transactions.count() == 0
    assert alice.agent.next_timeout() is None
