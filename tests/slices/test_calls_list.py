"""The list of calls: the seed's shape, every filter, and pages that agree with brute force."""

import base64
import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ringdown import values
from ringdown.calls.models import Call, TranscriptTurn
from tests.slices.conftest import BASE, Tenant, on_sqlite

AGENTS = ("agt_0000000000000000000000000a", "agt_0000000000000000000000000b")
START = values.parse_wire_time("2026-04-05T09:00:00Z")


async def _fetch(tenant: Tenant, **query: object) -> dict[str, Any]:
    response = await tenant.client.get(f"{BASE}/calls", params={name: str(value) for name, value in query.items()})
    assert response.status_code == 200, response.text
    fetched: dict[str, Any] = response.json()
    return fetched


async def _add_calls(tenant: Tenant, count: int) -> list[Call]:
    endings = {"completed": "user_hangup", "failed": "busy"}
    statuses = ("queued", "ringing", "in_progress", "completed", "failed", "failed")
    calls = []
    for seq in range(1, count + 1):
        status = statuses[seq * 7 % 6]
        direction = ("outbound", "inbound", "webrtc")[seq % 3]
        ended_reason = "cancelled" if seq % 6 == 5 and status == "failed" else endings.get(status)
        calls.append(
            await tenant.add_call(
                seq=seq,
                status=status,
                ended_reason=ended_reason,
                agent_id=AGENTS[seq % 2],
                direction=direction,
                batch_call_id="batch_1" if direction == "outbound" and seq % 4 else None,
                # Calls of one second: pages must still be in a total order.
                created_at=START + seq // 3 * 1000,
            )
        )
    return calls


async def test_the_documented_sample_is_answered_field_by_field(tenant: Tenant) -> None:
    def at(text: str) -> int:
        return values.parse_wire_time(f"2026-04-05T{text}Z")

    call = await tenant.add_call(
        seq=1,
        status="completed",
        agent_id=AGENTS[0],
        duration_seconds=142,
        has_recording=True,
        summary="Customer inquired about refund policy. Issue resolved.",
        cost_credits=24,
        batch_call_id="batch_c3d4e5f6",
        contact_id="cnt_d4e5f6a7",
        started_at=at("10:00:00"),
        ended_at=at("10:02:22"),
        created_at=at("09:59:58"),
        updated_at=at("10:02:22"),
        ended_reason="user_hangup",
        outcome="contacted",
    )
    response = await tenant.client.get(f"{BASE}/calls")
    document = response.json()
    assert list(document) == ["data", "meta", "pagination"]
    assert list(document["meta"]) == ["request_id", "ts"]
    assert document["meta"]["request_id"] == response.headers["X-Request-Id"]
    assert json.dumps(document["pagination"]) == '{"total": 1, "limit": 50, "offset": 0, "has_more": false}'
    [shown] = document["data"]
    recording_url = shown["recording_url"]
    assert recording_url.startswith(f"https://calls.example/recordings/{call.id}.mp3?")
    seed = {
        "id": call.id,
        "status": "completed",
        "direction": "outbound",
        "agent_id": AGENTS[0],
        "to": "+12125551234",
        "from": "+18005559876",
        "duration_seconds": 142,
        "recording_url": recording_url,
        "transcript_url": f"https://calls.example/calls/{call.id}/transcript",
        "summary": "Customer inquired about refund policy. Issue resolved.",
        "cost_credits": 24,
        "metadata": {"campaign_id": "batch_c3d4e5f6", "contact_id": "cnt_d4e5f6a7"},
        "started_at": "2026-04-05T10:00:00Z",
        "ended_at": "2026-04-05T10:02:22Z",
        "created_at": "2026-04-05T09:59:58Z",
        "updated_at": "2026-04-05T10:02:22Z",
    }
    assert json.dumps(dict(list(shown.items())[:16])) == json.dumps(seed)
    assert "transcript" not in shown


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(
    filters=st.fixed_dictionaries(
        {},
        optional={
            "agent_id": st.sampled_from([*AGENTS, "agt_of_nobody"]),
            "status": st.sampled_from(
                [
                    "queued",
                    "ringing",
                    "in_progress",
                    "completed",
                    "failed",
                    "created",
                    "in-progress",
                    "ended",
                    "cancelled",
                ]
            ),
            "direction": st.sampled_from(["inbound", "outbound", "webrtc"]),
            "batch_call_id": st.sampled_from(["batch_1", "batch_2"]),
            "created_after": st.integers(0, 20).map(lambda second: values.to_wire_time(START + second * 1000)),
            "created_before": st.integers(0, 20).map(lambda second: values.to_wire_time(START + second * 1000)),
        },
    ),
    limit=st.integers(1, 100),
    offset=st.integers(0, 60),
    by_cursor=st.booleans(),
)
async def test_any_filter_and_page_is_what_brute_force_finds(
    tenant: Tenant, filters: dict[str, str], limit: int, offset: int, by_cursor: bool
) -> None:
    if not tenant.known_calls:
        tenant.known_calls = await _add_calls(tenant, 50)
    expected = [call.id for call in sorted(tenant.known_calls, key=lambda call: -call.seq) if _matches(call, filters)]
    if by_cursor:
        found, query = [], {**filters, "limit": str(limit)}
        while True:
            page = await _fetch(tenant, **query)
            assert page["pagination"]["total"] == len(expected)
            assert page["pagination"]["offset"] == len(found)
            found += [call["id"] for call in page["data"]]
            assert page["pagination"]["has_more"] == (len(found) < len(expected))
            if not page["pagination"]["has_more"]:
                break
            query["cursor"] = page["pagination"]["next_cursor"]
        assert found == expected
    else:
        page = await _fetch(tenant, **filters, limit=limit, offset=offset)
        assert [call["id"] for call in page["data"]] == expected[offset : offset + limit]
        paging = page["pagination"]
        assert (paging["total"], paging["limit"], paging["offset"]) == (len(expected), limit, offset)
        assert paging["has_more"] == (offset + len(page["data"]) < len(expected))


