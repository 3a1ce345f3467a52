"""What receivers answer, as it is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringdown.webhooks import answers

_NOW_MS = 1_700_000_000_000  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    ("header", "delay_ms"),
    [
        (None, None),
        ("0", 0),
        ("120", 120_000),
        ("99999999999999999999", 999_999_999_000),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60_000),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("²", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, delay_ms: int | None) -> None:
    assert answers.parse_retry_after_ms(header, now_ms=_NOW_MS) == delay_ms


@given(st.text(max_size=60))
def test_no_retry_after_raises(header: str) -> None:
    answers.parse_retry_after_ms(header, now_ms=_NOW_MS)


@given(st.binary(max_size=5_000))
def test_whatever_is_answered_becomes_a_bounded_text_that_can_be_stored(body: bytes) -> None:
    text = answers.read_text(body)
    assert len(text) <= answers.MAX_TEXT
    assert not any(character in text for character in "\x00\x07\x1b\x7f\x85")
    text.encode()


def test_readable_answers_stay_as_they_are() -> None:
    assert answers.read_text("größer\n\tals 1 – “ok” 👍".encode()) == "größer\n\tals 1 – “ok” 👍"
    assert answers.read_text(b"\x1b[31mred\x00") == "[31mred"


def test_a_refusal_is_a_sentence() -> None:
    assert answers.describe_refusal(204) is None
    for status, word in ((302, "redirects are not followed"), (410, "Gone"), (500, "500"), (101, "101")):
        assert word in (answers.describe_refusal(status) or "")
