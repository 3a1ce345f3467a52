"""Endings, outcomes and percentiles."""

from dataclasses import replace

import pytest

from ringdown.calls import ending, models
from ringdown.calls.models import (
    Call,
    CallSettings,
    Direction,
    EndedReason,
    FinishedCall,
    TranscriptTurn,
    Transfer,
    TransferStatus,
    TurnLatency,
)


def _call(started_at: int | None = None) -> Call:
    return Call(
        organization_id="org_1",
        id="call_1",
        seq=1,
        status="ringing",
        direction="outbound",
        agent_id="agt_1",
        to_number="+1",
        from_number="+2",
        settings=CallSettings(),
        variables={},
        metadata={},
        created_at=0,
        updated_at=0,
        started_at=started_at,
    )


def test_every_ending_has_a_fault() -> None:
    assert set(models.FAULTS) == set(models.ENDED_REASONS)
    assert models.Ending("busy").fault == "callee"
    assert models.Ending("internal_error").fault == "ours"


@pytest.mark.parametrize(
    ("ended_reason", "is_answered", "outcome"),
    [
        ("user_hangup", True, "contacted"),
        ("inactivity", True, "contacted"),
        ("recovered_after_crash", True, "contacted"),
        ("recovered_after_crash", False, "failed"),
        ("voicemail", True, "voicemail"),
        ("transferred", True, "escalated"),
        ("no_answer", False, "no_answer"),
        ("busy", False, "busy"),
        ("declined", False, "failed"),
        ("cancelled", False, "failed"),
    ],
)
def test_the_ending_alone_tells_an_outcome(
    ended_reason: models.EndedReason, is_answered: bool, outcome: models.Outcome
) -> None:
    assert models.find_outcome(ended_reason, is_answered=is_answered) == outcome


@pytest.mark.parametrize(("percent", "expected"), [(50, 300), (95, 500), (100, 500), (1, 100), (20, 100), (21, 200)])
def test_percentiles_are_of_the_nearest_rank(percent: int, expected: int) -> None:
    assert models.compute_percentile([500, 100, 300, 200, 400], percent) == expected


def test_nothing_has_no_percentile() -> None:
    assert models.compute_percentile([], 50) is None


def test_the_far_party_is_who_is_not_ours() -> None:
    assert _call().phone_number == "+1"


def test_an_answered_call_ends_on_its_media_clock() -> None:
    turns = [
        TranscriptTurn(position=0, speaker="agent", text="", start_ms=0, end_ms=1, latency=TurnLatency(total_ms=total))
        for total in (100, 900)
    ]
    finish = FinishedCall(ended_reason="agent_hangup", media_ms=61_999, slots={"coming": "yes"})
    changes = ending.end_call(_call(5_000), finish, turns=turns, cost_credits=11, now_ms=99_999)
    assert (changes["status"], changes["duration_seconds"], changes["ended_at"]) == ("completed", 61, 66_000)
    assert (changes["latency_p50_ms"], changes["latency_p95_ms"]) == (100, 900)
    assert changes["analysis"] == {"structured_data": {"coming": "yes"}}
    assert changes["outcome"] == "contacted"


def test_a_call_that_was_never_answered_ends_now_without_duration() -> None:
    finish = FinishedCall(ended_reason="no_answer", media_ms=5_000)
    changes = ending.end_call(_call(), finish, turns=[], cost_credits=0, now_ms=99_999)
    assert (changes["status"], changes["duration_seconds"], changes["ended_at"]) == ("failed", 0, 99_999)
    assert changes["analysis"] is None


def test_what_the_conversation_found_wins_over_the_ending() -> None:
    finish = FinishedCall(ended_reason="user_hangup", media_ms=5_000, outcome="interested")
    assert ending.end_call(_call(1), finish, turns=[], cost_credits=0, now_ms=2)["outcome"] == "interested"


@pytest.mark.parametrize("status", ["requested", "ringing", "talking"])
@pytest.mark.parametrize(
    ("ended_reason", "direction", "ended"),
    [
        ("transferred", "inbound", ("connected", None)),
        ("user_hangup", "inbound", ("failed", "the caller hung up")),
        ("user_hangup", "outbound", ("failed", "the far party hung up")),
        ("agent_hangup", "inbound", ("failed", "the call was hung up")),
        ("recovered_after_crash", "inbound", ("failed", "the call ended")),
    ],
)
def test_a_transfer_ends_with_its_call(
    status: TransferStatus, ended_reason: EndedReason, direction: Direction, ended: tuple[str, str | None]
) -> None:
    call = replace(_call(5_000), direction=direction, transfer=Transfer(to="+3", mode="blind", status=status))
    transfer = ending.close_transfer(call, FinishedCall(ended_reason=ended_reason))
    assert transfer is not None
    assert (transfer.status, transfer.reason) == ended


def test_what_was_not_stored_of_a_transfer_wins_and_what_is_final_stays() -> None:
    busy = Transfer(to="+3", mode="blind", status="failed", reason="the number was busy")
    ringing = Transfer(to="+3", mode="blind", status="ringing")
    finish = FinishedCall(ended_reason="user_hangup", transfer=busy)
    assert ending.close_transfer(replace(_call(), transfer=ringing), finish) == busy
    assert ending.close_transfer(replace(_call(), transfer=busy), FinishedCall(ended_reason="transferred")) == busy
    assert ending.close_transfer(_call(), FinishedCall(ended_reason="user_hangup")) is None
