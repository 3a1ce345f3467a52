"""What can go wrong for a client: the API refused, or could not be reached."""

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """A request that has no good answer, after all retries."""


class ConnectionFailed(ClientError):
    """The API could not be reached, or the connection broke."""


class ApiError(ClientError):
    """The API refused the request, or what answered is not the API (its code is then `unknown`).

    `code`, `message` and `details` are the error envelope's, `status` is HTTP's; `request_id` finds the request in
    the server's log.
    """

    def __init__(
        self, *, status: int, code: str, message: str, details: Mapping[str, Any], request_id: str | None
    ) -> None:
        super().__init__(f"{message} ({status} {code})")
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.request_id = request_id


def read_error(status: int, document: object, headers: Mapping[str, str]) -> ApiError:
    """The error in an answer; one that is not the API's, as a proxy's page, has no envelope, and is described."""
    error = document.get("error") if isinstance(document, Mapping) else None
    if not isinstance(error, Mapping):
        kind = headers.get("content-type") or "no content type"
        error = {"message": f"The answer is not the API's ({kind}, status {status})."}
    return ApiError(
        status=status,
        code=str(error.get("code", "unknown")),
        message=str(error.get("message", "")),
        details=error.get("details") or {},
        request_id=headers.get("x-request-id"),
    )
