"""What a trunk is: a SIP peer that we send to or accept from, and how it stands; pure values."""

from dataclasses import dataclass, field
from typing import Literal

from ringdown.telephony import numbering
from ringdown.telephony.numbering import NumberFormat

TrunkTransport = Literal["udp", "tcp", "tls"]
CallerIdForm = Literal["from", "p_asserted_identity", "remote_party_id"]
Codec = Literal["PCMU", "PCMA", "G722", "OPUS"]
SrtpPolicy = Literal["off", "optional", "required"]
SessionTimerMode = Literal["off", "accept", "request"]
TransferMode = Literal["auto", "refer", "bridge"]
DtmfMode = Literal["auto", "rfc4733", "inband"]
NatMode = Literal["auto", "off"]
TrunkOrigin = Literal["api", "toml"]
RegistrationState = Literal["off", "registering", "registered", "refused", "failed"]

DEFAULT_CODECS: tuple[Codec, ...] = ("PCMU", "PCMA", "G722", "OPUS")
#: The fields that the database holds as ciphertext and that no answer shows.
SECRET_FIELDS = ("password", "inbound_password", "tls_private_key")


@dataclass(frozen=True, slots=True)
class TrunkHost:
    """One host of a trunk. The lowest `priority` is tried first; equal ones share the calls by `weight`."""

    host: str
    port: int | None = None
    priority: int = 0
    weight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Trunk:
    """A SIP peer of an organization. Instants are milliseconds UTC, TLS texts are PEM.

    Requests are accepted from `allowed_sources` (addresses, networks, names) and from the trunk's own hosts, or from
    anywhere with the digest credentials `inbound_username` and `inbound_password`.
    """

    organization_id: str
    id: str
    name: str
    hosts: tuple[TrunkHost, ...]
    created_at: int
    updated_at: int
    transport: TrunkTransport = "udp"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    registers: bool = False
    registration_expires_seconds: int = 300
    outbound_proxy: str | None = None
    """`host[:port]` that requests go to instead of the hosts."""
    allowed_sources: tuple[str, ...] = ()
    inbound_username: str | None = None
    inbound_password: str | None = field(default=None, repr=False)
    caller_id_form: CallerIdForm = "from"
    number_format: NumberFormat = "e164"
    number_prefix: str = ""
    default_region: str = "US"
    codecs: tuple[Codec, ...] = DEFAULT_CODECS
    srtp: SrtpPolicy = "off"
    max_calls_per_second: float | None = None
    max_concurrent_calls: int | None = None
    session_timer: SessionTimerMode = "accept"
    session_expires_seconds: int = 1800
    allowed_prefixes: tuple[str, ...] = ()
    """Beginnings of the numbers that may be called, with plus sign; none allows all."""
    premium_allowed: bool = False
    transfer: TransferMode = "auto"
    accepts_refer: bool = False
    dtmf: DtmfMode = "auto"
    nat: NatMode = "auto"
    tls_ca: str | None = None
    tls_certificate: str | None = None
    tls_private_key: str | None = field(default=None, repr=False)
    tls_server_name: str | None = None
    tls_verify: bool = True
    is_enabled: bool = True
    origin: TrunkOrigin = "api"

    def format_number(self, e164: str) -> str:
        """An E.164 number as this trunk wants it in a SIP URI."""
        return numbering.format_number(e164, self.number_format, region=self.default_region, prefix=self.number_prefix)

    def read_number(self, user: str) -> str | None:
        """The E.164 number that the user part of a URI from this trunk most likely means; None for a name."""
        return numbering.read_number(user, self.number_format, region=self.default_region, prefix=self.number_prefix)

    def list_readings(self, user: str) -> tuple[str, ...]:
        """All E.164 numbers that the user part may mean, the likeliest first."""
        return numbering.list_readings(user, self.number_format, region=self.default_region, prefix=self.number_prefix)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkStatus:
    """How one gateway finds a trunk. Instants are milliseconds UTC; None means not known yet."""

    organization_id: str
    trunk_id: str
    gateway_id: str
    checked_at: int
    registration: RegistrationState = "off"
    registration_error: str | None = None
    is_reachable: bool | None = None
    round_trip_ms: float | None = None
    last_error: str | None = None
    live_calls: int = 0
