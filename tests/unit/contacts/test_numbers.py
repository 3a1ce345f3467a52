"""Numbers as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringdown import values
from ringdown.contacts import numbers


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("+12025550142", "DE", "+12025550142"),
        ("(202) 555-0142", "US", "+12025550142"),
        ("202.555.0142", "US", "+12025550142"),
        ("1-202-555-0142", "US", "+12025550142"),
        ("tel:+1-202-555-0142", "DE", "+12025550142"),
        ("011 49 30 123456", "US", "+4930123456"),
        ("0049 30 123456", "US", "+4930123456"),
        ("030/123456", "DE", "+4930123456"),
        ("+44 (0)20 7946 0018", "US", "+442079460018"),
        ("020 7946 0018", "GB", "+442079460018"),
        ("06 1234 5678", "IT", "+390612345678"),
        ("301234567.0", "DE", "+49301234567"),
        ("49301234567.0", "DE", "+49301234567"),
        ("+49301234567.00", "US", "+49301234567"),
        (" 2025550142.0 ", "US", "+12025550142"),
        ("202.555.01.00", "US", "+12025550100"),
        ("\u202a+1\u00a0202\u2011555\u20110142\u202c", "US", "+12025550142"),
    ],
)
def test_a_number_is_read_as_its_country_dials_it(text: str, region: str, number: str) -> None:
    assert numbers.parse_number(text, region=region) == number


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "E.164"),
        ("Ana", "E.164"),
        ("1.2025550142E+10", "E.164"),
        ("2025550142 x12", "E.164"),
        ("2025550142 / 2025550143", "too many digits"),
        ("202555014", "too few digits"),
        ("5550142", "area code"),
        ("+999123456789", "country code"),
        ("+1202", "too few digits"),
        ("1" * 70, "E.164"),
    ],
)
def test_what_is_no_number_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        numbers.parse_number(text, region="US")


@given(st.text(max_size=80) | st.from_regex(r"\+?[0-9 ()-]{2,20}", fullmatch=True))
def test_any_text_is_an_e164_number_or_refused(text: str) -> None:
    try:
        number = numbers.parse_number(text, region="US")
    except ValueError:
        return
    assert values.is_e164(number)
    assert numbers.parse_number(number, region="DE") == number
