"""Pipecat's own WebSocket services (Cartesia's) behind our ports, against a vendor's server of the tests."""

import asyncio
import struct
from collections.abc import AsyncIterator
from typing import Any

import loguru
import pytest

from ringdown.providers import pipecat_services
from ringdown.providers.registry import ProviderSettings
from ringdown.voice.ports import Expectation, ProviderError, Word
from tests.fakes.cartesia_server import FakeCartesiaServer

loguru.logger.disable("pipecat")

PATIENCE_S = 20.0
KEY = "sk-very-secret"
VOICED = struct.pack("<160h", *(([8000] * 20 + [-8000] * 20) * 4))


@pytest.fixture
async def server() -> AsyncIterator[FakeCartesiaServer]:
    async with FakeCartesiaServer().run() as running:
        yield running


def open_recognizer(url: str) -> Any:
    provider = ProviderSettings(name="ears", kind="speech_to_text", type="pipecat:cartesia", key=KEY, url=url)  # type: ignore[arg-type]
    return pipecat_services.open_recognizer(provider).for_call()


def open_speaker(url: str) -> Any:
    settings: dict[str, Any] = {"key": KEY, "url": url, "model": "sonic"}
    provider = ProviderSettings(name="mouth", kind="text_to_speech", type="pipecat:cartesia", **settings)
    return pipecat_services.open_speaker(provider, voice="v1", language="de-DE")


async def speak(speaker: Any, text: str) -> tuple[int, list[Word]]:
    pieces = [piece async for piece in speaker.speak(text, sample_rate_hz=8000)]
    return len(b"".join(piece.pcm for piece in pieces)) // 16, [word for piece in pieces for word in piece.words]


async def test_utterances_of_a_call_are_streamed_over_one_connection(server: FakeCartesiaServer) -> None:
    recognizer = open_recognizer(server.url)
    for transcript in ("yes please", "no thanks"):
        server.transcript = transcript
        utterance = recognizer.open(sample_rate_hz=8000, language="en-US", expectation=Expectation())
        for _ in range(10):
            utterance.push(VOICED)
        async with asyncio.timeout(PATIENCE_S):
            while utterance.partial() != transcript.partition(" ")[0]:
                await asyncio.sleep(0.01)
        recognition = await utterance.final()
        assert (recognition.text, recognition.language) == (transcript, "en")
        await utterance.close()
    assert (server.connections, server.keys) == (1, [KEY])
    assert server.queries[0]["sample_rate"] == ["8000"] and server.queries[0]["language"] == ["en-US"]
    await recognizer.close()


async def test_texts_are_spoken_over_one_connection_with_the_times_of_their_words(server: FakeCartesiaServer) -> None:
    speaker = open_speaker(server.url)
    for _ in range(2):
        assert await speak(speaker, "how are you") == (
            300,
            [Word("how", 0, 100), Word("are", 100, 200), Word("you", 200, 300)],
        )
    assert (server.connections, server.keys) == (1, [KEY])
    assert server.requests[0]["language"] == "de-DE"
    assert server.requests[0]["voice"] == {"mode": "id", "id": "v1"}
    await speaker.close()


async def test_an_interrupted_text_is_cancelled_at_the_vendors(server: FakeCartesiaServer) -> None:
    server.stalls = True
    speaker = open_speaker(server.url)
    pieces = speaker.speak("this stalls", sample_rate_hz=8000)
    async with asyncio.timeout(PATIENCE_S):
        assert (await anext(pieces)).pcm
        await pieces.aclose()
        while not server.cancelled:
            await asyncio.sleep(0.01)
    server.stalls = False
    assert (await speak(speaker, "good"))[0] == 100
    await speaker.close()


async def test_a_vendor_that_cannot_be_reached_fails_at_once() -> None:
    nowhere = "ws://127.0.0.1:9"
    speaker, recognizer = open_speaker(nowhere), open_recognizer(nowhere)
    utterance = recognizer.open(sample_rate_hz=8000, language="en-US", expectation=Expectation())
    utterance.push(VOICED)
    for failing in (speak(speaker, "hello"), utterance.final()):
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(ProviderError) as failure:
                await failing
        assert failure.value.retryable and KEY not in str(failure.value)
    await utterance.close()
    await speaker.close()
    await recognizer.close()
