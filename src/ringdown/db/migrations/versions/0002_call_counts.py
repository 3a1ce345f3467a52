"""Counts of sealed blocks of calls."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; calls that are there already are counted as if they were new."""
    op.create_table(
        "call_counts",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("node", sa.BigInteger(), autoincrement=False, nullable=False, comment="calls.counting.find_node"),
        sa.Column("key", sa.Text(), nullable=False, comment="calls.counting.list_keys"),
        sa.Column("calls", sa.BigInteger(), nullable=False, comment="how many calls of the node's sealed blocks match"),
        sa.PrimaryKeyConstraint("organization_id", "node", "key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "call_seals",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column(
            "sealed_blocks",
            sa.BigInteger(),
            nullable=False,
            comment="blocks 0 to this less one are in call_counts",
        ),
        sa.PrimaryKeyConstraint("organization_id"),
    )
