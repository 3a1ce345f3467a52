"""An engine whose steps are never cut: a cancellation in the middle of one would lose the connection, with its locks.

Pool and drivers wait by means that a cancellation can catch between having a connection and handing it over, and a
statement that is cut leaves its connection to nobody. Each step here comes to its end, which time-outs of the pool,
the drivers and the servers bound; only then is the cancellation raised.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cached_property
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_T = TypeVar("_T")


class WholeConnection(AsyncConnection):
    """A connection whose statements are never cut."""

    @cached_property
    def last_steps(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """By name, what `Database.write` does last in its transaction: taken late, locks are held for a moment."""
        return {}

    async def execute(self, *arguments: Any, **options: Any) -> sa.CursorResult[Any]:
        """As `AsyncConnection.execute`."""
        return await _complete(super().execute(*arguments, **options))

    async def exec_driver_sql(self, *arguments: Any, **options: Any) -> sa.CursorResult[Any]:
        """As `AsyncConnection.exec_driver_sql`."""
        return await _complete(super().exec_driver_sql(*arguments, **options))


class WholeEngine(AsyncEngine):
    """An engine of such connections."""

    _connection_cls = WholeConnection

    def execution_options(self, **options: Any) -> "WholeEngine":
        """As `AsyncEngine.execution_options`."""
        return WholeEngine(self.sync_engine.execution_options(**options))


@asynccontextmanager
async def whole(context: AbstractAsyncContextManager[_T]) -> AsyncIterator[_T]:
    """`async with context`, entered and left to the end even if the task is cancelled meanwhile."""
    entering = asyncio.ensure_future(context.__aenter__())
    try:
        entered = await _complete(entering)
    except asyncio.CancelledError:
        if not entering.cancelled() and entering.exception() is None:
            await _complete(_leave(context, None))
        raise
    try:
        yield entered
    except BaseException as error:
        await _complete(_leave(context, error))
        raise
    await _complete(_leave(context, None))


async def _complete(step: "Coroutine[Any, Any, _T] | asyncio.Future[_T]") -> _T:
    """The result of a step, which is never cut; a cancellation that came meanwhile is raised then."""
    work = asyncio.ensure_future(step)
    cancellation: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation is not None:
        if not work.cancelled():
            work.exception()  # nobody asks for it any more
        raise cancellation
    return work.result()


def _leave(context: AbstractAsyncContextManager[Any], error: BaseException | None) -> Coroutine[Any, Any, bool | None]:
    kind = None if error is None else type(error)
    trace = None if error is None else error.__traceback__
    return context.__aexit__(kind, error, trace)
