"""The tables of calls: the call, its turns, its attempt, commands to it; counts of calls; and the link secrets."""

import sqlalchemy as sa

from ringdown.db import engine

# Stored as text on both databases: keys keep the order in which a client sent them.
JSON = sa.JSON(none_as_null=True)

calls = sa.Table(
    "calls",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("direction", sa.Text, nullable=False),
    sa.Column("agent_id", sa.Text, nullable=False),
    sa.Column("to_number", sa.Text),
    sa.Column("from_number", sa.Text),
    sa.Column("settings", JSON, nullable=False),
    sa.Column("variables", JSON, nullable=False),
    sa.Column("metadata", JSON, nullable=False),
    sa.Column("batch_call_id", sa.Text),
    sa.Column("contact_id", sa.Text),
    sa.Column("duration_seconds", sa.Integer),
    sa.Column("has_recording", sa.Boolean, nullable=False, default=False),
    sa.Column("summary", sa.Text),
    sa.Column("cost_credits", sa.Integer, nullable=False, default=0),
    sa.Column("started_at", sa.BigInteger),
    sa.Column("ended_at", sa.BigInteger),
    sa.Column("ended_reason", sa.Text),
    sa.Column("outcome", sa.Text),
    sa.Column("sentiment", sa.Text),
    sa.Column("latency_p50_ms", sa.Integer),
    sa.Column("latency_p95_ms", sa.Integer),
    sa.Column("analysis", JSON),
    sa.Column("trunk_id", sa.Text, comment="carries the call; null for phones on this machine"),
    sa.Column("media_quality", JSON),
    sa.Column("transfer", JSON),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Column("forgotten_at", sa.BigInteger, comment="its words were deleted; none is written any more"),
    sa.UniqueConstraint("organization_id", "seq", name="ux_calls_organization_id_seq"),
    # The counters of a batch's calls do not tell directions apart.
    sa.CheckConstraint("batch_call_id IS NULL OR direction = 'outbound'", name="ck_calls_batch_direction"),
    # Counts and pages read one of these indexes alone, by what is asked for: a batch, an agent, or neither.
    sa.Index("ix_calls_listing", "organization_id", "seq", "agent_id", "status", "direction", "ended_reason"),
    sa.Index("ix_calls_agent", "organization_id", "agent_id", "seq", "status", "direction", "ended_reason"),
    sa.Index("ix_calls_batch", "organization_id", "batch_call_id", "seq", "agent_id", "status", "ended_reason"),
    # `created_at` never falls as `seq` grows, so that a range of times is a range of `seq`.
    sa.Index("ix_calls_created", "organization_id", "created_at", "seq"),
)

counts = sa.Table(
    "call_counts",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("node", sa.BigInteger, primary_key=True, autoincrement=False, comment="calls.counting.find_node"),
    sa.Column("key", sa.Text, primary_key=True, comment="calls.counting.list_keys"),
    sa.Column("calls", sa.BigInteger, nullable=False, comment="how many calls of the node's sealed blocks match"),
    # In it the counters of neighbouring nodes lie side by side.
    sa.Index("ix_call_counts_key", "organization_id", "key", "node", "calls"),
    sqlite_with_rowid=False,
)

seals = sa.Table(
    "call_seals",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("sealed_blocks", sa.BigInteger, nullable=False, comment="blocks 0 to this less one are in call_counts"),
)

retention = sa.Table(
    "call_retention",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("recordings_seq", sa.BigInteger, nullable=False, comment="no call up to this one has a recording"),
    sa.Column("transcripts_seq", sa.BigInteger, nullable=False, comment="no call up to this one has words"),
)

# What gateways look for all the time stays small whatever the number of calls. Not led by the organization: a
# gateway serves all of them, oldest call first.
sa.Index(
    "ix_calls_queued",
    calls.c.created_at,
    sqlite_where=calls.c.status == "queued",
    postgresql_where=calls.c.status == "queued",
)
sa.Index(
    "ix_calls_live_of_agent",
    calls.c.organization_id,
    calls.c.agent_id,
    sqlite_where=calls.c.ended_at.is_(None),
    postgresql_where=calls.c.ended_at.is_(None),
)

