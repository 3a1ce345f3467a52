"""Every action in every state of a batch call, and every field in every state."""

import itertools
from typing import get_args

import pytest

from ringdown import errors
from ringdown.batch_calls import lifecycle
from ringdown.batch_calls.lifecycle import Action
from ringdown.batch_calls.models import BATCH_STATUSES, BatchStatus

ALLOWED: dict[tuple[Action, BatchStatus], set[BatchStatus]] = {
    ("schedule", "draft"): {"scheduled", "active"},
    ("activate", "scheduled"): {"active"},
    ("pause", "scheduled"): {"paused"},
    ("pause", "active"): {"paused"},
    ("resume", "paused"): {"scheduled", "active"},
    ("cancel", "draft"): {"cancelled"},
    ("cancel", "scheduled"): {"cancelled"},
    ("cancel", "active"): {"cancelled"},
    ("cancel", "paused"): {"cancelled"},
    ("complete", "active"): {"completed"},
    ("complete", "paused"): {"completed"},
    ("retry", "active"): {"active"},
    ("retry", "paused"): {"paused"},
    ("retry", "completed"): {"active"},
    ("fail", "scheduled"): {"failed"},
    ("fail", "active"): {"failed"},
    ("fail", "paused"): {"failed"},
}
SCHEDULE = (
    "schedule_type",
    "scheduled_at",
    "timezone",
    "start_time",
    "end_time",
    "working_days",
    "max_calls_per_day",
)
DIALLING = (
    "phone_number_ids",
    "phone_rotation_strategy",
    "max_concurrent_calls",
    "calls_per_second",
    "retry_failed",
    "retry_attempts",
    "retry_delay_minutes",
    "retry_rules",
    "max_credits",
    "max_failure_rate",
    "min_answer_rate",
)
STATES_OF_FIELDS: dict[str, set[BatchStatus]] = (
    {name: set(BATCH_STATUSES) for name in ("name", "metadata")}
    | {name: {"draft", "scheduled", "active", "paused"} for name in (*DIALLING, *SCHEDULE)}
    | {"agent_id": {"draft"}, "total_contacts": set()}
)


@pytest.mark.parametrize(("action", "status"), list(itertools.product(get_args(Action), BATCH_STATUSES)))
def test_each_action_is_allowed_in_exactly_its_states(action: Action, status: BatchStatus) -> None:
    if (action, status) in ALLOWED:
        lifecycle.check_action(action, status)
        return
    with pytest.raises(errors.ValidationFailed) as refusal:
        lifecycle.check_action(action, status)
    assert refusal.value.errors[0].field == "status"
    assert f"a batch call that is {status} cannot be" in refusal.value.message
    for known_action, allowed in ALLOWED:
        if known_action == action:
            assert allowed in refusal.value.message.partition("only one that is")[2]


@pytest.mark.parametrize("action", get_args(Action))
def test_each_action_leads_to_exactly_its_states(action: Action) -> None:
    for status, wanted in itertools.product(BATCH_STATUSES, BATCH_STATUSES):
        if wanted in ALLOWED.get((action, status), ()):
            lifecycle.check_transition(action, status, wanted)
        else:
            with pytest.raises(ValueError, match="does not lead"):
                lifecycle.check_transition(action, status, wanted)


@pytest.mark.parametrize(("field", "status"), list(itertools.product(STATES_OF_FIELDS, BATCH_STATUSES)))
def test_each_field_may_be_changed_in_exactly_its_states(field: str, status: BatchStatus) -> None:
    if status in STATES_OF_FIELDS[field]:
        lifecycle.check_edit(status, frozenset((field, "name")))
    elif STATES_OF_FIELDS[field]:
        with pytest.raises(errors.ValidationFailed) as refusal:
            lifecycle.check_edit(status, frozenset((field, "name")))
        [error] = refusal.value.errors
        assert error.field == field
        assert f"while the batch call is {status}; only while it is" in error.reason


def test_a_terminal_state_is_left_only_when_somebody_asks_for_a_retry() -> None:
    left = {status for action, status in ALLOWED if action != "retry"}
    assert set(lifecycle.TERMINAL) == set(BATCH_STATUSES) - left
    assert set(lifecycle.DELETABLE) == {"draft", "completed", "failed", "cancelled"}
