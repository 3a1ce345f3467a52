"""The JSON of trunks: what requests and `[[trunks]]` tables may say, and what answers say."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from ringdown.errors import ValidationFailed
from ringdown.telephony import addresses, certificates, numbering
from ringdown.telephony.models import (
    CallerIdForm,
    Codec,
    DtmfMode,
    NatMode,
    RegistrationState,
    SessionTimerMode,
    SrtpPolicy,
    TransferMode,
    TrunkOrigin,
    TrunkTransport,
)
from ringdown.telephony.numbering import NumberFormat
from ringdown.web import messages

_PREFIX_RULE = "must begin with a plus sign and have up to 15 digits, as in +1 or +4930"


class RequestBody(BaseModel):
    """A body in which an unknown field is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _check_printable(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("must be printable text and not blank")
    return text


def _check_proxy(text: str) -> str:
    host, port = addresses.parse_host_port(text)
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def _check_region(text: str) -> str:
    if not numbering.is_region(text):
        raise ValueError("must be a two-letter region with phone numbers, such as US or DE")
    return text


def _check_prefix(text: str) -> str:
    if re.fullmatch(r"\+[1-9][0-9]{0,14}", text) is None:
        raise ValueError(_PREFIX_RULE)
    return text


def _split_host(value: object) -> object:
    if not isinstance(value, str):
        return value
    host, port = addresses.parse_host_port(value)
    return {"host": host, "port": port}


#: A line of text without control characters, which could end a header field.
Line = Annotated[str, Field(max_length=255), AfterValidator(_check_printable)]
Host = Annotated[str, Field(max_length=255), AfterValidator(addresses.parse_host)]
Source = Annotated[str, Field(max_length=255), AfterValidator(addresses.parse_source)]
Prefix = Annotated[str, AfterValidator(_check_prefix)]
Certificates = Annotated[str, Field(max_length=100_000), AfterValidator(certificates.check_certificates)]


class TrunkHostBody(RequestBody):
    """One host of a trunk."""

    host: Host
    port: Annotated[int, Field(ge=1, le=65535)] | None = Field(
        None, description="By default found by DNS (NAPTR, SRV), or 5060 and with TLS 5061."
    )
    priority: Annotated[int, Field(ge=0, le=65535, description="The lowest is tried first.")] = 0
    weight: Annotated[int, Field(ge=0, le=65535, description="Its share among hosts of one priority.")] = 1


_HOST_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"type": "string", "description": "`host` or `host:port`."},
            {
                "type": "object",
                "required": ["host"],
                "additionalProperties": False,
                "properties": {
                    "host": {"type": "string"},
                    "port": {"type": "integer", "minimum": 1, "maximum": 65535},
                    "priority": {"type": "integer", "minimum": 0, "maximum": 65535, "default": 0},
                    "weight": {"type": "integer", "minimum": 0, "maximum": 65535, "default": 1},
                },
            },
        ]
    }
)
HostEntry = Annotated[TrunkHostBody, BeforeValidator(_split_host), _HOST_SCHEMA]


