"""An index in which the counters of neighbouring nodes lie side by side."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.create_index("ix_call_counts_key", "call_counts", ["organization_id", "key", "node", "calls"])
