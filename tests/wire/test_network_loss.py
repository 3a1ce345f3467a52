"""Calls over a network that loses, delays and repeats packets, of SIP and of RTP: they complete all the same."""

import asyncio
import audioop
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from ringdown.media.clock import MediaClock
from ringdown.media.session import MediaSession
from ringdown.media.stream import StreamSettings
from ringdown.providers.espeak import EspeakVoice
from ringdown.sip import sdp
from ringdown.sip.call import OutgoingCall
from ringdown.sip.destination import Destination
from ringdown.sip.events import Answered, Ended, Event, Rejected
from ringdown.sip.transaction import Timing
from tests.acceptance import recordings
from tests.fakes.relay import Impairment, Relay
from tests.wire.gateway_product import Product, run_product
from tests.wire.sip_owner import Owner, collect, run_owner, wait_for

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOST = "127.0.0.1"
SDP = sdp.build_offer(HOST, 30_000)
QUICK = Timing(t1=0.1)
BAD_SIGNALLING = Impairment(loss=0.1, jitter_ms=20, duplication=0.1, reordering=0.1)
BAD_AUDIO = Impairment(loss=0.03, jitter_ms=15)
_SPEECH_RMS = 250
_TURN_SILENCE_MS = 1000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    async with run_product(tmp_path_factory.mktemp("product")) as running:
        yield running


@contextlib.contextmanager
def open_relay(port: int, impairment: Impairment) -> Iterator[Relay]:
    """A bad way to this port; and back."""
    relay = Relay.open(right=(HOST, port), impairment=impairment)
    try:
        yield relay
    finally:
        relay.close()


@contextlib.asynccontextmanager
async def run_far_apart() -> AsyncIterator[tuple[Owner, Owner, Destination]]:
    """A caller, a callee, and the bad way from one to the other: all but what follows a Contact goes over it."""
    async with run_owner(timing=QUICK) as alice, run_owner(timing=QUICK) as bob:
        with open_relay(bob.endpoint.port, BAD_SIGNALLING) as relay:
            yield alice, bob, Destination("udp", *relay.left_address)
            assert min(relay.to_left.lost, relay.to_right.lost, relay.to_left.duplicated) > 0


async def test_calls_over_a_bad_network_are_answered_and_acknowledged() -> None:
    async with run_far_apart() as (alice, bob, hop):
        calls = [await alice.dial(bob.endpoint.local_uri("bob"), hop=hop) for _ in range(20)]
        for _ in calls:
            incoming = await bob.next_call()
            await incoming.ring()
            await incoming.answer(SDP)
        for call in calls:
            assert (await wait_for(call, Answered)).body == SDP
            await call.bye()
            assert await wait_for(call, Ended) == Ended("local")
        assert bob.incoming.empty()  # a repeated INVITE is no second call


async def test_refusals_over_a_bad_network_are_told_once() -> None:
    async with run_far_apart() as (alice, bob, hop):
        calls = [await alice.dial(bob.endpoint.local_uri("bob"), hop=hop) for _ in range(20)]
        for _ in calls:
            await (await bob.next_call()).reject(486)
        for call in calls:
            assert await collect(call) == [Rejected(486, "Busy Here")]
        assert bob.incoming.empty()


async def test_ringing_calls_over_a_bad_network_are_cancelled() -> None:
    async with run_far_apart() as (alice, bob, hop):
        calls = [await alice.dial(bob.endpoint.local_uri("bob"), hop=hop) for _ in range(20)]
        ringing = [await bob.next_call() for _ in calls]
        for incoming in ringing:
            await incoming.ring()
        for call in calls:
            await call.cancel()
        assert [(await collect(call))[-1] for call in calls] == [Ended("cancelled")] * 20
        assert [await collect(incoming) for incoming in ringing] == [[Ended("cancelled")]] * 20


async def test_questions_over_a_bad_network_are_answered() -> None:
    async with run_far_apart() as (alice, bob, hop):
        target = bob.endpoint.local_uri("bob")
        replies = await asyncio.gather(*(
            alice.endpoint.ask("OPTIONS", target, hop=hop, from_uri="sip:alice@127.0.0.1") for _ in range(20)
        ))  # fmt: skip
        assert [reply.status for reply in replies] == [200] * 20


class Caller:
    """Says its answer once the far party has spoken and stopped."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._spoken_ms = 0

    def exchange(self, far_pcm: bytes, at_ms: int) -> bytes | None:
        if audioop.rms(far_pcm, 2) >= _SPEECH_RMS:
            self._spoken_ms = at_ms
        if not self._spoken_ms or at_ms - self._spoken_ms < _TURN_SILENCE_MS:
            return None
        frame, self._answer = self._answer[: len(far_pcm)], self._answer[len(far_pcm) :]
        return frame.ljust(len(far_pcm), b"\0") if frame else None


async def speak(text: str) -> bytes:
    """It as 8 kHz PCM."""
    voice = EspeakVoice("en-us")
    await voice.start()
    try:
        return b"".join([piece.pcm async for piece in voice.speak(text, sample_rate_hz=8000)])
    finally:
        await voice.close()


async def talk(call: OutgoingCall, media: MediaSession, relay: Relay, answer: bytes) -> Event:
    """Talk over the relay until somebody hangs up."""
    async with asyncio.timeout(40):
        async for event in call.events():
            if isinstance(event, Answered):
                agreed = sdp.read_answer(event.body)
                media.start(
                    StreamSettings(
                        remote=relay.right_address, encoding=agreed.encoding, payload_type=agreed.payload_type
                    ),
                    exchange=Caller(answer).exchange,
                )
    return event


async def test_an_agent_understands_and_is_recorded_over_a_bad_network(product: Product) -> None:
    clock = MediaClock()
    await clock.start()
    media = await MediaSession.open(clock=clock, host=HOST, port_min=30_000, port_max=39_999)
    try:
        async with run_owner(timing=QUICK) as alice:
            with (
                open_relay(product.ports["SIP_PORT"], BAD_SIGNALLING) as signalling,
                open_relay(media.local_port, BAD_AUDIO) as audio,
            ):
                call = alice.endpoint.prepare_invite(
                    target=product.agent_uri,
                    from_uri=alice.endpoint.local_uri("alice"),
                    body=sdp.build_offer(HOST, audio.left_address[1], encodings=["PCMU"]),
                    hop=Destination("udp", *signalling.left_address),
                )
                await call.send()
                assert await talk(call, media, audio, await speak("yes please")) == Ended("bye")
                assert min(audio.to_left.lost, audio.to_right.lost) > 3
    finally:
        await media.close()
        await clock.close()
    ended = await product.newest_ended()
    assert (ended["status"], ended["summary"]) == ("completed", "Deliver today: yes.")
    assert [turn["text"] for turn in await product.turns_of(ended["id"])][1:] == ["yes please", "Bye."]
    assert 1 < ended["media_quality"]["loss_percent"] < 6
    assert ended["media_quality"]["mos"] > 2.5
    for side in await recordings.fetch(ended["recording_url"]):
        assert recordings.loudness(side, 0, ended["duration_seconds"]) > 0.01