def _matches(call: Call, filters: dict[str, str]) -> bool:
    status = {"created": "queued", "in-progress": "in_progress", "ended": "completed"}
    wanted = filters.get("status")
    checks = [
        filters.get("agent_id") in (None, call.agent_id),
        call.ended_reason == "cancelled" and call.status == "failed"
        if wanted == "cancelled"
        else wanted is None or status.get(wanted, wanted) == call.status,
        filters.get("direction") in (None, call.direction),
        filters.get("batch_call_id") in (None, call.batch_call_id),
        "created_after" not in filters or call.created_at >= values.parse_wire_time(filters["created_after"]),
        "created_before" not in filters or call.created_at < values.parse_wire_time(filters["created_before"]),
    ]
    return all(checks)


async def test_paging_by_cursor_neither_skips_nor_doubles_while_calls_come_in(tenant: Tenant) -> None:
    calls = await _add_calls(tenant, 6)
    first = await _fetch(tenant, limit=3)
    await tenant.add_call(seq=7)
    second = await _fetch(tenant, limit=3, cursor=first["pagination"]["next_cursor"])
    seen = [call["id"] for page in (first, second) for call in page["data"]]
    assert seen == [call.id for call in reversed(calls)]
    assert second["pagination"] == {"total": 7, "limit": 3, "offset": 4, "has_more": False}


async def test_the_list_holds_only_calls_of_the_own_organization(tenant: Tenant, stranger: Tenant) -> None:
    ours = await tenant.add_call(seq=1)
    await stranger.add_call(seq=1)
    page = await _fetch(tenant)
    assert [call["id"] for call in page["data"]] == [ours.id]
    assert page["pagination"]["total"] == 1


async def test_campaign_id_is_another_name_of_batch_call_id(tenant: Tenant) -> None:
    call = await tenant.add_call(seq=1, batch_call_id="batch_1")
    await tenant.add_call(seq=2)
    assert [found["id"] for found in (await _fetch(tenant, campaign_id="batch_1"))["data"]] == [call.id]
    response = await tenant.client.get(f"{BASE}/calls?campaign_id=batch_1&batch_call_id=batch_2")
    assert response.json()["error"]["details"]["field"] == "campaign_id"


