"""What the far end of a trunk does while it rings and talks: announcements before an answer, session timers."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from ringdown.sip.events import Answered, Ended, Event, Rejected
from ringdown.sip.message import Request, Response, parse_message
from ringdown.sip.sdp import build_offer, new_keys
from tests.acceptance import recordings
from tests.fakes import carrier_sockets
from tests.fakes.carrier_media import CarrierMedia, MediaBehaviour
from tests.fakes.carrier_sockets import Address, Send
from tests.wire.gateway_product import Product, run_product
from tests.wire.sip_owner import Owner, collect, run_owner, wait_for
from tests.wire.trunk_product import make_line

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOST = "127.0.0.2"
ANNOUNCING, UPDATING, REINVITING, MUTE, PLAIN, ENCRYPTED = (f"+120255504{n:02}" for n in range(6))
TONE_HZ = 440
LONG_SPEECH = {"start": "talk", "nodes": {"talk": {"say": "One moment, please. " * 60, "end": "hang_up"}}}
# Less than RFC 4028 §5 allows, so that the test is short; the refresh is due after half of it.
INTERVAL_S = 30
BODY = build_offer("127.0.0.1", 30_002)


@dataclass
class TimerPeer:
    """Answers every call with a session timer that the caller must refresh, on a plain socket."""

    allow: str
    is_refreshing: bool = True
    requests: list[tuple[float, Request]] = field(default_factory=list)
    _answers: dict[str, Response] = field(default_factory=dict)

    def receive(self, data: bytes, _source: Address, send: Send) -> None:
        message = parse_message(data)
        if not isinstance(message, Request) or message.method == "ACK":
            return
        if (known := self._answers.get(message.via.branch)) is not None:
            send(known.serialize())
            return
        if message.method != "OPTIONS":
            self.requests.append((time.monotonic(), message))
        is_refresh = message.method in ("INVITE", "UPDATE") and message.to.tag is not None
        if not is_refresh or self.is_refreshing:
            self._answers[message.via.branch] = self._answer(message)
            send(self._answers[message.via.branch].serialize())

    def _answer(self, request: Request) -> Response:
        fields = [("Allow", self.allow), ("Contact", f"<{request.uri}>")]
        body = b""
        if request.method in ("INVITE", "UPDATE"):
            fields += [("Session-Expires", f"{INTERVAL_S};refresher=uac"), ("Require", "timer")]
        if request.method == "INVITE":
            fields.append(("Content-Type", "application/sdp"))
            body = BODY
        return Response.build(request, 200, tag="peer", fields=fields, body=body)

    async def next(self, position: int, timeout_s: float) -> tuple[float, Request]:
        async with asyncio.timeout(timeout_s):
            while len(self.requests) <= position:
                await asyncio.sleep(0.05)
        return self.requests[position]


@dataclass(frozen=True, slots=True)
class Site:
    product: Product
    far: Owner
    updating: TimerPeer
    reinviting: TimerPeer
    mute: TimerPeer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    updating, reinviting = TimerPeer("INVITE, ACK, BYE, CANCEL, UPDATE"), TimerPeer("INVITE, ACK, BYE, CANCEL")
    mute = TimerPeer("INVITE, ACK, BYE, CANCEL, UPDATE", is_refreshing=False)
    async with (
        carrier_sockets.listen("udp", updating.receive, None) as updating_port,
        carrier_sockets.listen("udp", reinviting.receive, None) as reinviting_port,
        carrier_sockets.listen("udp", mute.receive, None) as mute_port,
        run_owner(host=HOST) as far,
        run_product(tmp_path_factory.mktemp("product"), no_media_seconds=120) as product,
    ):
        place = f"{HOST}:{far.endpoint.port}"
        timer = {"session_timer": "request", "session_expires_seconds": 90}
        await asyncio.gather(
            make_line(product, ANNOUNCING, place),
            make_line(product, PLAIN, place, codecs=["PCMA"], dtmf="inband"),
            make_line(product, ENCRYPTED, place, srtp="required"),
            make_line(product, UPDATING, f"127.0.0.1:{updating_port}", **timer),
            make_line(product, REINVITING, f"127.0.0.1:{reinviting_port}", **timer),
            make_line(product, MUTE, f"127.0.0.1:{mute_port}", **timer),
        )
        yield Site(product, far, updating, reinviting, mute)


async def test_an_announcement_is_the_recording_of_a_call_that_fails(site: Site) -> None:
    call_id = await site.product.place(from_number=ANNOUNCING)
    incoming = await site.far.next_call()
    media = CarrierMedia(MediaBehaviour())
    body = media.answer(incoming.body)
    assert body is not None
    await incoming.progress(183, body)
    media.start()
    await asyncio.sleep(2.5)
    await incoming.reject(404)
    call = await site.product.end_of(call_id)
    await media.close()
    assert (call["status"], call["ended_reason"], call["duration_seconds"]) == ("failed", "invalid_destination", 0)
    far, near = await recordings.fetch(call["recording_url"])
    heard = recordings.find_tone(far, TONE_HZ)
    assert heard is not None and 1.5 < heard[1] - heard[0] < 3.5
    assert recordings.loudness(near, 0, 3) < 0.001


async def test_a_call_that_fails_in_silence_has_no_recording(site: Site) -> None:
    call_id = await site.product.place(from_number=ANNOUNCING)
    incoming = await site.far.next_call()
    await incoming.progress(183, BODY)
    await asyncio.sleep(1.5)
    await incoming.reject(404)
    assert (await site.product.end_of(call_id))["recording_url"] is None


async def test_what_was_played_before_the_answer_is_not_in_the_recording(site: Site) -> None:
    call_id = await site.product.place(from_number=ANNOUNCING)
    incoming = await site.far.next_call()
    media = CarrierMedia(MediaBehaviour())
    body = media.answer(incoming.body)
    assert body is not None
    await incoming.progress(183, body)
    media.start()
    await asyncio.sleep(1.5)
    await media.close()
    await incoming.answer(body)
    await wait_for(incoming, Answered)
    await site.product.reach(call_id, "in_progress")
    await asyncio.sleep(1.5)
    await incoming.bye()
    assert (await collect(incoming))[-1] == Ended("local")
    call = await site.product.end_of(call_id)
    far, near = await recordings.fetch(call["recording_url"])
    heard = recordings.find_tone(far, TONE_HZ)
    assert heard is None or heard[1] < 0.3  # what was still on its way
    assert recordings.loudness(near, 0.5, 1.4) > 0.01
    assert call["duration_seconds"] < 4


async def test_only_the_codecs_of_the_trunk_are_offered_and_taken(site: Site) -> None:
    call_id = await site.product.place(from_number=PLAIN)
    incoming = await site.far.next_call()
    offer = incoming.body.decode()
    assert "PCMA/8000" in offer
    assert not any(name in offer for name in ("PCMU", "G722", "opus", "telephone-event"))
    await incoming.answer(build_offer(HOST, 30_002, encodings=("PCMU",)))
    assert (await collect(incoming))[-1] == Ended("bye")
    call = await site.product.end_of(call_id)
    assert call["ended_reason"] == "carrier_error"
    assert call["summary"].startswith("The call was answered without usable audio: ")
    [refused] = [event for event in await _ring(site, PLAIN, encodings=("PCMU", "G722")) if isinstance(event, Rejected)]
    assert refused.status == 488


async def test_a_trunk_that_requires_encryption_has_no_call_without(site: Site) -> None:
    call_id = await site.product.place(from_number=ENCRYPTED)
    incoming = await site.far.next_call()
    assert b" RTP/SAVP " in incoming.body and b"a=crypto:1 " in incoming.body
    await incoming.answer(BODY)
    assert (await collect(incoming))[-1] == Ended("bye")
    assert (await site.product.end_of(call_id))["ended_reason"] == "carrier_error"
    [refused] = [event for event in await _ring(site, ENCRYPTED) if isinstance(event, Rejected)]
    assert refused.status == 488
    keys = new_keys()
    events = await _ring(site, ENCRYPTED, srtp="required", keys=keys)
    [answered] = [event for event in events if isinstance(event, Answered)]
    assert b" RTP/SAVP " in answered.body and b"a=crypto:" in answered.body


async def _ring(site: Site, number: str, **offer: Any) -> list[Event]:
    """What becomes of a call of the far end's, which hangs up when it is answered."""
    target = f"sip:{number}@127.0.0.1:{site.product.ports['SIP_PORT']}"
    call = site.far.endpoint.prepare_invite(
        target=target, from_uri=site.far.endpoint.local_uri("alice"), body=build_offer(HOST, 30_000, **offer)
    )
    await call.send()
    seen: list[Event] = []
    async with asyncio.timeout(30):
        async for event in call.events():
            seen.append(event)
            if isinstance(event, Answered):
                await call.bye()
    return seen


