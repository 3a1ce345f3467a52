"""Carries one call's packets over its two sockets: whom they go to, whose are taken, SRTP; not what is in them."""

import socket
from collections.abc import Callable

from ringdown.media import rtp, srtp
from ringdown.media.latch import Address, SourceLatch, normalise_host
from ringdown.media.stream import SrtpKeys, StreamSettings

DATAGRAM_BYTES = 2048
_FOREIGN_SOURCES = 4


class MediaTransport:
    """The RTP and RTCP sockets of one call between `aim` and `close`.

    Packets go to the latched source, else to what was negotiated, and are heard as `SourceLatch` says. With keys,
    only a packet that authenticates is parsed at all, can be latched, or is told of.
    """

    __slots__ = (
        "_foreign_sources",
        "_heard_hosts",
        "_is_mapped",
        "_keys",
        "_latch",
        "_latched_report",
        "_remote_rtcp",
        "_srtp",
        "_target",
        "is_nowhere",
        "is_report_waiting",
        "packets_foreign",
        "packets_invalid",
        "packets_unauthenticated",
        "rtcp_socket",
        "rtp_socket",
    )

    def __init__(self, rtp_socket: socket.socket, rtcp_socket: socket.socket) -> None:
        self.rtp_socket = rtp_socket
        self.rtcp_socket = rtcp_socket
        self.packets_foreign = 0
        self.packets_invalid = 0
        self.packets_unauthenticated = 0
        self._foreign_sources: list[Address] = []
        self.is_nowhere = True
        # Set by a transport that also reads reports where it reads RTP.
        self.is_report_waiting = False
        self._is_mapped = rtp_socket.family == socket.AF_INET6
        self._keys: SrtpKeys | None = None
        self._srtp: srtp.Srtp | None = None
        self._latch: SourceLatch | None = None
        # Hosts that have sent media or reports to this call.
        self._heard_hosts: set[str] = set()

    def aim(self, stream: StreamSettings, *, is_new_peer: bool = False) -> None:
        """Takes over a negotiation; the latch stays where the address does, and SRTP's state where the keys do.

        Of a peer that another one has taken the place of, nothing more is heard.
        Raises `ValueError` for an address that is a name and for keys that do not fit, and then changes nothing.
        """
        rtcp_hosts = () if stream.remote_rtcp is None else (stream.remote_rtcp[0],)
        former = None if self._latch is None or not is_new_peer else self._latch.target
        latch = self._new_latch(stream.remote, (*stream.trusted_hosts, *rtcp_hosts), former)
        if stream.srtp != self._keys:
            self._srtp = None if stream.srtp is None else srtp.Srtp(stream.srtp)
            self._keys = stream.srtp
        if self._latch is None or latch.negotiated != self._latch.negotiated:
            self._latch = latch
            self._latched_report: Address | None = None
        self._remote_rtcp = stream.remote_rtcp
        self._point()

    def _new_latch(self, remote: tuple[str, int], hosts: tuple[str, ...], former: Address | None) -> SourceLatch:
        return SourceLatch(remote, hosts, former=former)

    def restart(self) -> None:
        """Media time begins anew: the latch forgets when it heard something."""
        assert self._latch is not None
        self._latch.heard_at_ms = 0

    def send(self, datagram: bytes) -> bool:
        """Sends RTP; False when the system refuses it. An empty datagram keeps a NAT open (RFC 6263 §4.1)."""
        encryption = self._srtp
        if encryption is not None and datagram:
            protect = encryption.protect
            datagram = protect(datagram)
        try:
            self.rtp_socket.sendto(datagram, self._target)
        except OSError:
            # No route, or a full buffer: the far end sees a lost packet, and the media timeout judges.
            return False
        return True

    def receive(self, at_ms: int, is_expected: Callable[[int], bool]) -> rtp.RtpFields | None:
        """Reads one RTP packet; None when there is none, or when it is not from whom we hear, which is counted.

        `is_expected(payload_type)` says whether a new source may be heard for it.
        """
        try:
            datagram, source = self.rtp_socket.recvfrom(DATAGRAM_BYTES)
        except OSError:
            return None
        return self._take(datagram, source, at_ms, is_expected)

    def _take(
        self, datagram: bytes, source: Address, at_ms: int, is_expected: Callable[[int], bool]
    ) -> rtp.RtpFields | None:
        latch, encryption = self._latch, self._srtp
        assert latch is not None
        is_latched = source == latch.latched
        if not is_latched and not latch.is_candidate(source, at_ms):
            self._count_foreign(source)
            return None
        try:
            if encryption is None:
                packet = rtp.split(datagram)
            else:
                unprotect = encryption.unprotect
                packet = rtp.split(unprotect(datagram))
        except ValueError:
            self.packets_invalid += bool(datagram)  # an empty one keeps somebody's NAT open
            return None
        except srtp.Unauthenticated:
            self.packets_unauthenticated += bool(datagram)
            return None
        if not is_latched:
            if not is_expected(packet[0]):
                self.packets_invalid += 1
                return None
            latch.latch(source, at_ms)
            self._heard_hosts.add(normalise_host(source[0]))
            self._point()
        latch.heard_at_ms = at_ms
        return packet

    def send_report(self, datagram: bytes) -> None:
        """Sends RTCP to where the far end's reports come from, else as negotiated, else to the port after the RTP's."""
        if self.is_nowhere:
            return
        target: Address | None = self._latched_report or self._remote_rtcp
        if target is None:
            target = (self._target[0], min(self._target[1] + 1, 65535), *self._target[2:])
        if self._srtp is not None:
            datagram = self._srtp.protect_report(datagram)
        try:
            self.rtcp_socket.sendto(datagram, self._to_family(target))
        except OSError:
            return

    def receive_report(self) -> bytes | None:
        """Reads one RTCP compound; None as for `receive`."""
        try:
            datagram, source = self.rtcp_socket.recvfrom(DATAGRAM_BYTES)
        except OSError:
            return None
        return self._take_report(datagram, source)

    def _take_report(self, datagram: bytes, source: Address) -> bytes | None:
        assert self._latch is not None
        if not self._latch.is_trusted(source):
            self.packets_foreign += 1
            return None
        try:
            compound = datagram if self._srtp is None else self._srtp.unprotect_report(datagram)
        except ValueError:
            self.packets_invalid += 1
            return None
        except srtp.Unauthenticated:
            self.packets_unauthenticated += 1
            return None
        self._latched_report = source
        self._heard_hosts.add(normalise_host(source[0]))
        return compound

    @property
    def is_stranger(self) -> bool:
        """Whether nothing has ever come from the host that is sent to."""
        return self._latch is not None and normalise_host(self._latch.target[0]) not in self._heard_hosts

    def list_foreign(self) -> tuple[str, ...]:
        """The first few sources whose RTP was not heard, as `host:port`."""
        hosts = ((normalise_host(source[0]), source[1]) for source in self._foreign_sources)
        return tuple(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in hosts)

    def discard_waiting(self) -> None:
        """Throws away what came before the call was answered: it would only be heard late."""
        for _ in range(1000):
            try:
                self.rtp_socket.recvfrom(DATAGRAM_BYTES)
            except OSError:
                return

    def close(self) -> None:
        """Frees the ports."""
        self.rtp_socket.close()
        self.rtcp_socket.close()

    def _point(self) -> None:
        """Points the sockets at the latch's target; nowhere gets neither media nor reports (RFC 3264 §8.4)."""
        assert self._latch is not None
        target = self._latch.target
        self.is_nowhere = _is_nowhere(target)
        self._target = self._to_family(target)

    def _to_family(self, target: Address) -> Address:
        """The address in the form that this socket's family takes."""
        if self._is_mapped and ":" not in target[0]:
            return (f"::ffff:{target[0]}", target[1])
        return target

    def _count_foreign(self, source: Address) -> None:
        self.packets_foreign += 1
        if len(self._foreign_sources) < _FOREIGN_SOURCES and source not in self._foreign_sources:
            self._foreign_sources.append(source)


def _is_nowhere(target: Address) -> bool:
    """Whether it is port 0 or the unspecified address: a stream that is refused or held (RFC 3264 §5.1, §8.4)."""
    return target[1] == 0 or target[0] in ("0.0.0.0", "::")
