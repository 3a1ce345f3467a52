"""The life cycle of a batch call as a table: which action leads from which state to which; pure rules."""

from collections.abc import Mapping
from typing import Literal

from ringdown import errors
from ringdown.batch_calls.models import BatchStatus

Action = Literal["schedule", "activate", "pause", "resume", "cancel", "complete", "retry", "fail"]
_Table = Mapping[Action, Mapping[BatchStatus, tuple[BatchStatus, ...]]]

#: By action: the states it is allowed in, and those it may lead to from there.
TRANSITIONS: _Table = {
    "schedule": {"draft": ("scheduled", "active")},
    "activate": {"scheduled": ("active",)},
    "pause": {"scheduled": ("paused",), "active": ("paused",)},
    "resume": {"paused": ("scheduled", "active")},
    "cancel": {
        "draft": ("cancelled",),
        "scheduled": ("cancelled",),
        "active": ("cancelled",),
        "paused": ("cancelled",),
    },
    # The last call of a paused batch may end while it is paused.
    "complete": {"active": ("completed",), "paused": ("completed",)},
    # Contacts that have failed are called once more.
    "retry": {"active": ("active",), "paused": ("paused",), "completed": ("active",)},
    "fail": {"scheduled": ("failed",), "active": ("failed",), "paused": ("failed",)},
}
_PARTICIPLES: Mapping[Action, str] = {
    "schedule": "scheduled",
    "activate": "started",
    "pause": "paused",
    "resume": "resumed",
    "cancel": "cancelled",
    "complete": "completed",
    "retry": "retried",
    "fail": "failed",
}

#: The schedule is at work or will be: its contacts have slots.
STARTED: tuple[BatchStatus, ...] = ("scheduled", "active", "paused")
#: Nobody will be called again.
TERMINAL: tuple[BatchStatus, ...] = ("completed", "failed", "cancelled")
DELETABLE: tuple[BatchStatus, ...] = ("draft", *TERMINAL)
#: States in which contacts may be added.
OPEN: tuple[BatchStatus, ...] = ("draft", *STARTED)

#: A change of one of these spreads the open contacts anew.
SCHEDULE_FIELDS = frozenset(
    ("schedule_type", "scheduled_at", "timezone", "start_time", "end_time", "working_days", "max_calls_per_day")
)
_ALWAYS = frozenset(("name", "metadata"))
_WHILE_DIALLING = _ALWAYS | {
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
}
#: The fields that may be changed, by state.
EDITABLE: Mapping[BatchStatus, frozenset[str]] = {
    "draft": _WHILE_DIALLING | SCHEDULE_FIELDS | {"agent_id"},
    "scheduled": _WHILE_DIALLING | SCHEDULE_FIELDS,
    "active": _WHILE_DIALLING | SCHEDULE_FIELDS,
    "paused": _WHILE_DIALLING | SCHEDULE_FIELDS,
    "completed": _ALWAYS,
    "failed": _ALWAYS,
    "cancelled": _ALWAYS,
}


def check_action(action: Action, status: BatchStatus) -> None:
    """Raise `ValidationFailed` unless a batch call in this state may be acted on so."""
    allowed = TRANSITIONS[action]
    if status not in allowed:
        raise refuse(status, _PARTICIPLES[action], tuple(allowed))


def check_transition(action: Action, status: BatchStatus, wanted: BatchStatus) -> None:
    """Raise `ValueError` unless the action leads from `status` to `wanted`: a bug of the caller."""
    if wanted not in TRANSITIONS[action].get(status, ()):
        raise ValueError(f"{action} does not lead from {status} to {wanted}")


def check_edit(status: BatchStatus, fields: frozenset[str]) -> None:
    """Raise `ValidationFailed` naming every field that cannot be changed in this state."""
    refused = sorted(fields - EDITABLE[status])
    if refused:
        allowed = _join([state for state in EDITABLE if set(refused) <= EDITABLE[state]])
        reason = f"cannot be changed while the batch call is {status}; only while it is {allowed}"
        raise errors.ValidationFailed([errors.FieldError(field, reason) for field in refused])


def refuse(status: BatchStatus, participle: str, allowed: tuple[BatchStatus, ...]) -> errors.ValidationFailed:
    """The refusal of something that needs another state."""
    return errors.invalid(
        "status", f"a batch call that is {status} cannot be {participle}; only one that is {_join(list(allowed))}"
    )


def _join(states: list[BatchStatus]) -> str:
    *rest, last = states
    return f"{', '.join(rest)} or {last}" if rest else last
