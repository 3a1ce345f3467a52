"""Embeddings of OpenAI-compatible servers."""

import asyncio
from collections.abc import Sequence
from typing import Any

from ringdown.providers import openai_client
from ringdown.providers.registry import ProviderSettings
from ringdown.voice.ports import ProviderError

# The most texts of one request; servers refuse more than some hundreds of thousands of tokens together.
_BATCH_TEXTS = 128


class OpenAIEmbedder:
    """An embedding model (`embedding.Embedder`). `timeout_s` bounds each request; `parameters` are added to it."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str | None,
        model: str,
        timeout_s: float = 15.0,
        parameters: dict[str, Any] | None = None,
    ) -> None:
        self.model = model
        self._client = openai_client.open_client(base_url=base_url, api_key=api_key, timeout_s=timeout_s)
        self._timeout_s = timeout_s
        self._parameters = parameters or {}

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector for each text, all of the same length. Raises `ProviderError`."""
        vectors: list[list[float]] = []
        for begin in range(0, len(texts), _BATCH_TEXTS):
            vectors += await self._embed(texts[begin : begin + _BATCH_TEXTS])
        if len({len(vector) for vector in vectors}) > 1:
            raise ProviderError(openai_client.PROVIDER, "vectors of different lengths", retryable=True)
        return vectors

    async def _embed(self, texts: Sequence[str]) -> list[list[float]]:
        with openai_client.translate_errors():
            async with asyncio.timeout(self._timeout_s):
                answer = await self._client.embeddings.create(
                    model=self.model, input=list(texts), encoding_format="float", **self._parameters
                )
            # The client library does not check answers, so that any field may be missing.
            rows = {getattr(row, "index", None): getattr(row, "embedding", None) for row in answer.data or ()}
        try:
            vectors = [[float(number) for number in rows[index] or ()] for index in range(len(texts))]
        except (KeyError, TypeError, ValueError) as error:
            raise _unreadable() from error
        if not all(vectors):
            raise _unreadable()
        return vectors


def open_embedder(provider: ProviderSettings) -> OpenAIEmbedder:
    """The embedding model of a configured provider. Close it at the end."""
    assert provider.model is not None
    return OpenAIEmbedder(
        base_url=provider.base_url,
        api_key=provider.secret,
        model=provider.model,
        timeout_s=provider.timeout_seconds,
        parameters=provider.parameters,
    )


def _unreadable() -> ProviderError:
    return ProviderError(openai_client.PROVIDER, "an answer that cannot be read", retryable=True)
