"""Bitmaps of frequent words, by which PostgreSQL counts the hits of a search."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; the worker fills them."""
    op.create_table(
        "call_text_ranges",
        sa.Column("range_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False, comment="no text of it has changed since then, ms"),
        sa.Column("has_bitmaps", sa.Boolean(), nullable=False, comment="whether its frequent words have theirs"),
        sa.PrimaryKeyConstraint("range_number"),
    )
    op.create_table(
        "call_word_bitmaps",
        sa.Column("word", sa.Text(), nullable=False, comment="a word or a fact of call_texts"),
        sa.Column("range_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False, comment="how many of them hold it"),
        sa.Column(
            "bits",
            postgresql.BIT(1 << 15).with_variant(sa.LargeBinary(), "sqlite"),
            nullable=False,
            comment="a bit for each number of the range, the lowest first",
        ),
        sa.PrimaryKeyConstraint("word", "range_number"),
    )
    op.create_index("ix_call_word_bitmaps_range", "call_word_bitmaps", ["range_number"])
