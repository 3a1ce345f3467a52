"""Joins a browser to a media session of its own: offer, ICE, DTLS, and then a leg like that of any call."""

import asyncio
import socket
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeVar

import structlog
from aioice.ice import get_host_addresses

from ringdown.gateway import endings, webrtc_loading, webrtc_sdp
from ringdown.gateway.dialling import Failed
from ringdown.gateway.leg import Leg
from ringdown.gateway.media_terms import MediaTerms
from ringdown.gateway.services import Services
from ringdown.gateway.webrtc_ice import IceLink
from ringdown.gateway.webrtc_loading import HandshakeFailed
from ringdown.gateway.webrtc_peer import Browser
from ringdown.gateway.webrtc_sdp import Answerer, Offer
from ringdown.media.muxed import MuxedTransport
from ringdown.media.session import MediaSession
from ringdown.media.stream import SrtpKeys
from ringdown.media.transport import MediaTransport
from ringdown.sip import network
from ringdown.sip.sdp import NegotiatedAudio
from ringdown.sip.sdp_crypto import NegotiatedCrypto

if TYPE_CHECKING:
    from ringdown.gateway.webrtc_dtls import DtlsSession

log = structlog.get_logger(__name__)

# From the join to the first packet: people answer "may this page use the microphone?" meanwhile.
_OFFER_TIMEOUT_S = 60.0
_CONNECT_TIMEOUT_S = 20.0
_LOOKUP_TIMEOUT_S = 2.0

T = TypeVar("T")


async def connect(services: Services, browser: Browser, *, stop: asyncio.Event) -> Leg | Failed:
    """The browser's leg, once its audio can flow; or why there is none. Raises `PortsExhausted`.

    `stop` gives up. The leg's call is the browser.
    """
    try:
        offer = webrtc_sdp.parse_offer(await _or_gone(browser.offer, browser, stop=stop, timeout_s=_OFFER_TIMEOUT_S))
    except ValueError as error:
        browser.tell(type="error", message=f"{error}")
        return Failed(endings.NO_COMMON_AUDIO, f"The offer could not be answered: {error}.")
    except _Gone:
        return Failed(endings.CANCELLED)
    except TimeoutError:
        return Failed(endings.NO_MEDIA, "The browser joined and offered no audio.")
    line = await _Line.open(services, browser)
    try:
        return await _or_gone(line.connect(offer), browser, stop=stop, timeout_s=_CONNECT_TIMEOUT_S)
    except _Gone:
        failure = Failed(endings.CANCELLED)
    except (TimeoutError, ConnectionError):
        failure = Failed(endings.NO_MEDIA, "No way to the browser's audio was found (ICE).")
    except HandshakeFailed as error:
        failure = Failed(endings.NO_MEDIA, f"The browser's audio could not be secured: {error}.")
    except BaseException:
        await line.close()
        raise
    await line.close()
    return failure


class _Gone(Exception):
    """The browser hung up, or we did."""


