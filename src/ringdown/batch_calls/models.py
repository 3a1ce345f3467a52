"""What a batch call and one of its contacts are; pure values, no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

BatchStatus = Literal["draft", "scheduled", "active", "paused", "completed", "failed", "cancelled"]
ContactStatus = Literal["pending", "scheduled", "calling", "completed", "failed"]
ContactSource = Literal["csv", "folder", "manual"]
RotationStrategy = Literal["random", "sequential", "round_robin"]
ScheduleType = Literal["immediate", "scheduled"]

BATCH_STATUSES: tuple[BatchStatus, ...] = get_args(BatchStatus)
CONTACT_STATUSES: tuple[ContactStatus, ...] = get_args(ContactStatus)
#: A contact in one of these waits to be called; the schedule may move it.
OPEN_STATUSES: tuple[ContactStatus, ...] = ("pending", "scheduled")

DEFAULT_CONCURRENCY = 10
#: `retry_failed` alone: at most two more attempts, so many minutes after the one before.
DEFAULT_RETRY_DELAYS_MINUTES = (30, 120)
#: A batch call of whose last calls more than this share failed through no fault of those called pauses itself.
DEFAULT_MAX_FAILURE_RATE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRule:
    """How often, and after how many minutes, a contact is called again whose call has ended in one way.

    `attempts` counts all further attempts of a contact, whatever ended those before; without delays the batch's hold.
    """

    attempts: int
    delay_minutes: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchCall:
    """A list of contacts to be called by one agent. Instants are milliseconds UTC.

    Contacts at positions below `spread_position` have their place in the present schedule, which begins at
    `spread_from`; the others wait for theirs and must not be called yet. `spread_days` counts the places given away
    by day of the batch's time zone (ISO dates), and only where there is a daily maximum.
    """

    organization_id: str
    id: str
    name: str
    agent_id: str
    created_at: int
    updated_at: int
    status: BatchStatus = "draft"
    status_reason: str | None = None
    contact_source: ContactSource = "csv"
    contact_folder_id: str | None = None
    phone_number_ids: tuple[str, ...] = ()
    """None: the agent's numbers."""
    phone_rotation_strategy: RotationStrategy = "random"
    schedule_type: ScheduleType = "immediate"
    scheduled_at: int | None = None
    timezone: str = "UTC"
    start_time: str | None = None
    """`HH:MM`, as `end_time`: the daily window on the contact's clock; it may span midnight."""
    end_time: str | None = None
    working_days: tuple[int, ...] = ()
    """1=Monday…7=Sunday; none means every day."""
    max_calls_per_day: int | None = None
    max_concurrent_calls: int = DEFAULT_CONCURRENCY
    calls_per_second: float | None = None
    retry_failed: bool = False
    retry_attempts: int = 0
    retry_delay_minutes: tuple[int, ...] = DEFAULT_RETRY_DELAYS_MINUTES
    retry_rules: Mapping[str, RetryRule] = field(default_factory=dict)
    """By ended reason; for all others `retry_attempts` holds."""
    max_credits: int | None = None
    max_failure_rate: float = DEFAULT_MAX_FAILURE_RATE
    """1 never pauses it."""
    min_answer_rate: float | None = None
    recent_endings: str = ""
    """What `breaker` remembers."""
    metadata: Mapping[str, object] = field(default_factory=dict)
    total_contacts: int = 0
    completed_contacts: int = 0
    failed_contacts: int = 0
    dialled_calls: int = 0
    """Calls that were dialled and have ended; `answered_calls` those of them that were answered."""
    answered_calls: int = 0
    spread_position: int = 0
    spread_from: int | None = None
    spread_days: Mapping[str, int] = field(default_factory=dict)
    started_at: int | None = None
    paused_at: int | None = None
    resumed_at: int | None = None
    ended_at: int | None = None

    @property
    def called_contacts(self) -> int:
        """How many contacts are done with, well or not."""
        return self.completed_contacts + self.failed_contacts

    @property
    def pending_contacts(self) -> int:
        """How many contacts are not done with."""
        return self.total_contacts - self.called_contacts

    @property
    def is_spread(self) -> bool:
        """Whether every contact has its place in the schedule."""
        return self.spread_position >= self.total_contacts


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchContact:
    """One person in a batch call: a copy of what was known when it was added, and how far it is.

    `position` counts the batch's contacts from 0 without gaps. `contact_id` names the contact it was copied from, or
    is its own when it came with the request. `reason` is why the last attempt, or the contact, has failed.
    """

    organization_id: str
    batch_call_id: str
    position: int
    contact_id: str
    phone_number: str
    updated_at: int
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    custom_fields: Mapping[str, str] = field(default_factory=dict)
    timezone: str | None = None
    status: ContactStatus = "pending"
    attempts: int = 0
    earlier_attempts: int = 0
    """Those before somebody asked to retry it: they do not count towards what is allowed."""
    scheduled_at: int | None = None
    retry_at: int | None = None
    """Its retry is not due before, wherever the schedule puts it; decided when the last call ended."""
    call_id: str | None = None
    called_at: int | None = None
    reason: str | None = None
    outcome: str | None = None

    @property
    def variables(self) -> dict[str, str]:
        """What fills the placeholders of prompt and greeting in this contact's calls."""
        known = {
            "first_name": self.first_name,
            "last_name": self.last_name,
            "email": self.email,
            "phone_number": self.phone_number,
        }
        return {name: value for name, value in known.items() if value is not None} | dict(self.custom_fields)


@dataclass(frozen=True, slots=True)
class NewContact:
    """A person to add to a batch call; `contact_id` is None for one that is in no folder."""

    phone_number: str
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    custom_fields: Mapping[str, str] = field(default_factory=dict)
    timezone: str | None = None
    contact_id: str | None = None


@dataclass(frozen=True, slots=True)
class SkippedContact:
    """A contact that was not added: its index in what was sent, and why."""

    index: int
    phone_number: str
    reason: str
    contact_id: str | None = None
