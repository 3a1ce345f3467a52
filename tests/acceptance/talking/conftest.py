"""One running Ringdown with hosted providers of every kind for all tests of this folder, and what they ask of it."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.acceptance.model_server import ScriptedServer
from tests.acceptance.running import HOST, Ringdown
from tests.acceptance.talking.desk import Desk
from tests.fakes.realtime_server import FakeRealtimeServer

# Nothing listens there.
_DEAD_URL = f"http://{HOST}:1/v1"


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def provider() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer().run() as running:
        assert isinstance(running, ScriptedServer)
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def realtime() -> AsyncIterator[FakeRealtimeServer]:
    async with FakeRealtimeServer(tone_hz=500.0).run() as running:
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def ringdown(
    provider: ScriptedServer, realtime: FakeRealtimeServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Ringdown]:
    product = Ringdown(tmp_path_factory.mktemp("talking"))
    hosted = {"type": "openai", "url": provider.url, "key": "key-of-the-provider"}
    product.environment |= {
        "RINGDOWN_PRIVATE_URLS_ALLOWED": "true",
        "RINGDOWN_PROVIDERS": json.dumps(
            [
                {"name": "ear", "kind": "speech_to_text", "model": "whisper", **hosted},
                {"name": "tones", "kind": "text_to_speech", "model": "tones", "voices": ["nova"], **hosted},
                {"name": "fast", "kind": "language_model", "model": "fast-model", "timeout_seconds": 2, **hosted},
                {"name": "dead", "kind": "language_model", "model": "x", **hosted, "url": _DEAD_URL},
                {"name": "dead-too", "kind": "language_model", "model": "x", **hosted, "url": _DEAD_URL},
                {"name": "duplex", "kind": "speech_to_speech", "model": "rt", **hosted, "url": realtime.url},
            ]
        ),
    }
    await product.start()
    yield product
    assert await product.stop() == 0


@pytest_asyncio.fixture(loop_scope="package")
async def desk(ringdown: Ringdown, provider: ScriptedServer) -> AsyncIterator[Desk]:
    """Agents and calls of one test; nothing that Ringdown logs meanwhile may be a traceback."""
    provider.requests.clear()
    provider.faults.clear()
    provider.answers.clear()
    log = ringdown.folder / "log"
    before = len(log.read_text())
    async with ringdown.client() as client:
        desk = Desk(ringdown, client, provider)
        yield desk
        await desk.close()
    _, found, trace = log.read_text()[before:].partition("Traceback")
    assert not found, trace[:4000]
