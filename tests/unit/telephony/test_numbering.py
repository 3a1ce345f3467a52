"""Numbers between E.164 and the spellings of carriers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringdown.telephony import numbering
from ringdown.telephony.numbering import NumberFormat
from ringdown.values import is_e164


@pytest.mark.parametrize(
    ("number", "number_format", "region", "expected"),
    [
        ("+12025550142", "e164", "US", "+12025550142"),
        ("+12025550142", "e164_without_plus", "US", "12025550142"),
        ("+12025550142", "national", "US", "2025550142"),
        ("+14165550123", "national", "US", "4165550123"),  # Canada shares the plan
        ("+442079460000", "national", "US", "011442079460000"),
        ("+12025550142", "international", "US", "12025550142"),
        ("+442079460000", "international", "US", "011442079460000"),
        ("+4930901820", "national", "DE", "030901820"),
        ("+4930901820", "international", "DE", "004930901820"),
        ("+12025550142", "national", "DE", "0012025550142"),
        ("+442079460000", "national", "GB", "02079460000"),
        ("+442079460000", "national", "AU", "0011442079460000"),
        ("+442079460000", "national", "BR", "00442079460000"),  # callers choose their carrier there
        ("+390612345678", "national", "IT", "0612345678"),  # Italy dials the zero from everywhere
        ("+999123456", "national", "DE", "00999123456"),
    ],
)
def test_a_number_is_written_as_the_carrier_wants_it(
    number: str, number_format: NumberFormat, region: str, expected: str
) -> None:
    assert numbering.format_number(number, number_format, region=region) == expected


def test_the_dial_prefix_precedes_whatever_form() -> None:
    assert numbering.format_number("+12025550142", "national", region="US", prefix="9") == "92025550142"
    assert numbering.format_number("+12025550142", "e164", region="US", prefix="*9") == "*9+12025550142"


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("+12025550142", "DE"),
        ("12025550142", "US"),
        ("2025550142", "US"),
        ("(202) 555-0142", "US"),
        ("202.555.0142", "US"),
        ("01112025550142", "US"),
        ("0012025550142", "US"),
        ("0012025550142", "DE"),
        ("12025550142", "DE"),
        ("+1 202 555 0142", "GB"),
        ("2025550142;phone-context=+1", "DE"),
        ("+12025550142;npdi;rn=+12025550000", "US"),
    ],
)
def test_a_number_is_read_in_any_spelling(text: str, region: str) -> None:
    assert numbering.read_number(text, "e164", region=region) == "+12025550142"


@pytest.mark.parametrize(
    ("text", "number_format", "expected"),
    [
        # The same digits are a number of Berlin without, and of Nairobi's plan with a country code.
        ("030901820", "national", ("+4930901820",)),
        ("4930901820", "e164_without_plus", ("+4930901820",)),
    ],
)
def test_national_and_international_digits_are_told_apart_by_the_plan(
    text: str, number_format: NumberFormat, expected: tuple[str, ...]
) -> None:
    assert numbering.list_readings(text, number_format, region="DE")[:1] == expected


def test_the_form_of_the_trunk_decides_between_two_valid_readings() -> None:
    # +1 202 555 0142 in full, or a subscriber of a German area code.
    digits = "61234567890"
    as_national = numbering.list_readings(digits, "national", region="DE")
    as_international = numbering.list_readings(digits, "e164_without_plus", region="DE")
    assert set(as_national) == set(as_international)
    assert as_international[0].startswith("+61")


def test_our_own_dial_prefix_is_taken_off() -> None:
    readings = numbering.list_readings("92025550142", "national", region="US", prefix="9")
    assert "+12025550142" in readings


@pytest.mark.parametrize("text", ["", "alice", "agent", "1", "anonymous", "+", "+0123", "sip:+12025550142", "1" * 65])
def test_a_name_is_no_number(text: str) -> None:
    assert numbering.list_readings(text, "e164", region="US") == ()
    assert numbering.read_number(text, "e164", region="US") is None


@given(st.text(max_size=30) | st.from_regex(r"\+?[0-9() .-]{0,20}(;phone-context=[+0-9a-z.]{0,8})?", fullmatch=True))
@settings(max_examples=200)
def test_whatever_is_read_is_e164(text: str) -> None:
    for reading in numbering.list_readings(text, "national", region="GB", prefix="0"):
        assert is_e164(reading)


@given(
    st.sampled_from(["+12025550142", "+4930901820", "+442079460000", "+81312345678", "+5511987654321"]),
    st.sampled_from(["e164", "e164_without_plus", "national", "international"]),
    st.sampled_from(["US", "DE", "GB", "JP", "IT", "FR"]),
)
@settings(max_examples=120)
def test_a_number_comes_back_from_each_form(number: str, number_format: NumberFormat, region: str) -> None:
    written = numbering.format_number(number, number_format, region=region)
    assert number in numbering.list_readings(written, number_format, region=region)
