"""When the retry of a contact is due by itself, wherever the schedule puts it."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of those who wait already, their place is all that is known."""
    comment = "its retry does not come before"
    op.add_column("batch_contacts", sa.Column("retry_at", sa.BigInteger(), nullable=True, comment=comment))
    is_retry = "status = 'scheduled' AND attempts > 0 AND attempts > earlier_attempts"
    op.execute(f"UPDATE batch_contacts SET retry_at = scheduled_at WHERE {is_retry}")
