"""Asks name servers for addresses, SRV and NAPTR records, and keeps the answers; knows nothing of their order."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import dns.asyncresolver
import dns.exception
import dns.resolver

from ringdown.sip import network
from ringdown.sip.location import Pointer, Service

_ANSWER_TIMEOUT = 4.0  # seconds for one question, retries and further servers included
_MIN_KEPT, _MAX_KEPT = 5.0, 300.0  # seconds that an answer is kept, whatever its TTL
_SYSTEM_KEPT = 60.0  # an answer of the system has no TTL
_FAILURE_KEPT = 5.0
_MAX_ANSWERS = 4096
_HOSTS = Path("/etc/hosts")

NO_ANSWER = "no name server answers"
UNKNOWN = "there is no such name"
NO_ADDRESS = "the name has no address that this endpoint can reach"

_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Answer:
    """Records, or why there are none."""

    records: tuple[Any, ...] = ()
    why: str = UNKNOWN


class Resolver:
    """Answers are kept for their TTL (5 to 300 s), failures for 5 s; no method raises.

    Addresses come from the hosts file, from DNS, and, for names that are not in DNS, from the system. `nameserver`
    replaces the system's servers, and then only DNS is asked.
    """

    def __init__(
        self,
        *,
        host: str,
        nameserver: tuple[str, int] | None = None,
        now: Callable[[], float],
        hosts: Path = _HOSTS,
    ) -> None:
        self._kinds = {"0.0.0.0": ("A",), "::": ("AAAA", "A")}.get(host, ("AAAA",) if ":" in host else ("A",))
        self._is_system = nameserver is None
        self._hosts = hosts
        self._now = now
        self._dns = _open_resolver(nameserver)
        self._kept: dict[tuple[str, str], tuple[Answer, float]] = {}

    async def find_services(self, name: str) -> Answer:
        """The SRV records of a name, as `Service`."""
        return await self._ask(name, "SRV", _read_service)

    async def find_pointers(self, name: str) -> Answer:
        """The NAPTR records of a name, as `Pointer`."""
        return await self._ask(name, "NAPTR", _read_pointer)

    async def find_addresses(self, name: str) -> Answer:
        """The addresses of a name that this endpoint can send to, as text, those with a route first."""
        kept = self._find_kept(name, "address")
        if kept is not None:
            return kept
        found = _read_hosts(self._hosts, name, self._kinds) if self._is_system else ()
        if found or (self._is_system and "." not in name.rstrip(".")):
            answer = Answer(found) if found else await self._ask_system(name)
            return self._keep(name, "address", answer, _SYSTEM_KEPT)
        answers = await asyncio.gather(*(self._ask(name, kind, _read_address) for kind in self._kinds))
        answer = Answer(_routable_first([text for each in answers for text in each.records]), answers[0].why)
        if not answer.records and self._is_system:
            system = await self._ask_system(name)  # mDNS, search domains and whatever else the system knows
            return self._keep(name, "address", system if system.records else answer, _SYSTEM_KEPT)
        return answer  # its parts are kept for as long as they may be

    async def _ask(self, name: str, kind: str, read: Callable[[Any], _R]) -> Answer:
        kept = self._find_kept(name, kind)
        if kept is not None:
            return kept
        if self._dns is None:
            return Answer(why=NO_ANSWER)
        ttl = 0.0
        try:
            found = await self._dns.resolve(f"{name.rstrip('.')}.", kind, lifetime=_ANSWER_TIMEOUT, search=False)
            records = found.rrset or ()
            ttl = float(found.rrset.ttl) if found.rrset is not None else 0.0
            answer = Answer(tuple(read(record) for record in records))
        except dns.resolver.NXDOMAIN:
            answer = Answer()
        except dns.resolver.NoAnswer:
            answer = Answer(why=NO_ADDRESS)
        except (dns.exception.DNSException, OSError, UnicodeError):
            answer = Answer(why=NO_ANSWER)
        return self._keep(name, kind, answer, ttl)

    async def _ask_system(self, name: str) -> Answer:
        family = socket.AF_UNSPEC if len(self._kinds) == 2 else socket.AF_INET6
        family = socket.AF_INET if self._kinds == ("A",) else family
        try:
            async with asyncio.timeout(_ANSWER_TIMEOUT):
                loop = asyncio.get_running_loop()
                found = await loop.getaddrinfo(name, None, family=family, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError):  # TimeoutError is an OSError; a label may be too long for IDNA
            return Answer()
        return Answer(_routable_first(list(dict.fromkeys(str(entry[4][0]) for entry in found))), NO_ADDRESS)

    def _find_kept(self, name: str, kind: str) -> Answer | None:
        answer, until = self._kept.get((name.lower(), kind), (None, 0.0))
        return answer if until > self._now() else None

    def _keep(self, name: str, kind: str, answer: Answer, ttl_s: float) -> Answer:
        if len(self._kept) >= _MAX_ANSWERS:
            now = self._now()
            self._kept = {key: entry for key, entry in self._kept.items() if entry[1] > now}
            if len(self._kept) >= _MAX_ANSWERS:
                self._kept.clear()
        kept_s = min(max(ttl_s, _MIN_KEPT), _MAX_KEPT) if answer.records else _FAILURE_KEPT
        self._kept[name.lower(), kind] = (answer, self._now() + kept_s)
        return answer


def _open_resolver(nameserver: tuple[str, int] | None) -> dns.asyncresolver.Resolver | None:
    if nameserver is not None:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = [nameserver[0]], nameserver[1]
        return resolver
    try:
        return dns.asyncresolver.Resolver()
    except dns.exception.DNSException:  # no resolv.conf: the system's own ways are all there is
        return None


def _read_service(record: Any) -> Service:
    return Service(record.priority, record.weight, record.target.to_text(omit_final_dot=True), record.port)


def _read_pointer(record: Any) -> Pointer:
    replacement = record.replacement.to_text(omit_final_dot=True)
    return Pointer(record.order, record.preference, record.flags.decode(), record.service.decode(), replacement)


def _read_address(record: Any) -> str:
    return str(record.address)


def _read_hosts(path: Path, name: str, kinds: Sequence[str]) -> tuple[str, ...]:
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return ()
    wanted, found = name.rstrip(".").lower(), []
    for line in lines:
        address, *names = line.partition("#")[0].split() or [""]
        if wanted in (one.lower() for one in names) and ("AAAA" if ":" in address else "A") in kinds:
            found.append(address)
    return tuple(found)


def _routable_first(addresses: list[str]) -> tuple[str, ...]:
    return tuple(sorted(addresses, key=lambda address: not network.has_route(address)))
