"""The JSON of batch calls: what requests may say, in every documented spelling."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, JsonValue, WithJsonSchema

from ringdown.agents.setting_schemas import RequestBody, other_name
from ringdown.batch_calls import zones
from ringdown.batch_calls.models import ContactSource, RotationStrategy, ScheduleType
from ringdown.calls.models import EndedReason

MAX_BULK_IDS = 1000
_MAX_DELAY_MINUTES = 7 * 24 * 60
_MAX_RETRIES = 10
_MAX_CREDITS = 10**15


def _check_not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


def _check_zone(name: str) -> str:
    if zones.find_zone(name) is None:
        raise ValueError("must be an IANA time zone, such as Europe/Berlin")
    return name


def _check_instant(text: str) -> str:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("must be an ISO 8601 time, such as 2026-04-06T09:00:00Z") from None
    # Time zones move an instant by up to a day, schedules go on for ten years, and a calendar has ends.
    if not 1970 < parsed.year < 3000:
        raise ValueError("must be a time between 1971 and 2999")
    return text


def _to_list(value: object) -> object:
    return [value] if isinstance(value, int) and not isinstance(value, bool) else value


Name = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_check_not_blank)]
Zone = Annotated[str, AfterValidator(_check_zone)]
Instant = Annotated[str, AfterValidator(_check_instant), WithJsonSchema({"type": "string", "format": "date-time"})]
TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["09:00"])]
Weekday = Annotated[int, Field(ge=1, le=7)]
Delays = Annotated[
    list[Annotated[int, Field(ge=1, le=_MAX_DELAY_MINUTES)]],
    Field(min_length=1, max_length=_MAX_RETRIES),
    BeforeValidator(_to_list),
]
_NumberOfOtherName = WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 10_000, "deprecated": True})
_ObjectOfOtherName = WithJsonSchema({"type": "object", "deprecated": True})
_TextOfOtherName = WithJsonSchema({"type": "string", "deprecated": True})


class ContactBody(RequestBody):
    """Somebody to call. A number that is none is reported and left out; it does not refuse the request."""

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        return {"phone": "phone_number", "metadata": "custom_fields"}

    phone_number: Annotated[str, Field(max_length=64, examples=["+12125551234"])] = Field(description="E.164.")
    phone: Annotated[None, other_name("phone_number"), _TextOfOtherName] = None
    first_name: Annotated[str, Field(max_length=100)] | None = None
    last_name: Annotated[str, Field(max_length=100)] | None = None
    email: Annotated[str, Field(max_length=254)] | None = None
    timezone: Annotated[str, Field(max_length=64)] | None = Field(None, description="IANA; else the number tells.")
    custom_fields: Annotated[dict[str, JsonValue], Field(max_length=100)] | None = Field(
        None, description="Fill `{{name}}` in prompt and greeting."
    )
    metadata: Annotated[None, other_name("custom_fields"), _ObjectOfOtherName] = None


class RetryRuleBody(RequestBody):
    """How often a contact is called again whose call has ended in this way."""

    attempts: Annotated[int, Field(ge=0, le=_MAX_RETRIES)] = Field(
        description="Further attempts, those after other endings among them; 0 for none."
    )
    delay_minutes: Delays | None = Field(None, description="As `retry_delay_minutes`, which holds by default.")


class RetryRulesBody(RequestBody):
    """By how a call has ended; what is not named follows `retry_attempts`."""

    busy: RetryRuleBody | None = None
    no_answer: RetryRuleBody | None = None
    voicemail: RetryRuleBody | None = None
    unreachable: RetryRuleBody | None = None
    declined: RetryRuleBody | None = Field(None, description="Not retried without a rule.")
    inactivity: RetryRuleBody | None = Field(None, description="Not retried without a rule.")
    no_media: RetryRuleBody | None = None
    carrier_error: RetryRuleBody | None = None
    provider_error: RetryRuleBody | None = None
    internal_error: RetryRuleBody | None = None


class UpdateBatchCall(RequestBody):
    """Changes of a batch call; what is not sent stays, and null means the default."""

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        return {"concurrency": "max_concurrent_calls"}

    name: Name | None = None
    agent_id: str | None = None
    phone_number_ids: Annotated[list[str], Field(max_length=100)] | None = Field(
        None, description="The numbers to call from; the agent's outbound numbers by default."
    )
    phone_rotation_strategy: RotationStrategy | None = Field(None, description="`random` by default.")
    schedule_type: ScheduleType | None = Field(None, description="`immediate` by default.")
    scheduled_at: Instant | None = Field(
        None, description="When calling begins; a time without zone is one in `timezone`."
    )
    timezone: Zone | None = Field(None, description="IANA; `UTC` by default. Its calendar counts `max_calls_per_day`.")
    start_time: TimeOfDay | None = Field(None, description="The daily window begins, on the contact's clock.")
    end_time: TimeOfDay | None = Field(None, description="The daily window ends; before `start_time`: the next day.")
    working_days: Annotated[list[Weekday], Field(min_length=1, max_length=7)] | None = Field(
        None, description="1=Monday…7=Sunday; every day by default. A window belongs to the day on which it opens."
    )
    max_calls_per_day: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    max_concurrent_calls: Annotated[int, Field(ge=1, le=10_000)] | None = Field(None, description="10 by default.")
    concurrency: Annotated[None, other_name("max_concurrent_calls"), _NumberOfOtherName] = None
    calls_per_second: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] | None = None
    retry_failed: bool | None = Field(None, description="At most two more attempts, 30 and then 120 minutes later.")
    retry_attempts: Annotated[int, Field(ge=0, le=_MAX_RETRIES)] | None = None
    retry_delay_minutes: Delays | None = Field(
        None, description="Before each retry; the last one goes on for all that follow. A number is a list of one."
    )
    retry_rules: RetryRulesBody | None = Field(None, description="Other retries for single endings.")
    max_credits: Annotated[int, Field(ge=1, le=_MAX_CREDITS)] | None = Field(
        None, description="The budget: no call is placed that might cost more than is left of it."
    )
    max_failure_rate: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = Field(
        None,
        description="Pauses by itself when more than this share of the last 50 calls failed at the carrier, at a "
        "provider or here; 0.5 by default, 1 never.",
    )
    min_answer_rate: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = Field(
        None, description="Pauses by itself when a smaller share of the last 50 calls was answered; off by default."
    )
    metadata: dict[str, JsonValue] | None = Field(None, description="Kept with the batch call and returned as it is.")


class CreateBatchCall(UpdateBatchCall):
    """A batch call; `immediate` with contacts starts at once, everything else stays a draft until it is scheduled."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Recall April",
                    "agent_id": "agt_01kar6nq9zj3k8f5v7c1r6y2hd",
                    "contacts": [{"phone_number": "+12125551234", "first_name": "Ana"}],
                    "schedule_type": "scheduled",
                    "scheduled_at": "2026-04-06T09:00:00Z",
                    "timezone": "America/New_York",
                    "start_time": "09:00",
                    "end_time": "17:00",
                    "working_days": [1, 2, 3, 4, 5],
                    "retry_failed": True,
                }
            ]
        }
    )

    name: Name
    agent_id: str
    contact_source: ContactSource | None = Field(
        None, description="`csv` by default; everything that is sent is added, whatever it says."
    )
    contact_folder_id: str | None = Field(None, description="All contacts of this folder are copied.")
    contact_ids: list[str] | None = Field(None, description="Contacts that exist; they are copied.")
    contacts: list[ContactBody] | None = None


class AddContacts(RequestBody):
    """Contacts to add; everything that is sent is added."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"contacts": [{"phone_number": "+12125551234", "first_name": "Ana"}]}]}
    )

    contacts: list[ContactBody] | None = None
    contact_ids: list[str] | None = None
    contact_folder_id: str | None = None


class ScheduleBatchCall(RequestBody):
    """When to begin: at the batch call's own time, else now, unless a time is sent."""

    scheduled_at: Instant | None = None
    timezone: Zone | None = None


class RetryBatchCall(RequestBody):
    """Which of the contacts that have failed are to be called once more."""

    reasons: Annotated[list[EndedReason], Field(min_length=1, max_length=50)] | None = Field(
        None,
        description="Only those that have failed so. By default all but those who declined, were silent or hung up on, "
        "whose number is none or must not be called, and those whose phone may have rung (`recovered_after_crash`).",
    )


class BulkDeleteBatchCalls(RequestBody):
    """Batch calls to delete."""

    ids: Annotated[list[str], Field(min_length=1, max_length=MAX_BULK_IDS)]
