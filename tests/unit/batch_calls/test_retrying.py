"""Every way a call can end, and what becomes of the contact: called again or not, how often, and after how long."""

from typing import get_args

import pytest

from ringdown.batch_calls import retrying
from ringdown.batch_calls.models import BatchCall, BatchContact, RetryRule
from ringdown.batch_calls.schemas import RetryRulesBody
from ringdown.calls.models import ENDED_REASONS, FAULTS, EndedReason

MINUTE_MS = 60_000
#: By ending: whose fault it is, whether the contact was reached by an answered call, whether `retry_failed` calls it
#: again, whether a rule can, and whether a retry that names no reasons does.
ROWS: dict[EndedReason, tuple[str, bool, bool, bool, bool]] = {
    "user_hangup": ("none", True, False, False, False),
    "agent_hangup": ("none", True, False, False, False),
    "transferred": ("none", True, False, False, False),
    "max_duration": ("none", True, False, False, False),
    "inactivity": ("callee", False, False, True, False),
    "voicemail": ("callee", False, True, True, True),
    "no_answer": ("callee", False, True, True, True),
    "busy": ("callee", False, True, True, True),
    "declined": ("callee", False, False, True, False),
    "unreachable": ("carrier", False, True, True, True),
    "no_media": ("carrier", False, True, True, True),
    "carrier_error": ("carrier", False, True, True, True),
    "provider_error": ("provider", False, True, True, True),
    "internal_error": ("ours", False, True, True, True),
    "recovered_after_crash": ("ours", False, False, False, False),
    "invalid_destination": ("customer", False, False, False, False),
    "cancelled": ("customer", False, False, False, False),
    "dnc_blocked": ("customer", False, False, False, False),
    "outside_window": ("customer", False, False, False, False),
    "no_phone_number_configured": ("customer", False, False, False, True),
    "insufficient_credits": ("customer", False, False, False, True),
}


def make_batch(**fields: object) -> BatchCall:
    known = {"organization_id": "org_1", "id": "batch_1", "name": "B", "agent_id": "agt_1"}
    return BatchCall(**{**known, "created_at": 0, "updated_at": 0, **fields})  # type: ignore[arg-type]


def make_contact(*, attempts: int = 1, earlier: int = 0) -> BatchContact:
    return BatchContact(
        organization_id="org_1",
        batch_call_id="batch_1",
        position=0,
        contact_id="cnt_1",
        phone_number="+12125551234",
        attempts=attempts,
        earlier_attempts=earlier,
        updated_at=0,
    )


@pytest.mark.parametrize("reason", ENDED_REASONS)
def test_every_ending_has_its_row(reason: EndedReason) -> None:
    fault, is_reached, by_itself, by_rule, by_request = ROWS[reason]
    assert FAULTS[reason] == fault
    assert retrying.is_reached(reason, is_answered=True) is is_reached
    assert retrying.is_reached(reason, is_answered=False) is False
    contact = make_contact()
    assert retrying.find_delay(make_batch(), contact, reason) is None
    assert retrying.find_delay(make_batch(), make_contact(attempts=0), reason) is None
    retried = retrying.find_delay(make_batch(retry_failed=True, retry_attempts=2), contact, reason)
    assert retried == (30 * MINUTE_MS if by_itself else None)
    assert (reason in RetryRulesBody.model_fields) is by_rule
    if by_rule:
        ruled = make_batch(retry_rules={reason: RetryRule(attempts=1, delay_minutes=(7,))})
        assert retrying.find_delay(ruled, contact, reason) == 7 * MINUTE_MS
    assert (reason in retrying.RETRIED_BY_DEFAULT) is by_request


def test_every_ending_and_every_fault_stands_in_the_table() -> None:
    assert set(ROWS) == set(ENDED_REASONS) == set(retrying.MEANINGS)
    assert {fault for fault, *_ in ROWS.values()} == set(FAULTS.values())
    assert set(get_args(retrying.Meaning)) == set(retrying.MEANINGS.values())


@pytest.mark.parametrize(
    ("attempts", "earlier", "minutes"),
    [(1, 0, 10), (2, 0, 20), (3, 0, 20), (4, 0, None), (5, 4, 10), (7, 4, 20), (8, 4, None)],
)
def test_delays_follow_each_other_and_the_last_one_goes_on(attempts: int, earlier: int, minutes: int | None) -> None:
    batch = make_batch(retry_failed=True, retry_attempts=3, retry_delay_minutes=(10, 20))
    delay = retrying.find_delay(batch, make_contact(attempts=attempts, earlier=earlier), "busy")
    assert delay == (None if minutes is None else minutes * MINUTE_MS)


def test_a_rule_stands_in_front_of_the_batch_calls_own_retries() -> None:
    rules = {"busy": RetryRule(attempts=4, delay_minutes=(1, 2)), "no_answer": RetryRule(attempts=0)}
    batch = make_batch(retry_failed=True, retry_attempts=1, retry_delay_minutes=(60,), retry_rules=rules)
    assert retrying.find_delay(batch, make_contact(attempts=4), "busy") == 2 * MINUTE_MS
    assert retrying.find_delay(batch, make_contact(attempts=5), "busy") is None
    assert retrying.find_delay(batch, make_contact(), "no_answer") is None
    assert retrying.find_delay(batch, make_contact(), "voicemail") == 60 * MINUTE_MS
    assert retrying.find_delay(batch, make_contact(attempts=2), "voicemail") is None


def test_a_rule_without_delays_takes_those_of_the_batch_call() -> None:
    batch = make_batch(retry_delay_minutes=(45,), retry_rules={"busy": RetryRule(attempts=1)})
    assert retrying.find_delay(batch, make_contact(), "busy") == 45 * MINUTE_MS


@pytest.mark.parametrize(
    ("retries", "rules", "allowed"),
    [(0, {}, 1), (2, {}, 3), (2, {"busy": 5}, 6), (3, {"busy": 1}, 4), (0, {"busy": 0}, 1)],
)
def test_nobody_is_dialled_more_often_than_the_most_generous_rule_says(
    retries: int, rules: dict[str, int], allowed: int
) -> None:
    batch = make_batch(
        retry_attempts=retries, retry_rules={reason: RetryRule(attempts=count) for reason, count in rules.items()}
    )
    assert retrying.count_allowed(batch) == allowed
    assert retrying.may_dial(batch, make_contact(attempts=allowed - 1))
    assert not retrying.may_dial(batch, make_contact(attempts=allowed))
    assert retrying.may_dial(batch, make_contact(attempts=allowed, earlier=1))


@pytest.mark.parametrize("reason", ENDED_REASONS)
def test_whoever_is_called_again_may_be_dialled(reason: EndedReason) -> None:
    batch = make_batch(retry_attempts=2, retry_rules={"busy": RetryRule(attempts=4)})
    for attempts in range(1, 8):
        contact = make_contact(attempts=attempts)
        assert retrying.find_delay(batch, contact, reason) is None or retrying.may_dial(batch, contact)
