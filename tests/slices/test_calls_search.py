"""The filters of the list of calls that have no counters, in every order, against brute force; and its text search."""

import math
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ringdown import values
from ringdown.calls import search_tables, service, words
from ringdown.calls.models import Call, TranscriptTurn
from ringdown.calls.store import asked as asked_of_lists
from ringdown.calls.store import calls as call_store
from ringdown.calls.store import listing, search
from ringdown.db.engine import Database
from tests.slices.conftest import BASE, Tenant, on_sqlite

AGENTS = ("agt_0000000000000000000000000a", "agt_0000000000000000000000000b")
NUMBERS = ("+12125551234", "+18005559876", "anonymous")
TEXTS = (
    "I would like a refund, please.",
    "Please call me back tomorrow.",
    "Müller möchte die Straße wissen",
    "退款政策是什么",
    "The back office will call.",
    "",
)
QUERIES = (
    "refund", "REFUND please", '"call me back"', '"back call"', "muller", "STRASSE", "退款", "call back", "zebra",
)  # fmt: skip
METADATA: tuple[dict[str, object], ...] = (
    {},
    {"tier": "gold", "count": 7},
    {"tier": "silver", "order": {"id": "A-1"}, "tags": ["a", "b"]},
    {"tier": "gold", "vip": True, "campaign_id": "mine"},
)
PAIRS = (("tier", "gold"), ("tier", "silver"), ("count", "7"), ("vip", "true"), ("order.id", "A-1"), ("tags", "b"),
         ("campaign_id", "batch_1"), ("campaign_id", "mine"), ("none", ""))  # fmt: skip
OUTCOMES = ("contacted", "voicemail", "failed")
SORTED_BY = {"-duration_seconds": "duration_seconds", "-cost_credits": "cost_credits", "-latency_p50": "latency_p50_ms"}
START = values.parse_wire_time("2026-04-05T09:00:00Z")


async def add_call(tenant: Tenant, *, seq: int, spoken: tuple[str, ...] = (), **fields: Any) -> Call:
    """A call as `add_call` makes it, with an entry in the index if it has ended."""
    turns = tuple(
        TranscriptTurn(position=place, speaker="contact", text=text, start_ms=place, end_ms=place + 1)
        for place, text in enumerate(spoken)
    )
    call = await tenant.add_call(seq=seq, turns=turns, **fields)
    if not call.is_live:
        async with tenant.database.write() as connection:
            await search.index_text(connection, call, spoken)
    return call


async def _add_many(tenant: Tenant, count: int) -> dict[str, tuple[str, ...]]:
    """Calls of all kinds into `known_calls`; returns what was said in each, by id."""
    chance = random.Random(7)
    said = {}
    for seq in range(1, count + 1):
        status = chance.choice(("queued", "in_progress", "completed", "completed", "completed", "failed"))
        is_ended = status in ("completed", "failed")
        is_batch = chance.random() < 0.4
        spoken = tuple(chance.sample(TEXTS, 2)) if status == "completed" else ()
        call = await add_call(
            tenant,
            seq=seq,
            spoken=spoken,
            status=status,
            agent_id=chance.choice(AGENTS),
            direction="outbound" if is_batch else chance.choice(("inbound", "outbound", "webrtc")),
            batch_call_id=chance.choice(("batch_1", "batch_2")) if is_batch else None,
            contact_id=chance.choice(("cnt_1", "cnt_2", "cnt_3")) if is_batch else None,
            from_number=chance.choice(NUMBERS),
            to_number=chance.choice((*NUMBERS, None)),
            ended_reason=chance.choice(("user_hangup", "busy", "cancelled")) if is_ended else None,
            outcome=chance.choice(OUTCOMES) if is_ended else None,
            summary=chance.choice((None, *TEXTS)) if is_ended else None,
            duration_seconds=chance.choice((0, 10, 60, 61)) if is_ended else None,
            cost_credits=chance.choice((0, 2, 10)),
            latency_p50_ms=chance.choice((None, 400, 800)),
            metadata=chance.choice(METADATA),
            created_at=START + seq // 3 * 1000,
        )
        said[call.id] = spoken
        tenant.known_calls.append(call)
    return said


