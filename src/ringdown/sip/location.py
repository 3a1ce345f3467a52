"""Which transports and hosts serve a SIP domain, and in what order (RFC 3263, RFC 2782); asks no name server."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ringdown.sip.destination import Transport


class LocationFailed(Exception):
    """A URI leads nowhere; `why` is a part of a sentence."""

    def __init__(self, host: str, why: str) -> None:
        super().__init__(f"The host {host!r} cannot be found: {why}.")
        self.host = host
        self.why = why


@dataclass(frozen=True, slots=True)
class Service:
    """One SRV record."""

    priority: int
    weight: int
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Pointer:
    """One NAPTR record; `replacement` is the name of SRV records when the flag is `s`."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


SERVICE_NAMES: dict[Transport, str] = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}
_POINTED: dict[str, Transport] = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}


def choose_pointers(pointers: Iterable[Pointer], *, is_secure: bool) -> list[tuple[Transport, str]]:
    """Transport and name of the SRV records to ask for, best first; only TLS for a `sips:` URI (RFC 3263 §4.1)."""
    chosen = []
    for pointer in sorted(pointers, key=lambda pointer: (pointer.order, pointer.preference)):
        transport = _POINTED.get(pointer.service.upper())
        if transport is not None and pointer.flags.lower() == "s" and (transport == "tls" or not is_secure):
            chosen.append((transport, pointer.replacement))
    return chosen


def order_services(services: Iterable[Service], random: Callable[[], float]) -> list[Service]:
    """Ascending priority; within one, drawn by weight with `random()` from [0, 1) (RFC 2782).

    A record whose target is the root says that there is no such service; it is left out.
    """
    usable = sorted((one for one in services if one.host not in ("", ".")), key=lambda one: one.priority)
    ordered: list[Service] = []
    for _, same in itertools.groupby(usable, key=lambda one: one.priority):
        ordered += _draw(list(same), random)
    return ordered


def _draw(services: list[Service], random: Callable[[], float]) -> Sequence[Service]:
    left = sorted(services, key=lambda one: one.weight)  # those of weight 0 first, so that they are rarely chosen
    drawn = []
    while left:
        sought = int(random() * (sum(one.weight for one in left) + 1))
        total = 0
        for index, one in enumerate(left):
            total += one.weight
            if total >= sought or index == len(left) - 1:
                drawn.append(left.pop(index))
                break
    return drawn
