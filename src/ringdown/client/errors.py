"""What can go wrong for a client: the API refused, or could not be reached."""

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """A request that has no good answer, after all retries."""


class ConnectionFailed(ClientError):
    """The API could not be reached, or the connection broke."""


class ApiError(ClientError):
    """The API refused the request.

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


def read_error(status: int, document: object, request_id: str | None) -> ApiError:
    """The error in an answer; a proxy's answer has no envelope, and its status must do."""
    error = document.get("error") if isinstance(document, Mapping) else None
    if not isinstance(error, Mapping):
        return ApiError(
            status=status, code="unknown", message="The answer is not the API's.", details={}, request_id=request_id
        )
    return ApiError(
        status=status,
        code=str(error.get("code", "unknown")),
        message=str(error.get("message", "")),
        details=error.get("details") or {},
        request_id=request_id,
    )
