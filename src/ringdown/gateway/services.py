"""What every session of a gateway shares, and how a leg of a call is opened with it."""

from dataclasses import dataclass

from ringdown.calls.pacing import Pacer
from ringdown.calls.spool import Spool
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.gateway.leg import Leg
from ringdown.gateway.media_terms import MediaTerms
from ringdown.gateway.nat import PublicAddress
from ringdown.gateway.routes import Route
from ringdown.gateway.speech import SpeechProviders
from ringdown.gateway.trunks import TrunkBook
from ringdown.media.clock import MediaClock
from ringdown.media.session import MediaSession
from ringdown.providers.embedding import Embedder
from ringdown.sip import network
from ringdown.sip.address import Uri
from ringdown.sip.endpoint import Endpoint
from ringdown.sip.location import LocationFailed
from ringdown.tools.runner import ToolRunner
from ringdown.voice.detector import SpeechDetector


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of one gateway."""

    settings: Settings
    database: Database
    endpoint: Endpoint
    clock: MediaClock
    detector: SpeechDetector
    speech: SpeechProviders
    tools: ToolRunner
    embedder: Embedder | None
    trunks: TrunkBook
    public_address: PublicAddress
    spool: Spool
    pacer: Pacer

    async def open_leg_to(self, route: Route, *, media: MediaSession | None = None) -> Leg:
        """A leg for dialling a route, as its first host reaches us. Raises `PortsExhausted`."""
        try:
            peer_host = (await route.locate(self.endpoint))[0].host
        except LocationFailed:  # whoever dials says so
            peer_host = Uri.parse(route.hosts[0]).host
        return await self.open_leg(route.terms, peer_host=peer_host, media=media)

    async def open_leg(self, terms: MediaTerms, *, peer_host: str, media: MediaSession | None = None) -> Leg:
        """A leg towards the peer, with media of its own unless another leg's is taken over.

        Raises `PortsExhausted`.
        """
        settings, shared = self.settings, media
        media = shared or await MediaSession.open(
            clock=self.clock, host=settings.sip_host, port_min=settings.rtp_port_min, port_max=settings.rtp_port_max
        )
        try:
            address = await self.public_address.find_media_address(media, peer_host)
        except BaseException:  # the call ended meanwhile: the ports are free again
            if shared is None:
                await media.close()
            raise
        return Leg(media, terms=terms, address=address or (self._find_host(peer_host), media.local_port))

    def _find_host(self, peer_host: str) -> str:
        """The address of this machine at which the peer reaches our RTP."""
        host = self.settings.sip_host
        return network.local_address(peer_host.strip("[]")) if network.is_wildcard(host) else host
