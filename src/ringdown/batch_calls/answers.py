"""The JSON of batch calls: what answers say."""

from typing import Any

from pydantic import BaseModel, Field

from ringdown.batch_calls.models import (
    BatchStatus,
    ContactSource,
    ContactStatus,
    RotationStrategy,
    ScheduleType,
)


class RetryRuleObject(BaseModel):
    """How often a contact is called again whose call has ended in one way."""

    attempts: int
    delay_minutes: list[int] | None


class BatchCallObject(BaseModel):
    """A batch call. What is not known yet, or not set, is null."""

    id: str
    name: str
    status: BatchStatus
    agent_id: str
    from_number: str | None = Field(description="The first of the numbers that it calls from.")
    schedule_type: ScheduleType
    scheduled_at: str | None
    timezone: str
    concurrency: int
    retry_attempts: int
    total_contacts: int
    called: int = Field(description="Contacts that are done with: `completed` and `failed` together.")
    completed: int
    failed: int
    pending: int = Field(description="Contacts that are not done with.")
    created_at: str
    updated_at: str
    status_reason: str | None = Field(description="Why it has failed, or has paused by itself.")
    contact_source: ContactSource
    contact_folder_id: str | None
    phone_number_ids: list[str] = Field(description="None: the agent's outbound numbers.")
    phone_rotation_strategy: RotationStrategy
    start_time: str | None
    end_time: str | None
    working_days: list[int] | None
    max_calls_per_day: int | None
    max_concurrent_calls: int
    calls_per_second: float | None
    retry_failed: bool
    retry_delay_minutes: list[int]
    retry_rules: dict[str, RetryRuleObject] = Field(description="By `ended_reason`.")
    max_credits: int | None
    max_failure_rate: float
    min_answer_rate: float | None
    metadata: dict[str, Any]
    progress: float = Field(description="How much is done, in percent of the contacts.")
    calling: int = Field(description="Contacts that are being called.")
    retrying: int = Field(description="Contacts that wait to be called once more.")
    attempts: int = Field(description="Calls that were dialled and have ended.")
    answered: int = Field(description="Those of them that were answered.")
    next_call_at: str | None = Field(description="The next place in the schedule.")
    estimated_completion_at: str | None = Field(
        description="If it goes on as in the last 15 minutes; null while that is not known."
    )
    started_at: str | None
    paused_at: str | None
    resumed_at: str | None
    completed_at: str | None
    cancelled_at: str | None


class SkippedContactObject(BaseModel):
    """A contact that was not added."""

    index: int = Field(description="Among all that were sent: contacts, then ids, then the folder.")
    contact_id: str | None
    phone_number: str
    reason: str


class AdditionsObject(BaseModel):
    """How many contacts were added, and which were not."""

    added_count: int
    failed_count: int
    errors: list[SkippedContactObject] = Field(description="The first 1000 of those that were not added.")


class CreatedBatchCallObject(BatchCallObject, AdditionsObject):
    """A new batch call, and which contacts were not added."""


class BatchContactObject(BaseModel):
    """Somebody in a batch call, and how far it is."""

    contact_id: str
    phone_number: str
    first_name: str | None
    last_name: str | None
    call_status: ContactStatus
    status: ContactStatus = Field(description="Equal to `call_status`.")
    call_id: str | None = Field(description="The last call.")
    called_at: str | None
    scheduled_at: str | None = Field(description="The earliest time of the next call.")
    attempts: int
    reason: str | None = Field(description="Why the last call, or the contact, has failed.")
    outcome: str | None
    email: str | None
    timezone: str = Field(description="Whose clock decides: the contact's own, else its number's, else the batch's.")
    custom_fields: dict[str, str]
    variables: dict[str, str] = Field(description="What fills `{{name}}` in prompt and greeting.")


class BatchBulkDeleteObject(BaseModel):
    """Which batch calls were deleted, and which were absent or are not over."""

    deleted_count: int
    failed_count: int
    deleted_ids: list[str]
    failed_ids: list[str]
