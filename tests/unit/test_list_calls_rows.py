"""The rows of the list benchmark are calls as the product stores them."""

import itertools
from collections import defaultdict

import msgspec
import pytest

from benchmarks import list_calls_texts as texts
from benchmarks.list_calls_rows import LIVE, SHARES, CallMaker, Chunk
from ringdown.calls.models import LIVE_STATUSES, Call

_TOTAL = 3_000
_JSON = ("settings", "variables", "metadata", "analysis", "media_quality")


@pytest.fixture(scope="module")
def maker() -> CallMaker:
    return CallMaker(_TOTAL)


@pytest.fixture(scope="module")
def chunk(maker: CallMaker) -> Chunk:
    [made] = maker.make()
    return made


@pytest.fixture(scope="module")
def calls(chunk: Chunk) -> list[Call]:
    names = list(chunk.calls)
    rows = [dict(zip(names, row, strict=True)) for row in chunk.list_rows(names)]
    for row in rows:
        row.update({name: msgspec.json.decode(row[name]) for name in _JSON if row[name] is not None})
    return msgspec.convert(rows, type=list[Call])


def test_seqs_have_no_gaps_and_times_never_fall_within_an_organization(maker: CallMaker, calls: list[Call]) -> None:
    own: defaultdict[str, list[Call]] = defaultdict(list)
    for call in calls:
        own[call.organization_id].append(call)
    assert len(own) == len(SHARES)
    for organization in maker.organizations:
        theirs = own[organization.id]
        assert [call.seq for call in theirs] == list(range(1, organization.call_seq + 1))
        assert all(one.created_at <= other.created_at for one, other in itertools.pairwise(theirs))
        assert theirs[-1].created_at == organization.last_call_at
        assert {call.agent_id for call in theirs} <= set(organization.agent_ids)
    assert len(own[maker.organizations[0].id]) == pytest.approx(0.9 * _TOTAL, rel=0.05)


def test_ids_are_of_the_product_s_form_and_each_is_used_once(calls: list[Call]) -> None:
    assert len({call.id for call in calls}) == _TOTAL
    assert all(len(call.id) == len("call_") + 26 for call in calls)


def test_only_the_newest_calls_have_not_ended(calls: list[Call]) -> None:
    assert all(not call.is_live and call.ended_reason is not None and call.ended_at for call in calls[:-LIVE])
    assert {call.status for call in calls[-LIVE:]} == set(LIVE_STATUSES)
    assert all(call.ended_reason is call.ended_at is call.duration_seconds is None for call in calls[-LIVE:])


def test_what_a_call_has_fits_how_it_ended(calls: list[Call]) -> None:
    for call in calls:
        assert (call.status == "completed") == (call.started_at is not None) == call.has_recording
        assert call.batch_call_id is None or call.direction == "outbound"
        assert (call.contact_id is None) == (call.batch_call_id is None)
        assert call.summary is None or call.status == "completed"
        if call.status == "completed":
            assert call.created_at < call.started_at < call.ended_at  # type: ignore[operator]
            assert call.ended_at - call.started_at == call.duration_seconds * 1000  # type: ignore[operator]
        if call.status == "failed":
            assert call.duration_seconds == call.cost_credits == 0


def test_turns_belong_to_calls_that_talked(chunk: Chunk, calls: list[Call]) -> None:
    talked = {(call.organization_id, call.id) for call in calls if call.summary is not None}
    assert chunk.turns
    assert {(turn[0], turn[1]) for turn in chunk.turns} <= talked


def test_words_are_rare_middling_and_frequent(calls: list[Call]) -> None:
    summaries = [call.summary for call in calls if call.summary is not None]
    rare, middling, frequent = (
        sum(word in summary.split() for summary in summaries) for word in (texts.RARE, texts.MIDDLING, texts.FREQUENT)
    )
    assert 1 <= rare < 20
    assert rare < middling < len(summaries) / 20
    assert frequent > len(summaries) / 3


def test_the_same_rows_are_made_again(chunk: Chunk) -> None:
    [again] = CallMaker(_TOTAL).make()
    assert again == chunk
