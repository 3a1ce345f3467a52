"""A language model that judges calls, and what tests of the analysis do with it."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from ringdown import values
from ringdown.agents.models import Agent
from ringdown.calls import analysing
from ringdown.calls.models import Call, TranscriptTurn
from ringdown.jobs import store as job_store
from ringdown.jobs.store import Job
from ringdown.worker import analysis as worker_analysis
from tests.fakes.openai_server import FakeOpenAIServer, Received
from tests.slices.conftest import BASE, Tenant

NUMBER = "+12025550100"
SCHEMA = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}
GOOD = {
    "summary": "They want it on Friday.",
    "outcome": "interested",
    "sentiment": "positive",
    "success": "yes",
    "success_reason": "They named a day.",
    "structured_data": {"day": "Friday"},
}
SAID = (("agent", "When shall we deliver?"), ("contact", "On Friday please."), ("agent", "Friday it is."))
_LEASE_MS = 1_000


@dataclass(slots=True)
class JudgingServer(FakeOpenAIServer):
    """Answers each request with the next of `script`: a fault, a text, or the arguments of the tool; then `GOOD`."""

    script: list[tuple[str, str]] = field(default_factory=list)  # "fault", "text" or "tool", and which

    async def _answer(self, received: Received, writer: asyncio.StreamWriter) -> None:
        kind, what = self.script.pop(0) if self.script else ("tool", json.dumps(GOOD))
        self.fault = what if kind == "fault" else "none"  # type: ignore[assignment]
        self.text = what if kind == "text" else ""
        self.tool_calls = [("record_analysis", what)] if kind == "tool" else []
        await FakeOpenAIServer._answer(self, received, writer)

    def asked(self) -> list[list[dict[str, str]]]:
        """The messages of each request."""
        return [request.fields["messages"] for request in self.requests]


async def add_agent(tenant: Tenant, **fields: Any) -> Agent:
    wanted = {"model": "default", "success_criteria": "They name a day.", "extraction_schema": SCHEMA}
    return await tenant.add_agent(outbound_number=NUMBER, **(wanted | fields))


async def talk(tenant: Tenant, agent: Agent | None = None, **finish: Any) -> Call:
    """A call that was answered, talked and has ended."""
    call = await tenant.place_call(agent or await add_agent(tenant))
    await tenant.answer_call(call)
    assert await tenant.finish_call(call, **({"turns": make_turns()} | finish))
    return call


def make_turns(said: Any = SAID) -> tuple[TranscriptTurn, ...]:
    return tuple(
        TranscriptTurn(position=at, speaker=speaker, text=text, start_ms=at * 1000, end_ms=at * 1000 + 500)
        for at, (speaker, text) in enumerate(said)
    )


async def claim(tenant: Tenant) -> list[Job]:
    """The analyses that are due, as a worker gets them; those of a worker that died come again."""
    now = values.now_ms() + 3_600_000
    async with tenant.database.write() as connection:
        return await job_store.claim_jobs(
            connection,
            kinds=[analysing.JOB_KIND],
            limit=10,
            now_at=now,
            lease_until=now - _LEASE_MS,
            lease_id=values.new_id("lease"),
        )


async def run(tenant: Tenant, job: Job, *, asked: asyncio.Event | None = None) -> None:
    async with worker_analysis.open_handlers(tenant.settings, tenant.database, asked or asyncio.Event()) as handlers:
        await handlers[analysing.JOB_KIND](job)


async def analyse(tenant: Tenant, call: Call) -> dict[str, Any]:
    """Run the one analysis that is due; the call as the API shows it."""
    [job] = await claim(tenant)
    await run(tenant, job)
    return await show(tenant, call)


async def show(tenant: Tenant, call: Call) -> dict[str, Any]:
    shown: dict[str, Any] = (await tenant.client.get(f"{BASE}/calls/{call.id}")).json()["data"]
    return shown


async def list_events(tenant: Tenant, call: Call) -> list[dict[str, Any]]:
    response = await tenant.client.get(f"{BASE}/events", params={"call_id": call.id, "sort": "created_at"})
    found: list[dict[str, Any]] = response.json()["data"]
    return found


@pytest.fixture
async def server() -> AsyncIterator[JudgingServer]:
    async with JudgingServer().run() as running:
        assert isinstance(running, JudgingServer)
        yield running


@pytest.fixture
async def judged(tenant: Tenant, server: JudgingServer) -> Tenant:
    """The tenant, with a language model."""
    known = {"model_url": server.url, "model_name": "fast-model", "analysis_timeout_seconds": 20.0}
    tenant.settings = tenant.settings.model_copy(update=known)
    return tenant
