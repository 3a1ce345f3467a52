"""How a parent and its child programs talk over pipes: a JSON header and a payload, each with its length in front."""

import asyncio
import json
import struct
from typing import Any, BinaryIO

Header = dict[str, Any]

_LENGTHS = struct.Struct(">II")
MAX_HEADER_BYTES = 4 * 1024 * 1024
MAX_PAYLOAD_BYTES = 64 * 1024 * 1024


def serialize(header: Header, payload: bytes = b"") -> bytes:
    """One frame: two big-endian 32-bit lengths, the header as JSON, the payload as it is."""
    encoded = json.dumps(header, separators=(",", ":")).encode()
    return b"".join((_LENGTHS.pack(len(encoded), len(payload)), encoded, payload))


def _parse_lengths(prefix: bytes) -> tuple[int, int]:
    header_length, payload_length = _LENGTHS.unpack(prefix)
    if header_length > MAX_HEADER_BYTES or payload_length > MAX_PAYLOAD_BYTES:
        raise ValueError("frame too large")
    return header_length, payload_length


def _parse_header(encoded: bytes) -> Header:
    header = json.loads(encoded)
    if not isinstance(header, dict):
        raise ValueError("frame header is not an object")
    return header


async def read(stream: asyncio.StreamReader) -> tuple[Header, bytes]:
    """The next frame. Raises `IncompleteReadError` at the end of the stream and `ValueError` for a broken frame."""
    header_length, payload_length = _parse_lengths(await stream.readexactly(_LENGTHS.size))
    header = _parse_header(await stream.readexactly(header_length))
    return header, await stream.readexactly(payload_length)


def read_blocking(stream: BinaryIO) -> tuple[Header, bytes]:
    """The next frame, for a child. Raises `EOFError` at the end and `ValueError` for a broken frame."""
    header_length, payload_length = _parse_lengths(_read_exactly(stream, _LENGTHS.size))
    return _parse_header(_read_exactly(stream, header_length)), _read_exactly(stream, payload_length)


def _read_exactly(stream: BinaryIO, length: int) -> bytes:
    received = stream.read(length)
    if len(received) < length:
        raise EOFError
    return received
