"""What idempotency reads of a request, keeps of an answer, and answers a repeated request."""

import hashlib

import msgspec
from fastapi import Request, Response

from ringdown.errors import Conflict, invalid
from ringdown.secret import SecretBox, SecretUnreadable
from ringdown.web import context, idempotency
from ringdown.web.envelope import SecretResponse
from ringdown.web.idempotency import Answer, Claim
from ringdown.web.store import IdempotencyRow

_MAX_KEY_LENGTH = 255


def read_claim(request: Request, *, organization_id: str, body: bytes) -> Claim | None:
    """The claim that the request's header makes; None without one. Raises `ValidationFailed` for a bad key."""
    key = request.headers.get(idempotency.HEADER)
    if key is None:
        return None
    if not 1 <= len(key) <= _MAX_KEY_LENGTH:
        raise invalid(idempotency.HEADER, f"must have from 1 to {_MAX_KEY_LENGTH} characters")
    endpoint = f"{request.method} {request.url.path}"
    return Claim(
        organization_id=organization_id,
        request_key=_hash(endpoint.encode(), key.encode()),
        body_hash=_hash(request.url.query.encode(), _normalise(body)),
        holder=context.get_request_id(request),
    )


def describe_answer(response: Response | None) -> Answer | None:
    """What is kept of an answer, if there is one."""
    if response is None:
        return None
    return Answer(response.status_code, bytes(response.body), isinstance(response, SecretResponse))


def replay(request: Request, row: IdempotencyRow) -> Response:
    """The stored answer again, under the request id of the first one, as its `meta` says.

    Raises `Conflict` when it was sealed with a key that is gone.
    """
    body = row.body or b""
    if not body.startswith(b"{"):
        try:
            body = SecretBox.open(context.get_settings(request)).unseal(body.decode()).encode()
        except SecretUnreadable:
            raise Conflict(
                "The first answer showed a secret and cannot be read any more.", {"header": idempotency.HEADER}
            ) from None
    request.state.request_id = row.holder
    context.set_header(request, "X-Idempotent-Replay", "true")
    return Response(body, row.status or 200, media_type="application/json")


def _hash(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _normalise(body: bytes) -> bytes:
    # White space and the order of fields do not make another request.
    try:
        return msgspec.json.encode(msgspec.json.decode(body), order="deterministic")
    except (ValueError, RecursionError):
        return body
