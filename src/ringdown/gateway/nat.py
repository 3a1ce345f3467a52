"""How peers outside reach this machine: a public address that the operator names, or that a STUN server shows."""

import asyncio

import structlog

from ringdown.config import Settings
from ringdown.media import stun
from ringdown.media.session import MediaSession
from ringdown.sip import network
from ringdown.sip.endpoint import Endpoint

log = structlog.get_logger(__name__)

_REFRESH_S = 60.0
_MEDIA_TIMEOUT_S = 0.5
_DISCOVERY_TIMEOUT_S = 5.0
_STUN_PORT = 3478


class PublicAddress:
    """The address that peers outside this machine's networks are shown; unknown means our own is good enough."""

    def __init__(self, settings: Settings) -> None:
        asked = settings.public_host
        self._server = _parse_server(settings.stun_server) if asked == "stun" and settings.stun_server else None
        self.host = None if asked == "stun" else asked

    async def watch(self, endpoint: Endpoint) -> None:
        """Ask the STUN server again and again, as addresses change; never returns."""
        while True:
            await self.refresh(endpoint)
            await asyncio.sleep(_REFRESH_S)

    async def refresh(self, endpoint: Endpoint) -> None:
        """Ask the STUN server once, if there is one, and show what it says."""
        if self._server is None:
            return
        try:
            host, _ = await stun.discover(None, server=self._server, timeout_s=_DISCOVERY_TIMEOUT_S)
        except (OSError, TimeoutError, ValueError) as error:
            log.warning("no public address from the STUN server", server=self._server[0], error=str(error))
            return
        if host != self.host:
            log.info("public address found", host=host)
            self.host = host
            endpoint.set_public_host(host)

    async def find_media_address(self, media: MediaSession, peer_host: str) -> tuple[str, int] | None:
        """Where a peer outside reaches this session's RTP; None for a peer that reaches our own address."""
        host = self.host
        if host is None or not network.needs_public_address(peer_host.strip("[]")):
            return None
        if self._server is not None:
            try:
                return await media.discover_address(self._server, timeout_s=_MEDIA_TIMEOUT_S)
            except (OSError, TimeoutError, ValueError) as error:
                log.info("no STUN answer for the media port", error=str(error))
        return host, media.local_port


def _parse_server(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    return (host.strip("[]"), int(port)) if colon and port.isdecimal() else (text.strip("[]"), _STUN_PORT)
