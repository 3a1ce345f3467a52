"""Phone numbers between E.164 and what carriers write: pure rules, by the metadata of `phonenumbers`."""

import re
from typing import Literal

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumber, PhoneNumberFormat

from ringdown.values import is_e164

NumberFormat = Literal["e164", "e164_without_plus", "national", "international"]

# What ITU-T E.123 lets people put between digits; anything else is a name and not a number.
_SEPARATORS = re.compile(r"[\s().\-/]")
_DIALLED = re.compile(r"\+?[0-9]{2,20}")
_NORTH_AMERICA = 1
_MAX_LENGTH = 64


def is_region(text: str) -> bool:
    """Whether `text` is an ISO 3166 region with a numbering plan (`US`, `DE`)."""
    return text in phonenumbers.SUPPORTED_REGIONS


def format_number(e164: str, number_format: NumberFormat, *, region: str, prefix: str = "") -> str:
    """An E.164 number as a carrier of `region` wants it dialled.

    `national` writes numbers of other countries with the international prefix, `international` all of them, except
    that North American numbers call each other with 1 and ten digits. `prefix` precedes whatever comes out.
    """
    if number_format == "e164":
        return prefix + e164
    digits = e164.removeprefix("+")
    if number_format == "e164_without_plus":
        return prefix + digits
    number = _parse(e164, None)
    home = phonenumbers.country_code_for_region(region)
    if number is None or number.country_code != home:
        return prefix + _find_international_prefix(region) + digits
    if number_format == "national":
        national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
        return prefix + re.sub(r"[^0-9]", "", national)
    return prefix + (digits if home == _NORTH_AMERICA else _find_international_prefix(region) + digits)


def list_readings(text: str, number_format: NumberFormat, *, region: str, prefix: str = "") -> tuple[str, ...]:
    """The E.164 numbers that the user part of a SIP URI may mean, the likeliest first.

    `text` may have parameters (`;phone-context=…`), visual separators, a plus sign, international or national
    prefixes, or our own dial prefix. Empty when it is no phone number.
    """
    if len(text) > _MAX_LENGTH:
        return ()
    user, *parameters = text.split(";")
    dialled = _SEPARATORS.sub("", user)
    context = next((value for name, _, value in (part.partition("=") for part in parameters) if _is_context(name)), "")
    if context.startswith("+") and not dialled.startswith("+"):  # RFC 3966 §5.1.5: the digits follow the context
        dialled = context + dialled
    readings = _read(dialled, number_format, region)
    if prefix and dialled.startswith(prefix):
        readings += _read(dialled.removeprefix(prefix), number_format, region)
    return tuple(dict.fromkeys(readings))


def read_number(text: str, number_format: NumberFormat, *, region: str, prefix: str = "") -> str | None:
    """The likeliest of `list_readings`, or None."""
    return next(iter(list_readings(text, number_format, region=region, prefix=prefix)), None)


def _is_context(name: str) -> bool:
    return name.strip().lower() == "phone-context"


def _read(dialled: str, number_format: NumberFormat, region: str) -> list[str]:
    if _DIALLED.fullmatch(dialled) is None:
        return []
    if dialled.startswith("+"):
        return [dialled] if is_e164(dialled) else []
    candidates = [_parse(dialled, region), _parse(f"+{dialled}", None)]
    if number_format == "e164_without_plus":
        candidates.reverse()
    if dialled.startswith("00"):  # ITU-T E.164 recommends it everywhere, and PBXs write it everywhere
        candidates.append(_parse(f"+{dialled[2:]}", None))
    numbers = [number for number in candidates if number is not None and phonenumbers.is_possible_number(number)]
    numbers.sort(key=lambda number: not phonenumbers.is_valid_number(number))
    return [phonenumbers.format_number(number, PhoneNumberFormat.E164) for number in numbers]


def _parse(text: str, region: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except NumberParseException:
        return None


def _find_international_prefix(region: str) -> str:
    metadata = PhoneMetadata.metadata_for_region(region)
    prefix = (metadata.preferred_international_prefix or metadata.international_prefix or "") if metadata else ""
    # Where callers choose their carrier, the metadata holds a pattern instead of one prefix.
    return prefix if prefix.isdecimal() else "00"
