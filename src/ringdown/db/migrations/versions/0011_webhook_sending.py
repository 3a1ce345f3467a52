"""Sending webhooks: who has a delivery, what fails since when, and what is due at an endpoint."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_ITS_ENDPOINT = ("organization_id", "endpoint_id")


def upgrade() -> None:
    """Add the columns, and find what is due by its endpoint."""
    of_endpoints: tuple[sa.Column[Any], ...] = (
        sa.Column(
            "failing_since", sa.BigInteger(), nullable=True, comment="nothing was accepted since; null: it accepts"
        ),
        sa.Column("failure_count", sa.Integer(), nullable=False, server_default="0", comment="one after the other"),
        sa.Column("probe_at", sa.BigInteger(), nullable=True, comment="while it fails altogether: not tried before"),
    )
    for column in of_endpoints:
        op.add_column("webhook_endpoints", column)
    since = "its first failure, or that of an earlier one of its subject"
    of_deliveries: tuple[sa.Column[Any], ...] = (
        sa.Column("lease_id", sa.Text(), nullable=True, comment="the sender that has it"),
        sa.Column("failing_since", sa.BigInteger(), nullable=True, comment=since),
    )
    for column in of_deliveries:
        op.add_column("webhook_deliveries", column)
    op.drop_index("ix_webhook_deliveries_due", "webhook_deliveries")
    for name, columns, status in (
        ("ix_webhook_deliveries_due", [*_ITS_ENDPOINT, "due_at"], "pending"),
        ("ix_webhook_deliveries_parked", [*_ITS_ENDPOINT], "parked"),
    ):
        condition = sa.text(f"status = '{status}'")
        op.create_index(name, "webhook_deliveries", columns, sqlite_where=condition, postgresql_where=condition)
