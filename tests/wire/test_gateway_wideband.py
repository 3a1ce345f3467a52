"""A wideband call of the product, with real audio over loopback: the agent speaks and understands at 16 kHz."""

import asyncio
import audioop
import io
from collections.abc import AsyncIterator

import av
import httpx
import numpy as np
import pytest
import pytest_asyncio

from ringdown.media.clock import MediaClock
from ringdown.media.session import MediaSession
from ringdown.media.stream import StreamSettings
from ringdown.providers.espeak import EspeakVoice
from ringdown.sip import sdp
from ringdown.sip.events import Answered, Ended
from tests.wire.gateway_product import Product, run_product
from tests.wire.sip_owner import Owner, run_owner

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOST = "127.0.0.1"
RATE_HZ = 16_000
FRAME_BYTES = 640
_SPEECH_RMS = 250
_TURN_SILENCE_MS = 1000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    async with run_product(tmp_path_factory.mktemp("product")) as running:
        yield running


class Caller:
    """Says its answer once the far party has spoken and stopped; keeps what it heard."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._spoken_ms = 0
        self.heard = bytearray()

    def exchange(self, far_pcm: bytes, at_ms: int) -> bytes | None:
        self.heard += far_pcm
        if audioop.rms(far_pcm, 2) >= _SPEECH_RMS:
            self._spoken_ms = at_ms
        if not self._spoken_ms or at_ms - self._spoken_ms < _TURN_SILENCE_MS:
            return None
        frame, self._answer = self._answer[:FRAME_BYTES], self._answer[FRAME_BYTES:]
        return frame.ljust(FRAME_BYTES, b"\0") if frame else None


async def call_the_agent(product: Product, owner: Owner, encoding: sdp.Encoding, answer: bytes) -> bytes:
    """Call with one codec only; what was heard at 16 kHz until the agent hung up."""
    clock, caller = MediaClock(), Caller(answer)
    await clock.start()
    media = await MediaSession.open(clock=clock, host=HOST, port_min=30000, port_max=39999)
    try:
        offer = sdp.build_offer(HOST, media.local_port, encodings=[encoding])
        target, own = f"sip:agent@{HOST}:{product.ports['SIP_PORT']}", owner.endpoint.local_uri("alice")
        call = owner.endpoint.prepare_invite(target=target, from_uri=own, body=offer)
        await call.send()
        async with asyncio.timeout(40):
            async for event in call.events():
                if isinstance(event, Answered):
                    agreed = sdp.read_answer(event.body, encodings=[encoding])
                    stream = StreamSettings(
                        remote=(agreed.host, agreed.port), encoding=encoding, payload_type=agreed.payload_type
                    )
                    media.start(stream, exchange=caller.exchange)
                if isinstance(event, Ended):
                    break
        assert media.sample_rate_hz == RATE_HZ
    finally:
        await media.close()
        await clock.close()
    return bytes(caller.heard)


def share_above_4_khz(pcm: bytes | np.ndarray) -> float:
    """How much of the energy a narrowband call could not carry."""
    samples = np.frombuffer(pcm, "<i2").astype(float) if isinstance(pcm, bytes) else pcm
    power = np.abs(np.fft.rfft(samples)) ** 2
    return float(power[len(power) // 2 :].sum() / power.sum())


async def fetch_recording(url: str) -> tuple[np.ndarray, int]:
    async with httpx.AsyncClient() as anyone:
        with av.open(io.BytesIO((await anyone.get(url)).content)) as container:
            stream = container.streams.audio[0]
            return np.concatenate([frame.to_ndarray() for frame in container.decode(stream)], axis=1), stream.rate


@pytest.mark.parametrize("encoding", ["G722", "OPUS"])
async def test_a_yes_is_understood_and_both_sides_are_recorded_in_wideband(
    product: Product, encoding: sdp.Encoding
) -> None:
    voice = EspeakVoice("en-us")
    await voice.start()
    try:
        answer = b"".join([piece.pcm async for piece in voice.speak("yes please", sample_rate_hz=RATE_HZ)])
    finally:
        await voice.close()
    async with run_owner() as owner:
        heard = await call_the_agent(product, owner, encoding, answer)
    call = await product.newest_ended()
    assert [turn["text"] for turn in await product.turns_of(call["id"])][1:] == ["yes please", "Bye."]
    assert (call["ended_reason"], call["summary"]) == ("agent_hangup", "Deliver today: yes.")
    assert share_above_4_khz(heard) > 0.003
    recorded, rate_hz = await fetch_recording(call["recording_url"])
    assert rate_hz == RATE_HZ
    assert min(share_above_4_khz(side) for side in recorded) > 0.003
