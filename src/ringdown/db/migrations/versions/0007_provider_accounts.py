"""Credentials of carriers, numbers bought through them, and voices that were imported or cloned."""

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
