"""Reads files in child processes with bounded time and memory, so that a broken or hostile one fails alone."""

import asyncio
import contextlib
import os
import sys
from pathlib import Path

import msgspec

from ringdown.knowledge.pieces import Piece, Request, Unreadable

_TIMEOUT_S = 40.0
_MEMORY_BYTES = 1024 * 1024 * 1024
_MODULE = "ringdown.knowledge.extraction_process"
_SOURCE_ROOT = str(Path(__file__).resolve().parents[2])
_END_S = 5.0


_answers = msgspec.json.Decoder(Piece)


class Extractor:
    """Runs at most `processes` children at once, each with `memory_bytes`; pieces have about `piece_characters`."""

    def __init__(
        self,
        *,
        processes: int = 2,
        timeout_s: float = _TIMEOUT_S,
        memory_bytes: int = _MEMORY_BYTES,
        piece_characters: int = 2_000_000,
    ) -> None:
        self._places = asyncio.Semaphore(processes)
        self._piece_characters = piece_characters
        self._timeout_s = timeout_s
        self._memory_bytes = memory_bytes

    async def extract(self, content: bytes, request: Request) -> Piece:
        """The piece of the file that begins at `request.start`. Raises `Unreadable`."""
        question = msgspec.structs.replace(request, limit=self._piece_characters)
        async with self._places:
            answer, code = await self._run(msgspec.json.encode(question) + b"\n" + content)
        try:
            piece = _answers.decode(answer)
        except (msgspec.DecodeError, UnicodeError):
            raise Unreadable(f"reading it takes more time or memory than a document may (exit code {code})") from None
        if piece.error is not None:
            raise Unreadable(piece.error)
        return piece

    async def _run(self, question: bytes) -> tuple[bytes, int | None]:
        path = os.pathsep.join(filter(None, (_SOURCE_ROOT, os.environ.get("PYTHONPATH"))))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", _MODULE, str(self._memory_bytes)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # It could hold what the document says.
            stderr=asyncio.subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                answer, _ = await process.communicate(question)
        except TimeoutError:
            raise Unreadable(f"reading it takes more than {self._timeout_s:g} seconds") from None
        finally:
            await _end(process)
        return answer, process.returncode


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    async with asyncio.timeout(_END_S):
        await process.wait()
