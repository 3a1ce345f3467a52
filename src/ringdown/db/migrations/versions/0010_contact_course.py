"""What a batch call's contacts come to: retries, circuit breakers and counts."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    """Add the columns and what finds contacts by their state."""
    for column in (
        sa.Column("retry_rules", _JSON, nullable=False, server_default="{}", comment="by ended_reason"),
        sa.Column("max_credits", sa.BigInteger(), nullable=True, comment="the budget"),
        sa.Column("max_failure_rate", sa.Float(), nullable=False, server_default="0.5"),
        sa.Column("min_answer_rate", sa.Float(), nullable=True),
        sa.Column("recent_endings", sa.Text(), nullable=False, server_default="", comment="batch_calls.breaker"),
        sa.Column("dialled_calls", sa.Integer(), nullable=False, server_default="0", comment="that have ended"),
        sa.Column("answered_calls", sa.Integer(), nullable=False, server_default="0"),
    ):
        op.add_column("batch_calls", column)
    comment = "before the last retry"
    op.add_column(
        "batch_contacts",
        sa.Column("earlier_attempts", sa.Integer(), nullable=False, server_default="0", comment=comment),
    )
    is_calling, is_retry = sa.text("status = 'calling'"), sa.text("status = 'scheduled' AND attempts > 0")
    op.create_index(
        "ix_batch_contacts_calling",
        "batch_contacts",
        ["organization_id", "call_id"],
        sqlite_where=is_calling,
        postgresql_where=is_calling,
    )
    op.create_index(
        "ix_batch_contacts_retry",
        "batch_contacts",
        ["organization_id", "batch_call_id", "status", "attempts"],
        sqlite_where=is_retry,
        postgresql_where=is_retry,
    )
