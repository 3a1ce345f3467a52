"""Decides whose packets a call hears and where it answers (symmetric RTP); knows addresses, not sockets."""

import ipaddress
from collections.abc import Collection

Address = tuple[str, int] | tuple[str, int, int, int]
SILENCE_MS = 3000


class SourceLatch:
    """The one source of a call.

    It may be: any port of the negotiated host, or of a host in `trusted_hosts` (the signalling peer, when NAT made the
    negotiated address useless). The first of them that sends valid media is latched, and is answered there (RFC 4961).
    From then on all others are foreign, until the latched one has been silent for three seconds, as after a NAT
    rebinding, or a new negotiation brings a new latch. Only the negotiated port takes over from another one of its host
    at once: what came from there first may be the last of an earlier stream.
    `former` is the source of another peer, whom this one has taken the call over from: it is heard no more.
    """

    __slots__ = ("_former", "_hosts", "heard_at_ms", "latched", "negotiated")

    def __init__(
        self, remote: tuple[str, int], trusted_hosts: Collection[str] = (), *, former: Address | None = None
    ) -> None:
        self.negotiated: Address = (normalise_host(remote[0]), remote[1])
        self.latched: Address | None = None
        self.heard_at_ms = 0
        self._former = former
        self._hosts = {self.negotiated[0], *map(normalise_host, trusted_hosts)}

    @property
    def target(self) -> Address:
        """Where to send: the latched source, else what was negotiated."""
        return self.latched or self.negotiated

    def is_candidate(self, source: Address, at_ms: int) -> bool:
        """Whether a source other than the latched one may take its place at this media time."""
        if self.latched is not None and at_ms - self.heard_at_ms < SILENCE_MS:
            is_negotiated = (normalise_host(source[0]), source[1]) == self.negotiated
            return is_negotiated and normalise_host(self.latched[0]) == self.negotiated[0]
        return source != self._former and self.is_trusted(source)

    def is_trusted(self, source: Address) -> bool:
        """Whether the source's host is one that may send to us."""
        return normalise_host(source[0]) in self._hosts

    def latch(self, source: Address, at_ms: int) -> None:
        """Takes `source` as the one to hear and to answer."""
        self.latched = source
        self.heard_at_ms = at_ms


def normalise_host(host: str) -> str:
    """An IP address in its one spelling, IPv4 in IPv6 unwrapped. Raises `ValueError` for a name."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)
