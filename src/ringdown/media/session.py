"""One call's media: its two sockets, its stream in and out, on the media clock; knows no SIP and no conversation."""

import socket
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from ringdown.media import payloads, rtp, sockets
from ringdown.media.clock import MediaClock
from ringdown.media.latch import Address, SourceLatch
from ringdown.media.receiver import Receiver
from ringdown.media.reports import Reports
from ringdown.media.sender import Sender
from ringdown.media.wheel import FRAME_MS, LATE_MS

SEND_WINDOW_MS = 60
_DATAGRAM_BYTES = 2048

Exchange = Callable[[bytes, int], bytes | None]
OnDigit = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class MediaStatistics:
    """What one call has sent and received so far.

    `packets_late` came after their turn; `packets_foreign` came from elsewhere, `packets_invalid` were no RTP or of a
    payload type nobody agreed on; `ticks_late` ran more than 40 ms after their deadline; the remote values are what the
    far end last reported.
    """

    packets_received: int
    packets_lost: int
    packets_late: int
    packets_duplicate: int
    packets_foreign: int
    packets_invalid: int
    packets_sent: int
    jitter_ms: float
    concealed_ms: int
    dropped_ms: int
    ticks_late: int
    ticks_unsent: int
    round_trip_ms: float | None
    remote_packets_lost: int | None
    remote_fraction_lost: float | None


@dataclass(slots=True)
class _Counters:
    foreign: int = 0
    invalid: int = 0
    ticks_late: int = 0
    ticks_unsent: int = 0


