"""Telnyx behind the carrier port, by its own package; imported at its first use only."""

import contextlib
import functools
import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import telnyx

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

_SIP_HOST = "sip.telnyx.com"
# The API has no pages of offers, only a limit: deeper pages ask for all before them, too.
_MAX_OFFERS = 1_000
_REASONS: dict[int, FailureReason] = {
    401: "credentials",
    403: "credentials",
    404: "absent",
    408: "failed",
    429: "failed",
}


@contextlib.contextmanager
def open_carrier(account: CarrierAccount, *, url: str | None, timeout_s: float) -> Iterator["TelnyxCarrier"]:
    """The carrier of an account; nothing is repeated by the client itself, so that no order is placed twice."""
    base_url = url or "https://api.telnyx.com/v2"
    http = telnyx.DefaultHttpxClient(base_url=base_url, timeout=timeout_s, verify=_load_authorities())
    with telnyx.Telnyx(
        api_key=account.secret, base_url=base_url, timeout=timeout_s, max_retries=0, http_client=http
    ) as client:
        yield TelnyxCarrier(client)


@functools.cache
def _load_authorities() -> ssl.SSLContext:
    return ssl.create_default_context()  # takes tens of milliseconds each time


class TelnyxCarrier:
    """An account at Telnyx (`Carrier`)."""

    def __init__(self, client: telnyx.Telnyx) -> None:
        self._client = client

    def search_numbers(self, query: NumberQuery) -> NumberOffers:
        """Numbers that can be bought."""
        begin = (query.page - 1) * query.page_size
        wanted: dict[str, Any] = {
            "country_code": query.country_code,
            "locality": query.locality,
            "national_destination_code": query.area_code,
            "administrative_area": query.administrative_area,
            "phone_number_type": query.phone_number_type,
            "limit": min(begin + query.page_size, _MAX_OFFERS),
        }
        chosen: Any = {name: value for name, value in wanted.items() if value is not None}
        with _translate():
            answer = self._client.available_phone_numbers.list(filter=chosen)
            offers = _read(answer.data)
            total = getattr(answer.metadata or answer.meta, "total_results", None) or len(offers)
            shown = [_read_offer(offer, query) for offer in offers[begin : begin + query.page_size]]
        return NumberOffers(tuple(shown), min(max(total, len(offers)), _MAX_OFFERS))

    def buy_number(self, phone_number: str, *, reference: str) -> OwnedNumber:
        """Order a number once, under our reference."""
        with _translate():
            ordered: Any = [{"phone_number": phone_number}]
            made = self._client.number_orders.create(phone_numbers=ordered, customer_reference=reference)
            order = _read(made.data)
            if order.status == "failure":
                raise CarrierFailed("telnyx", "refused", "the order failed")
            # The number has an id of its own, which only the list of numbers tells.
            return OwnedNumber(str(order.id), phone_number, is_active=False)

    def find_number(self, phone_number: str, *, reference: str | None = None) -> OwnedNumber | None:
        """The number if the account has it, or while its order is being worked on."""
        with _translate():
            for owned in _read(self._client.phone_numbers.list(filter={"phone_number": phone_number}).data):
                if owned.phone_number == phone_number:
                    is_active = owned.status in ("active", None)
                    return OwnedNumber(str(owned.id), phone_number, is_active=is_active)
            if reference is None:
                return None
            for order in _read(self._client.number_orders.list(filter={"customer_reference": reference}).data):
                if order.customer_reference == reference and order.status != "failure":
                    return OwnedNumber(str(order.id), phone_number, is_active=False)
        return None

    def release_number(self, number_id: str) -> None:
        """Give a number back."""
        try:
            with _translate():
                self._client.phone_numbers.delete(number_id)
        except CarrierFailed as error:
            if error.reason != "absent":
                raise

    def connect(self, wanted: NewConnection) -> Connection:
        """Make a connection with credentials; it calls out by the account's first outbound voice profile."""
        with _translate():
            profiles = _read(self._client.outbound_voice_profiles.list().data)
            outbound: Any = {"outbound": {"outbound_voice_profile_id": profiles[0].id}} if profiles else {}
            made = self._client.credential_connections.create(
                connection_name=wanted.name,
                user_name=wanted.username,
                password=wanted.password,
                inbound={"ani_number_format": "+E.164", "dnis_number_format": "+e164"},
                **outbound,
            )
            return Connection(str(_read(made.data).id), _SIP_HOST)

    def point_number(
        self,
        number_id: str,
        *,
        connection_id: str,
        voice_url: str,  # noqa: ARG002 - of the port
    ) -> None:
        """Put a number on our connection; the voice URL is not for Telnyx."""
        with _translate():
            self._client.phone_numbers.update(number_id, connection_id=connection_id)


def _read(part: Any) -> Any:
    if part is None:
        raise ValueError("the answer lacks its data")
    return part


def _read_offer(offer: Any, query: NumberQuery) -> AvailableNumber:
    cost = offer.cost_information
    return AvailableNumber(
        phone_number=str(_read(offer.phone_number)),
        phone_number_type=query.phone_number_type,
        regions=tuple((str(each.region_type), str(each.region_name)) for each in offer.region_information or ()),
        features=tuple(str(each.name) for each in offer.features or ()),
        monthly_cost=getattr(cost, "monthly_cost", None),
        upfront_cost=getattr(cost, "upfront_cost", None),
        currency=getattr(cost, "currency", None),
    )


@contextlib.contextmanager
def _translate() -> Iterator[None]:
    try:
        yield
    except telnyx.APIStatusError as error:
        reason = _REASONS.get(error.status_code, "failed" if error.status_code >= 500 else "refused")
        retry_after = error.response.headers.get("retry-after", "")
        raise CarrierFailed(
            "telnyx",
            reason,
            _read_message(error),
            is_sent=error.status_code >= 500 or error.status_code == 408,
            retry_after_s=int(retry_after) if retry_after.isdecimal() else None,
        ) from error
    except telnyx.APIConnectionError as error:
        is_sent = not isinstance(error.__cause__, (httpx.ConnectError, httpx.ConnectTimeout))
        raise CarrierFailed("telnyx", "failed", clean_message(error), is_sent=is_sent) from error
    except (telnyx.APIError, ValueError, TypeError, AttributeError, LookupError) as error:
        raise CarrierFailed("telnyx", "failed", "an answer that cannot be read", is_sent=True) from error


def _read_message(error: telnyx.APIStatusError) -> str:
    listed = error.body.get("errors") if isinstance(error.body, dict) else None
    first = listed[0] if isinstance(listed, list) and listed else None
    if isinstance(first, dict):
        return clean_message(first.get("detail") or first.get("title") or "")
    return clean_message(f"HTTP {error.status_code}")
