"""`ringdown demo` is a whole first call."""

import asyncio
import json
import os
import sys

CALL_FIELDS = [
    "id",
    "status",
    "direction",
    "agent_id",
    "to",
    "from",
    "duration_seconds",
    "recording_url",
    "transcript_url",
    "summary",
    "cost_credits",
    "metadata",
    "started_at",
    "ended_at",
    "created_at",
    "updated_at",
]


async def run_demo(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ringdown", "demo", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "RINGDOWN_PUBLIC_URL": "https://calls.example"},  # of a product that runs on this machine
    )  # fmt: skip
    async with asyncio.timeout(100):
        output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


async def test_the_demo_prints_the_list_of_calls_and_nothing_else() -> None:
    status, output, errors = await run_demo("--json")
    assert status == 0, errors
    listed = json.loads(output)
    assert list(listed) == ["data", "meta", "pagination"]
    (call,) = listed["data"]
    assert list(call)[:16] == CALL_FIELDS
    assert (call["status"], call["ended_reason"], call["outcome"]) == ("completed", "agent_hangup", "interested")
    assert call["summary"] == "Appointment confirmed: yes. People coming: 2."
    assert call["cost_credits"] == -(-call["duration_seconds"] // 6) > 0
    assert call["recording_url"].startswith("http://127.0.0.1:")
    assert listed["pagination"] == {"total": 1, "limit": 50, "offset": 0, "has_more": False}
