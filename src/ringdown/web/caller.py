"""Who sent a request, and what recognises the key that it carries."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent the request: the key, and the organization it selects."""

    organization_id: str
    key_id: str
    requests_per_minute: int | None = None


#: `authenticate(key, client_address)` returns the caller; raises `Unauthorized` or `Forbidden`. The address is the
#: peer's, or None when the server does not know it.
Authenticate = Callable[[str, str | None], Awaitable[Caller]]
