"""Where calls must not go: emergency services, premium rates, what the operator did not allow; pure rules."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberType

from ringdown.values import is_e164

RefusalReason = Literal["invalid", "emergency", "premium_rate", "prefix_not_allowed"]

# ITU-T E.164 codes of no country: shared cost, Inmarsat, personal numbers, satellite and international networks,
# international premium rate.
_COSTLY_CODES = ("+808", "+870", "+878", "+881", "+882", "+883", "+979")
_COSTLY_TYPES = (PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST, PhoneNumberType.PERSONAL_NUMBER)
# The longest number that calls for help anywhere has six digits; a longer one only begins like it.
_MAX_SHORT_DIGITS = 6
_MAX_CODE_DIGITS = 3
# Networks ignore digits after a whole number, so more of them hide no premium number; the shortest has so many.
_MIN_DIGITS = 6


@dataclass(frozen=True, slots=True)
class DestinationRefusal:
    """Why a number is not dialled; `message` is one sentence without the number."""

    reason: RefusalReason
    message: str


def check_destination(
    number: str, *, allowed_prefixes: Sequence[str], premium_allowed: bool, region: str
) -> DestinationRefusal | None:
    """Why `number` must not be dialled, or None.

    `number` is E.164; emergency numbers are recognised however they are written. `allowed_prefixes` begin with a plus
    sign, and none at all allows every country. `region` is where short numbers would be dialled.
    """
    if is_emergency(number, region=region):
        return DestinationRefusal("emergency", "emergency numbers cannot be called from here")
    parsed = _parse(number)
    if parsed is None or not is_e164(number) or not phonenumbers.is_possible_number(parsed):
        return DestinationRefusal("invalid", "is not a phone number that can be dialled")
    if not premium_allowed and (_is_costly(number, parsed) or _is_service(number, parsed)):
        return DestinationRefusal(
            "premium_rate", "premium-rate, service, shared-cost, personal and satellite numbers are off"
        )
    if allowed_prefixes and not number.startswith(tuple(allowed_prefixes)):
        return DestinationRefusal("prefix_not_allowed", f"only numbers in {', '.join(allowed_prefixes)} are allowed")
    return None


def is_emergency(number: str, *, region: str) -> bool:
    """Whether a number calls for help: `112`, `911`, `+1911`, `+44 999`, `0044999` …"""
    digits = "".join(character for character in number if character.isdecimal())
    if len(digits) <= _MAX_SHORT_DIGITS and any(
        phonenumbers.is_emergency_number(digits.lstrip("0"), home) for home in {region, "US", "GB"}
    ):
        return True
    # Area codes may begin like an emergency number: what is a valid number is none.
    parsed = _parse(f"+{digits.removeprefix('00')}")
    if parsed is not None and phonenumbers.is_valid_number(parsed):
        return False
    return any(
        phonenumbers.connects_to_emergency_number(short, home) for short, home in _split_code(digits.removeprefix("00"))
    )


def _split_code(digits: str) -> Iterator[tuple[str, str]]:
    for length in range(1, _MAX_CODE_DIGITS + 1):
        code, rest = digits[:length], digits[length:]
        for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code or "0"), ()):
            yield rest, region
            yield rest.lstrip("0"), region  # +44 0999: a national prefix that has no place there


def _is_costly(number: str, parsed: PhoneNumber) -> bool:
    return number.startswith(_COSTLY_CODES) or phonenumbers.number_type(parsed) in _COSTLY_TYPES


def _is_service(number: str, parsed: PhoneNumber) -> bool:
    """Whether it is no number of a subscriber, but a short one (`+49 11833`) or a costly one with digits after it."""
    if phonenumbers.is_valid_number(parsed):
        return False
    beginnings = (_parse(number[:length]) for length in range(_MIN_DIGITS + 1, len(number)))
    return phonenumbers.is_possible_short_number(parsed) or any(
        each is not None and phonenumbers.number_type(each) in _COSTLY_TYPES for each in beginnings
    )


def _parse(number: str) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(number, None)
    except NumberParseException:
        return None
