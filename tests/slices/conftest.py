"""Fixtures of the slice tests: the API over ASGI, organizations with keys, agents and calls in the database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from ringdown import values
from ringdown.accounts import service as account_service
from ringdown.agents import store as agent_store
from ringdown.agents.models import Agent
from ringdown.api import app as api_app
from ringdown.calls import service
from ringdown.calls.models import Call, CallSettings, ClaimedCall, FinishedCall, PlaceCall, TranscriptTurn
from ringdown.calls.recording import RecordingStore
from ringdown.calls.store import calls as call_store
from ringdown.calls.store import turns as turn_store
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.telephony import store as number_store
from ringdown.telephony.store import PhoneNumber

BASE = "/api/public/v1"

#: Runs a test on SQLite alone: what it asks is answered before, or whatever, the database is.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@dataclass
class Tenant:
    """One organization, with a client that sends its key."""

    database: Database
    settings: Settings
    organization_id: str
    client: httpx.AsyncClient
    known_calls: list[Call] = field(default_factory=list)

    async def add_agent(self, *, outbound_number: str | None = None, **fields: Any) -> Agent:
        """An active agent, with an outbound number if one is given."""
        now = values.now_ms()
        known: dict[str, Any] = {
            "organization_id": self.organization_id,
            "id": values.new_id("agt"),
            "name": "Front desk",
            "status": "active",
            "voice_id": "espeak:en-us",
            "system_prompt": "Be kind.",
            "created_at": now,
            "updated_at": now,
        }
        agent = Agent(**(known | fields))
        async with self.database.write() as connection:
            await agent_store.insert_agent(connection, agent)
        if outbound_number is not None:
            await self.add_number(outbound_number, outbound_agent_id=agent.id)
        return agent

    async def add_number(self, phone_number: str, **fields: Any) -> PhoneNumber:
        now = values.now_ms()
        number = PhoneNumber(
            id=values.new_id("num"),
            organization_id=self.organization_id,
            phone_number=phone_number,
            created_at=now,
            updated_at=now,
            **fields,
        )
        async with self.database.write() as connection:
            assert await number_store.insert_number(connection, number)
        return number

    async def add_call(self, *, seq: int, turns: tuple[TranscriptTurn, ...] = (), **fields: Any) -> Call:
        """A call in any state, straight into the database."""
        now = values.now_ms()
        known: dict[str, Any] = {
            "organization_id": self.organization_id,
            "id": values.new_id("call"),
            "seq": seq,
            "status": "completed",
            "direction": "outbound",
            "agent_id": "agt_0000000000000000000000000a",
            "to_number": "+12125551234",
            "from_number": "+18005559876",
            "settings": CallSettings(),
            "variables": {},
            "metadata": {},
            "created_at": now,
            "updated_at": now,
        }
        call = Call(**(known | fields))
        async with self.database.write() as connection:
            await call_store.insert_call(connection, call)
            await turn_store.insert_turns(connection, self.organization_id, call.id, turns)
        return call

    async def place_call(self, agent: Agent, **fields: Any) -> Call:
        """A queued call to the test phone."""
        request = PlaceCall(**({"agent_id": agent.id, "phone_number": "+12025550142"} | fields))
        return await service.place_call(
            self.database, settings=self.settings, organization_id=self.organization_id, request=request
        )

    async def answer_call(self, call: Call, *, gateway_id: str = "gateway-1") -> ClaimedCall:
        """Claim the call for a gateway and answer it."""
        claimed = await service.claim_calls(self.database, gateway_id=gateway_id, limit=10)
        [ours] = [found for found in claimed if found.call.id == call.id]
        assert await service.mark_answered(
            self.database, organization_id=self.organization_id, call_id=call.id, started_at=values.now_ms()
        )
        return ours

    async def finish_call(self, call: Call, **fields: Any) -> bool:
        finish = FinishedCall(**({"ended_reason": "user_hangup", "media_ms": 10_000} | fields))
        return await service.finish_call(
            self.database,
            settings=self.settings,
            organization_id=self.organization_id,
            call_id=call.id,
            finish=finish,
        )

    async def get_call(self, call_id: str) -> Call:
        async with self.database.read() as connection:
            return await call_store.get_call(connection, self.organization_id, call_id)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings under which tests may send as many requests as they like."""
    return settings.model_copy(update={"rate_limit_enabled": False, "public_url": "https://calls.example"})


@pytest.fixture
async def anonymous(settings: Settings, database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API without a key."""
    transport = httpx.ASGITransport(api_app.create_app(settings, database))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        yield client


@pytest.fixture
async def tenant(settings: Settings, database: Database, anonymous: httpx.AsyncClient) -> AsyncIterator[Tenant]:
    """An organization with a key."""
    async with _open_tenant(settings, database, anonymous, "Ours") as opened:
        yield opened


@pytest.fixture
async def stranger(settings: Settings, database: Database, anonymous: httpx.AsyncClient) -> AsyncIterator[Tenant]:
    """Another organization with a key."""
    async with _open_tenant(settings, database, anonymous, "Theirs") as opened:
        yield opened


@pytest.fixture
def client(tenant: Tenant) -> httpx.AsyncClient:
    """The client of `tenant`, with its key."""
    return tenant.client


@pytest.fixture
def recordings(settings: Settings) -> RecordingStore:
    """The recordings of the API under test."""
    return RecordingStore.open(settings)


@asynccontextmanager
async def _open_tenant(
    settings: Settings, database: Database, anonymous: httpx.AsyncClient, name: str
) -> AsyncIterator[Tenant]:
    organization = await account_service.create_organization(database, name=name)
    _, key = await account_service.create_key(database, organization_id=organization.id, name="tests")
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(transport=anonymous._transport, base_url="http://api.test", headers=headers) as client:
        yield Tenant(database, settings, organization.id, client)
