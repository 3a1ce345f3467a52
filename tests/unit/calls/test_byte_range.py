"""The Range header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringdown.calls import byte_range
from ringdown.calls.byte_range import RangeNotSatisfiable


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-4", (0, 5)),
        ("bytes=5-", (5, 10)),
        ("bytes=5-99", (5, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-99", (0, 10)),
        ("bytes=4-3", None),
        ("bytes=12-11", None),
        ("lines=0-4", None),
        ("bytes=0-1,3-4", None),
    ],
)
def test_a_range_is_read_as_rfc_9110_says(header: str | None, expected: tuple[int, int] | None) -> None:
    assert byte_range.parse_range(header, 10) == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-11", "bytes=-0"])
def test_a_range_beyond_the_file_cannot_be_satisfied(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        byte_range.parse_range(header, 10)


def test_no_range_of_an_empty_file_can_be_satisfied() -> None:
    with pytest.raises(RangeNotSatisfiable):
        byte_range.parse_range("bytes=0-", 0)


@given(header=st.one_of(st.text(), st.from_regex(r"bytes=\d{0,20}-\d{0,20}")), size=st.integers(0, 1000))
def test_any_header_gives_a_part_of_the_file_or_is_refused(header: str, size: int) -> None:
    try:
        found = byte_range.parse_range(header, size)
    except RangeNotSatisfiable:
        return
    assert found is None or 0 <= found[0] < found[1] <= size
