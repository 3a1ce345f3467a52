"""Browser calls of the whole product: an aiortc peer joins by its link, hears, is heard, hangs up and is hung up."""

import asyncio
import io
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import numpy.typing as npt
import pytest
import pytest_asyncio

from ringdown.providers.espeak import EspeakVoice
from tests.wire import browser_peer
from tests.wire.browser_peer import BrowserPeer, make_tone
from tests.wire.gateway_product import Product, run_product

pytestmark = pytest.mark.asyncio(loop_scope="module")
Samples = npt.NDArray[np.float64]
QUESTION = "Shall we deliver your parcel today?"
_UNKNOWN_LINK = 4404


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    async with run_product(tmp_path_factory.mktemp("product"), no_media_seconds=3) as running:
        yield running


async def open_call(product: Product, **fields: object) -> dict[str, Any]:
    async with product.client() as client:
        answer = await client.post("/webrtc/call", json={"agent_id": product.agent_id, **fields})
        assert answer.status_code == 200, answer.text
        opened: dict[str, Any] = answer.json()
        return opened


async def talk(browser: BrowserPeer) -> None:
    """Connect, and hear the agent."""
    await browser.call()
    await browser.wait_for(type="status", status="speaking")
    await browser.wait_until_heard(0.5)


async def fetch_recording(url: str) -> tuple[Samples, Samples]:
    """Browser and agent of a wideband recording."""
    async with httpx.AsyncClient() as anyone:
        content = (await anyone.get(url)).content
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.audio[0]
        assert stream.rate == 16_000
        both = np.concatenate([frame.to_ndarray() for frame in container.decode(stream)], axis=1)
    return both[0].astype(np.float64), both[1].astype(np.float64)


def find_peak_hz(samples: npt.NDArray[Any], rate_hz: int) -> float:
    """The strongest frequency."""
    spectrum = np.abs(np.fft.rfft(samples))
    return float(np.fft.rfftfreq(len(samples), 1 / rate_hz)[np.argmax(spectrum)])


def loudness(samples: Samples) -> float:
    """Root mean square; full scale is 1."""
    return float(np.sqrt((samples**2).mean()))


def how(call: dict[str, Any]) -> tuple[str, str]:
    return call["status"], call["ended_reason"]


def test_the_gateway_is_ready_for_browsers_before_the_first_joins(product: Product) -> None:
    """aiortc is loaded, which alone needs this library: later, its import would hold up the calls of others."""
    assert "crc32c" in Path(f"/proc/{product.gateway_pid}/maps").read_text()


async def test_a_browser_hears_the_agent_is_heard_and_hangs_up(product: Product) -> None:
    opened = await open_call(product, metadata={"page": "start"})
    async with browser_peer.join(opened["joinUrl"]) as browser:
        joined = await browser.wait_for(type="joined")
        await talk(browser)
        await browser.wait_for(type="transcript", speaker="agent", text=QUESTION, isFinal=True)
        browser.microphone.say(make_tone(1000, 1.0))
        await browser.microphone.wait_until_said()
        await asyncio.sleep(0.5)  # what was said is on its way
        async with browser_peer.join(opened["joinUrl"]) as second:
            assert (await second.wait_until_closed())[0] == _UNKNOWN_LINK
        await browser.send(type="hangup")
        assert (await browser.wait_until_closed())[0] == 1000
        statuses = [message["status"] for message in browser.messages if message["type"] == "status"]
    call = await product.end_of(opened["callId"])
    assert (joined["callId"], joined["agentName"]) == (call["id"], opened["agentName"])
    assert statuses[0] == "connecting" and statuses[-1] == "ended"
    assert {"listening", "speaking"} <= set(statuses)
    assert how(call) == ("completed", "user_hangup")
    assert (call["direction"], call["metadata"], call["to"], call["from"]) == ("webrtc", {"page": "start"}, None, None)
    assert call["cost_credits"] > 0
    assert call["transcript"][0]["text"] == QUESTION
    assert (call["media_quality"]["codec"], call["media_quality"]["is_encrypted"]) == ("OPUS", True)
    far, near = await fetch_recording(call["recording_url"])
    assert find_peak_hz(far, 16_000) == pytest.approx(1000, abs=5)
    assert np.abs(far).max() > 0.2
    assert loudness(near) > 0.02
    assert 80 < find_peak_hz(browser.heard, 48_000) < 4000  # a voice


async def test_keys_answer_the_agent_which_then_hangs_up(product: Product) -> None:
    opened = await open_call(product)
    async with browser_peer.join(opened["joinUrl"]) as browser:
        await talk(browser)
        await browser.send(type="digits", digits="1")
        assert (await browser.wait_until_closed())[0] == 1000
    call = await product.end_of(opened["callId"])
    assert (*how(call), call["summary"]) == ("completed", "agent_hangup", "Deliver today: yes.")