async def _or_gone(work: Awaitable[T], browser: Browser, *, stop: asyncio.Event, timeout_s: float) -> T:
    """The result of `work`. Raises `_Gone`, `TimeoutError`."""
    wanted = asyncio.ensure_future(work)
    ends = [asyncio.create_task(event.wait()) for event in (browser.is_gone, stop)]
    try:
        done, _ = await asyncio.wait((wanted, *ends), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if wanted in done:
            return wanted.result()
        raise _Gone if done else TimeoutError
    finally:
        for task in (wanted, *ends):
            task.cancel()
        await asyncio.gather(wanted, *ends, return_exceptions=True)


class _Line:
    """The media session of a browser, and the way to it."""

    def __init__(self, services: Services, browser: Browser, media: MediaSession, link: IceLink) -> None:
        self._services = services
        self._browser = browser
        self._media = media
        self._link = link
        self._dtls: DtlsSession | None = None
        self._addresses: list[tuple[str, int]] = []

    @classmethod
    async def open(cls, services: Services, browser: Browser) -> "_Line":
        link, bound = IceLink(), list[socket.socket]()

        def new_transport(rtp_socket: socket.socket, rtcp_socket: socket.socket) -> MediaTransport:
            bound.append(rtp_socket)
            return MuxedTransport(rtp_socket, rtcp_socket, on_other=link.take, is_known=link.is_known)

        settings = services.settings
        media = await MediaSession.open(
            clock=services.clock,
            host=settings.sip_host,
            port_min=settings.rtp_port_min,
            port_max=settings.rtp_port_max,
            new_transport=new_transport,
        )
        line = cls(services, browser, media, link)
        try:
            line._addresses = await line._find_addresses()
            await link.open(bound[0])
        except BaseException:
            await line.close()
            raise
        return line

    async def _find_addresses(self) -> list[tuple[str, int]]:
        """Where the browser can try to reach the session; best first."""
        host, port = self._services.settings.sip_host, self._media.local_port
        hosts = [host]
        if network.is_wildcard(host):
            hosts = get_host_addresses(use_ipv4=True, use_ipv6=host == "::") or [network.local_address("127.0.0.1")]
        addresses = [(each, port) for each in hosts]
        public = await self._services.public_address.find_media_address(self._media, network.DEFAULT_ROUTE)
        if public is not None:
            addresses += [(each, public[1]) for each in await _resolve(public[0])]
        return addresses

    async def connect(self, offer: Offer) -> Leg:
        """Answer, and wait for the browser's audio to be possible. Raises `ConnectionError`, `HandshakeFailed`."""
        link = self._link
        self._dtls = dtls = webrtc_loading.new_dtls_session(link, on_closed=self._browser.hang_up)
        self._browser.say_goodbye = self._leave
        link.remote_username, link.remote_password = offer.ufrag, offer.password
        ours = Answerer(
            session_id=time.time_ns() // 1000,
            ufrag=link.local_username,
            password=link.local_password,
            fingerprints=dtls.fingerprints,
            addresses=self._addresses,
        )
        self._browser.tell(type="answer", sdp=webrtc_sdp.build_answer(offer, ours))
        trickle = asyncio.create_task(self._add_candidates(offer))
        try:
            await link.connect()
            keys = await dtls.shake_hands(offer.fingerprints, timeout_s=_CONNECT_TIMEOUT_S)
        finally:
            trickle.cancel()
            await asyncio.gather(trickle, return_exceptions=True)
        link.pause()
        return self._make_leg(offer, keys)

    async def _add_candidates(self, offer: Offer) -> None:
        """Those of the offer, and those that follow it."""
        for candidate in offer.candidates:
            await self._add_candidate(candidate)
        while True:
            await self._add_candidate(await self._browser.candidates.get())

    async def _add_candidate(self, text: str) -> None:
        try:
            await self._link.add_candidate(text)
        except ValueError as error:
            log.info("candidate of a browser not understood", error=str(error))

    def _make_leg(self, offer: Offer, keys: SrtpKeys) -> Leg:
        host, port = self._link.peer
        leg = Leg(self._media, terms=MediaTerms(dtmf="rfc4733"), address=self._addresses[0])
        leg.agreed = NegotiatedAudio(
            host=host,
            port=port,
            rtcp_host=host,
            rtcp_port=port,
            encoding="OPUS",
            payload_type=offer.opus,
            clock_rate_hz=48_000,
            dtmf_payload_type=None if offer.dtmf is None else offer.dtmf[0],
            dtmf_clock_hz=8000 if offer.dtmf is None else offer.dtmf[1],
            comfort_noise_payload_type=None,
            ptime_ms=20,
            direction="sendrecv",
            crypto=NegotiatedCrypto(keys.suite, keys.local_key, keys.remote_key),
        )
        leg.call = self._browser
        return leg

    async def _leave(self) -> None:
        """Say goodbye; the media session is closed by whoever has the leg."""
        if self._dtls is not None:
            await self._dtls.close()
        await self._link.close()

    async def close(self) -> None:
        """There is no leg: let go of all."""
        await self._leave()
        await self._media.close()


async def _resolve(host: str) -> list[str]:
    """A public name's addresses: browsers look up none."""
    if network.is_literal(host):
        return [host]
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_LOOKUP_TIMEOUT_S):
            found = await loop.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except (OSError, TimeoutError) as error:
        log.warning("public host not found", host=host, error=str(error))
        return []
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
