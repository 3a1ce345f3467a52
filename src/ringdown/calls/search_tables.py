"""The tables that find calls by words and by metadata, beside the calls; they hold nothing that is not there, too."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from ringdown.db import engine

#: A row of the index stands for `owner << SEQ_BITS | seq`, so that the calls of an organization lie in a row there.
SEQ_BITS = 40
#: SQLite's index has its rows numbered by these bits more, `kind`: it would read every call of a common fact.
KIND_BITS = 5
#: PostgreSQL's index has other words for every 2 ** 15 calls: a search reads as many of these ranges as it needs.
RANGE_BITS = 15

# Hexadecimal, as it is quick to make in SQL.
_PREFIX = f"to_hex(number >> {RANGE_BITS}) || '.'"
LEXEMES = f"array_to_tsvector(string_to_array({_PREFIX} || replace(facts || ' ' || words, ' ', ' ' || {_PREFIX}), ' '))"
# Without a list of pending entries, which every search would read.
_GIN = {"fastupdate": "off"}

owners = sa.Table(
    "call_text_owners",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, sa.Identity(), nullable=False, comment="what the index calls it"),
)

texts = sa.Table(
    "call_texts",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger, nullable=False, comment="of owner and seq: the row of the full-text index"),
    sa.Column("kind", sa.SmallInteger, nullable=False, comment="status and direction: the end of SQLite's row number"),
    sa.Column("facts", sa.Text, nullable=False, comment="words for agent, status, direction and batch"),
    sa.Column("words", sa.Text, nullable=False, comment="of transcript and summary in order, with single spaces"),
    sa.Index("ix_call_texts_words", sa.text(LEXEMES), postgresql_using="gin", postgresql_with=_GIN).ddl_if(
        dialect="postgresql"
    ),
    # PostgreSQL keeps the words apart: a search that needs only the index visits narrow rows.
    postgresql_with={"toast_tuple_target": 160},
)

#: Of PostgreSQL alone, as `bitmaps`: what is known of the texts from the number `range_number << RANGE_BITS` on.
ranges = sa.Table(
    "call_text_ranges",
    engine.metadata,
    sa.Column("range_number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("since", sa.BigInteger, nullable=False, comment="no text of it has changed since then, ms"),
    sa.Column("has_bitmaps", sa.Boolean, nullable=False, comment="whether its frequent words have theirs"),
)

#: Which calls of a range hold a word that is frequent there; they count only while their range has bitmaps.
bitmaps = sa.Table(
    "call_word_bitmaps",
    engine.metadata,
    sa.Column("word", sa.Text, primary_key=True, comment="a word or a fact of call_texts"),
    sa.Column("range_number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("calls", sa.Integer, nullable=False, comment="how many of them hold it"),
    sa.Column(
        "bits",
        postgresql.BIT(1 << RANGE_BITS).with_variant(sa.LargeBinary(), "sqlite"),
        nullable=False,
        comment="a bit for each number of the range, the lowest first",
    ),
    sa.Index("ix_call_word_bitmaps_range", "range_number"),
)

#: SQLite's index, which triggers keep in step. The words are split here: `ascii` leaves everything else alone.
FULL_TEXT = (
    "CREATE VIRTUAL TABLE call_words USING fts5(facts, words, content='', columnsize=0, tokenize='ascii')",
    "CREATE TRIGGER call_words_insert AFTER INSERT ON call_texts BEGIN"
    " INSERT INTO call_words(rowid, facts, words)"
    f" VALUES (new.number << {KIND_BITS} | new.kind, new.facts, new.words); END",
    "CREATE TRIGGER call_words_delete AFTER DELETE ON call_texts BEGIN"
    " INSERT INTO call_words(call_words, rowid, facts, words)"
    f" VALUES ('delete', old.number << {KIND_BITS} | old.kind, old.facts, old.words); END",
)
for _statement in FULL_TEXT:
    sa.event.listen(
        texts,
        "after_create",
        sa.DDL(_statement).execute_if(dialect="sqlite"),  # type: ignore[no-untyped-call]
    )

pairs = sa.Table(
    "call_metadata",
    engine.metadata,
    sa.Column("organization_id", sa.Text, primary_key=True),
    sa.Column("pair", sa.LargeBinary, primary_key=True, comment="digest of a name and a value"),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
