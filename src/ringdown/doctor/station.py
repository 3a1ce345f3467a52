"""Our side of an examination: an endpoint and a media clock as the gateway has them, on ports of their own."""

import contextlib
from collections.abc import AsyncIterator

from ringdown.config import Settings
from ringdown.gateway.leg import Leg
from ringdown.gateway.media_terms import MediaTerms
from ringdown.gateway.nat import PublicAddress
from ringdown.media.clock import MediaClock
from ringdown.media.session import MediaSession
from ringdown.sip import network
from ringdown.sip.address import join_host_port
from ringdown.sip.admission import Admission, Refusal
from ringdown.sip.destination import Destination
from ringdown.sip.endpoint import Endpoint
from ringdown.sip.message import Request

_USER_AGENT = "Ringdown doctor"


class Station:
    """What test calls are placed from; the gateway's own ports stay free."""

    def __init__(self, settings: Settings, endpoint: Endpoint, clock: MediaClock, public: PublicAddress) -> None:
        self.endpoint = endpoint
        self._settings = settings
        self._clock = clock
        self._public = public

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, settings: Settings) -> "AsyncIterator[Station]":
        """A station at the address of the settings. Raises `OSError` when this machine does not have it."""
        clock, public = MediaClock(), PublicAddress(settings)
        endpoint = await Endpoint.start(
            host=settings.sip_host,
            port=0,
            user_agent=_USER_AGENT,
            on_invite=lambda _: None,
            admit=_refuse,
            public_host=public.host,
        )
        try:
            await clock.start()
            await public.refresh(endpoint)
            yield cls(settings, endpoint, clock, public)
        finally:
            await endpoint.close()
            await clock.close()

    async def open_leg(self, terms: MediaTerms, *, peer_host: str) -> tuple[Leg, str]:
        """A leg with media of its own, and the address that its SDP names. Raises `PortsExhausted`."""
        settings = self._settings
        media = await MediaSession.open(
            clock=self._clock, host=settings.sip_host, port_min=settings.rtp_port_min, port_max=settings.rtp_port_max
        )
        address = await self._public.find_media_address(media, peer_host) or (
            self._find_local_host(peer_host),
            media.local_port,
        )
        return Leg(media, terms=terms, address=address), address[0]

    def find_host(self, peer_host: str) -> str:
        """Our address as this peer is shown it."""
        if self._public.host is not None and network.needs_public_address(peer_host):
            return self._public.host
        return self._find_local_host(peer_host)

    def is_own_host(self, host: str, *, peer_host: str) -> bool:
        """Whether it is an address that we may have written to this peer."""
        return host in (self._public.host, self._find_local_host(peer_host))

    def _find_local_host(self, peer_host: str) -> str:
        host = self._settings.sip_host
        return network.local_address(peer_host) if network.is_wildcard(host) else host

    def build_contact(self, user: str, hop: Destination) -> str:
        """A Contact value at which this hop reaches us."""
        suffix = "" if hop.transport == "udp" else f";transport={hop.transport}"
        return f"<sip:{user}@{join_host_port(self.find_host(hop.host), self.endpoint.port)}{suffix}>"


def _refuse(_source: Destination, _request: Request) -> Admission:
    """Nobody calls a station."""
    return Refusal(480)
