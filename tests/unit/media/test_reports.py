"""Loss, jitter and round trip, as RTCP tells them."""

import pytest

from ringdown.media import rtcp
from ringdown.media.reception import Reception
from ringdown.media.reports import Reports
from ringdown.media.sender import Sender
from ringdown.media.stream import StreamSettings

START_NS = 1_800_000_000_000_000_000


def make_sender() -> Sender:
    return Sender(StreamSettings(remote=("127.0.0.1", 9), encoding="PCMU", payload_type=0, dtmf_payload_type=101))


def receive(numbers: list[int]) -> Reception:
    reception = Reception(ssrc=5, sequence_number=numbers[0], clock_rate_hz=8000)
    for index, number in enumerate(numbers):
        reception.receive(number % 65536, 160 * number, index * 0.02)
    return reception


def test_loss_is_counted_over_the_wrap_of_the_sequence_number() -> None:
    numbers = [number for number in range(65_500, 65_600) if number % 10 != 3]
    block = receive(numbers).report(last_sender_report=0, delay_since_last=0)
    assert block.packets_lost == 10
    assert block.highest_sequence == 65_599
    assert block.fraction_lost == 25


def test_the_fraction_lost_covers_only_the_last_interval() -> None:
    reception = receive([number for number in range(100) if number % 2 == 0] + [99])
    reception.report(last_sender_report=0, delay_since_last=0)
    for number in range(100, 200):
        reception.receive(number, 160 * number, number * 0.02)
    block = reception.report(last_sender_report=0, delay_since_last=0)
    assert (block.fraction_lost, block.packets_lost) == (0, 49)


def test_duplicates_make_the_loss_negative_not_wrong() -> None:
    block = receive([1, 2, 2, 3, 3]).report(last_sender_report=0, delay_since_last=0)
    assert (block.packets_lost, block.fraction_lost) == (-2, 0)


@pytest.mark.parametrize("restart", [20_000, 40_000, 65_000])
def test_a_sender_that_begins_to_count_anew_has_lost_nothing(restart: int) -> None:
    reception = receive([*range(1000, 1100), *range(restart, restart + 100)])
    assert reception.packets_received == 200
    assert reception.packets_lost == 0


def test_one_packet_from_nowhere_does_not_count_as_a_restart() -> None:
    reception = receive([*range(1000, 1050), 40_000, *range(1050, 1100)])
    assert reception.packets_lost == -1


def test_jitter_is_zero_for_a_steady_stream_and_grows_with_unsteady_arrivals() -> None:
    steady = receive(list(range(100)))
    assert steady.jitter_ms == pytest.approx(0, abs=0.01)
    shaky = Reception(ssrc=5, sequence_number=0, clock_rate_hz=8000)
    for number in range(200):
        shaky.receive(number, 160 * number, number * 0.02 + (0.005 if number % 2 else 0))
    assert shaky.jitter_ms == pytest.approx(5, rel=0.05)


def test_the_round_trip_is_what_the_two_ends_do_not_account_for() -> None:
    ours, theirs = Reports(), Reports()
    sender, far_sender = make_sender(), make_sender()
    sender.next(None)
    far_sender.next(None)
    heard = Reception(ssrc=sender.ssrc, sequence_number=9, clock_rate_hz=8000)
    report = ours.make_report(sender=sender, reception=None, unix_time_ns=START_NS)
    theirs.receive(report, sender=far_sender, unix_time_ns=START_NS + 40_000_000)
    answer = theirs.make_report(sender=far_sender, reception=heard, unix_time_ns=START_NS + 1_040_000_000)
    ours.receive(answer, sender=sender, unix_time_ns=START_NS + 1_090_000_000)
    assert ours.round_trip_ms == pytest.approx(90, abs=0.1)
    assert ours.remote_packets_lost == 1  # the first packet is counted when it is received, and none was


def test_reports_are_a_compound_of_report_and_name_and_end_with_goodbye() -> None:
    reports, sender = Reports(), make_sender()
    sender.next(None)
    first = rtcp.parse(reports.make_report(sender=sender, reception=None, unix_time_ns=START_NS))
    assert [type(packet) for packet in first] == [rtcp.SenderReport, rtcp.SourceDescription]
    assert isinstance(first[0], rtcp.SenderReport)
    assert (first[0].packet_count, first[0].octet_count, first[0].rtp_timestamp) == (1, 160, sender.timestamp)
    second = rtcp.parse(reports.make_goodbye(sender=sender, reception=None, unix_time_ns=START_NS))
    assert [type(packet) for packet in second] == [rtcp.ReceiverReport, rtcp.SourceDescription, rtcp.Goodbye]


def test_reports_about_other_sources_are_ignored() -> None:
    reports, sender = Reports(), make_sender()
    block = rtcp.ReportBlock(sender.ssrc ^ 1, 128, 9, 0, 0, 0, 0)
    reports.receive(rtcp.serialize([rtcp.ReceiverReport(1, (block,))]), sender=sender, unix_time_ns=START_NS)
    assert reports.remote_packets_lost is None


def test_the_interval_is_spread_around_five_seconds() -> None:
    ticks = [Reports().next_interval_ticks() for _ in range(300)]
    assert min(ticks) >= 125
    assert max(ticks) <= 375
    assert 225 < sum(ticks) / len(ticks) < 275
