"""Times the plain way to list calls: COUNT and OFFSET on the same database, through the same drivers."""

import asyncio
import sqlite3
import statistics
import threading
import time
from collections.abc import Sequence
from typing import Any

import asyncpg

from benchmarks import list_calls_cases as cases
from benchmarks.list_calls_databases import Filled

_COUNT = "SELECT count(*) FROM calls WHERE {}"
_PAGE = "SELECT * FROM calls WHERE {} ORDER BY created_at DESC LIMIT {} OFFSET {}"


async def measure_middle(filled: Filled, filters: cases.Filters, *, repetitions: int, limit_s: float) -> float:
    """The median milliseconds of a count and of the page in the middle; each is given up after `limit_s`."""
    owner = filled.organizations[0].id
    where = " AND ".join(f"{name} = '{value}'" for name, value in {"organization_id": owner, **filters}.items())
    times_ms = []
    for _ in range(repetitions):
        began_s = time.perf_counter()
        found = await run(filled, _COUNT.format(where), limit_s=limit_s)
        if found is not None:
            await run(filled, _PAGE.format(where, cases.LIMIT, found[0][0] // 2), limit_s=limit_s)
        times_ms.append((time.perf_counter() - began_s) * 1000)
    return statistics.median(times_ms)


async def run(filled: Filled, statement: str, *, limit_s: float) -> Sequence[Sequence[Any]] | None:
    """The rows; None when it took too long."""
    if filled.url is not None:
        connection = await asyncpg.connect(filled.url)
        try:
            rows: Sequence[Sequence[Any]] = await connection.fetch(statement, timeout=limit_s)
        except TimeoutError:
            return None
        finally:
            await connection.close()
        return rows
    return await asyncio.to_thread(_run_sqlite, filled, statement, limit_s)


def _run_sqlite(filled: Filled, statement: str, limit_s: float) -> Sequence[Sequence[Any]] | None:
    connection = sqlite3.connect(filled.folder / "ringdown.db")
    timer = threading.Timer(limit_s, connection.interrupt)
    timer.start()
    try:
        return connection.execute(statement).fetchall()
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            raise
        return None
    finally:
        timer.cancel()
        timer.join()
        connection.close()