def _holds(texts: tuple[str, ...], query: str) -> bool:
    """What `q` finds, told without the index: each wanted run of words within one of the texts."""
    found = [words.list_words(text) for text in texts]
    return all(
        any(list(phrase) == spoken[at : at + len(phrase)] for spoken in found for at in range(len(spoken)))
        for phrase in words.parse_query(query)
    )


def _matches(call: Call, query: dict[str, str], said: dict[str, tuple[str, ...]]) -> bool:
    same = ("agent_id", "status", "direction", "ended_reason", "batch_call_id", "contact_id", "from_number",
            "to_number", "outcome")  # fmt: skip
    pairs = words.list_pairs(search.list_shown_metadata(call))
    wanted = {(name.partition(".")[2], value) for name, value in query.items() if name.startswith("metadata.")}
    length = call.duration_seconds
    return all(
        [
            all(getattr(call, name) == query[name] for name in same if name in query),
            "created_after" not in query or call.created_at >= values.parse_wire_time(query["created_after"]),
            "created_before" not in query or call.created_at < values.parse_wire_time(query["created_before"]),
            "min_duration" not in query or (length is not None and length >= int(query["min_duration"])),
            "max_duration" not in query or (length is not None and length <= int(query["max_duration"])),
            wanted <= pairs,
            "q" not in query or (not call.is_live and _holds((*said[call.id], call.summary or ""), query["q"])),
        ]
    )


def _order(call: Call, sort: str) -> tuple[float, int]:
    if sort == "created_at":
        return 0, call.seq
    value = getattr(call, SORTED_BY[sort]) if sort in SORTED_BY else 0
    return math.inf if value is None else -value, -call.seq


_times = st.integers(0, 20).map(lambda second: str(values.to_wire_time(START + second * 1000)))
_FILTERS = {
    "agent_id": st.sampled_from(AGENTS),
    "status": st.sampled_from(["completed", "failed", "queued"]),
    "direction": st.sampled_from(["inbound", "outbound", "webrtc"]),
    "ended_reason": st.sampled_from(["user_hangup", "busy"]),
    "batch_call_id": st.sampled_from(["batch_1", "batch_3"]),
    "contact_id": st.sampled_from(["cnt_1", "cnt_4"]),
    "from_number": st.sampled_from(NUMBERS),
    "to_number": st.sampled_from(NUMBERS),
    "outcome": st.sampled_from(OUTCOMES),
    "created_after": _times,
    "created_before": _times,
    "min_duration": st.sampled_from(["0", "10", "61"]),
    "max_duration": st.sampled_from(["0", "60"]),
    "q": st.sampled_from(QUERIES),
    "metadata": st.lists(st.sampled_from(PAIRS), min_size=1, max_size=2, unique_by=lambda pair: pair[0]),
}


@st.composite
def _queries(draw: st.DrawFn) -> dict[str, str]:
    """Up to four filters: with more hardly any call is left."""
    names = draw(st.lists(st.sampled_from(sorted(_FILTERS)), max_size=4, unique=True))
    drawn: dict[str, Any] = {name: draw(_FILTERS[name]) for name in names}
    pairs = drawn.pop("metadata", [])
    return drawn | {f"metadata.{name}": value for name, value in pairs}


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(
    query=_queries(),
    sort=st.sampled_from(["-created_at", "created_at", *SORTED_BY]),
    limit=st.integers(1, 30),
    offset=st.integers(0, 40),
    walks=st.booleans(),
)
async def test_any_filter_in_any_order_and_page_is_what_brute_force_finds(
    tenant: Tenant, query: dict[str, str], sort: str, limit: int, offset: int, walks: bool
) -> None:
    if not tenant.known_calls:
        tenant.said = await _add_many(tenant, 90)  # type: ignore[attr-defined]
    said = tenant.said  # type: ignore[attr-defined]
    matching = [call for call in tenant.known_calls if _matches(call, query, said)]
    expected = [call.id for call in sorted(matching, key=lambda call: _order(call, sort))]
    asked = {**query, "sort": sort, "limit": str(limit)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asked_of_lists, "ROW_COST", 10**9 if walks else 0)
        if walks:  # as if many calls matched
            patch.setattr(asked_of_lists, "FEW", 1)
            patch.setattr(asked_of_lists, "FEW_ROWS", 1)
            patch.setattr(asked_of_lists, "NARROW", 1)
        page = await _fetch(tenant, **asked, offset=str(offset))
        assert [call["id"] for call in page["data"]] == expected[offset : offset + limit]
        assert page["pagination"] == {
            "total": len(expected), "limit": limit, "offset": offset, "has_more": offset + limit < len(expected),
            **({"next_cursor": page["pagination"].get("next_cursor")} if offset + limit < len(expected) else {}),
        }  # fmt: skip
        cursor = page["pagination"].get("next_cursor")
        if cursor is not None:
            following = await _fetch(tenant, **asked, cursor=cursor)
            assert [call["id"] for call in following["data"]] == expected[offset + limit : offset + 2 * limit]
            assert following["pagination"]["offset"] == offset + limit