async def test_a_spoken_yes_is_understood(product: Product) -> None:
    opened = await open_call(product)
    async with browser_peer.join(opened["joinUrl"]) as browser:
        await browser.call()
        await browser.wait_for(type="transcript", speaker="agent", text=QUESTION)
        voice = EspeakVoice("en-us")
        await voice.start()
        try:
            said = b"".join([piece.pcm async for piece in voice.speak("yes please", sample_rate_hz=16_000)])
        finally:
            await voice.close()
        browser.microphone.say(np.repeat(np.frombuffer(said, "<i2"), 3))
        spoken = await browser.wait_for(type="transcript", speaker="user", isFinal=True)
        assert (await browser.wait_until_closed())[0] == 1000
    assert "yes" in spoken["text"]
    assert (await product.end_of(opened["callId"]))["summary"] == "Deliver today: yes."


async def test_the_api_hangs_up_a_browser(product: Product) -> None:
    opened = await open_call(product)
    async with browser_peer.join(opened["joinUrl"]) as browser:
        await talk(browser)
        assert (await product.hang_up(opened["callId"])).status_code == 201
        await browser.wait_for(type="status", status="ended")
        assert (await browser.wait_until_closed())[0] == 1000
    assert how(await product.end_of(opened["callId"])) == ("completed", "agent_hangup")


async def test_a_browser_that_closes_its_connection_has_hung_up(product: Product) -> None:
    opened = await open_call(product)
    async with browser_peer.join(opened["joinUrl"]) as browser:
        await talk(browser)
        await browser.peer.close()
        assert (await browser.wait_until_closed())[0] == 1000
    assert how(await product.end_of(opened["callId"])) == ("completed", "user_hangup")


async def test_a_browser_that_falls_silent_is_hung_up(product: Product) -> None:
    opened = await open_call(product)
    async with browser_peer.join(opened["joinUrl"]) as browser:
        await talk(browser)
        browser.peer.getSenders()[0].replaceTrack(None)
        assert (await browser.wait_until_closed())[0] == 1000
    assert how(await product.end_of(opened["callId"])) == ("completed", "no_media")


async def test_a_call_goes_on_when_the_browser_comes_back_on_another_websocket(product: Product) -> None:
    opened = await open_call(product)
    async with browser_peer.join(opened["joinUrl"]) as browser:
        await talk(browser)
        key = (await browser.wait_for(type="joined"))["resumeKey"]
        await browser.socket.close(1001)
        async with browser_peer.join(f"{opened['joinUrl']}?resume={key}") as returned:
            await returned.send(type="digits", digits="2")
            await returned.wait_for(type="status", status="ended")
            assert (await returned.wait_until_closed())[0] == 1000
    call = await product.end_of(opened["callId"])
    assert (*how(call), call["summary"]) == ("completed", "agent_hangup", "Deliver today: no.")


async def test_links_that_are_unknown_or_expired_are_refused_and_the_call_was_not_answered(product: Product) -> None:
    opened = await open_call(product, call_settings={"join_timeout": "1s"})
    call = await product.end_of(opened["callId"])
    assert how(call) == ("failed", "no_answer")
    base, _, _ = opened["joinUrl"].rpartition("/")
    for link in (opened["joinUrl"], f"{base}/unknown", f"{base}/unknown?resume=unknown"):
        async with browser_peer.join(link) as browser:
            assert (await browser.wait_until_closed())[0] == _UNKNOWN_LINK


async def test_a_killed_gateway_leaves_no_browser_call_and_takes_new_ones(product: Product) -> None:
    opened = await open_call(product)
    async with browser_peer.join(opened["joinUrl"]) as browser:
        await browser.call()
        await browser.wait_until_heard(1.5)  # of which the recording's file has the greater part
        pid = product.gateway_pid
        os.kill(pid, signal.SIGKILL)
        assert (await browser.wait_until_closed())[0] != 1000
        await product.wait_for_new_gateway(pid)
    call = await product.end_of(opened["callId"])
    assert how(call) == ("completed", "recovered_after_crash")
    _, near = await fetch_recording(call["recording_url"])
    assert loudness(near) > 0.02
    opened = await open_call(product)
    async with browser_peer.join(opened["joinUrl"]) as browser:
        await talk(browser)
        await browser.send(type="hangup")
        await browser.wait_until_closed()
    assert how(await product.end_of(opened["callId"])) == ("completed", "user_hangup")
