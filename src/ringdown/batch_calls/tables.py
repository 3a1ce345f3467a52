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
    sa.Column("number_uses", JSON, nullable=False, server_default="{}", comment="rotation"),
    sa.Column("retry_rules", JSON, nullable=False, server_default="{}", comment="by ended_reason"),
    sa.Column("max_credits", sa.BigInteger, comment="the budget"),
    sa.Column("max_failure_rate", sa.Float, nullable=False, server_default="0.5"),
    sa.Column("min_answer_rate", sa.Float),
    sa.Column("recent_endings", sa.Text, nullable=False, server_default="", comment="batch_calls.breaker"),
    sa.Column("dialled_calls", sa.Integer, nullable=False, server_default="0", comment="that have ended"),
    sa.Column("answered_calls", sa.Integer, nullable=False, server_default="0"),
    sa.Index("ix_batch_calls_status", "organization_id", "status", "id"),
    sa.Index("ix_batch_calls_agent", "organization_id", "agent_id"),
)

# The dialler looks for them several times a second, whatever the number of batch calls.
sa.Index(
    "ix_batch_calls_active",
    batch_calls.c.organization_id,
    batch_calls.c.id,
    sqlite_where=batch_calls.c.status == "active",
    postgresql_where=batch_calls.c.status == "active",
)

# Apart from the batch call, whose row is locked by whoever queues or follows up: all gateways wait for this one.
batch_paces = sa.Table(
    "batch_paces",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("batch_call_id", sa.Text, primary_key=True),
    sa.Column("keeper", sa.Text, nullable=False, comment="the process whose calls leave until kept_until"),
    sa.Column("kept_until", sa.BigInteger, nullable=False),
    sa.Column("not_before", sa.BigInteger, nullable=False, comment="it rests until then"),
    sa.Column("day", sa.Text, nullable=False, comment="ISO date in the batch call's time zone"),
    sa.Column("dials", sa.Integer, nullable=False, comment="on that day"),
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
    sa.Column("earlier_attempts", sa.Integer, nullable=False, server_default="0", comment="before the last retry"),
    sa.Column("retry_at", sa.BigInteger, comment="its retry does not come before"),
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

# Who is being called, by call: few, however many contacts there are.
sa.Index(
    "ix_batch_contacts_calling",
    batch_contacts.c.organization_id,
    batch_contacts.c.call_id,
    sqlite_where=batch_contacts.c.status == "calling",
    postgresql_where=batch_contacts.c.status == "calling",
)

# Who is to be called once more.
_IS_RETRY = (batch_contacts.c.status == "scheduled") & (batch_contacts.c.attempts > 0)
sa.Index(
    "ix_batch_contacts_retry",
    batch_contacts.c.organization_id,
    batch_contacts.c.batch_call_id,
    batch_contacts.c.status,  # these two, so that they are counted in the index alone
    batch_contacts.c.attempts,
    sqlite_where=_IS_RETRY,
    postgresql_where=_IS_RETRY,
)