async def test_include_adds_the_transcripts_of_answered_calls(tenant: Tenant) -> None:
    turn = TranscriptTurn(position=0, speaker="contact", text="Hello?", start_ms=10, end_ms=20)
    answered = await tenant.add_call(seq=1, started_at=START, turns=(turn,))
    await tenant.add_call(seq=2, status="queued")
    waiting, ended = (await _fetch(tenant, include="transcript"))["data"]
    assert waiting["transcript"] is None
    assert ended["id"] == answered.id
    assert [turn["text"] for turn in ended["transcript"]] == ["Hello?"]
    assert list(ended)[-1] == "transcript"


@on_sqlite
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("limit=1.5", "limit"),
        ("offset=-1", "offset"),
        ("offset=99999999999999999999", "offset"),
        ("status=done", "status"),
        ("status=", "status"),
        ("agent_id=", "agent_id"),
        ("batch_call_id=", "batch_call_id"),
        ("campaign_id=", "campaign_id"),
        ("direction=sideways", "direction"),
        ("include=everything", "include"),
        ("created_after=yesterday", "created_after"),
        ("created_before=2026-13-01", "created_before"),
        ("created_after=99999-01-01T00:00:00Z", "created_after"),
        ("cursor=nonsense", "cursor"),
        ("cursor=", "cursor"),
        ("cursor=%F0%9F%98%80", "cursor"),
        ("sort=-created", "sort"),
        ("contact_id=", "contact_id"),
        ("outcome=sold", "outcome"),
        ("ended_reason=tired", "ended_reason"),
        ("status=cancelled&ended_reason=busy", "ended_reason"),
        ("min_duration=long", "min_duration"),
        ("max_duration=-1", "max_duration"),
        ("q=", "q"),
        ("q=" + "a" * 201, "q"),
        ("metadata=1", "metadata"),
        ("metadatas.a=1", "metadatas.a"),
        ("metadata[a=1", "metadata[a"),
        ("metadata.a=1&metadata[a]=2", "metadata[a]"),
        ("&".join(f"metadata.{number}=1" for number in range(11)), "metadata"),
        ("Status=queued", "Status"),
        ("status=queued&status=failed", "status"),
    ],
)
async def test_a_bad_or_unknown_parameter_is_named_with_what_is_allowed(tenant: Tenant, query: str, field: str) -> None:
    response = await tenant.client.get(f"{BASE}/calls?{query}")
    assert response.status_code == 422, response.text
    error = response.json()["error"]
    assert (error["code"], error["details"]["field"]) == ("validation_error", field)
    assert len(error["details"]["reason"]) > 10


async def test_a_cursor_belongs_to_its_query(tenant: Tenant, stranger: Tenant) -> None:
    await _add_calls(tenant, 12)
    cursor = (await _fetch(tenant, limit=2, agent_id=AGENTS[0]))["pagination"]["next_cursor"]
    same = await _fetch(tenant, limit=5, agent_id=AGENTS[0], cursor=cursor)
    assert len(same["data"]) == 4
    plain = base64.urlsafe_b64decode(cursor + "==")
    elsewhere, negative = (
        base64.urlsafe_b64encode(plain.replace(b"[", begin)).decode().rstrip("=") for begin in (b"[1", b"[-")
    )
    for query in (
        {"cursor": cursor},
        {"cursor": cursor, "agent_id": AGENTS[1]},
        {"cursor": cursor, "agent_id": AGENTS[0], "status": "failed"},
        {"cursor": elsewhere, "agent_id": AGENTS[0]},
        {"cursor": negative, "agent_id": AGENTS[0]},
        {"cursor": f"{cursor}=", "agent_id": AGENTS[0]},
        {"cursor": cursor[:-3], "agent_id": AGENTS[0]},
    ):
        response = await tenant.client.get(f"{BASE}/calls", params=query)
        assert (response.status_code, response.json()["error"]["details"]["field"]) == (422, "cursor")
    theirs = await stranger.client.get(f"{BASE}/calls", params={"cursor": cursor, "agent_id": AGENTS[0]})
    assert theirs.status_code == 422
    both = await tenant.client.get(f"{BASE}/calls", params={"cursor": cursor, "agent_id": AGENTS[0], "offset": "2"})
    assert both.json()["error"]["details"]["field"] == "offset"


