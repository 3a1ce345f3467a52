"""Makes agents and tools, has a phone called by them, and reads what became of the call."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.acceptance.model_server import ScriptedServer
from tests.acceptance.running import Phone, Ringdown, run_phone, steps, wait_for_call

GREETING = "Good morning, this is Parcels."
NUMBER = "+4930901820"
CALLER_ID = "+4930901821"


class Desk:
    """What one test does with the product."""

    def __init__(self, ringdown: Ringdown, client: httpx.AsyncClient, provider: ScriptedServer) -> None:
        self.ringdown = ringdown
        self.client = client
        self._provider = provider

    async def make(self, path: str, **fields: Any) -> dict[str, Any]:
        """Create something; its JSON."""
        answer = await self.client.post(path, json=fields)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()["data"]
        return made

    async def make_agent(self, **fields: Any) -> str:
        """An agent that hears, thinks and speaks with the hosted providers, unless `fields` say otherwise; its id."""
        usual = {
            "name": "Parcels",
            "voice_id": "tones:nova",
            "recognizer": "ear",
            "model": "fast",
            "system_prompt": "You deliver parcels.",
            "greeting": GREETING,
        }
        agent: str = (await self.make("/agents", **(usual | fields)))["id"]
        return agent

    @asynccontextmanager
    async def call(
        self, agent_id: str, *script: str, options: tuple[str, ...] = (), **fields: Any
    ) -> AsyncIterator[tuple[str, Phone]]:
        """A call of the agent to a phone that follows `script`, whose words the recognizer knows; its id."""
        port = self.ringdown.ports["PEER_PORT"]
        async with run_phone(port, "--answer-after", "0", *options, *steps(*script)) as phone:
            self._provider.hear = lambda: next(
                (event["detail"] for event in reversed(phone.events) if event["kind"] == "said"), ""
            )
            placed = await self.make("/calls", **({"agent_id": agent_id, "phone_number": NUMBER} | fields))
            yield placed["id"], phone

    async def end_of(self, call_id: str, timeout_s: float = 60) -> dict[str, Any]:
        """The call once it has ended."""
        ended: dict[str, Any] = await wait_for_call(
            self.client, call_id, "completed", "failed", timeout_s=timeout_s
        )
        return ended

    async def turns_of(self, call_id: str) -> list[tuple[str, str]]:
        """Who said what."""
        turns = (await self.client.get(f"/calls/{call_id}/transcript")).json()["data"]["transcript"]
        return [(turn["speaker"], turn["text"]) for turn in turns]

    async def events_of(self, call_id: str, kind: str | None = None) -> list[dict[str, Any]]:
        """What happened besides the turns; of one kind only the details."""
        answer = await self.client.get(f"/calls/{call_id}/events", params={"limit": 100})
        assert answer.status_code == 200, answer.text
        events: list[dict[str, Any]] = answer.json()["data"]
        return events if kind is None else [event["data"] for event in events if event["type"] == kind]

    async def kinds_of(self, call_id: str) -> list[str]:
        """The kinds of its events, in order."""
        return [event["type"] for event in await self.events_of(call_id)]


async def wait_until(is_so: Callable[[], bool]) -> None:
    """Until something that a fake server or a phone notices is so."""
    async with asyncio.timeout(30):
        while not is_so():
            await asyncio.sleep(0.05)
