"""Which user parts of SIP URIs that others name may be called."""

from dataclasses import replace

import pytest

from ringdown.config import Settings
from ringdown.telephony.models import Trunk, TrunkHost
from ringdown.telephony.permission import find_refusal_of_user

SETTINGS = Settings(_env_file=None)
TRUNK = Trunk(
    id="trunk_1",
    organization_id="org_1",
    name="carrier",
    hosts=(TrunkHost("carrier.example.net", None),),
    number_prefix="9",
    created_at=0,
    updated_at=0,
)


@pytest.mark.parametrize(
    "user",
    ["+19005551234", "19005551234", "0019005551234", "+1-900-555-1234", "%2B19005551234", "+19005551234;ext=5",
     "911", "112", "%39%31%31", "5551234;phone-context=+1900", "+49900123456700"],
)  # fmt: skip
@pytest.mark.parametrize("has_trunk", [False, True])
def test_no_spelling_hides_a_number_that_must_not_be_called(user: str, has_trunk: bool) -> None:
    assert find_refusal_of_user(user, settings=SETTINGS, trunk=TRUNK if has_trunk else None) is not None


@pytest.mark.parametrize("user", ["919005551234", "11833", "*21*0900", "200"])
def test_a_trunk_is_sent_no_digits_whose_meaning_is_not_known(user: str) -> None:
    assert find_refusal_of_user(user, settings=SETTINGS, trunk=TRUNK) is not None


@pytest.mark.parametrize("user", ["ana", "", "+4930901820", "004930901820", "+12025550142;phone-context=x"])
@pytest.mark.parametrize("has_trunk", [False, True])
def test_names_and_ordinary_numbers_may_be_called(user: str, has_trunk: bool) -> None:
    assert find_refusal_of_user(user, settings=SETTINGS, trunk=TRUNK if has_trunk else None) is None


def test_a_phone_may_have_an_extension() -> None:
    assert find_refusal_of_user("200", settings=SETTINGS) is None


def test_a_number_outside_the_allowed_prefixes_is_refused() -> None:
    assert find_refusal_of_user("+4930901820", settings=SETTINGS, trunk=replace(TRUNK, allowed_prefixes=("+1",)))
