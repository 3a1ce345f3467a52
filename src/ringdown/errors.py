"""The root of every refusal the API can make; leaves live beside the rule that raises them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class RingdownError(Exception):
    """A request that is refused: rendered as the error envelope of the public API.

    `code` and `status` are the contract's (section 2); `message` is one sentence for a
    person; `details` holds the facts a program may act on.
    """

    code: str = "internal_error"
    status: int = 500

    def __init__(self, message: str, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, object] = dict(details or {})


class BadRequest(RingdownError):
    """The body is not JSON, or is not an object."""

    code, status = "bad_request", 400


class Unauthorized(RingdownError):
    """No key, or one that is malformed, unknown or revoked."""

    code, status = "unauthorized", 401


class PaymentRequired(RingdownError):
    """Credits are enforced and there are not enough."""

    code, status = "payment_required", 402


class Forbidden(RingdownError):
    """The caller is known but not allowed: address list, recording signature."""

    code, status = "forbidden", 403


class NotFound(RingdownError):
    """Absent, or in another organization; the two are never told apart."""

    code, status = "not_found", 404

    def __init__(self, resource: str, resource_id: str) -> None:
        super().__init__(f"{resource} not found: {resource_id}", {"resource": resource, "id": resource_id})


class Conflict(RingdownError):
    """A name is taken, or an idempotency key was used for something else."""

    code, status = "conflict", 409


class PayloadTooLarge(RingdownError):
    """The body is larger than its limit."""

    code, status = "payload_too_large", 413


class RateLimited(RingdownError):
    """The key has used up its requests for this window."""

    code, status = "rate_limit_exceeded", 429


class Unavailable(RingdownError):
    """The database is away for the moment; the same request may be sent again."""

    code, status = "unavailable", 503


@dataclass(frozen=True, slots=True)
class FieldError:
    """One refused value: the field's path (`call_settings.greeting`) and what is allowed."""

    field: str
    reason: str


class ValidationFailed(RingdownError):
    """A bad value, a missing field or a wrong state; names every field refused."""

    code, status = "validation_error", 422

    def __init__(self, errors: Sequence[FieldError]) -> None:
        first = errors[0]
        super().__init__(
            f"{first.field}: {first.reason}",
            {
                "field": first.field,
                "reason": first.reason,
                "errors": [{"field": error.field, "reason": error.reason} for error in errors],
            },
        )
        self.errors = tuple(errors)


def invalid(field: str, reason: str) -> ValidationFailed:
    """The refusal of a single field."""
    return ValidationFailed([FieldError(field, reason)])
