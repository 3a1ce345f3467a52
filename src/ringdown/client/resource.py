"""What every resource of a client has: where its requests go, and how its lists are gone through."""

import dataclasses
from collections.abc import AsyncIterator, Iterator
from typing import Any

from ringdown.client.transport import AsyncTransport, Operation, Transport


class Resource:
    """Some endpoints of the API."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def _iterate(self, operation: Operation) -> Iterator[Any]:
        while True:
            page = self._transport.request_page(operation)
            yield from page
            query = page.find_next(operation.query)
            if query is None:
                return
            operation = dataclasses.replace(operation, query=query)


class AsyncResource:
    """Some endpoints of the API, for asyncio."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def _iterate(self, operation: Operation) -> AsyncIterator[Any]:
        while True:
            page = await self._transport.request_page(operation)
            for item in page:
                yield item
            query = page.find_next(operation.query)
            if query is None:
                return
            operation = dataclasses.replace(operation, query=query)
