"""The embedding adapter against a real local server."""

from collections.abc import AsyncIterator

import pytest

from ringdown.config import Settings
from ringdown.providers import registry
from ringdown.providers.embedding import open_embedder
from ringdown.providers.openai_embedding import OpenAIEmbedder
from ringdown.voice.ports import ProviderError
from tests.fakes.openai_server import FakeOpenAIServer, Fault, embed

KEY = "sk-very-secret"


@pytest.fixture
async def server() -> AsyncIterator[FakeOpenAIServer]:
    async with FakeOpenAIServer().run() as running:
        yield running


@pytest.fixture
async def embedder(server: FakeOpenAIServer) -> AsyncIterator[OpenAIEmbedder]:
    table = {"name": "meaning", "kind": "embedding", "type": "openai", "url": server.url, "key": KEY, "model": "e"}
    table |= {"timeout_seconds": 1, "parameters": {"dimensions": 7}}
    opened = open_embedder(registry.read_providers(Settings(providers=(table,))))
    assert opened is not None
    yield opened
    await opened.close()


def test_without_a_provider_there_is_no_embedder() -> None:
    assert open_embedder(registry.read_providers(Settings())) is None


async def test_texts_become_vectors_in_their_order_in_several_requests(
    server: FakeOpenAIServer, embedder: OpenAIEmbedder
) -> None:
    texts = [f"text {'a' * number}" for number in range(300)]
    assert await embedder.embed(texts) == [embed(text) for text in texts]
    assert [len(request.fields["input"]) for request in server.requests] == [128, 128, 44]
    assert (server.requests[0].fields["model"], server.requests[0].fields["dimensions"]) == ("e", 7)
    assert embedder.model == "e"


async def test_nothing_to_embed_asks_nobody(server: FakeOpenAIServer, embedder: OpenAIEmbedder) -> None:
    assert await embedder.embed([]) == []
    assert server.requests == []


@pytest.mark.parametrize(
    ("fault", "is_retryable"), [("500", True), ("429", True), ("401", False), ("garbage", True), ("slow", True)]
)
async def test_every_fault_is_a_provider_error(
    server: FakeOpenAIServer, embedder: OpenAIEmbedder, fault: Fault, is_retryable: bool
) -> None:
    server.fault = fault
    with pytest.raises(ProviderError) as failure:
        await embedder.embed(["hello"])
    assert failure.value.retryable is is_retryable and KEY not in str(failure.value)
