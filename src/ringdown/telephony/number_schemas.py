"""The JSON of phone numbers: what requests may say, in each documented spelling, and what answers say."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, model_validator

from ringdown import values
from ringdown.telephony.schemas import Line, RequestBody

ProviderType = Literal["telnyx", "twilio", "custom_sip"]
AssignmentType = Literal["inbound", "outbound"]


def _check_e164(number: str) -> str:
    if not values.is_e164(number):
        raise ValueError("must be an E.164 phone number such as +12025550101")
    return number


E164 = Annotated[str, AfterValidator(_check_e164)]


class ImportNumber(RequestBody):
    """A number that somebody else provides, and the trunk its calls take.

    `custom_sip` needs `sip_server`, `sip_username` and `sip_password`, which make a trunk or find the one that was
    made from them; or name a trunk with `trunk_id`. A number of `telnyx` or `twilio` must be one of the account, and
    its calls are sent here from now on, unless a `trunk_id` says over which trunk they come already.
    """

    phone_number: E164 = Field(description="`number` is another name of it.")
    provider_type: ProviderType | None = None
    friendly_name: Line | None = None
    trunk_id: str | None = None
    sip_server: str | None = Field(None, max_length=262, description="`host[:port]`.")
    sip_username: Line | None = None
    sip_password: Line | None = Field(None, description="Write-only.")
    api_key: Line | None = Field(None, description="Of `telnyx`; of `twilio` another name of `auth_token`. Write-only.")
    account_sid: Line | None = Field(None, description="Of `twilio`.")
    auth_token: Line | None = Field(None, description="Of `twilio`; write-only.")
    credential_id: str | None = Field(None, description="A stored login at `telnyx` or `twilio`.")

    @model_validator(mode="before")
    @classmethod
    def _accept_number(cls, body: Any) -> Any:
        if not isinstance(body, dict) or "number" not in body:
            return body
        renamed = dict(body)
        number = renamed.pop("number")
        if renamed.setdefault("phone_number", number) != number:
            raise ValueError("number is another name of phone_number, which says something else; send one of them")
        return renamed


class UpdateNumber(RequestBody):
    """What may be changed of a number. A field that is absent stays; `null` takes a value away."""

    friendly_name: Line | None = None
    trunk_id: str | None = Field(None, description="The trunk that its calls take.")


class AssignNumber(RequestBody):
    """Which agent a number rings (`inbound`) or which agent calls from it (`outbound`)."""

    number_id: str
    agent_id: str
    assignment_type: AssignmentType


class UnassignNumber(RequestBody):
    """Which agent is taken off a number."""

    number_id: str
    assignment_type: AssignmentType


class NumberObject(BaseModel):
    """A phone number, by each of its documented names, and the agents it rings and shows."""

    id: str
    number: str
    phone_number: str
    friendly_name: str | None
    status: Literal["active", "inactive", "pending"]
    organization_id: str
    is_trudy_managed: bool = Field(description="Whether it was bought here, and so is given back when deleted.")
    agent_id: str | None = Field(description="The agent it rings, else the one that calls from it.")
    inbound_agent_id: str | None
    outbound_agent_id: str | None
    trunk_id: str | None
    telephony_credential_id: str | None
    created_at: str
    updated_at: str
    provider_type: Literal["telnyx", "twilio"] | None = Field(description="The carrier that has the number.")


class UnassignedNumberObject(NumberObject):
    """A number after an agent was taken off it."""

    agent_id: None = Field(description="Of the direction that was asked for.")
    unassigned_at: str


class AgentNumbersObject(BaseModel):
    """The numbers of an agent."""

    agent_id: str
    inbound: list[NumberObject]
    outbound: list[NumberObject]