class UpdateTrunk(RequestBody):
    """What may be changed of a trunk.

    A field that is absent stays. `null` puts an optional field back to its default; of `name` and `hosts` it changes
    nothing.
    """

    name: Annotated[Line, Field(max_length=100)] | None = Field(None, description="Unique in the organization.")
    hosts: Annotated[list[HostEntry], Field(min_length=1, max_length=16)] | None = None
    transport: TrunkTransport | None = None
    username: Line | None = Field(None, description="Answers digest challenges.")
    password: Line | None = Field(None, description="Write-only.")
    registers: bool | None = Field(None, description="Whether to register with the hosts.")
    registration_expires_seconds: Annotated[int, Field(ge=30, le=86400)] | None = None
    outbound_proxy: Annotated[str, Field(max_length=262), AfterValidator(_check_proxy)] | None = Field(
        None, description="`host[:port]` that requests go to instead of the hosts."
    )
    allowed_sources: Annotated[list[Source], Field(max_length=100)] | None = Field(
        None, description="Addresses, networks and names that calls may come from, beside the hosts."
    )
    inbound_username: Line | None = Field(None, description="Who calls from elsewhere must know this name.")
    inbound_password: Line | None = Field(None, description="And this password; write-only.")
    caller_id_form: CallerIdForm | None = None
    number_format: NumberFormat | None = None
    number_prefix: Annotated[str, Field(pattern=r"^[0-9*#+]{0,10}$")] | None = None
    default_region: Annotated[str, AfterValidator(_check_region)] | None = None
    codecs: Annotated[list[Codec], Field(min_length=1, max_length=4)] | None = None
    srtp: SrtpPolicy | None = None
    max_calls_per_second: Annotated[float, Field(gt=0, le=1000)] | None = None
    max_concurrent_calls: Annotated[int, Field(ge=1, le=100_000)] | None = None
    session_timer: SessionTimerMode | None = None
    session_expires_seconds: Annotated[int, Field(ge=90, le=86400)] | None = None
    allowed_prefixes: Annotated[list[Prefix], Field(max_length=100)] | None = None
    premium_allowed: bool | None = None
    transfer: TransferMode | None = None
    accepts_refer: bool | None = None
    dtmf: DtmfMode | None = None
    nat: NatMode | None = None
    tls_ca: Certificates | None = Field(None, description="PEM; trusted instead of the system's.")
    tls_certificate: Certificates | None = Field(None, description="PEM; ours.")
    tls_private_key: (
        Annotated[str, Field(max_length=100_000), AfterValidator(certificates.check_private_key)] | None
    ) = Field(None, description="PEM; write-only; sent together with `tls_certificate`.")
    tls_server_name: Host | None = Field(None, description="The name that the certificate of the far end must show.")
    tls_verify: bool | None = None
    is_enabled: bool | None = None

    @model_validator(mode="after")
    def _check_pair(self) -> Self:
        certificate, private_key = self.tls_certificate, self.tls_private_key
        if (certificate is None) != (private_key is None):
            raise ValueError("tls_certificate and tls_private_key must be sent together")
        if certificate is not None and private_key is not None and not certificates.is_pair(certificate, private_key):
            raise ValueError("tls_private_key must be the key of tls_certificate")
        return self


class CreateTrunk(UpdateTrunk):
    """A new trunk."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "carrier",
                    "hosts": ["sip.example.net"],
                    "transport": "tls",
                    "username": "alice",
                    "password": "secret",
                    "registers": True,
                }
            ]
        }
    )

    name: Annotated[Line, Field(max_length=100)]
    hosts: Annotated[list[HostEntry], Field(min_length=1, max_length=16)]


def parse_trunk(table: Mapping[str, Any]) -> CreateTrunk:
    """The trunk that a table of names and values describes. Raises `ValidationFailed`."""
    try:
        return CreateTrunk.model_validate(dict(table))
    except ValidationError as error:
        located = [{**item, "loc": ("body", *item["loc"])} for item in error.errors(include_url=False)]
        raise ValidationFailed(messages.explain(located, body=dict(table))) from None


class TrunkHostObject(BaseModel):
    """One host of a trunk."""

    host: str
    port: int | None
    priority: int
    weight: int


class GatewayStatusObject(BaseModel):
    """How one gateway finds a trunk."""

    gateway_id: str
    registration: RegistrationState
    registration_error: str | None
    is_reachable: bool | None
    round_trip_ms: float | None
    last_error: str | None
    live_calls: int
    checked_at: str


class TrunkStatusObject(BaseModel):
    """How the gateway that looked last finds a trunk, and what each of them told. `null` until one has looked."""

    registration: RegistrationState | None
    registration_error: str | None
    is_reachable: bool | None
    round_trip_ms: float | None
    last_error: str | None
    live_calls: int = Field(description="Of all gateways.")
    checked_at: str | None
    gateways: list[GatewayStatusObject]


class TrunkObject(BaseModel):
    """A trunk. Passwords and private keys are never shown, only whether there is one."""

    id: str
    name: str
    origin: TrunkOrigin = Field(description="A trunk of `ringdown.toml` is changed there.")
    is_enabled: bool
    hosts: list[TrunkHostObject]
    transport: TrunkTransport
    username: str | None
    has_password: bool
    registers: bool
    registration_expires_seconds: int
    outbound_proxy: str | None
    allowed_sources: list[str]
    inbound_username: str | None
    has_inbound_password: bool
    caller_id_form: CallerIdForm
    number_format: NumberFormat
    number_prefix: str
    default_region: str
    codecs: list[Literal["PCMU", "PCMA", "G722", "OPUS"]]
    srtp: SrtpPolicy
    max_calls_per_second: float | None
    max_concurrent_calls: int | None
    session_timer: SessionTimerMode
    session_expires_seconds: int
    allowed_prefixes: list[str]
    premium_allowed: bool
    transfer: TransferMode
    accepts_refer: bool
    dtmf: DtmfMode
    nat: NatMode
    tls_ca: str | None
    tls_certificate: str | None
    has_tls_private_key: bool
    tls_server_name: str | None
    tls_verify: bool
    status: TrunkStatusObject
    created_at: str
    updated_at: str
