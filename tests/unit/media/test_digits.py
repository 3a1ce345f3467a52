"""Keypad digits by RFC 4733."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringdown.media import payloads
from ringdown.media.digits import DigitReceiver, DigitSender


def send(
    digits: str, *, duration_ms: int = 100, pause_ms: int = 80
) -> list[tuple[int, payloads.TelephoneEvent] | None]:
    """What each tick carries: the event and its timestamp, or None for no event."""
    sender = DigitSender(clock_rate_hz=8000)
    sender.add(digits, duration_ms=duration_ms, pause_ms=pause_ms)
    sent: list[tuple[int, payloads.TelephoneEvent] | None] = []
    while sender.queue:
        packet = sender.next()
        timestamp = len(sent) * 160
        if packet is None:
            sent.append(None)
        else:
            sent.append((timestamp - 160 * packet.ticks_ago, payloads.parse_event(packet.payload)))
    return sent


def receive(sent: list[tuple[int, payloads.TelephoneEvent] | None]) -> str:
    receiver = DigitReceiver()
    events = [entry for entry in sent if entry is not None]
    return "".join(receiver.receive(stamp, payloads.serialize_event(event)) or "" for stamp, event in events)


def test_a_digit_grows_under_one_timestamp_and_ends_three_times() -> None:
    sent = [entry for entry in send("5") if entry is not None]
    assert {timestamp for timestamp, _ in sent} == {0}
    assert [event.duration for _, event in sent] == [160, 320, 480, 640, 800, 800, 800]
    assert [event.is_end for _, event in sent] == [False] * 4 + [True] * 3
    assert {event.event for _, event in sent} == {5}


def test_equal_digits_in_a_row_are_two_presses() -> None:
    assert receive(send("1122#")) == "1122#"


@given(st.text(payloads.DIGITS, min_size=1, max_size=6), st.sets(st.integers(0, 100)))
def test_each_press_is_told_once_while_one_packet_of_it_arrives(digits: str, lost: set[int]) -> None:
    sent = send(digits)
    arriving = [entry for index, entry in enumerate(sent) if index not in lost]
    expected, told = "", set()
    for entry in arriving:
        if entry is not None and entry[0] not in told:
            told.add(entry[0])
            expected += payloads.DIGITS[entry[1].event]
    assert receive(arriving) == expected


def test_duplicates_and_stragglers_tell_nothing_again() -> None:
    sent = send("12")
    assert receive(sent + sent[:7]) == "12"
    assert receive([entry for entry in sent for _ in range(2)]) == "12"


def test_an_event_longer_than_its_duration_field_is_one_press() -> None:
    receiver = DigitReceiver()
    first = payloads.TelephoneEvent(9, False, 10, 0xFFF0)
    second = payloads.TelephoneEvent(9, True, 10, 800)
    assert receiver.receive(1000, payloads.serialize_event(first)) == "9"
    assert receiver.receive(1000 + 0xFFFF, payloads.serialize_event(second)) is None


def test_timestamps_of_presses_wrap_around() -> None:
    receiver = DigitReceiver()
    event = payloads.serialize_event(payloads.TelephoneEvent(1, True, 10, 800))
    assert [receiver.receive(stamp, event) for stamp in (0xFFFFFF00, 0xFFFFFF00, 0x400)] == ["1", None, "1"]


def test_digits_are_heard_after_the_sender_has_set_its_clock_back() -> None:
    receiver = DigitReceiver()
    event = payloads.serialize_event(payloads.TelephoneEvent(1, True, 10, 800))
    assert [receiver.receive(stamp, event) for stamp in (9_000_000, 9_000_000 - 40_000, 500, 500)] == [
        "1", None, "1", None,
    ]  # fmt: skip


def test_events_that_are_no_digits_are_ignored() -> None:
    assert DigitReceiver().receive(0, payloads.serialize_event(payloads.TelephoneEvent(16, False, 10, 160))) is None


@pytest.mark.parametrize(("digits", "duration_ms"), [("1x", 100), ("1", 10), ("1", 60_000)])
def test_impossible_digits_are_refused(digits: str, duration_ms: int) -> None:
    with pytest.raises(ValueError, match="digit"):
        DigitSender(clock_rate_hz=8000).add(digits, duration_ms=duration_ms, pause_ms=80)


@given(st.binary(max_size=8))
def test_parsing_any_event_raises_nothing_but_value_error(payload: bytes) -> None:
    try:
        assert payloads.serialize_event(payloads.parse_event(payload))[0] == payload[0]
    except ValueError:
        assert len(payload) < 4
