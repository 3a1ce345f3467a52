"""Reads what the product has stored, once it is over; raw rows on either database, nothing computed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ringdown.config import Settings
from ringdown.db.engine import Database, open_database

Row = dict[str, Any]

_QUERIES = {
    "calls": (
        "SELECT id, status, ended_reason, to_number, duration_seconds, cost_credits, started_at, ended_at, contact_id,"
        " batch_call_id, created_at FROM calls ORDER BY seq"
    ),
    "attempts": (
        "SELECT id, call_id, number, state, gateway_id, contact_id, batch_call_id, media_ms, dialog_state, created_at,"
        " updated_at FROM attempts ORDER BY created_at, id"
    ),
    "contacts": (
        "SELECT batch_call_id, contact_id, phone_number, status, attempts, scheduled_at, call_id, reason, outcome,"
        " updated_at FROM batch_contacts ORDER BY position"
    ),
    "ledger": "SELECT organization_id, kind, amount, call_id FROM ledger_entries",
    "events": "SELECT id, event, subject_id, created_at FROM events WHERE endpoint_id IS NULL ORDER BY created_at, id",
    "deliveries": (
        "SELECT id, event_id, event, subject_id, status, attempt_count, created_at FROM webhook_deliveries"
        " ORDER BY created_at, id"
    ),
}


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of each table that is recounted; `balances` by organization, None where there is no such table."""

    calls: Sequence[Row]
    attempts: Sequence[Row]
    contacts: Sequence[Row]
    ledger: Sequence[Row]
    events: Sequence[Row]
    deliveries: Sequence[Row]
    balances: dict[str, int] | None


async def read_rows(settings: Settings) -> Rows:
    """Everything that is recounted, on one snapshot."""
    database = open_database(settings.sqlalchemy_url)
    try:
        async with database.read() as connection:
            found = {
                name: [dict(row._mapping) for row in await connection.execute(sa.text(query))]
                for name, query in _QUERIES.items()
            }
            has_balances = await connection.run_sync(lambda bound: sa.inspect(bound).has_table("balances"))
            balances = None
            if has_balances:
                rows = await connection.execute(sa.text("SELECT organization_id, balance FROM balances"))
                balances = {row.organization_id: row.balance for row in rows}
    finally:
        await database.close()
    return Rows(**found, balances=balances)


async def count_open_deliveries(database: Database) -> int:
    """How many deliveries are still to be made."""
    async with database.read() as connection:
        query = "SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'"
        return int((await connection.execute(sa.text(query))).scalar_one())


async def count_live(database: Database) -> int:
    """Calls that have not ended."""
    async with database.read() as connection:
        query = "SELECT count(*) FROM calls WHERE ended_at IS NULL"
        return int((await connection.execute(sa.text(query))).scalar_one())


async def bring_deliveries_forward(database: Database, *, now_ms: int) -> None:
    """Make webhooks that wait for another attempt due now, as if their delay had passed."""
    async with database.write() as connection:
        statement = (
            "UPDATE webhook_deliveries SET due_at = :now WHERE status = 'pending' AND lease_id IS NULL"
            " AND due_at > :now"
        )
        await connection.execute(sa.text(statement), {"now": now_ms})


async def bring_retries_forward(database: Database, *, now_ms: int) -> None:
    """Make contacts that wait for another attempt due now, as if their delay had passed."""
    async with database.write() as connection:
        statement = (
            "UPDATE batch_contacts SET scheduled_at = :now, retry_at = :now WHERE status = 'scheduled' AND attempts > 0"
            " AND scheduled_at > :now"
        )
        await connection.execute(sa.text(statement), {"now": now_ms})


def find_call_ids(attempt: Row) -> set[str]:
    """The SIP Call-IDs of an attempt, as far as its stored dialogs tell."""
    state = attempt["dialog_state"]
    if isinstance(state, str):
        state = json.loads(state)
    found = set()
    for dialog in (state or {}).get("dialogs", []):
        inner = dialog.get("dialog") or {}
        if call_id := inner.get("call_id"):
            found.add(call_id)
    return found