async def test_sessions_are_refreshed_at_half_time_and_end_when_the_peer_is_gone(site: Site) -> None:
    async with site.product.client() as client:
        changes = {"flow": LONG_SPEECH}
        assert (await client.patch(f"/agents/{site.product.agent_id}", json=changes)).status_code == 200
    await asyncio.gather(
        _check_refreshed(site.product, site.updating, UPDATING, "UPDATE"),
        _check_refreshed(site.product, site.reinviting, REINVITING, "INVITE"),
        _check_expired(site.product, site.mute, MUTE),
    )


async def _check_refreshed(product: Product, peer: TimerPeer, number: str, method: str) -> None:
    call_id = await product.place(from_number=number)
    began, invite = await peer.next(0, 10)
    assert invite.headers.get("Session-Expires") == "90"
    assert "timer" in invite.headers.get_all("Supported")
    refreshed, refresh = await peer.next(1, INTERVAL_S)
    assert refresh.method == method
    assert (refresh.headers.get("Session-Expires") or "").endswith(";refresher=uac")
    assert INTERVAL_S / 2 - 1 < refreshed - began < INTERVAL_S / 2 + 3
    if method == "INVITE":  # the description of the session has not changed
        assert refresh.body == invite.body
    # It would have ended by now.
    await asyncio.sleep(INTERVAL_S * 2 / 3 + 2 - (time.monotonic() - began))
    assert (await product.reach(call_id, "in_progress"))["status"] == "in_progress"
    await product.hang_up(call_id)
    assert (await product.end_of(call_id))["ended_reason"] == "agent_hangup"


async def _check_expired(product: Product, peer: TimerPeer, number: str) -> None:
    call_id = await product.place(from_number=number)
    began, _ = await peer.next(0, 10)
    call = await product.end_of(call_id)
    ended, bye = peer.requests[-1]
    assert bye.method == "BYE"
    # RFC 4028 §10: a third of the interval before it is over.
    assert INTERVAL_S * 2 / 3 - 1 < ended - began < INTERVAL_S * 2 / 3 + 3
    assert (call["status"], call["ended_reason"]) == ("completed", "carrier_error")
