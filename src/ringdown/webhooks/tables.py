"""The tables of webhooks: endpoints, events, what is owed to whom, and every attempt to deliver it."""

import sqlalchemy as sa

from ringdown.db import engine

endpoints = sa.Table(
    "webhook_endpoints",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("event_types", sa.JSON, nullable=False, comment="a list; * is all"),
    sa.Column("is_enabled", sa.Boolean, nullable=False),
    sa.Column("secret", sa.Text, nullable=False, comment="ciphertext"),
    sa.Column("old_secret", sa.Text, comment="ciphertext"),
    sa.Column("old_secret_expires_at", sa.BigInteger),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Column("failing_since", sa.BigInteger, comment="nothing was accepted since; null: it accepts"),
    sa.Column("failure_count", sa.Integer, nullable=False, server_default="0", comment="one after the other"),
    sa.Column("probe_at", sa.BigInteger, comment="while it fails altogether: not tried before"),
    sa.Column("agent_id", sa.Text, comment="null: of all agents"),
    sa.Column(
        "is_crm",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="the one that the agent's crm_webhook_url keeps",
    ),
)

events = sa.Table(
    "events",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("subject_id", sa.Text, nullable=False, comment="the call, batch or voice it is about"),
    sa.Column("endpoint_id", sa.Text, comment="of a test: nobody else is told"),
    sa.Column("data", sa.Text, nullable=False, comment="JSON as it is sent"),
    sa.Column("seq", sa.BigInteger, comment="given after the commit; null until then"),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("agent_id", sa.Text, comment="of the call it is about"),
    sa.Index("ix_events_listing", "organization_id", "created_at", "id"),
    sa.Index("ix_events_seq", "organization_id", "seq"),
    sa.Index("ix_events_subject", "organization_id", "subject_id"),
)
_is_unnumbered = events.c.seq.is_(None) & events.c.endpoint_id.is_(None)
sa.Index("ix_events_unnumbered", events.c.organization_id, sqlite_where=_is_unnumbered, postgresql_where=_is_unnumbered)

deliveries = sa.Table(
    "webhook_deliveries",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("endpoint_id", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("subject_id", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("attempt_count", sa.Integer, nullable=False),
    sa.Column("due_at", sa.BigInteger, nullable=False, comment="while it is sent: the end of the lease"),
    sa.Column("delivered_at", sa.BigInteger),
    sa.Column("response_status", sa.Integer, comment="of the last attempt"),
    sa.Column("error", sa.Text, comment="of the last attempt"),
    sa.Column("created_at", sa.BigInteger, nullable=False, comment="of the event: orders the deliveries of a subject"),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Column("lease_id", sa.Text, comment="the sender that has it"),
    sa.Column("failing_since", sa.BigInteger, comment="its first failure, or that of an earlier one of its subject"),
    # An event is owed to an endpoint once; replaying it makes that one due again.
    sa.UniqueConstraint("organization_id", "endpoint_id", "event_id", name="ux_webhook_deliveries_event"),
    sa.Index("ix_webhook_deliveries_listing", "organization_id", "created_at", "id"),
    sa.Index("ix_webhook_deliveries_subject", "organization_id", "subject_id", "created_at", "id"),
)
_its_endpoint = (deliveries.c.organization_id, deliveries.c.endpoint_id)
#: Written out, because a kept statement with a parameter in this place would not use the indexes below.
is_pending = deliveries.c.status == sa.literal_column("'pending'")
is_parked = deliveries.c.status == sa.literal_column("'parked'")
sa.Index(
    "ix_webhook_deliveries_due",
    *_its_endpoint,
    deliveries.c.due_at,
    sqlite_where=is_pending,
    postgresql_where=is_pending,
)
sa.Index("ix_webhook_deliveries_parked", *_its_endpoint, sqlite_where=is_parked, postgresql_where=is_parked)

attempts = sa.Table(
    "webhook_attempts",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("delivery_id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("started_at", sa.BigInteger, nullable=False),
    sa.Column("duration_ms", sa.Integer, nullable=False),
    sa.Column("response_status", sa.Integer),
    sa.Column("response_body", sa.Text),
    sa.Column("error", sa.Text),
)
