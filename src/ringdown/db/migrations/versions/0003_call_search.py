"""Full-text search over transcripts and summaries of calls; indexes of their other filters and orders."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_PREFIX = "to_hex(number >> 15) || '.'"
_LEXEMES = (
    f"array_to_tsvector(string_to_array({_PREFIX} || replace(facts || ' ' || words, ' ', ' ' || {_PREFIX}), ' '))"
)


def upgrade() -> None:
    """Make the tables and the indexes."""
    _create_filter_indexes()
    _create_order_indexes()
    op.create_table(
        "call_text_owners",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(), nullable=False, comment="what the index calls it"),
        sa.PrimaryKeyConstraint("organization_id"),
    )
    op.create_table(
        "call_texts",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "number", sa.BigInteger(), nullable=False, comment="of owner and seq: the row of the full-text index"
        ),
        sa.Column(
            "kind", sa.SmallInteger(), nullable=False, comment="status and direction: the end of SQLite's row number"
        ),
        sa.Column("facts", sa.Text(), nullable=False, comment="words for agent, status, direction and batch"),
        sa.Column("words", sa.Text(), nullable=False, comment="of transcript and summary in order, with single spaces"),
        sa.PrimaryKeyConstraint("organization_id", "seq"),
        postgresql_with={"toast_tuple_target": 160},
    )
    op.create_table(
        "call_metadata",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("pair", sa.LargeBinary(), nullable=False, comment="digest of a name and a value"),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "pair", "seq"),
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "postgresql":
        op.create_index(
            "ix_call_texts_words", "call_texts", [sa.text(_LEXEMES)],
            postgresql_using="gin", postgresql_with={"fastupdate": "off"},
        )  # fmt: skip
    else:
        _create_full_text()


def _create_filter_indexes() -> None:
    op.create_index(
        "ix_calls_contact",
        "calls",
        ["organization_id", "contact_id", "seq"],
        unique=False,
        sqlite_where=sa.text("contact_id IS NOT NULL"),
        postgresql_where=sa.text("contact_id IS NOT NULL"),
    )
    for name, column in (
        ("ix_calls_from", "from_number"),
        ("ix_calls_to", "to_number"),
        ("ix_calls_outcome", "outcome"),
    ):
        op.create_index(name, "calls", ["organization_id", column, "seq", "agent_id", "status", "direction"])


def _create_order_indexes() -> None:
    for name, column in (
        ("ix_calls_by_duration", "duration_seconds"),
        ("ix_calls_by_cost", "cost_credits"),
        ("ix_calls_by_latency", "latency_p50_ms"),
    ):
        expression = sa.text(f"coalesce({column}, -1)")
        op.create_index(name, "calls", ["organization_id", "status", expression, "seq", "agent_id", "direction"])


def _create_full_text() -> None:
    op.execute("CREATE VIRTUAL TABLE call_words USING fts5(facts, words, content='', columnsize=0, tokenize='ascii')")
    op.execute(
        "CREATE TRIGGER call_words_insert AFTER INSERT ON call_texts BEGIN"
        " INSERT INTO call_words(rowid, facts, words) VALUES (new.number << 5 | new.kind, new.facts, new.words); END"
    )
    op.execute(
        "CREATE TRIGGER call_words_delete AFTER DELETE ON call_texts BEGIN"
        " INSERT INTO call_words(call_words, rowid, facts, words)"
        " VALUES ('delete', old.number << 5 | old.kind, old.facts, old.words); END"
    )
