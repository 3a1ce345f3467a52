"""How long recordings and transcripts are kept; how a number came onto the do-not-call list."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.add_column("calls", sa.Column("forgotten_at", sa.BigInteger, comment="its words were deleted; none follow"))
    op.create_table(
        "call_retention",
        sa.Column("organization_id", sa.Text, primary_key=True),
        sa.Column("recordings_seq", sa.BigInteger, nullable=False, comment="no call up to this one has a recording"),
        sa.Column("transcripts_seq", sa.BigInteger, nullable=False, comment="no call up to this one has words"),
    )
    op.create_table(
        "erasures",
        sa.Column("organization_id", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True, comment="grows with time"),
        sa.Column("phone_number", sa.Text, comment="E.164; null once it is done: it is personal, too"),
        sa.Column("contacts", sa.Integer, nullable=False),
        sa.Column("batch_contacts", sa.Integer, nullable=False),
        sa.Column("calls", sa.Integer, nullable=False),
        sa.Column("recordings", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("completed_at", sa.BigInteger),
    )
    for name in ("recording_retention_days", "transcript_retention_days"):
        op.add_column("organization_preferences", sa.Column(name, sa.Integer, comment="null: for ever"))
    op.add_column("dnc_entries", sa.Column("source", sa.Text, nullable=False, server_default="api"))
    op.add_column("dnc_entries", sa.Column("call_id", sa.Text, comment="in which its owner asked for it"))
