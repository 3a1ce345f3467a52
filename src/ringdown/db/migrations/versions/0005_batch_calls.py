"""Batch calls and their contacts."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _create_batch_calls()
    _create_batch_contacts()


def _create_batch_calls() -> None:
    op.create_table(
        "batch_calls",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("status_reason", sa.Text(), nullable=True),
        sa.Column("contact_source", sa.Text(), nullable=False),
        sa.Column("contact_folder_id", sa.Text(), nullable=True),
        sa.Column("phone_number_ids", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("phone_rotation_strategy", sa.Text(), nullable=False),
        sa.Column("schedule_type", sa.Text(), nullable=False),
        sa.Column("scheduled_at", sa.BigInteger(), nullable=True),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("start_time", sa.Text(), nullable=True, comment="HH:MM on the contact's clock"),
        sa.Column("end_time", sa.Text(), nullable=True),
        sa.Column("working_days", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("max_calls_per_day", sa.Integer(), nullable=True),
        sa.Column("max_concurrent_calls", sa.Integer(), nullable=False),
        sa.Column("calls_per_second", sa.Float(), nullable=True),
        sa.Column("retry_failed", sa.Boolean(), nullable=False),
        sa.Column("retry_attempts", sa.Integer(), nullable=False),
        sa.Column("retry_delay_minutes", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("metadata", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("total_contacts", sa.Integer(), nullable=False),
        sa.Column("completed_contacts", sa.Integer(), nullable=False),
        sa.Column("failed_contacts", sa.Integer(), nullable=False),
        sa.Column("spread_position", sa.Integer(), nullable=False, comment="contacts below it are in the schedule"),
        sa.Column("spread_from", sa.BigInteger(), nullable=True),
        sa.Column("spread_days", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("paused_at", sa.BigInteger(), nullable=True),
        sa.Column("resumed_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_index("ix_batch_calls_status", "batch_calls", ["organization_id", "status", "id"], unique=False)
    op.create_index("ix_batch_calls_agent", "batch_calls", ["organization_id", "agent_id"], unique=False)


def _create_batch_contacts() -> None:
    op.create_table(
        "batch_contacts",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("batch_call_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False, comment="from 0 without gaps"),
        sa.Column("contact_id", sa.Text(), nullable=False),
        sa.Column("phone_number", sa.Text(), nullable=False, comment="E.164"),
        sa.Column("first_name", sa.Text(), nullable=True),
        sa.Column("last_name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("custom_fields", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=True, comment="the contact's own"),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("scheduled_at", sa.BigInteger(), nullable=True),
        sa.Column("call_id", sa.Text(), nullable=True, comment="the last call"),
        sa.Column("called_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "batch_call_id", "position"),
        sa.UniqueConstraint(
            "organization_id",
            "batch_call_id",
            "phone_number",
            name="ux_batch_contacts_organization_id_batch_call_id_number",
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_batch_contacts_status",
        "batch_contacts",
        ["organization_id", "batch_call_id", "status", "position"],
        unique=False,
    )
    op.create_index(
        "ix_batch_contacts_due",
        "batch_contacts",
        ["organization_id", "batch_call_id", "scheduled_at", "position"],
        unique=False,
        sqlite_where=sa.text("status = 'scheduled'"),
        postgresql_where=sa.text("status = 'scheduled'"),
    )
