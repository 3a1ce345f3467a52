"""Batch calls and their contacts as answers show them."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from ringdown import values
from ringdown.batch_calls import progress, zones
from ringdown.batch_calls.membership import Additions
from ringdown.batch_calls.models import BatchCall, BatchContact
from ringdown.batch_calls.progress import Figures
from ringdown.telephony.store import PhoneNumber


def render_batch_call(
    batch: BatchCall, numbers: Mapping[str, PhoneNumber], figures: Figures, *, now_ms: int
) -> dict[str, object]:
    """The batch call; `numbers` holds at least those that it calls from, by id."""
    return {
        "id": batch.id,
        "name": batch.name,
        "status": batch.status,
        "agent_id": batch.agent_id,
        "from_number": _find_first_number(batch, numbers),
        "schedule_type": batch.schedule_type,
        "scheduled_at": values.to_wire_time(batch.scheduled_at),
        "timezone": batch.timezone,
        "concurrency": batch.max_concurrent_calls,
        "retry_attempts": batch.retry_attempts,
        "total_contacts": batch.total_contacts,
        "called": batch.called_contacts,
        "completed": batch.completed_contacts,
        "failed": batch.failed_contacts,
        "pending": batch.pending_contacts,
        "created_at": values.to_wire_time(batch.created_at),
        "updated_at": values.to_wire_time(batch.updated_at),
        "status_reason": batch.status_reason,
        "contact_source": batch.contact_source,
        "contact_folder_id": batch.contact_folder_id,
        "phone_number_ids": batch.phone_number_ids,
        "phone_rotation_strategy": batch.phone_rotation_strategy,
        "start_time": batch.start_time,
        "end_time": batch.end_time,
        "working_days": batch.working_days or None,
        "max_calls_per_day": batch.max_calls_per_day,
        "max_concurrent_calls": batch.max_concurrent_calls,
        "calls_per_second": batch.calls_per_second,
        "retry_failed": batch.retry_failed,
        "retry_delay_minutes": batch.retry_delay_minutes,
        "retry_rules": {
            reason: {"attempts": rule.attempts, "delay_minutes": rule.delay_minutes}
            for reason, rule in batch.retry_rules.items()
        },
        "max_credits": batch.max_credits,
        "max_failure_rate": batch.max_failure_rate,
        "min_answer_rate": batch.min_answer_rate,
        "metadata": batch.metadata,
        "progress": progress.compute_percent(batch),
        "calling": figures.calling,
        "retrying": figures.retrying,
        "attempts": batch.dialled_calls,
        "answered": batch.answered_calls,
        "next_call_at": values.to_wire_time(_find_next_call(batch, figures, now_ms=now_ms)),
        "estimated_completion_at": values.to_wire_time(progress.estimate_completion(batch, figures, now_ms=now_ms)),
        "started_at": values.to_wire_time(batch.started_at),
        "paused_at": values.to_wire_time(batch.paused_at),
        "resumed_at": values.to_wire_time(batch.resumed_at),
        "completed_at": values.to_wire_time(batch.ended_at) if batch.status == "completed" else None,
        "cancelled_at": values.to_wire_time(batch.ended_at) if batch.status == "cancelled" else None,
    }


def _find_next_call(batch: BatchCall, figures: Figures, *, now_ms: int) -> int | None:
    if batch.status not in ("scheduled", "active") or figures.next_slot is None:
        return None
    return max(figures.next_slot, now_ms)


def _find_first_number(batch: BatchCall, numbers: Mapping[str, PhoneNumber]) -> str | None:
    if batch.phone_number_ids:
        named = (numbers[number_id] for number_id in batch.phone_number_ids if number_id in numbers)
        return next((number.phone_number for number in named), None)
    of_agent = (number.phone_number for number in numbers.values() if number.outbound_agent_id == batch.agent_id)
    return next(of_agent, None)


def render_additions(additions: Additions) -> dict[str, object]:
    """How many contacts were added, and which were not."""
    return {
        "added_count": additions.added_count,
        "failed_count": additions.failed_count,
        "errors": [
            {
                "index": skipped.index,
                "contact_id": skipped.contact_id,
                "phone_number": skipped.phone_number,
                "reason": skipped.reason,
            }
            for skipped in additions.skipped
        ],
    }


def render_contact(contact: BatchContact, *, batch_zone: ZoneInfo) -> dict[str, object]:
    """One contact of a batch call."""
    zone = zones.choose_zone(own=contact.timezone, phone_number=contact.phone_number, batch_zone=batch_zone)
    return {
        "contact_id": contact.contact_id,
        "phone_number": contact.phone_number,
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "call_status": contact.status,
        "status": contact.status,
        "call_id": contact.call_id,
        "called_at": values.to_wire_time(contact.called_at),
        "scheduled_at": values.to_wire_time(contact.scheduled_at),
        "attempts": contact.attempts,
        "reason": contact.reason,
        "outcome": contact.outcome,
        "email": contact.email,
        "timezone": zone.key,
        "custom_fields": contact.custom_fields,
        "variables": contact.variables,
    }
