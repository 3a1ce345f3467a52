"""What the customer of a chaos run does: an agent, a trunk to the farm, a webhook endpoint, contacts to be called."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import farm_plans
from benchmarks.chaos_client import Client

FROM_NUMBER = "+12025550199"
_RING_S = 4
_FLOW = {
    "start": "tell",
    "nodes": {"tell": {"say": "Hello. Your parcel comes tomorrow. Goodbye.", "end": "hang_up"}},
    "summary": "Told that the parcel comes tomorrow.",
}
_MAX_BODY_BYTES = 900_000
_POSTING = 8
_POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class Campaign:
    """What is to be dialled: the numbers in order, how often each may be at most, and whether by a batch call."""

    agent_id: str
    numbers: tuple[str, ...]
    allowed_attempts: int
    is_batch: bool


def make_campaign(agent_id: str, *, contacts: int, retries: int, is_batch: bool) -> Campaign:
    """So many phones of the farm; single calls are never repeated."""
    numbers = tuple(farm_plans.make_number(position) for position in range(contacts))
    return Campaign(agent_id, numbers, 1 + retries if is_batch else 1, is_batch)


async def prepare(client: Client, *, farm_port: int, hook_url: str | None) -> tuple[str, str]:
    """Make an agent that calls through the farm, and an endpoint for all events; the agent's id and the secret.

    Without a URL there is no endpoint, and no secret.
    """
    agent = await client.post("/agents", _describe_agent(), key="agent")
    hosts = [{"host": "127.0.0.1", "port": farm_port}]
    trunk = await client.post("/telephony/trunks", {"name": "Farm", "hosts": hosts}, key="trunk")
    body = {"phone_number": FROM_NUMBER, "trunk_id": trunk["id"]}
    number = await client.post("/telephony/numbers/import", body, key="number")
    body = {"number_id": number["id"], "agent_id": agent["id"], "assignment_type": "outbound"}
    await client.post("/telephony/numbers/assign", body, key="assignment")
    if hook_url is None:
        return agent["id"], ""
    hook = await client.post("/webhook-endpoints", {"url": hook_url, "event_types": ["*"]}, key="hook")
    return agent["id"], hook["secret"]


def _describe_agent() -> dict[str, Any]:
    return {
        "name": "Parcel",
        "voice_id": "espeak:en-us",
        "system_prompt": "You tell people that their parcel comes tomorrow.",
        "flow": _FLOW,
        "recording_enabled": False,
        "join_timeout": f"{_RING_S}s",
    }


async def place_calls(client: Client, campaign: Campaign) -> None:
    """One `POST /calls` for each number, several at a time, in order."""
    numbers = iter(campaign.numbers)

    async def post_some() -> None:
        for number in numbers:
            body = {"agent_id": campaign.agent_id, "phone_number": number}
            await client.post("/calls", body, key=f"call {number}")

    async with asyncio.TaskGroup() as group:
        for _ in range(_POSTING):
            group.create_task(post_some())


async def start_batch(
    client: Client,
    campaign: Campaign,
    *,
    concurrency: int,
    calls_per_second: float | None = None,
    name: str = "Chaos",
) -> str:
    """Create a batch call, add its contacts piece by piece, and start it; its id."""
    body: dict[str, Any] = {
        "name": name,
        "agent_id": campaign.agent_id,
        "max_concurrent_calls": concurrency,
        "retry_attempts": campaign.allowed_attempts - 1,
        "retry_delay_minutes": [1],
        "max_failure_rate": 1,  # the breaker would pause it: crashes are what it is for
    }
    if calls_per_second is not None:
        body["calls_per_second"] = calls_per_second
    batch = await client.post("/batch-calls", body, key=name)
    for index, piece in enumerate(_split(campaign.numbers)):
        await client.post(f"/batch-calls/{batch['id']}/contacts", {"contacts": piece}, key=f"{name} {index}")
    await client.post(f"/batch-calls/{batch['id']}/schedule", {})
    batch_call_id: str = batch["id"]
    return batch_call_id


def _split(numbers: Sequence[str]) -> list[list[dict[str, str]]]:
    each = len(json.dumps({"phone_number": numbers[0]})) + 2
    count = _MAX_BODY_BYTES // each
    return [
        [{"phone_number": number} for number in numbers[first : first + count]]
        for first in range(0, len(numbers), count)
    ]


async def wait_for_calls(client: Client, total: int, note: Callable[[int], None]) -> None:
    """Until so many calls have ended, however."""
    while True:
        ended = 0
        for status in ("completed", "failed"):
            ended += (await client.get("/calls", status=status, limit=1))["pagination"]["total"]
        note(ended)
        tell(f"{ended} of {total} calls have ended")
        if ended >= total:
            return
        await asyncio.sleep(_POLL_S)


async def wait_for_batch(client: Client, batch_call_id: str, note: Callable[[int], None]) -> None:
    """Until the batch call is completed."""
    while True:
        batch = (await client.get(f"/batch-calls/{batch_call_id}"))["data"]
        note(batch["called"])
        tell(f"{batch['called']} of {batch['total_contacts']} contacts are done, the batch is {batch['status']}")
        if batch["status"] not in ("active", "scheduled"):
            return
        await asyncio.sleep(_POLL_S)


_told_s = 0.0


def tell(sentence: str) -> None:
    """Say on stderr how far it is, every few seconds."""
    global _told_s
    if time.monotonic() - _told_s > 5:
        _told_s = time.monotonic()
        print(f"{time.strftime('%H:%M:%S')} {sentence}", file=sys.stderr, flush=True)
