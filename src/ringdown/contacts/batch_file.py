"""A temporary file of batches of rows: what is too much for memory waits in it for its transaction."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import IO, Any

import msgspec

_IN_MEMORY_BYTES = 1024 * 1024
_LENGTH_BYTES = 4


def open_batches() -> AbstractContextManager[IO[bytes]]:
    """A file for batches, on disk beyond its first megabyte; it is gone when it is closed."""
    return tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)


def append_batch(file: IO[bytes], rows: Sequence[Any]) -> None:
    """Add a batch of rows, which msgpack can write."""
    content = msgspec.msgpack.encode(rows)
    file.write(len(content).to_bytes(_LENGTH_BYTES, "big"))
    file.write(content)


def read_batches(file: IO[bytes]) -> Iterator[list[Any]]:
    """The batches from the first on; tuples are lists by now."""
    file.seek(0)
    while length := file.read(_LENGTH_BYTES):
        yield msgspec.msgpack.decode(file.read(int.from_bytes(length, "big")))
