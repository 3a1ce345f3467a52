"""Refusals carry the contract's code, status and facts."""

import pytest

from ringdown import errors
from ringdown.errors import FieldError, RingdownError, ValidationFailed


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        (errors.BadRequest, "bad_request", 400),
        (errors.Unauthorized, "unauthorized", 401),
        (errors.PaymentRequired, "payment_required", 402),
        (errors.Forbidden, "forbidden", 403),
        (errors.Conflict, "conflict", 409),
        (errors.PayloadTooLarge, "payload_too_large", 413),
        (errors.RateLimited, "rate_limit_exceeded", 429),
        (RingdownError, "internal_error", 500),
    ],
)
def test_every_refusal_has_its_code_and_status(kind: type[RingdownError], code: str, status: int) -> None:
    refusal = kind("A sentence.", {"fact": 1})
    assert (refusal.code, refusal.status, refusal.message, refusal.details) == (
        code,
        status,
        "A sentence.",
        {"fact": 1},
    )


def test_what_is_absent_is_named() -> None:
    refusal = errors.NotFound("Call", "call_1")
    assert (refusal.code, refusal.status, refusal.message) == ("not_found", 404, "Call not found: call_1")


def test_a_failed_validation_repeats_its_first_field() -> None:
    refusal = ValidationFailed([FieldError("a.b", "is required"), FieldError("c", "must be at most 3")])
    assert refusal.details == {
        "field": "a.b",
        "reason": "is required",
        "errors": [{"field": "a.b", "reason": "is required"}, {"field": "c", "reason": "must be at most 3"}],
    }
    assert refusal.message == "a.b: is required"
