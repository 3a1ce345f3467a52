"""The way to a browser's audio in this process: what is agreed with an aiortc peer, and each way it can fail."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import aioice.ice
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from ringdown.config import Settings
from ringdown.gateway import webrtc_line
from ringdown.gateway.dialling import Failed
from ringdown.gateway.leg import Leg
from ringdown.gateway.nat import PublicAddress
from ringdown.gateway.services import Services
from ringdown.gateway.webrtc_peer import Browser
from ringdown.media import sockets
from ringdown.media.clock import MediaClock
from tests.wire.browser_peer import Microphone

_PATIENCE_S = 30.0


@dataclass
class Far:
    """The other side: a peer connection, and the `Browser` that stands for it in the gateway."""

    peer: RTCPeerConnection
    browser: Browser = field(default_factory=Browser)

    async def make_offer(self) -> str:
        self.peer.addTrack(Microphone())
        await self.peer.setLocalDescription(await self.peer.createOffer())
        return str(self.peer.localDescription.sdp)

    def offer(self, sdp: str) -> None:
        self.browser.offer.set_result(sdp)

    async def take_answer(self) -> str:
        """Wait for the answer, and follow it."""
        async with asyncio.timeout(_PATIENCE_S):
            while (message := await self.browser.outbox.get()) is None or message["type"] != "answer":
                pass
        sdp = str(message["sdp"])
        await self.peer.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="answer"))
        return sdp


@pytest.fixture
async def far(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Far]:
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda **_: ["127.0.0.1"])
    opened = Far(RTCPeerConnection(RTCConfiguration(iceServers=[])))
    yield opened
    await opened.peer.close()


@contextlib.asynccontextmanager
async def run_gateway(**changes: Any) -> AsyncIterator[Services]:
    """As much of a gateway as carries media, with ports for one call: what is left open shows at once."""
    pair = sockets.open_port_pair("127.0.0.1", port_min=10_000, port_max=19_999)
    port = pair[0].getsockname()[1]
    for each in pair:
        each.close()
    settings = Settings.model_validate({"rtp_port_min": port, "rtp_port_max": port + 1, **changes})
    clock = MediaClock()
    await clock.start()
    try:
        yield cast("Services", SimpleNamespace(settings=settings, clock=clock, public_address=PublicAddress(settings)))
    finally:
        await clock.close()


async def connect(services: Services, far: Far, stop: asyncio.Event | None = None) -> Leg | Failed:
    async with asyncio.timeout(_PATIENCE_S):
        return await webrtc_line.connect(services, far.browser, stop=stop or asyncio.Event())


async def assert_ports_are_free(services: Services) -> None:
    """The range has one pair."""
    pair = webrtc_line.MediaSession.open(
        clock=services.clock,
        host=services.settings.sip_host,
        port_min=services.settings.rtp_port_min,
        port_max=services.settings.rtp_port_max,
    )
    await (await pair).close()


def how(failed: Leg | Failed) -> tuple[str, str]:
    assert isinstance(failed, Failed)
    return failed.ending.ended_reason, failed.reason or ""


async def test_audio_flows_both_ways_once_the_leg_is_there(far: Far) -> None:
    async with run_gateway() as services:
        far.offer(await far.make_offer())
        connecting = asyncio.create_task(connect(services, far))
        await far.take_answer()
        leg = await connecting
        assert isinstance(leg, Leg) and leg.agreed is not None
        assert (leg.agreed.encoding, leg.sample_rate_hz, leg.call) == ("OPUS", 16_000, far.browser)
        heard = asyncio.Event()

        def exchange(_far_pcm: bytes, at_ms: int) -> bytes | None:
            if at_ms >= 200 and leg.media.last_packet_at_ms:
                heard.set()
            return None

        leg.start(exchange, lambda _digit, _at_ms: None)
        async with asyncio.timeout(_PATIENCE_S):
            await heard.wait()
            await far.peer.getReceivers()[0].track.recv()
        await far.browser.bye()
        await leg.media.close()
        await assert_ports_are_free(services)


async def test_candidates_may_follow_the_offer_and_bad_ones_harm_nobody(far: Far) -> None:
    async with run_gateway() as services:
        offer = await far.make_offer()
        candidates = [line[2:] for line in offer.splitlines() if line.startswith("a=candidate:")]
        assert candidates
        kept = [line for line in offer.splitlines() if "candidate" not in line]
        far.offer("\r\n".join([*kept, "a=candidate:1 1 udp 1 0d3c.local 9 typ host", ""]))
        tcp = "candidate:1 1 tcp 1 127.0.0.1 9 typ host tcptype active"
        group = "candidate:1 1 udp 1 224.0.0.1 9 typ host"
        for candidate in ("candidate:nonsense", tcp, group, *candidates):
            far.browser.take(f'{{"type": "candidate", "candidate": "{candidate}"}}')
        connecting = asyncio.create_task(connect(services, far))
        await far.take_answer()
        leg = await connecting
        assert isinstance(leg, Leg)
        await far.browser.bye()
        await leg.media.close()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["127.0.0.1"]),
        ({"public_host": "203.0.113.7"}, ["127.0.0.1", "203.0.113.7"]),
        ({"sip_host": "0.0.0.0", "public_host": "203.0.113.7"}, ["198.51.100.1", "198.51.100.2", "203.0.113.7"]),
    ],
)
async def test_the_browser_is_shown_every_address_that_may_lead_to_us(
    far: Far, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], expected: list[str]
) -> None:
    own = ["198.51.100.1", "198.51.100.2"]
    monkeypatch.setattr(webrtc_line, "get_host_addresses", lambda **_: own)
    monkeypatch.setattr("ringdown.sip.network.needs_public_address", lambda _peer: True)
    async with run_gateway(**changes) as services:
        far.offer(await far.make_offer())
        connecting = asyncio.create_task(connect(services, far))
        async with asyncio.timeout(_PATIENCE_S):
            answer = await far.browser.outbox.get()
        far.browser.hang_up()
        await connecting
        assert answer is not None
        lines = [line.split() for line in str(answer["sdp"]).splitlines() if line.startswith("a=candidate:")]
        assert [line[4] for line in lines] == expected
        assert {int(line[5]) for line in lines} == {services.settings.rtp_port_min}


async def test_an_offer_that_cannot_be_answered_ends_the_call_and_says_why(far: Far) -> None:
    async with run_gateway() as services:
        far.offer("v=0\r\n")
        assert how(await connect(services, far)) == (
            "carrier_error",
            "The offer could not be answered: the offer has no audio.",
        )
        assert far.browser.outbox.get_nowait() == {"type": "error", "message": "the offer has no audio"}


async def test_a_browser_that_offers_nothing_has_no_media(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webrtc_line, "_OFFER_TIMEOUT_S", 0.05)
    async with run_gateway() as services:
        assert how(await connect(services, far)) == ("no_media", "The browser joined and offered no audio.")


async def test_a_browser_that_cannot_be_reached_has_no_media(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webrtc_line, "_CONNECT_TIMEOUT_S", 0.3)
    async with run_gateway() as services:
        far.offer(await far.make_offer())  # and never learns the answer
        assert how(await connect(services, far)) == ("no_media", "No way to the browser's audio was found (ICE).")
        await assert_ports_are_free(services)


async def test_somebody_else_than_the_one_who_offered_is_not_let_in(far: Far) -> None:
    async with run_gateway() as services:
        offer = await far.make_offer()
        theirs = next(line for line in offer.splitlines() if line.startswith("a=fingerprint:sha-256 "))
        others = "".join("0" if character in "123456789ABCDEF" else character for character in theirs[22:])
        kept = [line for line in offer.splitlines() if not line.startswith("a=fingerprint:")]
        far.offer("\r\n".join([*kept, theirs[:22] + others, ""]))
        connecting = asyncio.create_task(connect(services, far))
        await far.take_answer()
        ended_reason, reason = how(await connecting)
        assert (ended_reason, "DTLS" in reason) == ("no_media", True)
        await assert_ports_are_free(services)


@pytest.mark.parametrize("who", ["browser", "gateway"])
@pytest.mark.parametrize("is_offered", [False, True])
async def test_hanging_up_before_there_is_audio_cancels(far: Far, who: str, is_offered: bool) -> None:
    async with run_gateway() as services:
        stop = asyncio.Event()
        if is_offered:
            far.offer(await far.make_offer())
        connecting = asyncio.create_task(connect(services, far, stop))
        if is_offered:
            async with asyncio.timeout(_PATIENCE_S):
                assert await far.browser.outbox.get()
        if who == "browser":
            far.browser.hang_up()
        else:
            stop.set()
        assert how(await connecting) == ("cancelled", "")
        await assert_ports_are_free(services)


async def test_a_cancelled_task_leaves_no_port_open(far: Far) -> None:
    async with run_gateway() as services:
        far.offer(await far.make_offer())
        connecting = asyncio.create_task(connect(services, far))
        async with asyncio.timeout(_PATIENCE_S):
            assert await far.browser.outbox.get()
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)
        await assert_ports_are_free(services)
