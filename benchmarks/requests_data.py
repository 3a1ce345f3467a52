"""Fills a database with the calls that `benchmarks.requests` lists."""

import random
from pathlib import Path

import msgspec

from ringdown import values
from ringdown.accounts import service as accounts
from ringdown.calls import sealing
from ringdown.calls.models import Call, CallSettings, MediaQuality
from ringdown.calls.tables import calls
from ringdown.config import Settings
from ringdown.db import engine, migrate

#: How many there are.
CALLS = 10_000
_AGENTS = 20
_SUMMARY = "The caller asked for the opening hours and was told them; a call back was not wished for."
_FIRST_AT = 1_775_000_000_000


async def fill(folder: Path) -> str:
    """A migrated SQLite database in `folder` with 10,000 ended calls of one organization; returns a key."""
    settings = Settings(data_dir=folder)
    await migrate.migrate(settings.sqlalchemy_url)
    database = engine.open_database(settings.sqlalchemy_url)
    try:
        organization = await accounts.create_organization(database, name="Benchmark")
        _, key = await accounts.create_key(database, organization_id=organization.id, name="benchmark")
        generator = random.Random(1)
        agents = [values.new_id("agt") for _ in range(_AGENTS)]
        rows = [
            msgspec.to_builtins(_make_call(organization.id, generator.choice(agents), seq, generator))
            for seq in range(1, CALLS + 1)
        ]
        async with database.write() as connection:
            await connection.execute(calls.insert(), rows)
        await sealing.seal_everything(database, organization.id)  # as the worker does
    finally:
        await database.close()
    return key


def _make_call(organization_id: str, agent_id: str, seq: int, generator: random.Random) -> Call:
    created_at = _FIRST_AT + seq * 60_000
    duration = generator.randint(5, 600)
    return Call(
        organization_id=organization_id,
        id=values.new_id("call"),
        seq=seq,
        status="completed",
        direction="outbound",
        agent_id=agent_id,
        to_number=f"+1212555{generator.randint(0, 9999):04d}",
        from_number="+18005550100",
        settings=CallSettings(),
        variables={"first_name": "Ana"},
        metadata={"priority": "high"},
        created_at=created_at,
        updated_at=created_at + duration * 1000,
        batch_call_id=values.new_id("batch"),
        contact_id=values.new_id("cnt"),
        duration_seconds=duration,
        has_recording=True,
        summary=_SUMMARY,
        cost_credits=duration // 6 + 1,
        started_at=created_at + 4_000,
        ended_at=created_at + 4_000 + duration * 1000,
        ended_reason="user_hangup",
        outcome="contacted",
        latency_p50_ms=620,
        latency_p95_ms=900,
        media_quality=MediaQuality(
            codec="PCMU", is_encrypted=False, packets_received=7000, packets_lost=3, loss_percent=0.0, jitter_ms=1.5
        ),
    )
