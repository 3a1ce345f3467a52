"""Dialling the contacts of batch calls: who dials, from which numbers, and who was dialled last."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the paces, what numbers were used, and what finds active batch calls, live calls and last dials."""
    keeper = "the process whose calls leave until kept_until"
    op.create_table(
        "batch_paces",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("batch_call_id", sa.Text(), nullable=False),
        sa.Column("keeper", sa.Text(), nullable=False, comment=keeper),
        sa.Column("kept_until", sa.BigInteger(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False, comment="it rests until then"),
        sa.Column("day", sa.Text(), nullable=False, comment="ISO date in the batch call's time zone"),
        sa.Column("dials", sa.Integer(), nullable=False, comment="on that day"),
        sa.PrimaryKeyConstraint("organization_id", "batch_call_id"),
    )
    # What it holds is of no use after a second.
    op.drop_table("trunk_paces")
    op.create_table(
        "trunk_paces",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("trunk_id", sa.Text(), nullable=False),
        sa.Column("keeper", sa.Text(), nullable=False, comment=keeper),
        sa.Column("kept_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "trunk_id"),
    )
    op.add_column(
        "batch_calls",
        sa.Column("number_uses", sa.JSON(none_as_null=True), nullable=False, server_default="{}", comment="rotation"),
    )
    op.create_index(
        "ix_batch_calls_active",
        "batch_calls",
        ["organization_id", "id"],
        sqlite_where=sa.text("status = 'active'"),
        postgresql_where=sa.text("status = 'active'"),
    )
    op.create_index(
        "ix_calls_live_of_batch",
        "calls",
        ["organization_id", "batch_call_id", "status"],
        sqlite_where=sa.text("ended_at IS NULL AND batch_call_id IS NOT NULL"),
        postgresql_where=sa.text("ended_at IS NULL AND batch_call_id IS NOT NULL"),
    )
    op.create_index(
        "ix_attempts_number",
        "attempts",
        ["organization_id", "number", "created_at"],
        sqlite_where=sa.text("batch_call_id IS NOT NULL"),
        postgresql_where=sa.text("batch_call_id IS NOT NULL"),
    )
