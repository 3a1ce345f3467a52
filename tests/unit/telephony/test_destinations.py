"""Where calls must not go."""

import pytest

from ringdown.telephony.destinations import check_destination


def _check(number: str, *prefixes: str, premium_allowed: bool = False, region: str = "US") -> str | None:
    refusal = check_destination(number, allowed_prefixes=prefixes, premium_allowed=premium_allowed, region=region)
    assert refusal is None or number not in refusal.message or not number
    return None if refusal is None else refusal.reason


@pytest.mark.parametrize(
    "number",
    [
        "112", "911", "999", "+112", "+911", "+1911", "+1112", "+44999", "+44112", "+440999", "+49110", "+49112",
        "0044999", "00112", "+33 15", "+61000", "+61 112", "+91112",
        "1-911", "+81119",
    ],
)  # fmt: skip
@pytest.mark.parametrize("region", ["US", "DE"])
def test_emergency_numbers_are_refused_in_every_spelling(number: str, region: str) -> None:
    assert _check(number, premium_allowed=True, region=region) == "emergency"


@pytest.mark.parametrize(
    "number",
    [
        "+12025550142",
        "+12125551234",
        "+4930901820",
        "+911123456789",  # an area code of Delhi begins as 112 does
        "+912212345678",
        "+18005559876",
        "+442079460000",
        "+390612345678",
    ],
)
def test_ordinary_and_toll_free_numbers_are_allowed(number: str) -> None:
    assert _check(number) is None


@pytest.mark.parametrize(
    "number",
    [
        "+19005551234",
        "+449098790000",
        "+448431234567",  # shared cost
        "+447012345678",  # personal, forwarded at the caller's expense
        "+499001234567",
        "+870773111632",
        "+8821612345678",
        "+883510001234567",
        "+979123456789",
    ],
)
def test_costly_numbers_are_refused_unless_allowed(number: str) -> None:
    assert _check(number) == "premium_rate"
    assert _check(number, premium_allowed=True) is None


@pytest.mark.parametrize("number", ["+49900123456700", "+81601234567000", "+61190012345612"])
def test_digits_after_a_costly_number_do_not_hide_it(number: str) -> None:
    # The network stops listening when the number is whole.
    assert _check(number) == "premium_rate"


@pytest.mark.parametrize("number", ["+4911833", "+44118118", "+43118200"])
def test_service_codes_behind_a_country_code_are_refused(number: str) -> None:
    assert _check(number) == "premium_rate"


@pytest.mark.parametrize(
    "number", ["", "+", "alice", "+1202555", "+12025550142555", "12025550142", "+0123456789", "+999123456789", "+1 2"]
)
def test_what_cannot_be_a_number_is_invalid(number: str) -> None:
    assert _check(number) == "invalid"


def test_only_numbers_with_an_allowed_prefix_pass() -> None:
    assert _check("+12025550142", "+1", "+44") is None
    assert _check("+442079460000", "+1", "+44") is None
    assert _check("+4930901820", "+1", "+44") == "prefix_not_allowed"
    assert _check("+18765551234", "+1202") == "prefix_not_allowed"
