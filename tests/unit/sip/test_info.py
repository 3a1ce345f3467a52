"""INFO and other requests within a call: keys are told, the rest gets a graceful answer."""

import pytest

from ringdown.sip.events import DigitPressed
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
