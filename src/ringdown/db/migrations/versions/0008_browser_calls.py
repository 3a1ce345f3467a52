"""Calls from browsers."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "call_joins",
        sa.Column("organization_id", sa.Text, primary_key=True),
        sa.Column("call_id", sa.Text, primary_key=True),
        sa.Column("token_hash", sa.Text, nullable=False, comment="SHA-256 of the token, in hexadecimal"),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ux_call_joins_token_hash", "call_joins", ["token_hash"], unique=True)
