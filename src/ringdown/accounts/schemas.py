"""The JSON of keys and organizations: what requests may say, and what answers say."""

import ipaddress
from typing import Annotated
from zoneinfo import ZoneInfo

import phonenumbers
from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, StringConstraints

_MAX_CREDITS = 2**53 - 1


class RequestBody(BaseModel):
    """A body in which an unknown field is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _check_name(name: str) -> str:
    if not name.strip():
        raise ValueError("must not be blank")
    return name.strip()


def _check_network(entry: str) -> str:
    try:
        return str(ipaddress.ip_network(entry.strip(), strict=False))
    except ValueError:
        raise ValueError("must be an IP address or network such as 203.0.113.7 or 10.0.0.0/8") from None


def _check_region(region: str) -> str:
    if region.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("must be an ISO 3166 code of two letters, such as US or DE")
    return region.upper()


def _check_time_zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (KeyError, OSError, ValueError):  # unknown, or no name at all such as a path
        raise ValueError("must be an IANA time zone such as Europe/Berlin") from None


Name = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_check_name)]
Network = Annotated[str, StringConstraints(max_length=64), AfterValidator(_check_network)]


_Days = Annotated[int, Field(ge=1, le=36_500)]


class UpdateApiKey(RequestBody):
    """What may be changed of a key. What is absent stays; `null` lifts the limit or allows all addresses."""

    name: Name | None = None
    allow_list: Annotated[list[Network], Field(max_length=100)] | None = Field(
        None,
        validation_alias=AliasChoices("allow_list", "ip_whitelist"),
        description="Addresses and networks it may be used from; empty is all.",
    )
    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None,
        validation_alias=AliasChoices("requests_per_minute", "rate_limit"),
        description="Its own rate limit; null is the server's.",
    )


class CreateApiKey(UpdateApiKey):
    """A new key."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "CRM", "allow_list": ["203.0.113.0/24"], "requests_per_minute": 600}]}
    )

    name: Name


class UpdateOrganization(RequestBody):
    """What may be changed of the organization. What is absent stays; `null` takes a value away."""

    name: Name | None = None
    default_region: Annotated[str, Field(min_length=2, max_length=2), AfterValidator(_check_region)] | None = Field(
        None, description="ISO 3166 code: the country of numbers in national form."
    )
    timezone: Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_check_time_zone)] | None = Field(
        None, description="IANA name."
    )
    credits_low_mark: Annotated[int, Field(ge=0, le=_MAX_CREDITS)] | None = Field(
        None, description="Credits below which the balance, before holds, counts as low; null: never."
    )
    daily_credit_limit: Annotated[int, Field(ge=0, le=_MAX_CREDITS)] | None = Field(
        None, description="Credits that the calls of one day may hold and cost, by `timezone`; null: no limit."
    )
    recording_retention_days: _Days | None = Field(
        None, description="Recordings are deleted so many days after their calls began; null: never."
    )
    transcript_retention_days: _Days | None = Field(
        None, description="The same for transcripts, summaries, analyses and details of events."
    )


class ApiKeyObject(BaseModel):
    """A key, without the key itself."""

    id: str
    name: str
    key_hint: str = Field(description="Its first characters.")
    allow_list: list[str]
    requests_per_minute: int | None
    last_used_at: str | None
    created_at: str


class NewApiKeyObject(ApiKeyObject):
    """A key with the key itself, which is shown this once."""

    key: str


class OrganizationObject(BaseModel):
    """The organization that the key selects."""

    id: str
    name: str
    default_region: str | None
    timezone: str | None
    credits_low_mark: int | None
    daily_credit_limit: int | None
    recording_retention_days: int | None
    transcript_retention_days: int | None
    created_at: str
    updated_at: str
