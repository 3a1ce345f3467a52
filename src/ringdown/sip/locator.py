"""Finds the destinations of a SIP URI in DNS: NAPTR, SRV, addresses (RFC 3263 §4); sends nothing to them."""

import asyncio
import random
from dataclasses import replace

from ringdown.sip import network
from ringdown.sip.address import Uri
from ringdown.sip.destination import DEFAULT_PORTS, Destination, TlsClient, Transport
from ringdown.sip.location import (
    SERVICE_NAMES,
    LocationFailed,
    Service,
    choose_pointers,
    order_services,
)
from ringdown.sip.resolver import Resolver

_MAX_DESTINATIONS = 16
_TRANSPORTS: tuple[Transport, ...] = ("udp", "tcp", "tls")
_TIMEOUT = 12.0


class Locator:
    """Turns a URI into addresses to try in their order."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def locate(
        self, uri: str, *, transport: Transport | None = None, security: TlsClient | None = None
    ) -> list[Destination]:
        """Where requests to this URI may go, best first, at least one; raises `LocationFailed`.

        `transport` overrides that of the URI. A TLS destination is verified against the URI's host unless `security`
        names another.
        """
        try:
            parsed = Uri.parse(uri)
            chosen = transport or _transport_of(parsed)
        except ValueError as error:
            raise LocationFailed(uri, str(error)) from error
        host = parsed.params.get("maddr") or parsed.host
        if not host:
            raise LocationFailed(uri, "the URI names no host")
        try:
            async with asyncio.timeout(_TIMEOUT):
                found = await self._find(host, parsed.port, chosen, is_secure=parsed.scheme == "sips")
        except TimeoutError as error:
            raise LocationFailed(host, "no name server answers") from error
        return [_secure(destination, host, security) for destination in found[:_MAX_DESTINATIONS]]

    async def _find(
        self, host: str, port: int | None, transport: Transport | None, *, is_secure: bool
    ) -> list[Destination]:
        default: Transport = transport or ("tls" if is_secure else "udp")
        if network.is_literal(host):
            return [Destination(default, host, port or DEFAULT_PORTS[default])]
        if port is None:
            served = await self._find_served(host, transport, is_secure=is_secure)
            if served:
                return served
        answer = await self._resolver.find_addresses(host)
        if not answer.records:
            raise LocationFailed(host, answer.why)
        return [Destination(default, address, port or DEFAULT_PORTS[default]) for address in answer.records]

    async def _find_served(self, host: str, transport: Transport | None, *, is_secure: bool) -> list[Destination]:
        """By SRV records; empty when the domain has none."""
        names: list[tuple[Transport, str]] = []
        if transport is None:
            pointers = (await self._resolver.find_pointers(host)).records
            names = choose_pointers(pointers, is_secure=is_secure)
        if not names:
            wanted = (transport,) if transport is not None else ("tls",) if is_secure else _TRANSPORTS
            names = [(one, f"{SERVICE_NAMES[one]}.{host}") for one in wanted]
        answers = await asyncio.gather(*(self._resolver.find_services(name) for _, name in names))
        services = [
            (names[index][0], service)
            for index, answer in enumerate(answers)
            for service in order_services(answer.records, random.random)
        ]
        if not services:
            if any(answer.records for answer in answers):
                raise LocationFailed(host, "the domain offers no SIP service")
            return []
        found = await asyncio.gather(*(self._find_hosts(one, service) for one, service in services[:_MAX_DESTINATIONS]))
        located = [destination for each in found for destination in each]
        if not located:
            raise LocationFailed(host, "the hosts of its SRV records have no address")
        return located

    async def _find_hosts(self, transport: Transport, service: Service) -> list[Destination]:
        if network.is_literal(service.host):
            return [Destination(transport, service.host, service.port)]
        answer = await self._resolver.find_addresses(service.host)
        return [Destination(transport, address, service.port) for address in answer.records]


def _transport_of(uri: Uri) -> Transport | None:
    if uri.scheme not in ("sip", "sips"):
        raise ValueError("only sip and sips URIs name a host")
    if uri.scheme == "sips" or uri.params.get("transport"):
        return Destination.from_uri(uri).transport
    return None


def _secure(destination: Destination, host: str, security: TlsClient | None) -> Destination:
    if destination.transport != "tls":
        return destination
    security = security or TlsClient()
    return replace(destination, security=replace(security, server_name=security.server_name or host))
