"""The two clients: one for programs that wait, one for asyncio."""

from types import TracebackType
from typing import Self

from ringdown.client.generated.resources import AsyncResources, Resources
from ringdown.client.transport import AsyncTransport, Transport

_TRIES = 4
_TIMEOUT_S = 30.0


class Client(Resources):
    """The API at `base_url`, with one key.

    A request is sent up to `tries` times when the API is away or asks to wait; what creates something carries an
    idempotency key, so that it is done once. Raises `ApiError` and `ConnectionFailed`.
    """

    def __init__(self, base_url: str, *, key: str, tries: int = _TRIES, timeout_s: float = _TIMEOUT_S) -> None:
        self._transport = Transport(base_url, key=key, tries=tries, timeout_s=timeout_s)
        super().__init__(self._transport)

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(AsyncResources):
    """`Client` for asyncio."""

    def __init__(self, base_url: str, *, key: str, tries: int = _TRIES, timeout_s: float = _TIMEOUT_S) -> None:
        self._transport = AsyncTransport(base_url, key=key, tries=tries, timeout_s=timeout_s)
        super().__init__(self._transport)

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
