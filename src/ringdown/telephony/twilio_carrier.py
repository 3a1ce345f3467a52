"""Twilio behind the carrier port, by its own package; imported at its first use only."""

import contextlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from twilio.base.exceptions import TwilioException  # type: ignore[import-untyped]
from twilio.http.http_client import TwilioHttpClient  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]
from urllib3.exceptions import NewConnectionError

import requests
from ringdown.telephony.carrier import (
    AvailableNumber,
    CarrierAccount,
    CarrierFailed,
    Connection,
    FailureReason,
    NewConnection,
    NumberOffers,
    NumberQuery,
    OwnedNumber,
    clean_message,
)

_REASONS: dict[int, FailureReason] = {
    401: "credentials",
    403: "credentials",
    404: "absent",
    408: "failed",
    429: "failed",
}
_CAPABILITIES = ("voice", "SMS", "MMS", "fax")
_REGIONS = (
    ("location", "locality"),
    ("rate_center", "rate_center"),
    ("state", "region"),
    ("country_code", "iso_country"),
)


@contextlib.contextmanager
def open_carrier(account: CarrierAccount, *, url: str | None, timeout_s: float) -> Iterator["TwilioCarrier"]:
    """The carrier of an account; with a `url` all of Twilio's hosts are there."""
    http = _HttpClient(url, timeout_s)
    try:
        yield TwilioCarrier(Client(account.account_sid, account.secret, http_client=http))
    finally:
        http.session.close()


class _HttpClient(TwilioHttpClient):  # type: ignore[misc]
    """Sends the requests to another host where one is given."""

    def __init__(self, url: str | None, timeout_s: float) -> None:
        super().__init__(timeout=timeout_s)
        self._url = url

    def request(self, method: str, url: str, *arguments: Any, **options: Any) -> Any:
        if self._url is not None:
            parts = urlsplit(url)
            url = self._url.rstrip("/") + parts.path + (f"?{parts.query}" if parts.query else "")
        return super().request(method, url, *arguments, **options)


class TwilioCarrier:
    """An account at Twilio (`Carrier`)."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def search_numbers(self, query: NumberQuery) -> NumberOffers:
        """Numbers that can be bought. Twilio tells no total: it is at least what this page and one more number show."""
        begin, end = (query.page - 1) * query.page_size, query.page * query.page_size
        kind = query.phone_number_type or "local"
        wanted = {
            "area_code": query.area_code,
            "in_locality": query.locality,
            "in_region": query.administrative_area,
            "voice_enabled": True,
            "page_size": end + 1,
        }
        with _translate():
            listed = getattr(self._client.available_phone_numbers(query.country_code), kind)
            found = list(listed.page(**{name: value for name, value in wanted.items() if value is not None}))
            return NumberOffers(tuple(_read_offer(each, kind) for each in found[begin:end]), len(found))

    def buy_number(self, phone_number: str, *, reference: str) -> OwnedNumber:  # noqa: ARG002 - of the port
        """Buy a number; Twilio sells a number once only."""
        with _translate():
            bought = self._client.incoming_phone_numbers.create(phone_number=phone_number)
            return OwnedNumber(_read(bought.sid), phone_number)

    def find_number(
        self,
        phone_number: str,
        *,
        reference: str | None = None,  # noqa: ARG002 - of the port
    ) -> OwnedNumber | None:
        """The number if the account has it."""
        with _translate():
            for owned in self._client.incoming_phone_numbers.page(phone_number=phone_number, page_size=50):
                if owned.phone_number == phone_number:  # Twilio finds by part
                    return OwnedNumber(_read(owned.sid), phone_number)
        return None

    def release_number(self, number_id: str) -> None:
        """Give a number back."""
        try:
            with _translate():
                self._client.incoming_phone_numbers(number_id).delete()
        except CarrierFailed as error:
            if error.reason != "absent":
                raise

    def connect(self, wanted: NewConnection) -> Connection:
        """Make an Elastic SIP trunk that takes our calls; those to us come by the voice URL."""
        host = f"{wanted.username}.pstn.twilio.com"
        with _translate():
            logins = self._client.sip.credential_lists.create(friendly_name=wanted.name)
            logins.credentials.create(username=wanted.username, password=wanted.password)
            trunk = self._client.trunking.v1.trunks.create(friendly_name=wanted.name, domain_name=host)
            trunk.credentials_lists.create(credential_list_sid=logins.sid)
            return Connection(_read(trunk.sid), host)

    def point_number(
        self,
        number_id: str,
        *,
        connection_id: str,  # noqa: ARG002 - of the port
        voice_url: str,
    ) -> None:
        """Let Twilio ask us what to do with calls to a number; a trunk or application of it would win over that."""
        with _translate():
            self._client.incoming_phone_numbers(number_id).update(
                voice_url=voice_url, voice_method="POST", voice_application_sid="", trunk_sid=""
            )


def _read(text: Any) -> str:
    if not isinstance(text, str) or not text:
        raise ValueError("the answer lacks its id")
    return text


def _read_offer(offer: Any, kind: str) -> AvailableNumber:
    named = ((region, getattr(offer, name, None)) for region, name in _REGIONS)
    capabilities = offer.capabilities or {}
    return AvailableNumber(
        phone_number=_read(offer.phone_number),
        phone_number_type=kind,
        regions=tuple((region, name) for region, name in named if name),
        features=tuple(name.lower() for name in _CAPABILITIES if capabilities.get(name)),
    )


@contextlib.contextmanager
def _translate() -> Iterator[None]:
    try:
        yield
    except TwilioException as error:
        raise _read_failure(error) from error
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        # `requests` has errors that are a ValueError, too: an answer whose JSON is malformed.
        raise CarrierFailed("twilio", "failed", "an answer that cannot be read", is_sent=True) from error
    except requests.RequestException as error:
        raise CarrierFailed("twilio", "failed", "no answer", is_sent=not _is_unsent(error)) from error


def _read_failure(error: Any) -> CarrierFailed:
    """The failure in an error of the package: it holds a status, or the answer that has one."""
    answer = next((part for part in error.args if hasattr(part, "status_code")), None)
    status = getattr(error, "status", None) or getattr(answer, "status_code", None)
    if not isinstance(status, int):
        return CarrierFailed("twilio", "failed", "an answer that cannot be read", is_sent=True)
    headers = getattr(answer, "headers", None) or {}
    retry_after = str(headers.get("Retry-After", ""))
    said = str(getattr(error, "msg", "") or getattr(error, "detail", "") or "").partition(": ")[2]
    return CarrierFailed(
        "twilio",
        _REASONS.get(status, "failed" if status >= 500 else "refused"),
        clean_message(said or f"HTTP {status}"),
        is_sent=status >= 500 or status == 408,
        retry_after_s=int(retry_after) if retry_after.isdecimal() else None,
    )


def _is_unsent(error: requests.RequestException) -> bool:
    """Whether no connection came about."""
    cause = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(error, requests.ConnectTimeout) or isinstance(cause, NewConnectionError)
