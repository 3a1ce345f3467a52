"""Whole lists of calls as files: read in pages that follow each other, written as CSV (RFC 4180) or as JSON lines."""

import csv
import io
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Literal

import msgspec

from ringdown import values
from ringdown.calls.models import Call, TranscriptTurn
from ringdown.calls.rendering import CallLinks, render_call, render_with_transcript
from ringdown.calls.schemas import CallObject
from ringdown.calls.store import listing, turns
from ringdown.calls.store.asked import CallQuery
from ringdown.db.engine import Database

Format = Literal["csv", "ndjson"]
#: A call with what was said in it; None when that was not asked for.
Told = tuple[Call, Sequence[TranscriptTurn] | None]

# Read in one short transaction and held in memory.
_PAGE = 500
# With these a spreadsheet takes a cell for a formula (OWASP, "CSV Injection"), the wide ones of East Asia included.
_FORMULA_BEGINNINGS = tuple("=+-@\t\r\n＝＋－＠")

_NAMES = [field.alias or name for name, field in CallObject.model_fields.items()]
_encoder = msgspec.json.Encoder()


async def read_pages(
    database: Database, query: CallQuery, *, has_transcripts: bool = False
) -> AsyncGenerator[Sequence[Told]]:
    """All calls of a list in its order, some at a time; each page is a snapshot of its own.

    No transaction is open between pages. A call that is deleted meanwhile may be missing, and in an order other than
    by time one whose value changes may move; no other call is missing or comes twice.
    """
    after = None
    while True:
        async with database.read() as connection:
            seqs = await listing.find_next(connection, query, limit=_PAGE, after=after)
            calls = await listing.read_calls(connection, query.organization_id, seqs)
            spoken: Mapping[str, Sequence[TranscriptTurn]] = {}
            if has_transcripts:
                spoken = await turns.list_turns(connection, query.organization_id, [call.id for call in calls])
        if calls:
            yield [(call, spoken.get(call.id)) for call in calls]
        if len(seqs) < _PAGE:
            return
        after = listing.find_place(calls[-1], query.sort)


def write_head(kind: Format, *, has_transcripts: bool = False) -> bytes:
    """What stands before the first call."""
    return _write_lines([_list_names(has_transcripts)]) if kind == "csv" else b""


def write_page(kind: Format, page: Sequence[Told], links: CallLinks) -> bytes:
    """A line for each call: its fields in CSV, where objects and lists are JSON, or one JSON object."""
    rendered = [_render(told, links) for told in page]
    if kind == "ndjson":
        return _encoder.encode_lines(rendered)
    names = _list_names(any(spoken is not None for _, spoken in page))
    return _write_lines([[write_cell(call[name]) for name in names] for call in rendered])


def write_cell(value: object) -> object:
    """A value as a spreadsheet may read it: what would begin a formula there gets an apostrophe before it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else _encoder.encode(value).decode()
    # A phone number calls no function.
    return f"'{text}" if text.startswith(_FORMULA_BEGINNINGS) and not values.is_e164(text) else text


def _list_names(has_transcripts: bool) -> Sequence[str]:
    return _NAMES if has_transcripts else [name for name in _NAMES if name != "transcript"]


def _write_lines(lines: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(lines)
    return text.getvalue().encode()


def _render(told: Told, links: CallLinks) -> dict[str, object]:
    call, spoken = told
    return render_call(call, links) if spoken is None else render_with_transcript(call, spoken, links)
