"""One call's media: its stream in and out, on the media clock; knows no SIP and no conversation."""

import math
import socket
import time
from collections.abc import Callable

from ringdown.media import codecs, sockets, stun
from ringdown.media.clock import MediaClock
from ringdown.media.rate import RateConverter
from ringdown.media.receiver import Receiver
from ringdown.media.reports import Reports
from ringdown.media.sender import Sender
from ringdown.media.stalls import STALL_MS, Stall
from ringdown.media.statistics import MediaStatistics
from ringdown.media.stream import StreamSettings
from ringdown.media.transport import MediaTransport
from ringdown.media.wheel import FRAME_MS, LATE_MS

SEND_WINDOW_MS = 60
# A NAT forgets a UDP binding after 30 s without a packet from inside, some sooner (RFC 6263 §4.1: every 15 s).
_KEEP_OPEN_TICKS = 15_000 // FRAME_MS

Exchange = Callable[[bytes, int], bytes | None]
OnDigit = Callable[[str, int], None]
Far = Callable[[bytes, int], None]
NewTransport = Callable[[socket.socket, socket.socket], MediaTransport]


class MediaSession:
    """The media of one call, from `open` (ports for the SDP) over `listen` and `start` (answered) to `close`.

    Media time is the number of ticks since `start` times 20 ms and follows the wall clock: after a stall the missed
    ticks are run at once, with `exchange` called for each; their packets are sent only while less than 60 ms overdue,
    so that the far end gets a gap and never a burst. In a stall longer than a second the oldest ticks are not run.
    """

    __slots__ = (
        "_clock",
        "_exchange",
        "_expected_from_ms",
        "_invalid_events",
        "_is_closed",
        "_is_sending",
        "_is_started",
        "_last_packet_at_ms",
        "_on_digit",
        "_overdue_ms",
        "_perform",
        "_receiver",
        "_report_tick",
        "_reports",
        "_sender",
        "_stall",
        "_stream",
        "_ticks",
        "_ticks_late",
        "_ticks_unsent",
        "_to_far",
        "_to_near",
        "_transport",
        "local_port",
        "sample_rate_hz",
    )

    def __init__(self, *, clock: MediaClock, transport: MediaTransport) -> None:
        self._clock = clock
        self._transport = transport
        self._reports = Reports()
        self._ticks = 0
        self._report_tick = self._reports.next_interval_ticks(is_first=True)
        self._ticks_late = 0
        self._overdue_ms = 0  # of the tick that runs now
        self._ticks_unsent = 0
        self._stall = Stall()
        self._invalid_events = 0
        self._last_packet_at_ms: int | None = None
        self._expected_from_ms = 0  # the far party has not been on hold since
        self._stream: StreamSettings | None = None
        self._is_started = False
        self._is_closed = False
        self._is_sending = False
        self.sample_rate_hz = 0
        self.local_port: int = transport.rtp_socket.getsockname()[1]

    @classmethod
    async def open(
        cls,
        *,
        clock: MediaClock,
        host: str,
        port_min: int,
        port_max: int,
        new_transport: NewTransport = MediaTransport,
    ) -> "MediaSession":
        """Binds an even RTP port and the odd RTCP port after it. Raises `PortsExhausted`, or `OSError` for `host`."""
        rtp_socket, rtcp_socket = sockets.open_port_pair(host, port_min=port_min, port_max=port_max)
        return cls(clock=clock, transport=new_transport(rtp_socket, rtcp_socket))

    async def discover_address(self, server: tuple[str, int], *, timeout_s: float = 2.0) -> tuple[str, int]:
        """Where the world sees the RTP port, before `listen` and `start`. Raises `stun.NotDiscovered`."""
        if self._stream is not None or self._is_closed:
            raise RuntimeError("an address is discovered before the media starts")
        return await stun.discover(self._transport.rtp_socket, server=server, timeout_s=timeout_s)

    def listen(
        self, stream: StreamSettings, *, far: Far, on_digit: OnDigit | None = None, sample_rate_hz: int | None = None
    ) -> None:
        """Hears early media, before the answer; sends silence where the stream is to be sent.

        `far(pcm, at_ms)` gets what `exchange` of `start` would. May be called again for another early dialog. `start`
        follows at the answer. Raises `ValueError` and `RuntimeError` as `start`.
        """

        def exchange(far_pcm: bytes, at_ms: int) -> None:
            far(far_pcm, at_ms)

        self._begin(stream, exchange=exchange, on_digit=on_digit, sample_rate_hz=sample_rate_hz)

    def start(
        self,
        stream: StreamSettings,
        *,
        exchange: Exchange,
        on_digit: OnDigit | None = None,
        sample_rate_hz: int | None = None,
    ) -> None:
        """Begins to send and to hear; media time starts at zero, after `listen` anew.

        Once per tick `exchange(far_pcm, at_ms)` gets 20 ms of the far party (16-bit mono PCM) and returns as much to
        send, or None for silence; `on_digit(digit, at_ms)` tells a key press. Neither may block or raise.
        `sample_rate_hz`, 8000 or 16000, is that of the PCM for the whole call; by default the codec's own. Raises
        `ValueError` for what cannot be spoken and leaves everything as it was; `RuntimeError` the second time.
        """
        self._begin(stream, exchange=exchange, on_digit=on_digit, sample_rate_hz=sample_rate_hz)
        self._is_started = True

    def _begin(
        self, stream: StreamSettings, *, exchange: Exchange, on_digit: OnDigit | None, sample_rate_hz: int | None
    ) -> None:
        if self._is_started or self._is_closed:
            raise RuntimeError("a media session starts once")
        codec = codecs.get_codec(stream.encoding)
        self._transport.aim(stream)
        is_first = self._stream is None
        if is_first:
            self._receiver = Receiver(stream, on_tone=self.press)
            self._sender = Sender(stream)
        self.sample_rate_hz = sample_rate_hz or codec.pcm_rate_hz
        self._exchange, self._on_digit = exchange, on_digit or _ignore_digit
        self._take_over(stream)
        self._ticks = self._expected_from_ms = 0
        self._stall = Stall()
        self._last_packet_at_ms = None
        self._report_tick = self._reports.next_interval_ticks(is_first=True)
        self._transport.restart()
        if is_first:
            self._transport.discard_waiting()
            self._clock.watch(self._transport.rtp_socket, self._receive)
            self._clock.watch(self._transport.rtcp_socket, self._receive_report)
            self._clock.add(self)

    def redirect(self, stream: StreamSettings, *, is_new_peer: bool = False) -> None:
        """Takes over what a re-INVITE agreed on, or another call; media time, SSRC and sequence numbers go on.

        `is_new_peer`: nothing more is heard of the peer before. Raises `ValueError`.
        """
        codecs.get_codec(stream.encoding)
        self._transport.aim(stream, is_new_peer=is_new_peer)
        if is_new_peer:
            self._expected_from_ms = self.media_ms
        self._take_over(stream)

    def _take_over(self, stream: StreamSettings) -> None:
        codec = codecs.get_codec(stream.encoding)
        if self._stream is not None:
            if self.is_held:
                self._expected_from_ms = self.media_ms
            self._receiver.change(stream)
            self._sender.change(stream)
        self._stream = stream
        self._is_sending = stream.is_sending and not self._transport.is_nowhere
        self._choose_conversion(codec.pcm_rate_hz)

    def _choose_conversion(self, codec_rate_hz: int) -> None:
        """Lets a tick call the exchange itself where nothing stands between it and the codec."""
        assert self._stream is not None
        rates = (codec_rate_hz, self.sample_rate_hz)
        if rates[0] == rates[1]:
            self._to_near = self._to_far = None
        else:
            self._to_near = RateConverter(from_hz=rates[0], to_hz=rates[1])
            self._to_far = RateConverter(from_hz=rates[1], to_hz=rates[0])
        is_plain = self._to_near is None and self._stream.is_receiving
        self._perform = self._exchange if is_plain else self._exchange_converted

    def _exchange_converted(self, far_pcm: bytes, at_ms: int) -> bytes | None:
        assert self._stream is not None
        if self._to_near is not None:
            far_pcm = self._to_near.convert(far_pcm)
        if not self._stream.is_receiving:
            far_pcm = bytes(len(far_pcm))
        pcm = self._exchange(far_pcm, at_ms)
        return pcm if pcm is None or self._to_far is None else self._to_far.convert(pcm)

    def attach(self, exchange: Exchange, *, on_digit: OnDigit | None = None) -> tuple[Exchange, OnDigit]:
        """Swaps who hears and speaks from the next tick on; gives who did before, for `attach` to bring back.

        Without `on_digit` key presses go on to whom they went before.
        """
        before = self._exchange, self._on_digit
        self._exchange, self._on_digit = exchange, on_digit or self._on_digit
        if self._perform == before[0]:
            self._perform = exchange
        return before

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
        if self._stream is not None:
            self._clock.remove(self)
            self._clock.unwatch(self._transport.rtp_socket)
            self._clock.unwatch(self._transport.rtcp_socket)
            self._send_report(is_last=True)
        self._transport.close()

    @property
    def media_ms(self) -> int:
        """Media time now: 20 ms for each tick since `start`."""
        return self._ticks * FRAME_MS

    @property
    def attended_ms(self) -> int:
        """Media time to which a far party that has just left was there.

        That is now, unless this machine stalled shortly before: then the far party may have left at any time of the
        stall, and counts to its beginning, or as far as the packets that it sent.
        """
        begin_ms = self._stall.find_begin_ms(self.media_ms, heard_ms=self._last_packet_at_ms or 0)
        return min(self.media_ms, max(begin_ms, self._receiver.packets_received * FRAME_MS))

    @property
    def held_ms(self) -> int | None:
        """How long before the instant of its tick the audio came that the exchange gets now; None when none came.

        That is what the jitter buffer and the reading held it back. To be asked in the exchange, as `lag_ms`.
        """
        arrived_s = self._receiver.jitter.arrived_s
        return None if arrived_s is None else round((self._clock.now_s() - arrived_s) * 1000) - self._overdue_ms

    @property
    def lag_ms(self) -> int:
        """How long after the instant of its tick the audio leaves that the exchange returns now.

        The tick itself may be late, and a packet longer than a frame leaves when it is full.
        """
        missing_ms = max(0, self._sender.packet_ms - self._sender.waiting_ms - FRAME_MS)
        return self._overdue_ms + math.ceil(missing_ms / FRAME_MS) * FRAME_MS

    @property
    def last_packet_at_ms(self) -> int | None:
        """Media time of the last packet heard, None before the first."""
        return self._last_packet_at_ms

    @property
    def is_held(self) -> bool:
        """Whether either side keeps the other waiting, so that nobody need send anything."""
        return self._stream is not None and not (self._is_sending and self._stream.is_receiving)

    @property
    def silent_ms(self) -> int:
        """Media time without a packet, not counting hold; 0 while held.

        Who is sent to without ever having sent anything is not on hold: it may be somebody who never asked for it.
        """
        if self.is_held and not (self._is_sending and self._transport.is_stranger):
            return 0
        return self.media_ms - max(self._last_packet_at_ms or 0, self._expected_from_ms)

    @property
    def is_sending_digits(self) -> bool:
        """Whether `send_digits` is still at work."""
        return self._stream is not None and self._sender.is_sending_digits

    @property
    def statistics(self) -> MediaStatistics:
        """The call's figures so far. Raises `RuntimeError` before `listen` and `start`."""
        if self._stream is None:
            raise RuntimeError("a media session has no statistics before it starts")
        receiver, jitter = self._receiver, self._receiver.jitter.statistics
        transport, reports = self._transport, self._reports
        clock_rate_hz = codecs.get_codec(self._stream.encoding).clock_rate_hz
        return MediaStatistics(
            packets_received=receiver.packets_received,
            packets_lost=receiver.packets_lost,
            packets_late=jitter.late,
            packets_duplicate=jitter.duplicates,
            packets_foreign=transport.packets_foreign,
            packets_invalid=transport.packets_invalid
            + self._invalid_events
            + receiver.statistics.unknown_payload_types,
            packets_unauthenticated=transport.packets_unauthenticated,
            packets_sent=self._sender.packet_count,
            jitter_ms=receiver.jitter_ms,
            concealed_ms=receiver.statistics.concealed_ms,
            dropped_ms=jitter.dropped * FRAME_MS,
            ticks_late=self._ticks_late,
            ticks_unsent=self._ticks_unsent,
            reports_received=reports.reports_received,
            round_trip_ms=reports.round_trip_ms,
            remote_packets_lost=reports.remote_packets_lost,
            remote_fraction_lost=reports.remote_fraction_lost,
            remote_jitter_ms=None if reports.remote_jitter is None else reports.remote_jitter * 1000 / clock_rate_hz,
            clock_drift_ppm=receiver.clock_drift_ppm,
            mos=receiver.estimate_mos(round_trip_ms=reports.round_trip_ms),
            foreign_sources=transport.list_foreign(),
        )

    def tick(self, overdue_ms: int) -> None:
        """One frame in and one out; called by the clock."""
        ticks, perform = self._ticks, self._perform
        self._ticks, self._overdue_ms = ticks + 1, overdue_ms
        pcm = perform(self._receiver.pull(overdue_ms >= FRAME_MS), ticks * FRAME_MS)
        if overdue_ms > LATE_MS:
            self._ticks_late += 1
            if overdue_ms >= STALL_MS:
                self._stall.note(ticks * FRAME_MS, missed_ms=overdue_ms)
        if not self._is_sending or overdue_ms >= SEND_WINDOW_MS:
            self._ticks_unsent += 1
            self._sender.skip(1)
            self._keep_open()
        else:
            for datagram in self._sender.next(pcm):
                if not self._transport.send(datagram):
                    self._ticks_unsent += 1
        if self._ticks >= self._report_tick:
            self._report_tick = self._ticks + self._reports.next_interval_ticks()
            self._send_report(is_last=False)

    def skip(self, ticks: int) -> None:
        """Time that passed in a long stall without being run; called by the clock."""
        self._stall.note(self.media_ms, missed_ms=ticks * FRAME_MS)
        self._ticks += ticks
        self._sender.skip(ticks)
        self._ticks_unsent += ticks

    def _keep_open(self) -> None:
        """Lets the NATs in between know that a held stream still lives."""
        if self._ticks % _KEEP_OPEN_TICKS == 0 and not self._is_sending and not self._transport.is_nowhere:
            self._transport.send(b"")

    def _receive(self, now_s: float) -> None:
        at_ms = self._ticks * FRAME_MS
        packet = self._transport.receive(at_ms, self._receiver.is_expected)
        if packet is None:
            if self._transport.is_report_waiting:
                self._receive_report(now_s)
            return
        self._last_packet_at_ms = at_ms
        try:
            digit = self._receiver.receive(packet, now_s)
        except ValueError:
            self._invalid_events += 1
            return
        if digit is not None:
            self.press(digit)

    def press(self, digit: str) -> None:
        """Tells a key press of the far end, which may also come by SIP; not while the far end is on hold."""
        if self._stream is not None and self._stream.is_receiving:
            self._on_digit(digit, self.media_ms)

    def _receive_report(self, _now_s: float) -> None:
        datagram = self._transport.receive_report()
        if datagram is None:
            return
        try:
            self._reports.receive(datagram, sender=self._sender, unix_time_ns=time.time_ns())
        except ValueError:
            self._transport.packets_invalid += 1

    def _send_report(self, *, is_last: bool) -> None:
        make = self._reports.make_goodbye if is_last else self._reports.make_report
        reception = self._receiver.reception
        self._transport.send_report(make(sender=self._sender, reception=reception, unix_time_ns=time.time_ns()))


def _ignore_digit(_digit: str, _at_ms: int) -> None:
    pass
