"""Loads rows of calls into an empty database as fast as it takes them: indices are made after the rows."""

import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks import list_calls_search as search
from benchmarks.list_calls_rows import CallMaker, Chunk
from ringdown.calls import tables
from ringdown.calls.search_tables import KIND_BITS

#: The columns of each table that is loaded.
TABLES: Mapping[str, Sequence[str]] = {
    "calls": tuple(column.name for column in tables.calls.columns),
    "turns": CallMaker.turn_columns,
    "call_texts": search.TEXT_COLUMNS,
    "call_metadata": search.PAIR_COLUMNS,
}
_NAMES = ", ".join(f"'{name}'" for name in TABLES)
_SQLITE_PARTS = (
    "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND type IN ('index', 'trigger') "
    f"AND tbl_name IN ({_NAMES})"
)
_POSTGRESQL_CONSTRAINTS = (
    "SELECT conrelid::regclass::text AS of, conname AS name, pg_get_constraintdef(oid) AS made FROM pg_constraint "
    f"WHERE contype IN ('p', 'u') AND conrelid::regclass::text IN ({_NAMES})"
)
_POSTGRESQL_INDICES = (
    f"SELECT indexname AS name, indexdef AS made FROM pg_indexes WHERE tablename IN ({_NAMES}) AND indexname NOT IN "
    "(SELECT conname FROM pg_constraint)"
)


def list_rows(chunk: Chunk, numbers: Mapping[str, int]) -> dict[str, Iterable[tuple[Any, ...]]]:
    """The rows of each table; `numbers` are the organizations' in the full-text index."""
    return {
        "calls": chunk.list_rows(TABLES["calls"]),
        "turns": chunk.turns,
        "call_texts": search.list_texts(chunk, numbers),
        "call_metadata": search.list_pairs(chunk),
    }


def load_sqlite(path: Path, maker: CallMaker) -> None:
    """Fill the file; nothing else may use it meanwhile."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "cache_size=-1000000"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    parts = connection.execute(_SQLITE_PARTS).fetchall()
    for kind, name, _ in parts:
        connection.execute(f"DROP {kind} {name}")
    # Its only index is in no order that rows come in: they are sorted first.
    connection.execute("CREATE TEMP TABLE unsorted AS SELECT * FROM call_metadata")
    numbers = number_owners(maker)
    with telling("rows"):
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO call_text_owners VALUES (?, ?)", numbers.items())
        for chunk in maker.make():
            for table, rows in list_rows(chunk, numbers).items():
                target, columns = "unsorted" if table == "call_metadata" else table, TABLES[table]
                marks = ", ".join("?" * len(columns))
                connection.executemany(f"INSERT INTO {target} ({', '.join(columns)}) VALUES ({marks})", rows)
        connection.execute("COMMIT")
    with telling("indices"):
        connection.execute("INSERT INTO call_metadata SELECT * FROM unsorted ORDER BY 1, 2, 3")
        connection.execute("DROP TABLE unsorted")
        numbered = f"SELECT number << {KIND_BITS} | kind, facts, words FROM call_texts"
        connection.execute(f"INSERT INTO call_words (rowid, facts, words) {numbered}")
        for _, _, made in parts:
            connection.execute(made)
    connection.execute("PRAGMA journal_mode=WAL").fetchall()
    connection.close()


async def load_postgresql(url: str, maker: CallMaker) -> None:
    """Fill the database."""
    connection = await asyncpg.connect(url)
    numbers = number_owners(maker)
    try:
        constraints = await connection.fetch(_POSTGRESQL_CONSTRAINTS)
        indices = await connection.fetch(_POSTGRESQL_INDICES)
        for constraint in constraints:
            await connection.execute(f"ALTER TABLE {constraint['of']} DROP CONSTRAINT {constraint['name']}")
        for index in indices:
            await connection.execute(f"DROP INDEX {index['name']}")
        with telling("rows"):
            async with connection.transaction():
                # What is copied into a table that the same transaction emptied is not logged.
                await connection.execute(f"TRUNCATE {', '.join(TABLES)}")
                rows = [(owner, number) for owner, number in numbers.items()]
                await connection.executemany(
                    "INSERT INTO call_text_owners (organization_id, number) OVERRIDING SYSTEM VALUE VALUES ($1, $2)",
                    rows,
                )
                for chunk in maker.make():
                    for table, found in list_rows(chunk, numbers).items():
                        await connection.copy_records_to_table(table, records=found, columns=TABLES[table])
        with telling("indices"):
            for constraint in constraints:
                made = f"ADD CONSTRAINT {constraint['name']} {constraint['made']}"
                await connection.execute(f"ALTER TABLE {constraint['of']} {made}")
            for index in indices:
                await connection.execute(index["made"])
    finally:
        await connection.close()


async def finish(path: Path | None, url: str | None) -> None:
    """What a database does by itself in time: statistics, and on PostgreSQL a vacuum."""
    with telling("statistics"):
        if url is not None:
            connection = await asyncpg.connect(url)
            await connection.execute("VACUUM (ANALYZE)")
            await connection.close()
        elif path is not None:
            with sqlite3.connect(path, isolation_level=None) as opened:
                opened.execute("INSERT INTO call_words (call_words) VALUES ('optimize')")
                opened.execute("ANALYZE")
                opened.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            opened.close()


def number_owners(maker: CallMaker) -> dict[str, int]:
    """What the full-text index calls the organizations."""
    return {owner.id: number for number, owner in enumerate(maker.organizations, start=1)}


@contextmanager
def telling(what: str) -> Iterator[None]:
    """Tell how long the block took."""
    began_s = time.monotonic()
    yield
    print(f"  {what} in {time.monotonic() - began_s:.0f} s", file=sys.stderr, flush=True)