async def _fetch(tenant: Tenant, **query: str) -> dict[str, Any]:
    response = await tenant.client.get(f"{BASE}/calls", params=query)
    assert response.status_code == 200, response.text
    fetched: dict[str, Any] = response.json()
    return fetched


def _ids(page: dict[str, Any]) -> list[str]:
    return [call["id"] for call in page["data"]]


async def test_a_call_is_found_by_its_words_from_its_end_to_its_deletion(tenant: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number="+12025550100")
    call = await tenant.place_call(agent, metadata={"tier": "gold"})
    await tenant.answer_call(call)
    turn = TranscriptTurn(position=0, speaker="contact", text="Do you sell umbrellas?", start_ms=0, end_ms=900)
    await service.append_turn(tenant.database, organization_id=tenant.organization_id, call_id=call.id, turn=turn)
    assert _ids(await _fetch(tenant, q="umbrellas")) == []
    assert _ids(await _fetch(tenant, **{"metadata.tier": "gold"})) == [call.id]
    await tenant.finish_call(call)
    assert _ids(await _fetch(tenant, q="UMBRELLAS")) == [call.id]
    assert _ids(await _fetch(tenant, q="weather")) == []
    assert await service.add_summary(
        tenant.database, organization_id=tenant.organization_id, call_id=call.id, summary="Wet weather."
    )
    assert _ids(await _fetch(tenant, q="umbrellas weather")) == [call.id]
    await tenant.client.patch(f"{BASE}/calls/{call.id}", json={"metadata": {"tier": "silver"}})
    assert _ids(await _fetch(tenant, **{"metadata.tier": "gold"})) == []
    assert _ids(await _fetch(tenant, **{"metadata[tier]": "silver"})) == [call.id]
    deleted = await tenant.client.delete(f"{BASE}/calls/{call.id}")
    assert deleted.status_code == 200
    async with tenant.database.read() as connection:
        for table in (search.texts, search.pairs):
            assert (await connection.execute(table.select())).all() == []
    assert (await _fetch(tenant, q="umbrellas"))["pagination"]["total"] == 0


async def test_words_and_metadata_of_another_organization_are_never_found(tenant: Tenant, stranger: Tenant) -> None:
    theirs = await add_call(stranger, seq=1, spoken=("My secret is here.",), metadata={"tier": "gold"})
    for query in ({"q": "secret"}, {"metadata.tier": "gold"}, {"q": "secret", "sort": "-duration_seconds"}):
        assert _ids(await _fetch(tenant, **query)) == []
    ours = await add_call(tenant, seq=1, spoken=("No secret.",))
    assert _ids(await _fetch(tenant, q="secret")) == [ours.id]
    assert _ids(await _fetch(stranger, q="secret")) == [theirs.id]


async def test_no_text_is_a_syntax_error(tenant: Tenant) -> None:
    await add_call(tenant, seq=1, spoken=("Quite another thing.",))
    for query in ('"', '""', "*", "AND", 'a" OR "b', "words:x", "^a", "(", "NEAR(a b)", "-a", "'; --",
                  "!!!", "💬", "a & b | !c", "<->", "\\", "%", "_", "é" * 200):  # fmt: skip
        for sort in ("-created_at", "-cost_credits"):
            assert _ids(await _fetch(tenant, q=query, sort=sort)) == [], query


