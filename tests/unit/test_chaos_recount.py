"""The recount of a chaos run finds each kind of fault, and nothing in a run without one."""

from dataclasses import replace
from typing import Any

from benchmarks import chaos_recount
from benchmarks.chaos_drive import Campaign
from benchmarks.chaos_receiver import Received
from benchmarks.chaos_rows import Rows
from benchmarks.farm_log import Dialled, Witness

_NUMBER = "+493009000000"
_CAMPAIGN = Campaign("agt_1", (_NUMBER,), 2, is_batch=True)


def see(**changes: Any) -> Dialled:
    """A phone that was rung at 1,000, answered at 2,000, and told at 5,500 that it is over."""
    seen = Dialled(
        line=1, number=_NUMBER, way="waits", call_id="sip-1", cseq=1, branch="z9hG4bK1", source_port=5060,
        invited_at=1000, answered_at=2000, ended_at=5500, how="bye_received", last_rtp_at=5480, packets=174,
    )  # fmt: skip
    return replace(seen, **changes)


def store(**changes: dict[str, Any]) -> Rows:
    """The rows of that call; each keyword changes those of one table."""
    call = {
        "id": "call_1", "status": "completed", "ended_reason": "agent_hangup", "to_number": _NUMBER,
        "duration_seconds": 3, "cost_credits": 1,
    }  # fmt: skip
    attempt = {
        "id": "att_1", "call_id": "call_1", "number": _NUMBER, "state": "ended", "gateway_id": "here", "created_at": 990
    }  # fmt: skip
    contact = {
        "phone_number": _NUMBER, "status": "completed", "attempts": 1, "scheduled_at": None, "call_id": "call_1",
        "reason": None,
    }  # fmt: skip
    amounts = (("grant", 100), ("hold", -10), ("release", 10), ("charge", -1))
    ledger = [
        {"organization_id": "org_1", "kind": kind, "amount": amount, "call_id": "call_1"} for kind, amount in amounts
    ]
    names = ("call.started", "call.joined", "call.ended", "call.billed")
    events = [{"id": f"evt_{name}", "event": name, "subject_id": "call_1"} for name in names]
    return Rows(
        calls=[call | changes.get("call", {})],
        attempts=[attempt | changes.get("attempt", {})],
        contacts=[contact | changes.get("contact", {})],
        ledger=ledger,
        events=events,
        deliveries=[{"event_id": event["id"], "subject_id": event["subject_id"]} for event in events],
        balances={"org_1": 99},
    )


def receive(rows: Rows, **changes: Any) -> list[Received]:
    """Every event, in order, acknowledged at once."""
    return [
        replace(Received(event["id"], event["event"], 100 * number, "200", True, 100 * number + 1), **changes)
        for number, event in enumerate(rows.events)
    ]


def judge(rows: Rows, *seen: Dialled, received: list[Received] | None = None) -> dict[str, int]:
    """How many cases of each finding there are, without those of which there is none."""
    found = chaos_recount.recount(
        _CAMPAIGN,
        rows,
        Witness(list(seen)),
        received=receive(rows) if received is None else received,
    )
    return {finding.name: len(finding.evidence) for finding in found.findings if finding.evidence}


def test_a_run_without_a_fault_has_no_finding() -> None:
    assert judge(store(), see()) == {}


def test_a_second_invite_of_an_attempt_is_found() -> None:
    assert judge(store(), see(), see(call_id="sip-2", invited_at=1200)) == {
        "INVITEs per attempt beyond SIP retransmission": 1
    }


def test_an_invite_of_no_attempt_is_found() -> None:
    found = judge(store(attempt={"created_at": 1500}), see())
    assert found["INVITEs per attempt beyond SIP retransmission"] == 1


def test_more_invites_than_allowed_are_found() -> None:
    seen = [see(call_id=f"sip-{count}", invited_at=1000 + count) for count in range(3)]
    assert judge(store(), *seen)["contacts dialled beyond their allowed attempts"] == 1


def test_a_contact_that_is_not_done_or_gives_no_reason_is_lost() -> None:
    for changes in ({"status": "scheduled"}, {"status": "calling"}, {"status": "failed"}, {"attempts": 2}):
        assert judge(store(contact=changes), see()) == {"contacts lost": 1}


def test_a_contact_that_was_busy_once_is_not_given_up() -> None:
    seen = see(way="busy", answered_at=None, how="refused", status=486)
    call = {"status": "failed", "ended_reason": "busy", "duration_seconds": 0, "cost_credits": 1}
    assert judge(store(contact={"status": "failed", "reason": "busy"}, call=call), seen)["contacts lost"] == 1
    reason = {"status": "failed", "reason": "recovered_after_crash"}
    assert "contacts lost" not in judge(store(contact=reason, call=call), seen)


def test_whatever_is_left_open_is_hanging() -> None:
    assert judge(store(attempt={"state": "dialling"}), see()) == {"attempts left hanging": 1}
    assert judge(store(), see(how="forgotten")) == {"attempts left hanging": 1}
    assert judge(store(call={"status": "in_progress"}), see())["attempts left hanging"] == 1


def test_time_is_billed_by_the_far_ends_clock() -> None:
    name = "calls billed more than 1 s from the far end's clock"
    for seconds, cases in ((1, 1), (2, 0), (3, 0), (4, 0), (5, 1)):
        assert judge(store(call={"duration_seconds": seconds}), see()).get(name, 0) == cases
    assert judge(store(), see(answered_at=None))[name] == 1


def test_a_call_cut_off_is_billed_to_its_last_packet() -> None:
    name = "calls billed more than 1 s from the far end's clock"
    rows = store(call={"ended_reason": "recovered_after_crash"})
    assert judge(rows, see(ended_at=20_000, last_rtp_at=5400)) == {}
    assert judge(rows, see(ended_at=20_000, last_rtp_at=8000))[name] == 1


def test_an_ending_that_the_far_end_did_not_see_is_found() -> None:
    busy = see(answered_at=None, how="refused", status=486)
    call = {"status": "failed", "ended_reason": "no_answer", "duration_seconds": 0}
    assert judge(store(call=call), busy)["calls that end otherwise than the far end saw"] == 1


def test_the_ledger_is_added_up() -> None:
    rows = store()
    assert judge(replace(rows, balances={"org_1": 98}), see()) == {"ledger differences": 1}
    open_hold = [entry for entry in rows.ledger if entry["kind"] != "release"]
    assert judge(replace(rows, ledger=open_hold), see())["ledger differences"] == 2
    assert judge(replace(rows, ledger=[*rows.ledger, rows.ledger[-1]]), see())["ledger differences"] == 2


def test_events_that_were_lost_or_came_early_or_were_not_signed_are_found() -> None:
    rows = store()
    assert judge(rows, see(), received=receive(rows)[:3])["webhook events lost"] == 1
    assert judge(replace(rows, events=rows.events[:3]), see())["webhook events lost"] == 1
    early = [*receive(rows)[1:], *receive(rows, at=900, acknowledged_at=901)[:1]]
    assert judge(rows, see(), received=early)["webhook events out of order in their call"] == 3
    assert judge(rows, see(), received=receive(rows, is_signed=False)) == {"webhooks with a wrong signature": 4}
