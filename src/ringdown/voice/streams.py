"""Asynchronous iterators with bounded waits: a provider that goes quiet fails instead of holding up a call."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TypeVar

from ringdown.voice import ports

T = TypeVar("T")

# A stream that is being closed may wait for its connection; nobody waits for it longer than this.
_CLOSE_TIMEOUT_S = 2.0


async def bound(iterator: AsyncIterator[T], *, timeout_s: float, provider: str) -> AsyncGenerator[T, None]:
    """Yield from `iterator`, which is closed at the end whatever happens.

    Raises a retryable `ports.ProviderError` when the next item takes longer than `timeout_s`.
    """
    try:
        while True:
            try:
                async with asyncio.timeout(timeout_s):
                    item = await anext(iterator)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise ports.ProviderError(provider, f"no answer within {timeout_s:g} s", retryable=True) from None
            yield item
    finally:
        await close(iterator)


async def close(iterator: AsyncIterator[T]) -> None:
    """Close an iterator if it can be closed; an error or a delay while closing is of no interest any more."""
    aclose: Callable[[], Awaitable[None]] | None = getattr(iterator, "aclose", None)
    if aclose is not None:
        await ignore_failure(aclose(), timeout_s=_CLOSE_TIMEOUT_S)


async def ignore_failure(awaitable: Awaitable[None], *, timeout_s: float) -> None:
    """Wait for something that nobody needs any more, at most `timeout_s`."""
    with contextlib.suppress(TimeoutError, ports.ProviderError):
        async with asyncio.timeout(timeout_s):
            await awaitable
