"""Sending webhooks on a virtual clock: claims and what came of them, without a network."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from ringdown import values
from ringdown.agents import store as agent_store
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.secret import SecretBox
from ringdown.webhooks import delivering, events, retrying, sending_store, service, tables
from ringdown.webhooks.delivering import Claim, Outgoing, Result
from ringdown.webhooks.models import Delivery, DeliveryAttempt, EventType, WebhookEndpoint
from ringdown.webhooks.schemas import CreateWebhookEndpoint
from ringdown.webhooks.sending_store import Key

START = 1_700_000_000_000
SECRET = "the-secret-of-the-tests"


async def add_endpoint(
    database: Database,
    settings: Settings,
    organization_id: str,
    url: str = "https://crm.example/hooks",
    *,
    agent_id: str | None = None,
) -> WebhookEndpoint:
    """An endpoint that wants everything, or everything of one agent."""
    endpoint, _ = await service.create_endpoint(
        database,
        settings=settings,
        box=SecretBox.open(settings),
        organization_id=organization_id,
        body=CreateWebhookEndpoint(url=url, secret=SECRET, agent_id=agent_id),
        require_agent=agent_store.get_agent,
    )
    return endpoint


async def record(
    database: Database,
    organization_id: str,
    subject_id: str,
    *names: EventType,
    at: int = START,
) -> list[str]:
    """Events of one subject at one instant; their ids."""
    async with database.write() as connection:
        return await events.record_events(
            connection,
            organization_id=organization_id,
            subject_id=subject_id,
            facts=[(name, {"call_id": subject_id}) for name in names],
            now_ms=at,
        )


async def list_rows(database: Database, *, status: str | None = None) -> list[sa.Row[Any]]:
    """Deliveries in the order of their events."""
    columns = tables.deliveries.c
    query = sa.select(tables.deliveries).order_by(columns.created_at, columns.event_id)
    async with database.read() as connection:
        rows = (await connection.execute(query)).all()
    return [row for row in rows if status in (None, row.status)]


@dataclass
class VirtualSender:
    """One sender, as far as the database sees it; forgetting its chains is its `kill -9`."""

    database: Database
    now: int = START
    room: int = 10
    chains: list[tuple[Claim, list[Outgoing]]] = field(default_factory=list)
    leased_until: dict[str, int] = field(default_factory=dict)

    async def claim(self) -> list[list[str]]:
        """Take what is due everywhere; the chains as ids of events."""
        async with self.database.read_alone() as connection:
            due: list[Key] = await sending_store.list_due_endpoints(connection, now_ms=self.now)
        claims = await delivering.claim(
            self.database, rooms=dict.fromkeys(due, self.room), lease_id=values.new_id("lease"), now_ms=self.now
        )
        taken = [(claim, list(chain)) for claim in claims for chain in claim.chains]
        self.chains += taken
        self.leased_until |= {claim.lease_id: self.now + delivering.LEASE_MS for claim in claims}
        return [[outgoing.delivery.event_id for outgoing in chain] for _, chain in taken]

    def make_result(self, status: int | None, *, chain: int = 0) -> Result:
        """What came of the first delivery of a chain; the chain goes on, or is over."""
        claim, rest = self.chains[chain]
        outgoing = rest.pop(0)
        result = judge(outgoing.delivery, claim.lease_id, status, now=self.now, behind=[one.delivery for one in rest])
        assert result.verdict is not None
        if not rest or result.verdict.status == "pending":
            del self.chains[chain]
        return result

    async def settle(self, *results: Result) -> set[str]:
        """Store results; the ids of the deliveries that were still held."""
        return await delivering.settle(self.database, results, now_ms=self.now)

    async def send(self, status: int | None, *, chain: int = 0) -> bool:
        """Send the first delivery of a chain and store what came of it; whether it was still held."""
        result = self.make_result(status, chain=chain)
        is_held = result.delivery.id in await self.settle(result)
        if not is_held:
            self.chains = [(claim, rest) for claim, rest in self.chains if claim.lease_id != result.lease_id]
        return is_held

    async def deliver_all(self) -> list[str]:
        """Have everything that is due now accepted; the events in the order in which they were sent."""
        sent = []
        while await self.claim():
            while self.chains:
                sent.append(self.chains[0][1][0].delivery.event_id)
                assert await self.send(204)
        return sent


def judge(
    delivery: Delivery, lease_id: str, status: int | None, *, now: int, behind: list[Delivery] | None = None
) -> Result:
    """The result of a delivery that was answered with `status`, or not at all."""
    verdict = retrying.judge(status, now_ms=now, failing_since=delivery.failing_since, retry_after_ms=None, chance=0.0)
    attempt = DeliveryAttempt(
        number=delivery.attempt_count + 1,
        started_at=now,
        duration_ms=12,
        response_status=status,
        response_body=None if status is None else "text",
        error=None if verdict.status == "delivered" else "No.",
    )
    return Result(
        delivery=delivery, lease_id=lease_id, verdict=verdict, attempt=attempt, error=attempt.error, behind=behind or []
    )


def give_back(result: Result) -> Result:
    """The same delivery, not tried."""
    return dataclasses.replace(result, verdict=None, attempt=None, error=None)
