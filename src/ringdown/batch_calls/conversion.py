"""What requests say, as batch calls and contacts; checks what the fields say together."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ringdown import errors
from ringdown.batch_calls import membership, zones
from ringdown.batch_calls.membership import Sources
from ringdown.batch_calls.models import DEFAULT_RETRY_DELAYS_MINUTES, BatchCall, NewContact, RetryRule
from ringdown.batch_calls.schemas import (
    AddContacts,
    ContactBody,
    CreateBatchCall,
    RetryRulesBody,
    ScheduleBatchCall,
    UpdateBatchCall,
)
from ringdown.errors import FieldError

# These have rules of their own below, or are no fields of a batch call.
_READ_APART = frozenset(
    (
        "schedule_type",
        "scheduled_at",
        "retry_failed",
        "retry_attempts",
        "retry_rules",
        "concurrency",
        "contact_ids",
        "contacts",
    )
)
_LISTS: Mapping[str, Callable[[list[Any]], tuple[Any, ...]]] = {
    "phone_number_ids": lambda ids: tuple(dict.fromkeys(ids)),
    "working_days": lambda days: tuple(sorted(set(days))),
    "retry_delay_minutes": tuple,
}
_DEFAULTS: Mapping[str, Any] = {
    field.name: field.default for field in dataclasses.fields(BatchCall) if field.default is not dataclasses.MISSING
} | {"metadata": {}}


def read_batch_call(body: UpdateBatchCall, present: BatchCall) -> BatchCall:
    """The batch call with what was sent changed. Raises `ValidationFailed` for what does not go together."""
    sent = {name: getattr(body, name) for name in body.model_fields_set - _READ_APART}
    refused = [
        FieldError(name, "must not be null") for name, value in sent.items() if value is None and name not in _DEFAULTS
    ]
    if refused:
        raise errors.ValidationFailed(refused)
    changes: dict[str, Any] = {
        name: _DEFAULTS[name] if value is None else _LISTS[name](value) if name in _LISTS else value
        for name, value in sent.items()
    }
    if "retry_rules" in body.model_fields_set:
        changes["retry_rules"] = {} if body.retry_rules is None else _read_rules(body.retry_rules)
    batch = _read_retries(body, dataclasses.replace(present, **changes))
    batch = _read_start(body, batch)
    if batch.start_time is not None and batch.start_time == batch.end_time:
        raise errors.invalid("end_time", "must differ from start_time; leave both out to call at any time of the day")
    return batch


def read_schedule(body: ScheduleBatchCall, present: BatchCall, *, now_ms: int) -> BatchCall:
    """The draft with the time at which it is to start: what was sent, else its own, else now."""
    batch = present if body.timezone is None else dataclasses.replace(present, timezone=body.timezone)
    if body.scheduled_at is not None:
        scheduled_at = _read_instant(body.scheduled_at, batch.timezone)
        return dataclasses.replace(batch, schedule_type="scheduled", scheduled_at=scheduled_at)
    return batch if batch.scheduled_at is not None else dataclasses.replace(batch, scheduled_at=now_ms)


def read_sources(body: CreateBatchCall | AddContacts) -> Sources:
    """Where contacts are to come from. Raises `ValidationFailed` without the folder that `folder` needs."""
    if isinstance(body, CreateBatchCall) and body.contact_source == "folder" and body.contact_folder_id is None:
        raise errors.invalid("contact_folder_id", "is required when contact_source is folder")
    return Sources(
        contacts=_read_contacts(body.contacts or ()),
        contact_ids=body.contact_ids or (),
        folder_id=body.contact_folder_id,
    )


def _read_contacts(bodies: Sequence[ContactBody]) -> list[NewContact]:
    return [
        NewContact(
            phone_number=body.phone_number,
            first_name=body.first_name,
            last_name=body.last_name,
            email=body.email,
            custom_fields=membership.to_texts(body.custom_fields or {}),
            timezone=body.timezone,
        )
        for body in bodies
    ]


def _read_retries(body: UpdateBatchCall, batch: BatchCall) -> BatchCall:
    if not body.model_fields_set & {"retry_failed", "retry_attempts"}:
        return batch
    attempts = body.retry_attempts
    if attempts is None:
        kept = batch.retry_attempts or len(DEFAULT_RETRY_DELAYS_MINUTES)
        attempts = kept if body.retry_failed else 0
    elif body.retry_failed is not None and body.retry_failed != (attempts > 0):
        raise errors.invalid("retry_attempts", "and retry_failed contradict each other; send one of them")
    return dataclasses.replace(batch, retry_failed=attempts > 0, retry_attempts=attempts)


def _read_rules(body: RetryRulesBody) -> dict[str, RetryRule]:
    sent = {reason: getattr(body, reason) for reason in RetryRulesBody.model_fields}
    return {
        reason: RetryRule(
            attempts=rule.attempts, delay_minutes=None if rule.delay_minutes is None else tuple(rule.delay_minutes)
        )
        for reason, rule in sent.items()
        if rule is not None
    }


def _read_start(body: UpdateBatchCall, batch: BatchCall) -> BatchCall:
    sent = body.model_fields_set
    if not sent & {"schedule_type", "scheduled_at"}:
        return batch
    schedule_type = body.schedule_type if "schedule_type" in sent else None
    if schedule_type is None:
        schedule_type = "scheduled" if body.scheduled_at is not None else "immediate"
    if schedule_type == "immediate":
        if body.scheduled_at is not None:
            raise errors.invalid("scheduled_at", "belongs to schedule_type scheduled; leave one of them out")
        return dataclasses.replace(batch, schedule_type="immediate", scheduled_at=None)
    scheduled_at = batch.scheduled_at
    if "scheduled_at" in sent:
        scheduled_at = None if body.scheduled_at is None else _read_instant(body.scheduled_at, batch.timezone)
    if scheduled_at is None:
        raise errors.invalid("scheduled_at", "is required when schedule_type is scheduled")
    return dataclasses.replace(batch, schedule_type="scheduled", scheduled_at=scheduled_at)


def _read_instant(text: str, timezone: str) -> int:
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=zones.get_zone(timezone))
    return round(parsed.timestamp() * 1000)
