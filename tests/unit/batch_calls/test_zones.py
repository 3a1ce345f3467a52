"""Whose clock decides when somebody may be called."""

from zoneinfo import ZoneInfo

import pytest

from ringdown.batch_calls import zones

BATCH = ZoneInfo("Asia/Tokyo")


@pytest.mark.parametrize(
    ("own", "phone_number", "batch_zone", "chosen"),
    [
        ("Europe/Lisbon", "+12125551234", BATCH, "Europe/Lisbon"),
        (None, "+12125551234", BATCH, "America/New_York"),
        (None, "+13105551234", BATCH, "America/Los_Angeles"),
        (None, "+442071234567", BATCH, "Europe/London"),
        ("Not/AZone", "+442071234567", BATCH, "Europe/London"),
        # Free-phone numbers are anywhere in North America: the batch's zone if it is there, else the middle.
        (None, "+18005551234", ZoneInfo("America/Denver"), "America/Denver"),
        (None, "+18005551234", BATCH, "America/Toronto"),
        (None, "+9999999999", BATCH, "Asia/Tokyo"),
        (None, "+80012345678", BATCH, "Asia/Tokyo"),
    ],
)
def test_own_zone_then_the_numbers_then_the_batchs(
    own: str | None, phone_number: str, batch_zone: ZoneInfo, chosen: str
) -> None:
    assert zones.choose_zone(own=own, phone_number=phone_number, batch_zone=batch_zone).key == chosen


@pytest.mark.parametrize("name", ["", "America", "../etc/passwd", "europe/berlin", "Nowhere/City", "/UTC"])
def test_only_names_of_the_database_are_zones(name: str) -> None:
    assert zones.find_zone(name) is None
    assert zones.get_zone(name).key == "UTC"
