"""The JSON of carriers: which login is meant, what is searched and bought, what answers say."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from ringdown.telephony import numbering
from ringdown.telephony.carrier import PhoneNumberType
from ringdown.telephony.number_schemas import E164
from ringdown.telephony.schemas import Line, RequestBody

MAX_PAGE_SIZE = 100

Secret = Annotated[Line, Field(description="Write-only.")]


class CarrierLogin(RequestBody):
    """Which account at a carrier is meant: one that is sent, one that is stored, or that of the settings."""

    provider_type: Literal["telnyx", "twilio"] | None = None
    api_key: Secret | None = Field(None, description="Of `telnyx`; of `twilio` another name of `auth_token`.")
    account_sid: Line | None = Field(None, description="Of `twilio`.")
    auth_token: Secret | None = Field(None, description="Of `twilio`.")
    credential_id: str | None = Field(None, description="A stored login, instead of the fields above.")


def _check_region(text: str) -> str:
    if not numbering.is_region(text):
        raise ValueError("must be a two-letter region with phone numbers, such as US or DE")
    return text


def _spell_type(value: Any) -> Any:
    return "toll_free" if value == "toll-free" else value


class SearchNumbers(CarrierLogin):
    """Which numbers for sale are looked for."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"country_code": "US", "area_code": "212", "phone_number_type": "local"}]}
    )

    country_code: Annotated[str, AfterValidator(_check_region)] = "US"
    locality: Line | None = Field(None, description="A city.")
    area_code: Annotated[str, Field(pattern=r"^[0-9]{1,6}$")] | None = None
    administrative_area: Line | None = Field(None, description="A state or province.")
    phone_number_type: Annotated[PhoneNumberType, BeforeValidator(_spell_type)] | None = Field(
        None, description="`toll-free` is another spelling of `toll_free`."
    )
    page: Annotated[int, Field(ge=1, le=1000)] = 1
    page_size: Annotated[int, Field(ge=1, le=MAX_PAGE_SIZE)] = 20


class PurchaseNumber(CarrierLogin):
    """The number to buy."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"phone_number": "+12125550123"}]})

    phone_number: E164
    friendly_name: Line | None = None


class CreateCredential(RequestBody):
    """A login at a carrier to store."""

    provider_type: Literal["telnyx", "twilio"]
    friendly_name: Line | None = None
    api_key: Secret | None = Field(None, description="Of `telnyx`; of `twilio` another name of `auth_token`.")
    account_sid: Line | None = Field(None, description="Of `twilio`.")
    auth_token: Secret | None = Field(None, description="Of `twilio`.")


class UpdateCredential(RequestBody):
    """What may be changed of a login; a field that is absent stays."""

    friendly_name: Line | None = None
    api_key: Secret | None = None
    auth_token: Secret | None = None


class RegionObject(BaseModel):
    """A place that a number belongs to."""

    region_type: str
    region_name: str


class CostObject(BaseModel):
    """What a number costs, as the carrier writes it."""

    upfront_cost: str | None
    monthly_cost: str | None
    currency: str | None


class AvailableNumberObject(BaseModel):
    """A number for sale."""

    phone_number: str
    phone_number_type: str | None
    range: int | None = Field(description="Always null: numbers are offered one by one.")
    region_information: list[RegionObject]
    features: list[str]
    cost_information: CostObject | None
    provider: str


class CredentialObject(BaseModel):
    """A stored login; its secret is never shown."""

    id: str
    provider_type: Literal["telnyx", "twilio"]
    friendly_name: str | None
    account_sid: str | None
    created_at: str
    updated_at: str


class WebhookUrlObject(BaseModel):
    """Where a carrier sends calls for an agent."""

    agent_id: str
    webhook_url: str = Field(description='What Twilio calls "A call comes in", by POST.')
    sip_uri: str = Field(description="Where a carrier that speaks SIP sends the calls.")
