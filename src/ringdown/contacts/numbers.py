"""Phone numbers as people write them, read into E.164; pure, by the metadata of `phonenumbers`."""

import re

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

_MAX_LENGTH = 64
# ITU-T E.123's separators, the dashes and spaces that word processors put there, and marks that copying leaves.
_SEPARATORS = re.compile(r"[\s().\-/\u00ad\u200b-\u200f\u2010-\u2015\u202a-\u202e\u2060\u2212\ufeff]+")
# Spreadsheets and pandas write a column of numbers with a decimal place; six digits are no group of a spelling.
_DECIMAL = re.compile(r"(\+?[0-9]{6,})\.0{1,2}")
_DIALLED = re.compile(r"\+?[0-9]{2,20}")
_REFUSALS = {
    ValidationResult.TOO_SHORT: "has too few digits",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "lacks its area code",
    ValidationResult.TOO_LONG: "has too many digits",
}


def is_region(text: str) -> bool:
    """Whether `text` is an ISO 3166 region with a numbering plan (`US`, `DE`)."""
    return text in phonenumbers.SUPPORTED_REGIONS


def cut_decimal(text: str) -> str:
    """The number without the decimal place that a spreadsheet has given it."""
    decimal = _DECIMAL.fullmatch(text)
    return text if decimal is None else decimal[1]


def parse_number(text: str, *, region: str) -> str:
    """The E.164 number; one without plus sign or international prefix is read as `region` dials it.

    Raises `ValueError` that says what is wrong. A number is possible by its length; whether it is in use nobody knows.
    """
    text = cut_decimal(text.strip()) if len(text) <= _MAX_LENGTH else ""
    dialled = _SEPARATORS.sub("", text.removeprefix("tel:"))
    if _DIALLED.fullmatch(dialled) is None:
        raise ValueError(f"must be in E.164 format, such as +12025550142, or as it is dialled in {region}")
    if dialled.startswith("00"):  # ITU-T E.164 recommends it everywhere; no national number begins so
        dialled = f"+{dialled[2:]}"
    try:
        number = phonenumbers.parse(dialled, region)
    except NumberParseException as error:
        is_too_long = error.error_type == NumberParseException.TOO_LONG
        raise ValueError("has too many digits" if is_too_long else "has no known country code") from None
    result = phonenumbers.is_possible_number_with_reason(number)
    if result != ValidationResult.IS_POSSIBLE:
        where = "" if dialled.startswith("+") else f" for a number of {region}; elsewhere write +, country code, number"
        raise ValueError(_REFUSALS.get(result, "cannot be dialled") + where)
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)