@on_sqlite
@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (f"{BASE}/calls", "GET, POST"),
        (f"{BASE}/agents/agt_1", "DELETE, GET, PATCH, PUT"),
        (f"{BASE}/voices", "GET, POST"),
        ("/recordings/call_1.mp3", "GET, HEAD"),
    ],
)
async def test_another_method_is_405_and_told_which_are_allowed(tenant: Tenant, path: str, allowed: str) -> None:
    response = await tenant.client.request("BREW", path)
    assert (response.status_code, response.headers["allow"]) == (405, allowed)
    assert response.json()["meta"]["request_id"] == response.headers["x-request-id"]


@on_sqlite
@pytest.mark.parametrize("path", [f"{BASE}/calls/", f"{BASE}/agents/", f"{BASE}/voices/", f"{BASE}/openapi.json/"])
async def test_a_trailing_slash_names_no_endpoint_and_is_not_redirected(tenant: Tenant, path: str) -> None:
    response = await tenant.client.get(path)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")
    assert response.json()["meta"]["request_id"] == response.headers["x-request-id"]


@on_sqlite
async def test_the_list_needs_a_key(anonymous: httpx.AsyncClient) -> None:
    for headers in ({}, {"Authorization": "Bearer truedy_" + "a" * 32}, {"Authorization": "Basic abc"}):
        response = await anonymous.get(f"{BASE}/calls", headers=headers)
        assert (response.status_code, response.json()["error"]["code"]) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("sort", "name"),
    [("-duration_seconds", "duration_seconds"), ("-cost_credits", "cost_credits"), ("-latency_p50", "latency_p50_ms")],
)
async def test_a_sorted_list_is_paged_without_loss_and_unknown_values_come_last(
    tenant: Tenant, sort: str, name: str
) -> None:
    for seq in range(1, 12):
        value: dict[str, Any] = {name: seq * 7 % 4 * 100} if name == "cost_credits" or seq % 3 else {}
        await tenant.add_call(seq=seq, status="completed", created_at=START + seq, **value)
    in_one = await _fetch(tenant, sort=sort, limit=100)
    key = name.removesuffix("_ms")
    shown = [call["latency"]["p50_ms"] if key == "latency_p50" else call[key] for call in in_one["data"]]
    known = [value for value in shown if value is not None]
    assert shown == sorted(known, reverse=True) + [None] * (len(shown) - len(known))
    ids, cursor = [], None
    while True:
        page = await _fetch(tenant, sort=sort, limit=4, **({"cursor": cursor} if cursor else {}))
        assert page["pagination"]["offset"] == len(ids)
        ids += [call["id"] for call in page["data"]]
        cursor = page["pagination"].get("next_cursor")
        if cursor is None:
            break
    assert ids == [call["id"] for call in in_one["data"]]


async def test_the_oldest_calls_come_first_when_asked_for(tenant: Tenant) -> None:
    calls = [await tenant.add_call(seq=seq, created_at=START + seq) for seq in range(1, 6)]
    first = await _fetch(tenant, sort="created_at", limit=3)
    assert [call["id"] for call in first["data"]] == [call.id for call in calls[:3]]
    rest = await _fetch(tenant, sort="created_at", limit=3, cursor=first["pagination"]["next_cursor"])
    assert [call["id"] for call in rest["data"]] == [call.id for call in calls[3:]]
    refused = await tenant.client.get(f"{BASE}/calls", params={"sort": "name"})
    assert refused.json()["error"]["details"]["field"] == "sort"


async def test_a_list_that_was_asked_for_before_still_needs_a_key_and_shows_ones_own(
    tenant: Tenant, stranger: Tenant, anonymous: httpx.AsyncClient
) -> None:
    call = await tenant.add_call(seq=1)
    for client, expected in ((tenant.client, [call.id]), (tenant.client, [call.id]), (stranger.client, [])):
        page = (await client.get(f"{BASE}/calls?status=completed")).json()
        assert [shown["id"] for shown in page["data"]] == expected
    refused = await anonymous.get(f"{BASE}/calls?status=completed")
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "unauthorized")
    assert refused.headers["X-Request-Id"] == refused.json()["meta"]["request_id"]
