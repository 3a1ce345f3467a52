"""Writes and reads the RTCP reports of one call; the wall clock is a parameter, sending is somebody else's."""

import base64
import random
import secrets

from ringdown.media import rtcp
from ringdown.media.reception import Reception
from ringdown.media.sender import Sender
from ringdown.media.wheel import FRAME_MS

INTERVAL_MS = 5000


class Reports:
    """The RTCP side of a session: what we tell of ourselves, and what the far end tells of us."""

    def __init__(self) -> None:
        self.reports_received = 0
        self.round_trip_ms: float | None = None
        self.remote_packets_lost: int | None = None
        self.remote_fraction_lost: float | None = None
        self.remote_jitter: int | None = None  # in timestamp units of what we send
        # RFC 7022 §4.2: 96 random bits, so that the name tells nothing of the machine or the number.
        self._cname = base64.b64encode(secrets.token_bytes(12)).decode()
        self._last_sender_report = 0
        self._last_sender_report_ns = 0
        self._packets_reported = 0

    def next_interval_ticks(self, *, is_first: bool = False) -> int:
        """Ticks to the next report: five seconds times 0.5 to 1.5, half of that for the first (RFC 3550 §6.2)."""
        interval_ms = INTERVAL_MS * random.uniform(0.5, 1.5)
        return int(interval_ms / (2 if is_first else 1)) // FRAME_MS

    def make_report(self, *, sender: Sender, reception: Reception | None, unix_time_ns: int) -> bytes:
        """A compound of SR (RR when nothing was sent since the last one) and SDES."""
        blocks = (self._report_on(reception, unix_time_ns),) if reception is not None else ()
        report: rtcp.RtcpPacket
        if sender.packet_count > self._packets_reported:
            report = rtcp.SenderReport(
                ssrc=sender.ssrc,
                ntp_time=rtcp.to_ntp(unix_time_ns),
                rtp_timestamp=sender.timestamp,
                packet_count=sender.packet_count & 0xFFFFFFFF,
                octet_count=sender.octet_count & 0xFFFFFFFF,
                reports=blocks,
            )
        else:
            report = rtcp.ReceiverReport(sender.ssrc, blocks)
        self._packets_reported = sender.packet_count
        return rtcp.serialize([report, rtcp.SourceDescription(sender.ssrc, self._cname)])

    def make_goodbye(self, *, sender: Sender, reception: Reception | None, unix_time_ns: int) -> bytes:
        """The last compound: a report, SDES and BYE (RFC 3550 §6.6)."""
        report = self.make_report(sender=sender, reception=reception, unix_time_ns=unix_time_ns)
        return report + rtcp.serialize([rtcp.Goodbye((sender.ssrc,))])

    def receive(self, datagram: bytes, *, sender: Sender, unix_time_ns: int) -> None:
        """Takes a compound of the far end. Raises `ValueError`."""
        packets = rtcp.parse(datagram)
        self.reports_received += 1
        for packet in packets:
            match packet:
                case rtcp.SenderReport():
                    self._last_sender_report = rtcp.to_middle(packet.ntp_time)
                    self._last_sender_report_ns = unix_time_ns
                    self._read(packet.reports, sender.ssrc, unix_time_ns)
                case rtcp.ReceiverReport():
                    self._read(packet.reports, sender.ssrc, unix_time_ns)

    def _report_on(self, reception: Reception, unix_time_ns: int) -> rtcp.ReportBlock:
        delay_ns = unix_time_ns - self._last_sender_report_ns if self._last_sender_report else 0
        return reception.report(
            last_sender_report=self._last_sender_report,
            delay_since_last=min(max(0, delay_ns) * 65536 // 1_000_000_000, 0xFFFFFFFF),
        )

    def _read(self, blocks: tuple[rtcp.ReportBlock, ...], ssrc: int, unix_time_ns: int) -> None:
        for block in blocks:
            if block.ssrc != ssrc:
                continue
            self.remote_packets_lost = block.packets_lost
            self.remote_fraction_lost = block.fraction_lost / 256
            self.remote_jitter = block.jitter
            if block.last_sender_report:
                now = rtcp.to_middle(rtcp.to_ntp(unix_time_ns))
                delay = (now - block.last_sender_report - block.delay_since_last) & 0xFFFFFFFF
                # A far end that rounds its delay up makes this slightly negative.
                self.round_trip_ms = delay * 1000 / 65536 if delay < 0x80000000 else 0.0