async def test_a_total_of_more_than_is_counted_says_so_and_pages_go_on(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MAX_COUNTED", 4)
    calls = [
        await add_call(tenant, seq=seq, spoken=("Good morning.",), metadata={"tier": "gold"}, duration_seconds=seq)
        for seq in range(1, 8)
    ]
    newest_first = [call.id for call in reversed(calls)]
    for query in ({"q": "morning"}, {"metadata.tier": "gold"}, {"min_duration": "1"}):
        for sort in ("-created_at", "-duration_seconds"):
            page = await _fetch(tenant, **query, sort=sort, limit="3", offset="1")
            cursor = page["pagination"].pop("next_cursor")
            assert _ids(page) == newest_first[1:4]
            assert page["pagination"] == {
                "total": 4, "limit": 3, "offset": 1, "has_more": True, "total_exact": False
            }  # fmt: skip
            last = await _fetch(tenant, **query, sort=sort, limit="3", cursor=cursor)
            assert _ids(last) == newest_first[4:]
            assert last["pagination"] == {
                "total": 4, "limit": 3, "offset": 4, "has_more": False, "total_exact": False
            }  # fmt: skip
    exact = await _fetch(tenant, q="morning", max_duration="4")
    assert (exact["pagination"]["total"], "total_exact" in exact["pagination"]) == (4, False)


async def test_words_are_found_in_every_range_of_the_index(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked_of_lists, "NARROW", 1)
    width = 1 << search_tables.RANGE_BITS
    seqs = [1, width - 1, width, width + 1, 2 * width - 1, 2 * width, 5 * width + 3, 5 * width + 4, 9 * width]
    calls = [
        await add_call(tenant, seq=seq, spoken=("The blue door.",), status="failed" if place % 3 else "completed",
                       created_at=START + place * 1000)
        for place, seq in enumerate(seqs)
    ]  # fmt: skip
    ids = [call.id for call in calls]
    for phrase in ("door", '"blue door"'):
        for begin in range(len(ids)):
            for end in (begin + 2, len(ids)):
                times = [values.to_wire_time(START + place * 1000) for place in (begin, end)]
                found = await _fetch(
                    tenant, q=phrase, sort="created_at", created_after=str(times[0]), created_before=str(times[1])
                )
                assert (_ids(found), found["pagination"]["total"]) == (ids[begin:end], len(ids[begin:end]))
        failed = await _fetch(tenant, q=phrase, status="failed", limit="2", offset="3")
        assert _ids(failed) == [call.id for call in reversed(calls) if call.status == "failed"][3:5]
        assert failed["pagination"]["total"] == 6


@on_sqlite
async def test_durations_are_written_as_everywhere_and_a_plus_may_be_a_space(tenant: Tenant) -> None:
    short, long = [await tenant.add_call(seq=seq, duration_seconds=seq * 30) for seq in (1, 2)]
    assert _ids(await _fetch(tenant, max_duration="30s")) == [short.id]
    assert _ids(await _fetch(tenant, min_duration="30500ms")) == [long.id]
    assert _ids(await _fetch(tenant, min_duration="0", max_duration="59500ms")) == [short.id]
    response = await tenant.client.get(f"{BASE}/calls?to_number=+12125551234")
    assert _ids(response.json()) == [long.id, short.id]


async def test_a_word_hidden_in_a_long_call_is_found_and_the_rest_of_an_endless_one_left_out(
    tenant: Tenant, database: Database
) -> None:
    common = "of the " * 20_000
    long = await add_call(tenant, seq=1, spoken=(common, "the needle in it"))
    assert _ids(await _fetch(tenant, q='"the needle"')) == [long.id]
    endless = " ".join(f"{number}{'x' * 50}" for number in range(30_000))
    call = await add_call(tenant, seq=2, spoken=(endless, "needle"))
    assert _ids(await _fetch(tenant, q=f"7{'x' * 50}")) == [call.id]
    assert _ids(await _fetch(tenant, q="needle")) == [long.id]


async def test_an_index_is_written_with_its_call_or_not_at_all(tenant: Tenant, database: Database) -> None:
    call = await add_call(tenant, seq=1, spoken=("An umbrella.",), metadata={"tier": "gold"})
    with pytest.raises(ZeroDivisionError):
        async with database.write() as connection:
            await call_store.delete_calls(connection, tenant.organization_id, [call.id])
            raise ZeroDivisionError
    assert _ids(await _fetch(tenant, q="umbrella")) == [call.id]
    assert _ids(await _fetch(tenant, **{"metadata.tier": "gold"})) == [call.id]
