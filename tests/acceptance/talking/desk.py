"""Makes agents and tools, has a phone called by them, and reads what became of the call."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.acceptance.model_server import ScriptedServer
from tests.acceptance.running import Phone, Ringdown, run_phone, steps, wait_for_call

GREETING = "Good morning, this is Parcels."
NUMBER = "+4930901820"
COLLEAGUE = "+4930901821"

# A little less than the phone's voice takes.
_MS_PER_CHARACTER = 40


class Desk:
    """What one test does with the product."""

    def __init__(self, ringdown: Ringdown, client: httpx.AsyncClient, provider: ScriptedServer) -> None:
        self.ringdown = ringdown
        self.client = client
        self._provider = provider
        self._tools: list[str] = []

    async def make(self, path: str, **fields: Any) -> dict[str, Any]:
        """Create something; its JSON."""
        answer = await self.client.post(path, json=fields)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()["data"]
        return made

    async def make_agent(self, **fields: Any) -> str:
        """The sample agent as `fields` say, else hearing, thinking and speaking with the hosted providers; its id."""
        usual: dict[str, Any] = {
            "name": "Parcels",
            "voice_id": "tones:nova",
            "recognizer": "ear",
            "model": "fast",
            "system_prompt": "You deliver parcels.",
            "greeting": GREETING,
            "flow": None,
            "tools": [],
            "knowledge_bases": [],
            "fallbacks": None,
            "voicemail_settings": None,
            "transfer_numbers": [],
        }
        agent: dict[str, Any] = (await self.client.get("/agents")).json()["data"][-1]
        changed = await self.client.patch(f"/agents/{agent['id']}", json=usual | fields)
        assert changed.status_code == 200, changed.text
        return str(agent["id"])

    async def make_tool(self, **fields: Any) -> str:
        """A tool that is gone after the test; its id."""
        tool: str = (await self.make("/tools", **fields))["id"]
        self._tools.append(tool)
        return tool

    async def close(self) -> None:
        """Delete what would be in the way of other tests."""
        for tool in self._tools:
            assert (await self.client.delete(f"/tools/{tool}")).status_code in (200, 204)

    @asynccontextmanager
    async def call(
        self, agent_id: str, *script: str, options: tuple[str, ...] = (), **fields: Any
    ) -> AsyncIterator[tuple[str, Phone]]:
        """A call of the agent to a phone that follows `script`, whose words the recognizer knows; its id."""
        port = self.ringdown.ports["PEER_PORT"]
        async with run_phone(port, "--answer-after", "0", *options, *steps(*script)) as phone:
            self._provider.hear = lambda: _hear(phone)
            placed = await self.make("/calls", **({"agent_id": agent_id, "phone_number": NUMBER} | fields))
            yield placed["id"], phone

    async def end_of(self, call_id: str, timeout_s: float = 40) -> dict[str, Any]:
        """The call once it has ended."""
        ended: dict[str, Any] = await wait_for_call(self.client, call_id, "completed", "failed", timeout_s=timeout_s)
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


def _hear(phone: Phone) -> str:
    """What the phone said last, as far as it can have come by now."""
    said = next((event for event in reversed(phone.events) if event["kind"] == "said"), None)
    if said is None:
        return ""
    words = str(said["detail"]).split()
    share = (time.monotonic() - said["wall"]) / (_MS_PER_CHARACTER / 1000 * len(said["detail"]))
    return " ".join(words[: int(share * len(words))]) if share < 1 else said["detail"]


async def wait_until(is_so: Callable[[], bool]) -> None:
    """Until something that a fake server or a phone notices is so."""
    async with asyncio.timeout(30):
        while not is_so():
            await asyncio.sleep(0.05)
