"""Calls with everything that a person may leave behind in them, for the tests of what is deleted and what stays."""

import itertools
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ringdown import values
from ringdown.calls import service, tables
from ringdown.calls.models import Call, CallEvent, TranscriptTurn, Transfer
from ringdown.calls.recording import RecordingStore
from ringdown.db import engine
from ringdown.db.engine import Database
from ringdown.webhooks import tables as webhook_tables
from tests.slices.conftest import BASE, Tenant

DAY_MS = 24 * 3_600_000
SECRET = "marmalade"
_numbers = itertools.count()


async def talk(tenant: Tenant, folder: Path, *, number: str = "+12025550142", days_ago: float = 0.0) -> Call:
    """A call that has ended, with transcript, recording, events, analysis and webhooks, all of which say SECRET."""
    agent = await tenant.add_agent()
    await tenant.add_number(f"+1303555{next(_numbers):04}", outbound_agent_id=agent.id)
    placed = await tenant.place_call(
        agent, phone_number=number, variables={"first_name": SECRET}, metadata={"order": SECRET}
    )
    claimed = await tenant.answer_call(placed)
    path = folder / f"{placed.id}.mp3"
    path.write_bytes(b"audio")
    await RecordingStore.open(tenant.settings).save(tenant.organization_id, placed.id, path)
    known: dict[str, Any] = {"organization_id": tenant.organization_id, "attempt_id": claimed.attempt_id}
    await service.record_dialog(tenant.database, dialog_state={"to": number}, **known)
    turn = TranscriptTurn(position=0, speaker="contact", text=f"I like {SECRET}.", start_ms=0, end_ms=900)
    event = CallEvent(position=0, kind="tool.started", at_ms=5, created_at=1, details={"arguments": SECRET})
    await tenant.finish_call(
        placed,
        turns=(turn,),
        events=(event,),
        summary=f"Wants {SECRET}.",
        slots={"wish": SECRET},
        has_recording=True,
        transfer=Transfer(to="+12025550199", mode="blind", introduction=f"Likes {SECRET}."),
    )
    async with tenant.database.write() as connection:
        await connection.execute(
            tables.calls.update()
            .where(tables.calls.c.id == placed.id)
            .values(created_at=values.now_ms() - round(days_ago * DAY_MS))
        )
        owed = await connection.execute(
            sa.select(webhook_tables.events.c.id).where(webhook_tables.events.c.subject_id == placed.id)
        )
        for event_id in owed.scalars().all():
            await _deliver(connection, tenant, placed.id, event_id)
    return await tenant.get_call(placed.id)


async def _deliver(connection: Any, tenant: Tenant, call_id: str, event_id: str) -> None:
    delivery_id = values.new_id("dlv")
    await connection.execute(
        webhook_tables.deliveries.insert().values(
            organization_id=tenant.organization_id, id=delivery_id, endpoint_id="whe_1", event_id=event_id, event="x",
            subject_id=call_id, status="delivered", attempt_count=1, due_at=0, created_at=0, updated_at=0,
        )
    )  # fmt: skip
    await connection.execute(
        webhook_tables.attempts.insert().values(
            organization_id=tenant.organization_id, delivery_id=delivery_id, number=1, started_at=0, duration_ms=1,
            response_body=f"Thank you for {SECRET}",
        )
    )  # fmt: skip


async def find_rows(database: Database, word: str) -> set[str]:
    """The tables of which a row holds `word` in any column."""
    found = set()
    async with database.read() as connection:
        for table in engine.metadata.sorted_tables:
            text = sa.func.coalesce
            columns = [text(sa.cast(column, sa.Text), "") for column in table.c]
            held = sa.or_(*(column.contains(word, autoescape=True) for column in columns))
            if (await connection.execute(sa.select(sa.exists().where(held).select_from(table)))).scalar_one():
                found.add(table.name)
    return found


async def show(tenant: Tenant, call: Call) -> dict[str, Any]:
    """The call as the API shows it."""
    shown: dict[str, Any] = (await tenant.client.get(f"{BASE}/calls/{call.id}")).json()["data"]
    return shown
