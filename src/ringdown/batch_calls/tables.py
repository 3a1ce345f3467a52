"""The tables of batch calls: the batch, and its contacts."""

import sqlalchemy as sa

from ringdown.db import engine

# Stored as text on both databases: keys keep the order in which a client sent them.
JSON = sa.JSON(none_as_null=True)

batch_calls = sa.Table(
    "batch_calls",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("agent_id", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("status_reason", sa.Text),
    sa.Column("contact_source", sa.Text, nullable=False),
    sa.Column("contact_folder_id", sa.Text),
    sa.Column("phone_number_ids", JSON, nullable=False),
    sa.Column("phone_rotation_strategy", sa.Text, nullable=False),
    sa.Column("schedule_type", sa.Text, nullable=False),
    sa.Column("scheduled_at", sa.BigInteger),
    sa.Column("timezone", sa.Text, nullable=False),
    sa.Column("start_time", sa.Text, comment="HH:MM on the contact's clock"),
    sa.Column("end_time", sa.Text),
    sa.Column("working_days", JSON, nullable=False),
    sa.Column("max_calls_per_day", sa.Integer),
    sa.Column("max_concurrent_calls", sa.Integer, nullable=False),
    sa.Column("calls_per_second", sa.Float),
    sa.Column("retry_failed", sa.Boolean, nullable=False),
    sa.Column("retry_attempts", sa.Integer, nullable=False),
    sa.Column("retry_delay_minutes", JSON, nullable=False),
    sa.Column("metadata", JSON, nullable=False),
    sa.Column("total_contacts", sa.Integer, nullable=False),
    sa.Column("completed_contacts", sa.Integer, nullable=False),
    sa.Column("failed_contacts", sa.Integer, nullable=False),
    sa.Column("spread_position", sa.Integer, nullable=False, comment="contacts below it are in the schedule"),
    sa.Column("spread_from", sa.BigInteger),
    sa.Column("spread_days", JSON, nullable=False),
    sa.Column("started_at", sa.BigInteger),
    sa.Column("paused_at", sa.BigInteger),
    sa.Column("resumed_at", sa.BigInteger),
    sa.Column("ended_at", sa.BigInteger),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Index("ix_batch_calls_status", "organization_id", "status", "id"),
    sa.Index("ix_batch_calls_agent", "organization_id", "agent_id"),
)

batch_contacts = sa.Table(
    "batch_contacts",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("batch_call_id", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, comment="from 0 without gaps"),
    sa.Column("contact_id", sa.Text, nullable=False),
    sa.Column("phone_number", sa.Text, nullable=False, comment="E.164"),
    sa.Column("first_name", sa.Text),
    sa.Column("last_name", sa.Text),
    sa.Column("email", sa.Text),
    sa.Column("custom_fields", JSON, nullable=False),
    sa.Column("timezone", sa.Text, comment="the contact's own"),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("scheduled_at", sa.BigInteger),
    sa.Column("call_id", sa.Text, comment="the last call"),
    sa.Column("called_at", sa.BigInteger),
    sa.Column("reason", sa.Text),
    sa.Column("outcome", sa.Text),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    # Nobody is in a batch twice. On SQLite the rows lie in the order of their key: one index less for each contact.
    sa.UniqueConstraint(
        "organization_id",
        "batch_call_id",
        "phone_number",
        name="ux_batch_contacts_organization_id_batch_call_id_number",
    ),
    sa.Index("ix_batch_contacts_status", "organization_id", "batch_call_id", "status", "position"),
    sqlite_with_rowid=False,
)

# What falls due next stays quick to find, however many contacts are done.
sa.Index(
    "ix_batch_contacts_due",
    batch_contacts.c.organization_id,
    batch_contacts.c.batch_call_id,
    batch_contacts.c.scheduled_at,
    batch_contacts.c.position,
    sqlite_where=batch_contacts.c.status == "scheduled",
    postgresql_where=batch_contacts.c.status == "scheduled",
)
