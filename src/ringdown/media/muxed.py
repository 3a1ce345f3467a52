"""Carries a call whose peer sends everything to one port: RTP, RTCP (RFC 5761), and what is neither (RFC 7983)."""

import socket
from collections.abc import Callable

from ringdown.media import rtp
from ringdown.media.latch import Address, SourceLatch, normalise_host
from ringdown.media.transport import DATAGRAM_BYTES, MediaTransport

OnOther = Callable[[bytes, Address], None]
IsKnown = Callable[[str, int], bool]

# RFC 7983 §7: 0 to 3 is STUN, 20 to 63 DTLS.
_FIRST_OF_RTP, _LAST_OF_RTP = 128, 191
# RFC 5761 §4: the packet types of RTCP, where RTP has the marker and a payload type that nobody uses.
_FIRST_OF_RTCP, _LAST_OF_RTCP = 192, 223


def is_media(datagram: bytes) -> bool:
    """Whether it is RTP or RTCP by its first byte."""
    return bool(datagram) and _FIRST_OF_RTP <= datagram[0] <= _LAST_OF_RTP


class MuxedTransport(MediaTransport):
    """A `MediaTransport` whose RTP socket has it all; the other socket only keeps the pair's second port.

    `on_other(datagram, source)` gets what is no media. Media is heard from every source that `is_known(host, port)`,
    as those are that have passed the checks of ICE, and answered where it came from last.
    """

    __slots__ = ("_is_known", "_on_other", "_report")

    def __init__(
        self, rtp_socket: socket.socket, rtcp_socket: socket.socket, *, on_other: OnOther, is_known: IsKnown
    ) -> None:
        super().__init__(rtp_socket, rtcp_socket)
        self._on_other = on_other
        self._is_known = is_known
        self._report: bytes | None = None

    def _new_latch(self, remote: tuple[str, int], _hosts: tuple[str, ...], _former: Address | None) -> SourceLatch:
        return _KnownSources(remote, is_known=self._is_known)

    def receive(self, at_ms: int, is_expected: Callable[[int], bool]) -> rtp.RtpFields | None:
        """Reads one datagram; None as for `MediaTransport`, and when it was no RTP."""
        try:
            datagram, source = self.rtp_socket.recvfrom(DATAGRAM_BYTES)
        except OSError:
            return None
        if not is_media(datagram):
            self._on_other(datagram, source)
            return None
        if len(datagram) > 1 and _FIRST_OF_RTCP <= datagram[1] <= _LAST_OF_RTCP:
            self._report = self._take_report(datagram, source)
            self.is_report_waiting = self._report is not None
            return None
        return self._take(datagram, source, at_ms, is_expected)

    def receive_report(self) -> bytes | None:
        """The compound that `receive` came upon, once."""
        report, self._report = self._report, None
        self.is_report_waiting = False
        return report

    def send_report(self, datagram: bytes) -> None:
        """Sends RTCP to where the RTP goes."""
        if self.is_nowhere:
            return
        if self._srtp is not None:
            datagram = self._srtp.protect_report(datagram)
        try:
            self.rtp_socket.sendto(datagram, self._target)
        except OSError:
            return

    def discard_waiting(self) -> None:
        """Nothing: what waits is not all media."""


class _KnownSources(SourceLatch):
    __slots__ = ("_is_known",)

    def __init__(self, remote: tuple[str, int], *, is_known: IsKnown) -> None:
        super().__init__(remote)
        self._is_known = is_known

    def is_candidate(self, source: Address, _at_ms: int) -> bool:
        return self.is_trusted(source)

    def is_trusted(self, source: Address) -> bool:
        return self._is_known(normalise_host(source[0]), source[1])
