"""Webhook endpoints of one agent, and which agent's call an event is about."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; the events until now are about the agents of their calls, as far as those are there."""
    op.add_column("webhook_endpoints", sa.Column("agent_id", sa.Text(), nullable=True, comment="null: of all agents"))
    op.add_column(
        "webhook_endpoints",
        sa.Column(
            "is_crm",
            sa.Boolean(),
            nullable=False,
            server_default=sa.false(),
            comment="the one that the agent's crm_webhook_url keeps",
        ),
    )
    op.add_column("events", sa.Column("agent_id", sa.Text(), nullable=True, comment="of the call it is about"))
    its_call = "calls.organization_id = events.organization_id AND calls.id = events.subject_id"
    op.execute(
        f"UPDATE events SET agent_id = (SELECT calls.agent_id FROM calls WHERE {its_call}) WHERE event LIKE 'call.%'"
    )
