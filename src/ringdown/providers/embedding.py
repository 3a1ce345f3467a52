"""Embeddings: the meaning of texts as numbers."""

import importlib
from collections.abc import Sequence
from typing import Protocol

from ringdown.providers.registry import ProviderBook


class Embedder(Protocol):
    """Turns texts into vectors; vectors of different `model`s cannot be compared."""

    model: str

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector for each text, all of the same length. Raises `ProviderError`."""

    async def close(self) -> None:
        """Close the connections."""


def open_embedder(book: ProviderBook) -> Embedder | None:
    """The first embedding provider; None where none is configured. Close it at the end."""
    provider = next(iter(book.list("embedding")), None)
    if provider is None:
        return None
    # Only who uses it waits half a second for its client.
    opened: Embedder = importlib.import_module("ringdown.providers.openai_embedding").open_embedder(provider)
    return opened