class MediaSession:
    """The media of one call, from `open` (ports for the SDP) over `start` (answered) to `close`.

    Media time is the number of ticks since `start` times 20 ms and follows the wall clock: after a stall the missed
    ticks are run at once, with `exchange` called for each; their packets are sent only while less than 60 ms overdue,
    so that the far end gets a gap and never a burst. In a stall longer than a second the oldest ticks are not run.
    """

    def __init__(self, *, clock: MediaClock, rtp_socket: socket.socket, rtcp_socket: socket.socket) -> None:
        self._clock = clock
        self._rtp_socket = rtp_socket
        self._rtcp_socket = rtcp_socket
        self._counters = _Counters()
        self._reports = Reports()
        self._ticks = 0
        self._report_tick = self._reports.next_interval_ticks(is_first=True)
        self._last_packet_at_ms: int | None = None
        self._is_started = False
        self._is_closed = False
        self._is_sending = True
        self.local_port: int = rtp_socket.getsockname()[1]

    @classmethod
    async def open(cls, *, clock: MediaClock, host: str, port_min: int, port_max: int) -> "MediaSession":
        """Binds an even RTP port and the odd RTCP port after it. Raises `PortsExhausted`, or `OSError` for `host`."""
        rtp_socket, rtcp_socket = sockets.open_port_pair(host, port_min=port_min, port_max=port_max)
        return cls(clock=clock, rtp_socket=rtp_socket, rtcp_socket=rtcp_socket)

    def start(
        self,
        *,
        remote: tuple[str, int],
        encoding: str,
        payload_type: int,
        exchange: Exchange,
        dtmf_payload_type: int | None = None,
        on_digit: OnDigit | None = None,
        trusted_hosts: Collection[str] = (),
        is_sending: bool = True,
    ) -> None:
        """Begins to send and to hear; media time starts at zero.

        Once per tick `exchange(far_pcm, at_ms)` gets 20 ms of the far party (16-bit mono PCM) and returns as much to
        send, or None for silence; `on_digit(digit, at_ms)` tells a key press. Neither may block or raise. `remote` is
        an address of numbers; RTP is heard from it or from `trusted_hosts` (`SourceLatch`). Raises `ValueError`.
        """
        if self._is_started or self._is_closed:
            raise RuntimeError("a media session starts once")
        codec = payloads.get_codec(encoding)
        self._latch = SourceLatch(remote, trusted_hosts)
        self._receiver = Receiver(codec=codec, payload_type=payload_type, dtmf_payload_type=dtmf_payload_type)
        self._sender = Sender(codec=codec, payload_type=payload_type, dtmf_payload_type=dtmf_payload_type)
        self._exchange = exchange
        self._on_digit = on_digit
        self._aim(is_sending)
        self._discard_waiting()
        self._is_started = True
        self._clock.watch(self._rtp_socket, self._receive)
        self._clock.watch(self._rtcp_socket, self._receive_report)
        self._clock.add(self)

    def redirect(
        self,
        *,
        remote: tuple[str, int],
        encoding: str,
        payload_type: int,
        dtmf_payload_type: int | None = None,
        trusted_hosts: Collection[str] = (),
        is_sending: bool = True,
    ) -> None:
        """Takes over what a re-INVITE agreed on; media time, SSRC and sequence numbers go on. Raises `ValueError`."""
        codec = payloads.get_codec(encoding)
        latch = SourceLatch(remote, trusted_hosts)
        if latch.negotiated != self._latch.negotiated:
            self._latch = latch
        self._receiver.change(codec=codec, payload_type=payload_type, dtmf_payload_type=dtmf_payload_type)
        self._sender.change(codec=codec, payload_type=payload_type, dtmf_payload_type=dtmf_payload_type)
        self._aim(is_sending)

    def send_digits(self, digits: str, *, duration_ms: int = 160, pause_ms: int = 100) -> None:
        """Plays keypad digits as RFC 4733 events; audio is muted meanwhile.

        Raises `ValueError` for characters other than 0-9, *, #, A-D, or when the far end takes no telephone events.
        """
        self._sender.send_digits(digits, duration_ms=duration_ms, pause_ms=pause_ms)

    async def close(self) -> None:
        """Says goodbye by RTCP and frees the ports. Safe twice, and without `start`."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._is_started:
            self._clock.remove(self)
            self._clock.unwatch(self._rtp_socket)
            self._clock.unwatch(self._rtcp_socket)
            self._send_report(is_last=True)
        self._rtp_socket.close()
        self._rtcp_socket.close()

    @property
    def media_ms(self) -> int:
        """Media time now: 20 ms for each tick since `start`."""
        return self._ticks * FRAME_MS

    @property
    def last_packet_at_ms(self) -> int | None:
        """Media time of the last packet heard, None before the first."""
        return self._last_packet_at_ms

    @property
    def is_sending_digits(self) -> bool:
        """Whether `send_digits` is still at work."""
        return self._is_started and self._sender.is_sending_digits

    @property
    def statistics(self) -> MediaStatistics:
        """The call's figures so far. Raises `RuntimeError` before `start`."""
        if not self._is_started:
            raise RuntimeError("a media session has no statistics before it starts")
        receiver, jitter, counters = self._receiver, self._receiver.jitter.statistics, self._counters
        return MediaStatistics(
            packets_received=receiver.packets_received,
            packets_lost=receiver.packets_lost,
            packets_late=jitter.late,
            packets_duplicate=jitter.duplicates,
            packets_foreign=counters.foreign,
            packets_invalid=counters.invalid + receiver.statistics.unknown_payload_types,
            packets_sent=self._sender.packet_count,
            jitter_ms=receiver.reception.jitter_ms if receiver.reception else 0.0,
            concealed_ms=receiver.statistics.concealed_ms,
            dropped_ms=jitter.dropped * FRAME_MS,
            ticks_late=counters.ticks_late,
            ticks_unsent=counters.ticks_unsent,
            round_trip_ms=self._reports.round_trip_ms,
            remote_packets_lost=self._reports.remote_packets_lost,
            remote_fraction_lost=self._reports.remote_fraction_lost,
        )

    def tick(self, overdue_ms: int) -> None:
        """One frame in and one out; called by the clock."""
        at_ms = self._ticks * FRAME_MS
        self._ticks += 1
        pcm = self._exchange(self._receiver.pull(is_overdue=overdue_ms >= FRAME_MS), at_ms)
        if overdue_ms > LATE_MS:
            self._counters.ticks_late += 1
        if not self._is_sending or overdue_ms >= SEND_WINDOW_MS:
            self._counters.ticks_unsent += 1
            self._sender.skip(1)
        else:
            datagram = self._sender.next(pcm)
            try:
                self._rtp_socket.sendto(datagram, self._target)
            except OSError:
                # No route, or a full buffer: the far end sees a lost packet, and the media timeout judges.
                self._counters.ticks_unsent += 1
        if self._ticks >= self._report_tick:
            self._report_tick = self._ticks + self._reports.next_interval_ticks()
            self._send_report(is_last=False)

    def skip(self, ticks: int) -> None:
        """Time that passed in a long stall without being run; called by the clock."""
        self._ticks += ticks
        self._sender.skip(ticks)
        self._counters.ticks_unsent += ticks

    def _receive(self, now_s: float) -> None:
        try:
            datagram, source = self._rtp_socket.recvfrom(_DATAGRAM_BYTES)
        except OSError:
            return
        at_ms, latch = self._ticks * FRAME_MS, self._latch
        is_latched = source == latch.latched
        if not is_latched and not latch.is_candidate(source, at_ms):
            self._counters.foreign += 1
            return
        try:
            packet = rtp.parse(datagram)
            if not is_latched and not self._try_latch(packet, source, at_ms):
                self._counters.invalid += 1
                return
            digit = self._receiver.receive(packet, now_s)
        except ValueError:
            self._counters.invalid += 1
            return
        self._last_packet_at_ms = latch.heard_at_ms = at_ms
        if digit is not None and self._on_digit is not None:
            self._on_digit(digit, at_ms)

    def _try_latch(self, packet: rtp.RtpPacket, source: Address, at_ms: int) -> bool:
        if not self._receiver.is_expected(packet):
            return False
        self._latch.latch(source, at_ms)
        self._aim(self._is_sending)
        return True

    def _receive_report(self, _now_s: float) -> None:
        try:
            datagram, source = self._rtcp_socket.recvfrom(_DATAGRAM_BYTES)
        except OSError:
            return
        if not self._latch.is_trusted(source):
            self._counters.foreign += 1
            return
        try:
            self._reports.receive(datagram, sender=self._sender, unix_time_ns=time.time_ns())
        except ValueError:
            self._counters.invalid += 1

    def _send_report(self, *, is_last: bool) -> None:
        target = self._target
        if _is_nowhere(target):
            return
        make = self._reports.make_goodbye if is_last else self._reports.make_report
        reception = self._receiver.reception
        datagram = make(sender=self._sender, reception=reception, unix_time_ns=time.time_ns())
        report_target = (target[0], target[1] + 1, *target[2:]) if target[1] < 65535 else target
        try:
            self._rtcp_socket.sendto(datagram, report_target)
        except OSError:
            return

    def _aim(self, is_sending: bool) -> None:
        """Points the sockets at the latch's target, in the form that this socket's family takes.

        Nowhere gets neither media nor reports (RFC 3264 §8.4).
        """
        target: Address = self._latch.target
        self._is_sending = is_sending and not _is_nowhere(target)
        if self._rtp_socket.family == socket.AF_INET6 and ":" not in target[0]:
            target = (f"::ffff:{target[0]}", target[1])
        self._target = target

    def _discard_waiting(self) -> None:
        """Throws away what came before the call was answered: it would only be heard late."""
        for _ in range(1000):
            try:
                self._rtp_socket.recvfrom(_DATAGRAM_BYTES)
            except OSError:
                return


def _is_nowhere(target: Address) -> bool:
    """Whether it is port 0 or the unspecified address: a stream that is refused or held (RFC 3264 §5.1, §8.4)."""
    return target[1] == 0 or target[0] in ("0.0.0.0", "::")
