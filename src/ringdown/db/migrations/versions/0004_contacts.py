"""Contacts, folders and the do-not-call list."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _create_contact_folders()
    _create_contacts()
    _create_dnc_entries()


def _create_contact_folders() -> None:
    op.create_table(
        "contact_folders",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("is_default", sa.Boolean(), nullable=False, comment="where contacts go that name no folder"),
        sa.Column("contact_count", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_index(
        "ux_contact_folders_default",
        "contact_folders",
        ["organization_id"],
        unique=True,
        sqlite_where=sa.text("is_default"),
        postgresql_where=sa.text("is_default"),
    )


def _create_contacts() -> None:
    op.create_table(
        "contacts",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False, comment="grows with time: the order of every list"),
        sa.Column("folder_id", sa.Text(), nullable=False),
        sa.Column("phone_number", sa.Text(), nullable=False, comment="E.164"),
        sa.Column("first_name", sa.Text(), nullable=True),
        sa.Column("last_name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("company_name", sa.Text(), nullable=True),
        sa.Column("industry", sa.Text(), nullable=True),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("pin_code", sa.Text(), nullable=True),
        sa.Column("keywords", sa.Text(), nullable=True),
        sa.Column("custom_fields", sa.JSON(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=True, comment="IANA"),
        sa.Column("last_call_outcome", sa.Text(), nullable=True),
        sa.Column("call_count", sa.Integer(), nullable=False),
        sa.Column("last_called_at", sa.BigInteger(), nullable=True),
        sa.Column("search_text", sa.Text(), nullable=False, comment="name, number and e-mail, case folded"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_index(
        "ux_contacts_folder_number", "contacts", ["organization_id", "folder_id", "phone_number"], unique=True
    )
    op.create_index(
        "ix_contacts_folder", "contacts", ["organization_id", "folder_id", "id", "last_call_outcome"], unique=False
    )
    op.create_index(
        "ix_contacts_outcome",
        "contacts",
        ["organization_id", "last_call_outcome", "id"],
        unique=False,
        sqlite_where=sa.text("last_call_outcome IS NOT NULL"),
        postgresql_where=sa.text("last_call_outcome IS NOT NULL"),
    )


def _create_dnc_entries() -> None:
    op.create_table(
        "dnc_entries",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("phone_number", sa.Text(), nullable=False, comment="E.164"),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "phone_number"),
    )
    op.create_index(
        "ix_dnc_entries_listing", "dnc_entries", ["organization_id", "created_at", "phone_number"], unique=False
    )
