"""Webhook endpoints, events and deliveries; versions of agents; usage; preferences of organizations."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _create_agent_versions()
    _create_webhook_endpoints()
    _create_events()
    _create_webhook_deliveries()
    _create_webhook_attempts()
    _create_usage_entries()
    _create_usage_days()
    _create_organization_preferences()
    op.drop_index("ix_ledger_entries_organization_id_amount", "ledger_entries")
    op.create_index(
        "ix_ledger_entries_organization_id_kind_amount", "ledger_entries", ["organization_id", "kind", "amount"]
    )


def _create_agent_versions() -> None:
    op.create_table(
        "agent_versions",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("agent", sa.JSON(), nullable=False, comment="the whole agent"),
        sa.Column("changed_by", sa.Text(), nullable=True, comment="id of the API key"),
        sa.Column("restored_from", sa.Integer(), nullable=True, comment="number of the version that it repeats"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "agent_id", "number"),
    )


def _create_webhook_endpoints() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("event_types", sa.JSON(), nullable=False, comment="a list; * is all"),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False, comment="ciphertext"),
        sa.Column("old_secret", sa.Text(), nullable=True, comment="ciphertext"),
        sa.Column("old_secret_expires_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False, comment="the call, batch or voice it is about"),
        sa.Column("endpoint_id", sa.Text(), nullable=True, comment="of a test: nobody else is told"),
        sa.Column("data", sa.Text(), nullable=False, comment="JSON as it is sent"),
        sa.Column("seq", sa.BigInteger(), nullable=True, comment="given after the commit; null until then"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_index("ix_events_listing", "events", ["organization_id", "created_at", "id"], unique=False)
    op.create_index("ix_events_seq", "events", ["organization_id", "seq"], unique=False)
    op.create_index("ix_events_subject", "events", ["organization_id", "subject_id"], unique=False)
    op.create_index(
        "ix_events_unnumbered",
        "events",
        ["organization_id"],
        unique=False,
        sqlite_where=sa.text("seq IS NULL AND endpoint_id IS NULL"),
        postgresql_where=sa.text("seq IS NULL AND endpoint_id IS NULL"),
    )


def _create_webhook_deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("endpoint_id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempt_count", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.Column("response_status", sa.Integer(), nullable=True, comment="of the last attempt"),
        sa.Column("error", sa.Text(), nullable=True, comment="of the last attempt"),
        sa.Column(
            "created_at", sa.BigInteger(), nullable=False, comment="of the event: orders the deliveries of a subject"
        ),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
        sa.UniqueConstraint("organization_id", "endpoint_id", "event_id", name="ux_webhook_deliveries_event"),
    )
    op.create_index(
        "ix_webhook_deliveries_due",
        "webhook_deliveries",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "ix_webhook_deliveries_listing", "webhook_deliveries", ["organization_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_webhook_deliveries_subject",
        "webhook_deliveries",
        ["organization_id", "subject_id", "created_at", "id"],
        unique=False,
    )


def _create_webhook_attempts() -> None:
    op.create_table(
        "webhook_attempts",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("response_status", sa.Integer(), nullable=True),
        sa.Column("response_body", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "delivery_id", "number"),
    )


def _create_usage_entries() -> None:
    op.create_table(
        "usage_entries",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False, comment="of the call's end, UTC: 2026-11-22"),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False, comment="ours"),
        sa.Column("batch_call_id", sa.Text(), nullable=False),
        sa.Column("duration_seconds", sa.BigInteger(), nullable=False),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "call_id"),
    )


def _create_usage_days() -> None:
    op.create_table(
        "usage_days",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("batch_call_id", sa.Text(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("answered_calls", sa.BigInteger(), nullable=False),
        sa.Column("duration_seconds", sa.BigInteger(), nullable=False),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "day", "agent_id", "number", "batch_call_id"),
    )


def _create_organization_preferences() -> None:
    op.create_table(
        "organization_preferences",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("default_region", sa.Text(), nullable=True, comment="ISO 3166 code for numbers in national form"),
        sa.Column("timezone", sa.Text(), nullable=True, comment="IANA name"),
        sa.Column("credits_low_mark", sa.BigInteger(), nullable=True, comment="credits; null: never low"),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
        ),
        sa.PrimaryKeyConstraint("organization_id"),
    )
