"""Balances, limits and refunds."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_KINDS = ("grant", "hold", "release", "charge", "refund")


def upgrade() -> None:
    """Make the tables."""
    _change_ledger_entries()
    _create_balances()
    op.create_table(
        "spending",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False, comment="batch or day"),
        sa.Column("key", sa.Text(), nullable=False, comment="the batch's id; 2026-11-22 in the organization's zone"),
        sa.Column("credits", sa.BigInteger(), nullable=False, comment="held and charged, less what was given back"),
        sa.PrimaryKeyConstraint("organization_id", "scope", "key"),
    )
    op.add_column(
        "organization_preferences",
        sa.Column(
            "daily_credit_limit", sa.BigInteger(), nullable=True, comment="credits of one day's calls; null: none"
        ),
    )


def _change_ledger_entries() -> None:
    for column in (
        sa.Column("batch_call_id", sa.Text(), nullable=True),
        sa.Column(
            "part", sa.Integer(), nullable=False, server_default="0", comment="of a kind that a call has several of"
        ),
        sa.Column(
            "day",
            sa.Text(),
            nullable=True,
            comment="that the spending counts on, in the organization's zone: 2026-11-22",
        ),
        sa.Column("reference", sa.Text(), nullable=True, comment="what makes a grant or refund happen once"),
    ):
        op.add_column("ledger_entries", column)
    op.drop_index("ix_ledger_entries_organization_id_kind_amount", "ledger_entries")
    op.drop_index("ux_ledger_entries_organization_id_call_id_kind", "ledger_entries")
    for name, columns in (
        ("ux_ledger_entries_part", ["organization_id", "call_id", "kind", "part"]),
        ("ux_ledger_entries_reference", ["organization_id", "reference"]),
    ):
        op.create_index(name, "ledger_entries", columns, unique=True)
    op.create_index("ix_ledger_entries_kind", "ledger_entries", ["organization_id", "kind", "id"])


def _create_balances() -> None:
    op.create_table(
        "balances",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False, comment="credits, holds taken off"),
        sa.Column("held", sa.BigInteger(), nullable=False),
        *(sa.Column(f"{kind}_entries", sa.BigInteger(), nullable=False) for kind in _KINDS),
        sa.Column(
            "low_told_mark",
            sa.BigInteger(),
            nullable=True,
            comment="the mark that credits.low was told of; null: of none",
        ),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id"),
    )
    counts = ", ".join(f"sum(CASE kind WHEN '{kind}' THEN 1 ELSE 0 END)" for kind in _KINDS)
    columns = ", ".join(f"{kind}_entries" for kind in _KINDS)
    op.execute(
        f"INSERT INTO balances (organization_id, balance, held, {columns}, updated_at)"
        " SELECT organization_id, sum(amount), -sum(CASE WHEN kind IN ('hold', 'release') THEN amount ELSE 0 END),"
        f" {counts}, max(created_at) FROM ledger_entries GROUP BY organization_id"
    )
