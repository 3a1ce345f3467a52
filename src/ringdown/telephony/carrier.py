"""The port to the carriers' own APIs: what an account there can do, and how it fails; knows no vendor."""

import hashlib
from dataclasses import dataclass, field
from typing import Literal, Protocol

from ringdown import errors

CarrierName = Literal["telnyx", "twilio"]
PhoneNumberType = Literal["local", "toll_free", "mobile", "national"]
FailureReason = Literal["credentials", "refused", "absent", "failed"]

TITLES: dict[CarrierName, str] = {"telnyx": "Telnyx", "twilio": "Twilio"}


@dataclass(frozen=True, slots=True)
class CarrierAccount:
    """Who we are at a carrier: `account_sid` is Twilio's, and `secret` its auth token or Telnyx' API key."""

    provider: CarrierName
    secret: str = field(repr=False)
    account_sid: str | None = None

    @property
    def key(self) -> str:
        """Names the account without telling its secret."""
        return self.account_sid or hashlib.sha256(self.secret.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberQuery:
    """Which numbers are looked for; `page` counts from 1."""

    country_code: str
    page: int
    page_size: int
    locality: str | None = None
    area_code: str | None = None
    administrative_area: str | None = None
    phone_number_type: PhoneNumberType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailableNumber:
    """A number for sale; regions are `(type, name)`, costs are decimal texts of `currency`."""

    phone_number: str
    phone_number_type: str | None
    regions: tuple[tuple[str, str], ...] = ()
    features: tuple[str, ...] = ()
    monthly_cost: str | None = None
    upfront_cost: str | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class NumberOffers:
    """One page of what is for sale, and how many numbers there are in all as far as the carrier tells."""

    numbers: tuple[AvailableNumber, ...]
    total: int


@dataclass(frozen=True, slots=True)
class OwnedNumber:
    """A number of the account, by the carrier's id; not active while its order waits for something."""

    id: str
    phone_number: str
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class NewConnection:
    """What the carrier shall know us by: a SIP login."""

    name: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Connection:
    """Our SIP login at the carrier: its id there, and the host that calls go to."""

    id: str
    host: str


class CarrierFailed(Exception):
    """A request to a carrier was refused or failed; the text is what the carrier says, without full stop.

    `credentials`: the account is not known. `absent`: there is no such thing. `refused`: anything else that a
    repetition would not change. `failed`: the carrier is busy, broken or away. `is_sent` is False when the carrier
    surely did nothing.
    """

    def __init__(
        self,
        provider: CarrierName,
        reason: FailureReason,
        message: str,
        *,
        is_sent: bool = False,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.provider = provider
        self.reason: FailureReason = reason
        self.is_sent = is_sent
        self.retry_after_s = retry_after_s


class CarrierUnavailable(errors.RingdownError):
    """A carrier is busy, broken or away."""

    code, status = "provider_error", 502


class Carrier(Protocol):
    """An account at a carrier. Its methods block; all raise `CarrierFailed`."""

    def search_numbers(self, query: NumberQuery) -> NumberOffers:
        """Numbers that can be bought."""

    def buy_number(self, phone_number: str, *, reference: str) -> OwnedNumber:
        """Order a number once; the order bears our reference where the carrier keeps one."""

    def find_number(self, phone_number: str, *, reference: str | None = None) -> OwnedNumber | None:
        """The number if the account has it; with the reference of an order, also while that is being worked on."""

    def release_number(self, number_id: str) -> None:
        """Give a number back; one that is gone already is fine."""

    def connect(self, wanted: NewConnection) -> Connection:
        """Make a SIP login of the account."""

    def point_number(self, number_id: str, *, connection_id: str, voice_url: str) -> None:
        """Have calls to a number sent to us: over the connection, or to whom the voice URL names."""


def to_refusal(error: CarrierFailed, *, field: str) -> errors.RingdownError:
    """What the API answers: 422 for what a repetition would not change, naming `field`, else 502."""
    title = TITLES[error.provider]
    if error.reason == "credentials":
        return errors.invalid("api_key" if error.provider == "telnyx" else "auth_token", f"is refused by {title}")
    if error.reason != "failed":
        return errors.invalid(field, f"is refused by {title}: {error}")
    details: dict[str, object] = {"provider": error.provider, "retryable": True}
    if error.retry_after_s is not None:
        details["retry_after"] = error.retry_after_s
    return CarrierUnavailable(f"{title} failed: {error}.", details)


def clean_message(text: object) -> str:
    """What a carrier says, as one short printable line without full stop."""
    line = " ".join("".join(each if each.isprintable() else " " for each in str(text)).split())
    return line[:300].rstrip(". ") or "no reason given"
