"""What proves that a webhook is ours."""

import hashlib
import hmac

import pytest

from ringdown.webhooks import signing

_BODY = '{"id":"evt_1","name":"Zoë"}'.encode()
_NOW_MS = 1_700_000_000_999
_NOW_S = 1_700_000_000


def _sign_as_documented(secret: str, timestamp: str, body: bytes) -> str:
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _headers(secrets: list[str], attempt: int = 1) -> dict[str, str]:
    made = signing.make_headers(secrets, _BODY, now_ms=_NOW_MS, attempt=attempt)
    return {name.lower(): value for name, value in made.items()}


def test_the_signature_is_that_of_the_documentation() -> None:
    headers = _headers(["whsec_1"])
    assert headers == {
        "x-truedy-timestamp": "1700000000",
        "x-truedy-signature": _sign_as_documented("whsec_1", "1700000000", _BODY),
    }


def test_while_two_secrets_are_good_each_has_its_turn_under_the_documented_name() -> None:
    new, old = (_sign_as_documented(secret, "1700000000", _BODY) for secret in ("new", "old"))
    for attempt, (first, other) in ((1, (new, old)), (2, (old, new)), (3, (new, old))):
        headers = _headers(["new", "old"], attempt)
        assert (headers["x-truedy-signature"], headers["x-truedy-signature-other"]) == (first, other)
        for secret in ("new", "old"):
            assert signing.find_fault(headers, _BODY, secret=secret, now_s=_NOW_S) is None


@pytest.mark.parametrize(
    ("changes", "body", "now_s", "fault"),
    [
        ({}, _BODY, _NOW_S, None),
        ({}, _BODY, _NOW_S + 300, None),
        ({}, _BODY, _NOW_S + 301, "ago"),
        ({}, _BODY, _NOW_S - 301, "another clock"),
        ({}, _BODY + b" ", _NOW_S, "wrong"),
        ({"x-truedy-signature": "0" * 64}, _BODY, _NOW_S, "wrong"),
        ({"x-truedy-signature": "ü"}, _BODY, _NOW_S, "wrong"),
        ({"x-truedy-timestamp": "1700000001"}, _BODY, _NOW_S, "wrong"),
        ({"x-truedy-timestamp": ""}, _BODY, _NOW_S, "no signature"),
        ({"x-truedy-timestamp": "²"}, _BODY, _NOW_S, "no signature"),
    ],
)
def test_a_receiver_refuses_what_is_not_ours(
    changes: dict[str, str], body: bytes, now_s: int, fault: str | None
) -> None:
    found = signing.find_fault({**_headers(["whsec_1"]), **changes}, body, secret="whsec_1", now_s=now_s)
    assert (found is None) if fault is None else (found is not None and fault in found)


def test_a_request_without_a_signature_is_refused() -> None:
    headers = {"x-truedy-timestamp": "1700000000"}
    assert "no signature" in (signing.find_fault(headers, _BODY, secret="whsec_1", now_s=_NOW_S) or "")
