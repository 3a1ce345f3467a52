"""Runs `ringdown` commands as a person does, and reads what they print."""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: exit status and both outputs."""

    status: int
    output: str
    errors: str


async def run(
    *arguments: str, folder: Path, environment: Mapping[str, str] | None = None, timeout_s: float = 60
) -> Ended:
    """Run `ringdown ARGUMENTS` in `folder` (data in `folder/data`), without the settings of whoever runs the tests."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RINGDOWN_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ringdown", *arguments,
        cwd=folder, env={**clean, "RINGDOWN_DATA_DIR": str(folder / "data"), **(environment or {})},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(timeout_s):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode is not None
    return Ended(process.returncode, output.decode(), errors.decode())
