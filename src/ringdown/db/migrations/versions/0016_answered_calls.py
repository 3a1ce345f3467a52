"""Of each call that is not folded into the sums of usage yet, whether it was answered."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; until now a call of no whole second counted as one that was not answered."""
    op.add_column("usage_entries", sa.Column("is_answered", sa.Boolean, nullable=False, server_default=sa.false()))
    entries = sa.table("usage_entries", sa.column("is_answered", sa.Boolean), sa.column("duration_seconds"))
    op.execute(entries.update().where(entries.c.duration_seconds > 0).values(is_answered=sa.true()))
