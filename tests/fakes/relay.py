"""A bad network between two UDP peers: loses, delays, duplicates and reorders their packets, from a seed.

The kernels of test machines often lack netem; this needs no rights.
"""

import asyncio
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

Address = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Impairment:
    """What one direction does to packets; shares are from 0 to 1.

    Each packet waits `delay_ms` and up to `jitter_ms` more, behind the one before it. A reordered one lets those after
    it pass for `reordered_ms`.
    """

    loss: float = 0.0
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    duplication: float = 0.0
    reordering: float = 0.0
    reordered_ms: float = 30.0


@dataclass(slots=True)
class Passage:
    """One direction's decisions and their counts; pure."""

    impairment: Impairment
    random: random.Random
    passed: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    _free_at_s: float = field(default=0.0, repr=False)

    def admit(self, now_s: float) -> Iterator[float]:
        """The instants at which a packet that came now leaves: none when it is lost, two when it is duplicated."""
        impairment, chance = self.impairment, self.random.random
        if chance() < impairment.loss:
            self.lost += 1
            return
        self.passed += 1
        leaves_s = now_s + (impairment.delay_ms + impairment.jitter_ms * chance()) / 1000
        if chance() < impairment.reordering:
            self.reordered += 1
            yield leaves_s + impairment.reordered_ms / 1000
        else:
            self._free_at_s = max(self._free_at_s, leaves_s)
            yield self._free_at_s
        if chance() < impairment.duplication:
            self.duplicated += 1
            yield max(self._free_at_s, leaves_s)


class Relay:
    """Stands between `left` and `right`, each of which sends to its own side of the relay and hears from there.

    Without `left` the relay learns it from the first packet, as that of a client. Two relays are needed for RTP and
    RTCP.
    """

    def __init__(self, *, left: Address | None, right: Address) -> None:
        self._peers: list[Address | None] = [left, right]
        self._sockets: list[socket.socket] = []
        self._passages: list[Passage] = []
        self._leaving: set[asyncio.TimerHandle] = set()

    @classmethod
    def open(
        cls,
        *,
        right: Address,
        left: Address | None = None,
        impairment: Impairment,
        back: Impairment | None = None,
        seed: int = 1,
        ports: tuple[int, int] = (0, 0),
    ) -> "Relay":
        """Binds both sides on loopback and relays until `close`; `back` is the way from right to left if it differs."""
        relay = cls(left=left, right=right)
        loop = asyncio.get_running_loop()
        for side, (way, port) in enumerate(zip((impairment, back or impairment), ports, strict=True)):
            opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            relay._sockets.append(opened)
            opened.setblocking(False)
            opened.bind(("127.0.0.1", port))
            relay._passages.append(Passage(way, random.Random(f"{seed}/{side}")))
            loop.add_reader(opened, relay._receive, side)
        return relay

    @property
    def left_address(self) -> Address:
        """Where the left peer sends to."""
        return self._address(0)

    @property
    def right_address(self) -> Address:
        """Where the right peer sends to."""
        return self._address(1)

    @property
    def to_right(self) -> Passage:
        """What happened to the packets of the left peer; its `impairment` may be changed at any time."""
        return self._passages[0]

    @property
    def to_left(self) -> Passage:
        """What happened to the packets of the right peer."""
        return self._passages[1]

    def close(self) -> None:
        """Packets on their way are lost. Safe twice."""
        for handle in self._leaving:
            handle.cancel()
        self._leaving.clear()
        for opened in self._sockets:
            if opened.fileno() >= 0:
                asyncio.get_running_loop().remove_reader(opened)
            opened.close()

    def _address(self, side: int) -> Address:
        host, port = self._sockets[side].getsockname()
        return host, port

    def _receive(self, side: int) -> None:
        try:
            datagram, source = self._sockets[side].recvfrom(65536)
        except OSError:
            return
        if self._peers[side] is None:
            self._peers[side] = source
        if source != self._peers[side]:
            return
        loop = asyncio.get_running_loop()
        for leaves_s in self._passages[side].admit(loop.time()):
            if leaves_s <= loop.time():
                self._send(1 - side, datagram)
            else:
                self._leave_at(leaves_s, 1 - side, datagram)

    def _leave_at(self, leaves_s: float, side: int, datagram: bytes) -> None:
        def leave() -> None:
            self._leaving.discard(handle)
            self._send(side, datagram)

        handle = asyncio.get_running_loop().call_at(leaves_s, leave)
        self._leaving.add(handle)

    def _send(self, side: int, datagram: bytes) -> None:
        target = self._peers[side]
        if target is None:
            return
        try:
            self._sockets[side].sendto(datagram, target)
        except OSError:  # nobody listens there (yet)
            return
