"""Which contacts are called again, how often and when: by how their call has ended; pure rules, no I/O."""

from collections.abc import Mapping
from typing import Literal

from ringdown.batch_calls.models import BatchCall, BatchContact
from ringdown.calls.models import EndedReason

#: What an ending makes of the contact.
#: `reached`: it is done. `missed`: it is called again as often as the batch call says. `refused`: it is called again
#: only where a rule for this ending says so. `over`: never again by itself. `undialled`: nothing has happened to it.
Meaning = Literal["reached", "missed", "refused", "over", "undialled"]

MEANINGS: Mapping[EndedReason, Meaning] = {
    "user_hangup": "reached",
    "agent_hangup": "reached",
    "transferred": "reached",
    "max_duration": "reached",
    # Somebody has answered and said nothing.
    "inactivity": "refused",
    "voicemail": "missed",
    "no_answer": "missed",
    "busy": "missed",
    "unreachable": "missed",
    "no_media": "missed",
    "provider_error": "missed",
    "carrier_error": "missed",
    "internal_error": "missed",
    # Whoever declines has been asked.
    "declined": "refused",
    "invalid_destination": "over",
    "cancelled": "over",
    "dnc_blocked": "over",
    "outside_window": "undialled",
    "no_phone_number_configured": "over",
    "insufficient_credits": "over",
    # Nobody knows whether it rang: calling again might be the second time.
    "recovered_after_crash": "over",
}

#: Whom a retry that names no reasons calls once more: those who were missed, and those for whom the means were lacking.
RETRIED_BY_DEFAULT: tuple[str, ...] = (
    *(reason for reason, meaning in MEANINGS.items() if meaning == "missed"),
    "insufficient_credits",
    "no_phone_number_configured",
    # Retries were taken away while it waited for one.
    "attempts_limit",
)
_MINUTE_MS = 60_000


def count_allowed(batch: BatchCall) -> int:
    """How often a contact may be dialled at most."""
    return 1 + max(batch.retry_attempts, *(rule.attempts for rule in batch.retry_rules.values()), 0)


def may_dial(batch: BatchCall, contact: BatchContact) -> bool:
    """Whether the contact has an attempt left; those before a retry that somebody asked for do not count."""
    return contact.attempts - contact.earlier_attempts < count_allowed(batch)


def is_reached(ended_reason: EndedReason, *, is_answered: bool) -> bool:
    """Whether the ending is what the call was for, however short it was."""
    return is_answered and MEANINGS[ended_reason] == "reached"


def find_delay(batch: BatchCall, contact: BatchContact, ended_reason: EndedReason) -> int | None:
    """After how many milliseconds a contact is called again whose call has ended so; None for never."""
    meaning, rule = MEANINGS[ended_reason], batch.retry_rules.get(ended_reason)
    retries = batch.retry_attempts if meaning == "missed" else 0
    if rule is not None:
        retries = rule.attempts
    # A call that ends before it is dialled uses up a try all the same, or it might go on for ever.
    tries = max(contact.attempts - contact.earlier_attempts, 1)
    if tries > retries:
        return None
    delays = (rule.delay_minutes if rule is not None else None) or batch.retry_delay_minutes
    return delays[min(tries, len(delays)) - 1] * _MINUTE_MS
