"""Ids, instants, numbers and durations."""

import pytest

from ringdown import values


def test_an_id_is_its_prefix_and_26_base_32_characters() -> None:
    prefix, _, rest = values.new_id("call").partition("_")
    assert prefix == "call"
    assert len(rest) == 26
    assert set(rest) <= set("0123456789abcdefghjkmnpqrstvwxyz")


def test_ids_sort_by_the_time_they_were_made_even_within_a_millisecond() -> None:
    ids = [values.new_id("call") for _ in range(5_000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


def test_ids_keep_growing_when_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = values.new_id("call")
    monkeypatch.setattr(values.time, "time_ns", lambda: 1)
    assert values.new_id("call") > before


@pytest.mark.parametrize(
    ("instant_ms", "text"),
    [(None, None), (0, "1970-01-01T00:00:00Z"), (1_775_383_342_999, "2026-04-05T10:02:22Z")],
)
def test_an_instant_is_written_in_utc_with_whole_seconds(instant_ms: int | None, text: str | None) -> None:
    assert values.to_wire_time(instant_ms) == text


@pytest.mark.parametrize(
    "text", ["2026-04-05T10:02:22Z", "2026-04-05T12:02:22+02:00", "2026-04-05T10:02:22", "2026-04-05 10:02:22.000Z"]
)
def test_an_instant_is_read_in_any_zone_and_in_utc_without_one(text: str) -> None:
    assert values.parse_wire_time(text) == 1_775_383_342_000


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z"])
def test_what_is_no_instant_raises_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        values.parse_wire_time(text)


@pytest.mark.parametrize("text", ["+12125551234", "+4930123456", "+123456789012345"])
def test_e164_numbers_are_recognised(text: str) -> None:
    assert values.is_e164(text)


@pytest.mark.parametrize("text", ["", "12125551234", "+02125551234", "+1 212", "+1234567890123456", "+1212\n", "+1٢٣٤"])
def test_other_numbers_are_not(text: str) -> None:
    assert not values.is_e164(text)


@pytest.mark.parametrize(
    ("value", "duration_ms"),
    [("30s", 30_000), ("500ms", 500), ("1.5s", 1_500), (" 2s ", 2_000), (30, 30_000), (0, 0), (0.25, 250)],
)
def test_durations_have_a_unit_or_are_seconds(value: str | int | float, duration_ms: int) -> None:
    assert values.parse_duration_ms(value) == duration_ms


@pytest.mark.parametrize(
    "value", ["", "30", "30m", "-1s", "s", "1e3s", -1, True, float("nan"), float("inf"), 10**400, "9" * 400 + "s", "٣s"]
)
def test_other_durations_raise_value_error(value: str | int | float) -> None:
    with pytest.raises(ValueError, match="must be a duration"):
        values.parse_duration_ms(value)


@pytest.mark.parametrize("text", ["30s", "500ms", "0s", "1500ms"])
def test_a_written_duration_is_read_back(text: str) -> None:
    assert values.format_duration(values.parse_duration_ms(text)) == text
