"""Recounts a chaos run: the far end's log against the product's rows, and the receiver's against its events; pure."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.chaos_drive import Campaign
from benchmarks.chaos_receiver import Received
from benchmarks.chaos_rows import Row, Rows
from benchmarks.farm_log import Dialled, Witness
from benchmarks.farm_plans import Way

#: The farm writes down when an INVITE came in whole milliseconds.
_CLOCK_MS = 5
_FINAL = ("completed", "failed")
_MS = 1000
#: Ways that deserve another call; one of those that cannot be reached is a number that does not exist.
_RETRIED: tuple[Way, ...] = ("busy", "no_answer")


@dataclass(frozen=True, slots=True)
class Finding:
    """One target of nought: what was counted, and the evidence of each case."""

    name: str
    evidence: Sequence[str]


@dataclass(slots=True)
class Recount:
    """The findings, and what else is worth knowing."""

    findings: list[Finding] = field(default_factory=list)
    facts: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Dial:
    """An attempt of the product, the call it belongs to, and what the far end saw of it."""

    attempt: Row
    call: Row
    seen: list[Dialled] = field(default_factory=list)


def recount(campaign: Campaign, rows: Rows, witness: Witness, *, received: Sequence[Received]) -> Recount:
    """All findings of a run."""
    dials, strangers = _match(rows, witness)
    found = Recount()
    found.findings += [
        Finding("INVITEs per attempt beyond SIP retransmission", [*_find_repeated(dials), *strangers]),
        Finding("contacts dialled beyond their allowed attempts", list(_find_overdialled(campaign, rows, witness))),
        Finding("contacts lost", list(_find_lost(campaign, rows, witness))),
        Finding("attempts left hanging", list(_find_hanging(rows, witness))),
        Finding("calls billed more than 1 s from the far end's clock", list(_find_misbilled(dials, found))),
        Finding("calls that end otherwise than the far end saw", list(_find_misjudged(dials))),
        Finding("ledger differences", list(_find_ledger_faults(rows))),
        *_recount_webhooks(rows, received),
    ]
    found.facts |= _count_facts(rows, witness, received)
    return found


def _match(rows: Rows, witness: Witness) -> tuple[list[Dial], list[str]]:
    """Each INVITE belongs to the last attempt to its number that was stored before it came."""
    calls = {call["id"]: call for call in rows.calls}
    by_number: dict[str, list[Dial]] = defaultdict(list)
    for attempt in rows.attempts:
        by_number[attempt["number"]].append(Dial(attempt, calls[attempt["call_id"]]))
    strangers = []
    for each in witness.dialled:
        earlier = [dial for dial in by_number[each.number] if dial.attempt["created_at"] <= each.invited_at + _CLOCK_MS]
        if earlier:
            earlier[-1].seen.append(each)
        else:
            strangers.append(f"{each.number}: INVITE {each.call_id} at {each.invited_at} of no attempt")
    return [dial for dials in by_number.values() for dial in dials], strangers


def _find_repeated(dials: Sequence[Dial]) -> Iterator[str]:
    for dial in dials:
        for extra in dial.seen[1:]:
            yield (
                f"{extra.number}: attempt {dial.attempt['id']} of {dial.call['id']} invited at"
                f" {dial.seen[0].invited_at} ({dial.seen[0].call_id}) and again at {extra.invited_at} ({extra.call_id})"
            )


def _find_overdialled(campaign: Campaign, rows: Rows, witness: Witness) -> Iterator[str]:
    stored = Counter(attempt["number"] for attempt in rows.attempts)
    for number, dialled in witness.by_number().items():
        if max(len(dialled), stored[number]) > campaign.allowed_attempts:
            times = ", ".join(str(each.invited_at) for each in dialled)
            yield f"{number}: {len(dialled)} INVITEs ({times}), {stored[number]} attempts"


def _find_lost(campaign: Campaign, rows: Rows, witness: Witness) -> Iterator[str]:
    """A contact is lost when nobody will ever call it again and nothing says what became of it."""
    if not campaign.is_batch:
        ordered = Counter(call["to_number"] for call in rows.calls)
        for number in campaign.numbers:
            if ordered[number] != 1:
                yield f"{number}: ordered once, {ordered[number]} calls"
        return
    seen = witness.by_number()
    contacts = {contact["phone_number"]: contact for contact in rows.contacts}
    attempts = Counter(attempt["number"] for attempt in rows.attempts)
    for number in campaign.numbers:
        contact = contacts.get(number)
        if contact is None:
            yield f"{number}: not in the batch call"
        elif contact["status"] not in _FINAL:
            yield f"{number}: {contact['status']}, due at {contact['scheduled_at']}, reason {contact['reason']}"
        elif contact["status"] == "failed" and contact["reason"] is None:
            yield f"{number}: failed without a reason, call {contact['call_id']}"
        elif _is_given_up(campaign, contact, seen.get(number, [])):
            yield f"{number}: given up after {contact['attempts']} attempts, reason {contact['reason']}"
        elif contact["attempts"] != attempts[number]:
            yield f"{number}: counts {contact['attempts']} attempts, there are {attempts[number]}"


def _is_given_up(campaign: Campaign, contact: Row, seen: Sequence[Dialled]) -> bool:
    """Whether the phone was busy, away or not answered each time, and attempts are left: it had to be called again."""
    if contact["status"] != "failed" or contact["attempts"] >= campaign.allowed_attempts or not seen:
        return False
    is_ambiguous = contact["reason"] == "recovered_after_crash"
    return not is_ambiguous and seen[-1].way in _RETRIED


def _find_hanging(rows: Rows, witness: Witness) -> Iterator[str]:
    for attempt in rows.attempts:
        if attempt["state"] != "ended":
            yield f"{attempt['number']}: attempt {attempt['id']} is {attempt['state']} on {attempt['gateway_id']}"
    for call in rows.calls:
        if call["status"] not in _FINAL:
            yield f"{call['to_number']}: call {call['id']} is {call['status']}"
    for each in witness.dialled:
        if each.is_hanging:
            yield f"{each.number}: the phone was never told ({each.how}), INVITE {each.call_id} at {each.invited_at}"


def _find_misbilled(dials: Sequence[Dial], found: Recount) -> Iterator[str]:
    """Billed are whole seconds that have passed; what lies outside of that second counts."""
    worst = 0.0
    compared = 0
    for dial in dials:
        billed_s = dial.call["duration_seconds"] or 0
        expected_cost = math.ceil(billed_s / 6)
        if dial.call["cost_credits"] != expected_cost:
            yield f"{dial.call['id']}: {billed_s} s cost {dial.call['cost_credits']} credits, not {expected_cost}"
        seen = next((each for each in dial.seen if each.answered_at is not None), None)
        if seen is None or seen.answered_at is None:
            if billed_s:
                yield f"{dial.call['id']} to {dial.attempt['number']}: {billed_s} s billed, never answered"
            continue
        crashed = dial.call["ended_reason"] == "recovered_after_crash"
        until = seen.last_rtp_at if crashed else seen.ended_at
        far_s = max(0, (until or seen.answered_at) - seen.answered_at) / _MS
        off_s = max(0.0, billed_s - far_s, far_s - billed_s - 1)
        compared += 1
        worst = max(worst, off_s)
        if off_s > 1:
            yield (
                f"{dial.call['id']} to {seen.number} ({dial.call['ended_reason']}): {billed_s} s billed,"
                f" {far_s:.2f} s by the far end, answered {seen.answered_at}, {seen.how} {seen.ended_at},"
                f" last RTP {seen.last_rtp_at}"
            )
    found.facts["calls whose time was compared"] = compared
    found.facts["worst difference outside the billed second, s"] = round(worst, 3)


_EXPECTED = {486: {"busy"}, 603: {"declined"}, 404: {"invalid_destination"}, 480: {"no_answer"}}


def _find_misjudged(dials: Sequence[Dial]) -> Iterator[str]:
    for dial in dials:
        call = dial.call
        if call["status"] not in _FINAL or call["ended_reason"] == "recovered_after_crash":
            continue
        seen = dial.seen[0] if dial.seen else None
        was_answered = seen is not None and seen.answered_at is not None
        says_answered = call["status"] == "completed"
        told = f"{call['id']} to {dial.attempt['number']}: {call['status']}, {call['ended_reason']}"
        if says_answered and not was_answered:
            yield f"{told}; the far end never answered"
        elif seen is None:
            yield f"{told}; the far end was never asked"
        elif was_answered and not says_answered:
            yield f"{told}; answered at {seen.answered_at}, {seen.how} at {seen.ended_at}"
        elif seen.status in _EXPECTED and call["ended_reason"] not in _EXPECTED[seen.status]:
            yield f"{told}; refused with {seen.status}"


def _find_ledger_faults(rows: Rows) -> Iterator[str]:
    sums: Counter[str] = Counter()
    open_holds: Counter[str] = Counter()
    charges: Counter[str] = Counter()
    for entry in rows.ledger:
        sums[entry["organization_id"]] += entry["amount"]
        if entry["kind"] in ("hold", "release"):
            open_holds[entry["call_id"]] += entry["amount"]
        elif entry["kind"] == "charge":
            charges[entry["call_id"]] -= entry["amount"]
    for call_id, amount in open_holds.items():
        if amount:
            yield f"{call_id}: {-amount} credits are still held"
    for call in rows.calls:
        if charges[call["id"]] != call["cost_credits"]:
            yield f"{call['id']}: costs {call['cost_credits']}, charged {charges[call['id']]}"
    for owner, balance in (rows.balances or {}).items():
        if balance != sums[owner]:
            yield f"{owner}: the balance is {balance}, the ledger's sum {sums[owner]}"


def _recount_webhooks(rows: Rows, received: Sequence[Received]) -> list[Finding]:
    known = {event["id"]: event for event in rows.events}
    acknowledged: dict[str, int] = {}
    for each in received:
        if each.acknowledged_at is not None:
            first_at = acknowledged.get(each.event_id, each.acknowledged_at)
            acknowledged[each.event_id] = min(each.acknowledged_at, first_at)
    owed = {delivery["event_id"] for delivery in rows.deliveries}
    lost = [
        f"{event['event']} {event['id']} of {event['subject_id']}: never acknowledged"
        for event in rows.events
        if event["id"] in owed and event["id"] not in acknowledged
    ]
    lost += [f"{each.event} {each.event_id}: sent, but not stored" for each in received if each.event_id not in known]
    lost += _find_unrecorded(rows)
    unsigned = [f"{each.event} {each.event_id} at {each.at}" for each in received if not each.is_signed]
    return [
        Finding("webhook events lost", lost),
        Finding("webhook events out of order in their call", list(_find_unordered(rows, received, acknowledged))),
        Finding("webhooks with a wrong signature", unsigned),
    ]


def _find_unrecorded(rows: Rows) -> Iterator[str]:
    """Each call tells its beginning, its answer, its end and its bill, once."""
    told: dict[str, Counter[str]] = defaultdict(Counter)
    for event in rows.events:
        told[event["subject_id"]][event["event"]] += 1
    for call in rows.calls:
        if call["status"] not in _FINAL:
            continue
        names = told[call["id"]]
        end = "call.ended" if call["status"] == "completed" else "call.failed"
        wrong = [name for name in ("call.started", end, "call.billed") if names[name] != 1]
        if wrong or names["call.joined"] > 1:
            yield f"{call['id']} ({call['status']}): events {dict(names)}"


def _find_unordered(rows: Rows, received: Sequence[Received], acknowledged: dict[str, int]) -> Iterator[str]:
    """Nothing of a call is sent before everything that came before it was acknowledged."""
    before: dict[str, tuple[str, ...]] = {}
    of_subject: dict[str, list[str]] = defaultdict(list)
    for event in rows.deliveries:
        before[event["event_id"]] = tuple(of_subject[event["subject_id"]])
        of_subject[event["subject_id"]].append(event["event_id"])
    for each in received:
        early = [other for other in before.get(each.event_id, ()) if acknowledged.get(other, math.inf) > each.at]
        if early:
            yield f"{each.event} {each.event_id} at {each.at}: before {', '.join(early)}"


def _count_facts(rows: Rows, witness: Witness, received: Sequence[Received]) -> dict[str, float]:
    ways = Counter(each.way for each in witness.dialled)
    reasons = Counter(call["ended_reason"] for call in rows.calls)
    return {
        "contacts": len(rows.contacts),
        "calls": len(rows.calls),
        "attempts": len(rows.attempts),
        "INVITEs at the far end": len(witness.dialled),
        "INVITEs retransmitted": witness.events["repeated"],
        "final answers dropped": witness.events["dropped"],
        "calls cut off by a crash": reasons["recovered_after_crash"],
        **{f"INVITEs, the phone {way}": count for way, count in sorted(ways.items())},
        "webhooks received": len(received),
    }