# Lines that a trunk has in use, counted in the transaction that takes another one.
sa.Index(
    "ix_calls_live_of_trunk",
    calls.c.organization_id,
    calls.c.trunk_id,
    sqlite_where=calls.c.ended_at.is_(None),
    postgresql_where=calls.c.ended_at.is_(None),
)

# Calls of a batch call that wait, ring or talk, for its concurrency.
_IS_LIVE_OF_BATCH = calls.c.ended_at.is_(None) & calls.c.batch_call_id.is_not(None)
sa.Index(
    "ix_calls_live_of_batch",
    calls.c.organization_id,
    calls.c.batch_call_id,
    calls.c.status,
    sqlite_where=_IS_LIVE_OF_BATCH,
    postgresql_where=_IS_LIVE_OF_BATCH,
)

# Filters that have no counters; the rest of what is often asked with them stands in the index, too.
sa.Index(
    "ix_calls_contact",
    calls.c.organization_id,
    calls.c.contact_id,
    calls.c.seq,
    sqlite_where=calls.c.contact_id.is_not(None),
    postgresql_where=calls.c.contact_id.is_not(None),
)
for _name, _column in (
    ("ix_calls_from", calls.c.from_number),
    ("ix_calls_to", calls.c.to_number),
    ("ix_calls_outcome", calls.c.outcome),
):
    sa.Index(_name, calls.c.organization_id, _column, calls.c.seq, calls.c.agent_id, calls.c.status, calls.c.direction)

# Orders other than by time, for each status: calls that were not answered lie together at the low end. A value that
# is not known is -1.
for _name, _expression in (
    ("ix_calls_by_duration", "coalesce(duration_seconds, -1)"),
    ("ix_calls_by_cost", "coalesce(cost_credits, -1)"),
    ("ix_calls_by_latency", "coalesce(latency_p50_ms, -1)"),
):
    sa.Index(
        _name,
        calls.c.organization_id,
        calls.c.status,
        sa.text(_expression),
        calls.c.seq,
        calls.c.agent_id,
        calls.c.direction,
    )

turns = sa.Table(
    "turns",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("call_id", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("speaker", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("start_ms", sa.Integer, nullable=False),
    sa.Column("end_ms", sa.Integer, nullable=False),
    sa.Column("interrupted", sa.Boolean, nullable=False),
    sa.Column("latency", JSON),
)

events = sa.Table(
    "call_events",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("call_id", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("at_ms", sa.Integer, nullable=False),
    sa.Column("details", JSON, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)

attempts = sa.Table(
    "attempts",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("call_id", sa.Text, nullable=False),
    sa.Column("gateway_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("number", sa.Text),
    sa.Column("contact_id", sa.Text),
    sa.Column("batch_call_id", sa.Text),
    sa.Column("dialog_state", JSON),
    sa.Column("media_ms", sa.BigInteger, nullable=False),
    sa.Column("lease_renewed_at", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    # One dial per call, for ever: a second claim of the same call cannot be stored.
    sa.UniqueConstraint("organization_id", "call_id", name="ux_attempts_organization_id_call_id"),
)

sa.Index(
    "ix_attempts_live",
    attempts.c.gateway_id,
    sqlite_where=attempts.c.state != "ended",
    postgresql_where=attempts.c.state != "ended",
)

# When a person was dialled last, by whatever batch call.
sa.Index(
    "ix_attempts_number",
    attempts.c.organization_id,
    attempts.c.number,
    attempts.c.created_at,
    sqlite_where=attempts.c.batch_call_id.is_not(None),
    postgresql_where=attempts.c.batch_call_id.is_not(None),
)

commands = sa.Table(
    "call_commands",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("call_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("arguments", JSON, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Index("ix_call_commands_call", "organization_id", "call_id"),
)

secrets = sa.Table(
    "secrets",
    engine.metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("secret", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)
