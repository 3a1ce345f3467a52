"""KnowledgeBases. Generated from the OpenAPI document by `make generate`; not edited by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Unpack

from ringdown.client.generated import schemas as s
from ringdown.client.pages import Page
from ringdown.client.resource import AsyncResource, Resource
from ringdown.client.transport import Operation, quote


class KnowledgeBases(Resource):
    """KnowledgeBases of the API."""

    def list(self, **query: Unpack[s.ListKnowledgeBasesQuery]) -> Page[s.KnowledgeBaseObject]:
        """List knowledge bases."""
        return self._transport.request_page(Operation(method="GET", path="/knowledge-bases", query={**query}))

    def iterate(self, **query: Unpack[s.ListKnowledgeBasesQuery]) -> Iterator[s.KnowledgeBaseObject]:
        """List knowledge bases: all pages."""
        return self._iterate(Operation(method="GET", path="/knowledge-bases", query={**query}))

    def create(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.CreateKnowledgeBase]
    ) -> s.KnowledgeBaseObject:
        """Create a knowledge base."""
        answer: s.KnowledgeBaseObject = self._transport.request_data(
            Operation(method="POST", path="/knowledge-bases", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    def get(self, knowledge_base_id: str) -> s.KnowledgeBaseObject:
        """Get a knowledge base."""
        answer: s.KnowledgeBaseObject = self._transport.request_data(
            Operation(method="GET", path=f"/knowledge-bases/{quote(knowledge_base_id)}")
        )
        return answer

    def update(self, knowledge_base_id: str, **body: Unpack[s.UpdateKnowledgeBase]) -> s.KnowledgeBaseObject:
        """Update a knowledge base."""
        answer: s.KnowledgeBaseObject = self._transport.request_data(
            Operation(method="PATCH", path=f"/knowledge-bases/{quote(knowledge_base_id)}", body={**body})
        )
        return answer

    def delete(self, knowledge_base_id: str) -> dict[str, Any]:
        """Delete a knowledge base."""
        answer: dict[str, Any] = self._transport.request_data(
            Operation(method="DELETE", path=f"/knowledge-bases/{quote(knowledge_base_id)}")
        )
        return answer

    def query(
        self, knowledge_base_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.QueryKnowledge]
    ) -> s.PassagesObject:
        """Search a knowledge base."""
        answer: s.PassagesObject = self._transport.request_data(
            Operation(
                method="POST",
                path=f"/knowledge-bases/{quote(knowledge_base_id)}/query",
                idempotency_key=idempotency_key,
                body={**body},
            )
        )
        return answer

    def list_sources(self, knowledge_base_id: str, **query: Unpack[s.ListSourcesQuery]) -> Page[s.SourceObject]:
        """List sources."""
        return self._transport.request_page(
            Operation(method="GET", path=f"/knowledge-bases/{quote(knowledge_base_id)}/sources", query={**query})
        )

    def iterate_sources(self, knowledge_base_id: str, **query: Unpack[s.ListSourcesQuery]) -> Iterator[s.SourceObject]:
        """List sources: all pages."""
        return self._iterate(
            Operation(method="GET", path=f"/knowledge-bases/{quote(knowledge_base_id)}/sources", query={**query})
        )

    def add_document(
        self, knowledge_base_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.AddDocument]
    ) -> s.SourceObject:
        """Add a document."""
        answer: s.SourceObject = self._transport.request_data(
            Operation(
                method="POST",
                path=f"/knowledge-bases/{quote(knowledge_base_id)}/sources/document",
                idempotency_key=idempotency_key,
                body={**body},
            )
        )
        return answer

    def add_text(
        self, knowledge_base_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.AddText]
    ) -> s.SourceObject:
        """Add a text."""
        answer: s.SourceObject = self._transport.request_data(
            Operation(
                method="POST",
                path=f"/knowledge-bases/{quote(knowledge_base_id)}/sources/text",
                idempotency_key=idempotency_key,
                body={**body},
            )
        )
        return answer

    def add_web_pages(
        self, knowledge_base_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.AddWebPages]
    ) -> s.SourceObject:
        """Add web pages."""
        answer: s.SourceObject = self._transport.request_data(
            Operation(
                method="POST",
                path=f"/knowledge-bases/{quote(knowledge_base_id)}/sources/web",
                idempotency_key=idempotency_key,
                body={**body},
            )
        )
        return answer

    def get_source(self, knowledge_base_id: str, source_id: str) -> s.SourceObject:
        """Get a source."""
        answer: s.SourceObject = self._transport.request_data(
            Operation(method="GET", path=f"/knowledge-bases/{quote(knowledge_base_id)}/sources/{quote(source_id)}")
        )
        return answer

    def delete_source(self, knowledge_base_id: str, source_id: str) -> dict[str, Any]:
        """Delete a source."""
        answer: dict[str, Any] = self._transport.request_data(
            Operation(method="DELETE", path=f"/knowledge-bases/{quote(knowledge_base_id)}/sources/{quote(source_id)}")
        )
        return answer


class AsyncKnowledgeBases(AsyncResource):
    """KnowledgeBases of the API, for asyncio."""

    async def list(self, **query: Unpack[s.ListKnowledgeBasesQuery]) -> Page[s.KnowledgeBaseObject]:
        """List knowledge bases."""
        return await self._transport.request_page(Operation(method="GET", path="/knowledge-bases", query={**query}))

    def iterate(self, **query: Unpack[s.ListKnowledgeBasesQuery]) -> AsyncIterator[s.KnowledgeBaseObject]:
        """List knowledge bases: all pages."""
        return self._iterate(Operation(method="GET", path="/knowledge-bases", query={**query}))

    async def create(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.CreateKnowledgeBase]
    ) -> s.KnowledgeBaseObject:
        """Create a knowledge base."""
        answer: s.KnowledgeBaseObject = await self._transport.request_data(
            Operation(method="POST", path="/knowledge-bases", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    async def get(self, knowledge_base_id: str) -> s.KnowledgeBaseObject:
        """Get a knowledge base."""
        answer: s.KnowledgeBaseObject = await self._transport.request_data(
            Operation(method="GET", path=f"/knowledge-bases/{quote(knowledge_base_id)}")
        )
        return answer

    async def update(self, knowledge_base_id: str, **body: Unpack[s.UpdateKnowledgeBase]) -> s.KnowledgeBaseObject:
        """Update a knowledge base."""
        answer: s.KnowledgeBaseObject = await self._transport.request_data(
            Operation(method="PATCH", path=f"/knowledge-bases/{quote(knowledge_base_id)}", body={**body})
        )
        return answer

    async def delete(self, knowledge_base_id: str) -> dict[str, Any]:
        """Delete a knowledge base."""
        answer: dict[str, Any] = await self._transport.request_data(
            Operation(method="DELETE", path=f"/knowledge-bases/{quote(knowledge_base_id)}")
        )
        return answer

    async def query(
        self, knowledge_base_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.QueryKnowledge]
    ) -> s.PassagesObject:
        """Search a knowledge base."""
        answer: s.PassagesObject = await self._transport.request_data(
            Operation(
                method="POST",
                path=f"/knowledge-bases/{quote(knowledge_base_id)}/query",
                idempotency_key=idempotency_key,
                body={**body},
            )
        )
        return answer

    async def list_sources(self, knowledge_base_id: str, **query: Unpack[s.ListSourcesQuery]) -> Page[s.SourceObject]:
        """List sources."""
        return await self._transport.request_page(
            Operation(method="GET", path=f"/knowledge-bases/{quote(knowledge_base_id)}/sources", query={**query})
        )

    def iterate_sources(
        self, knowledge_base_id: str, **query: Unpack[s.ListSourcesQuery]
    ) -> AsyncIterator[s.SourceObject]:
        """List sources: all pages."""
        return self._iterate(
            Operation(method="GET", path=f"/knowledge-bases/{quote(knowledge_base_id)}/sources", query={**query})
        )

    async def add_document(
        self, knowledge_base_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.AddDocument]
    ) -> s.SourceObject:
        """Add a document."""
        answer: s.SourceObject = await self._transport.request_data(
            Operation(
                method="POST",
                path=f"/knowledge-bases/{quote(knowledge_base_id)}/sources/document",
                idempotency_key=idempotency_key,
                body={**body},
            )
        )
        return answer

    async def add_text(
        self, knowledge_base_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.AddText]
    ) -> s.SourceObject:
        """Add a text."""
        answer: s.SourceObject = await self._transport.request_data(
            Operation(
                method="POST",
                path=f"/knowledge-bases/{quote(knowledge_base_id)}/sources/text",
                idempotency_key=idempotency_key,
                body={**body},
            )
        )
        return answer

    async def add_web_pages(
        self, knowledge_base_id: str, *, idempotency_key: str | None = None, **body: Unpack[s.AddWebPages]
    ) -> s.SourceObject:
        """Add web pages."""
        answer: s.SourceObject = await self._transport.request_data(
            Operation(
                method="POST",
                path=f"/knowledge-bases/{quote(knowledge_base_id)}/sources/web",
                idempotency_key=idempotency_key,
                body={**body},
            )
        )
        return answer

    async def get_source(self, knowledge_base_id: str, source_id: str) -> s.SourceObject:
        """Get a source."""
        answer: s.SourceObject = await self._transport.request_data(
            Operation(method="GET", path=f"/knowledge-bases/{quote(knowledge_base_id)}/sources/{quote(source_id)}")
        )
        return answer

    async def delete_source(self, knowledge_base_id: str, source_id: str) -> dict[str, Any]:
        """Delete a source."""
        answer: dict[str, Any] = await self._transport.request_data(
            Operation(method="DELETE", path=f"/knowledge-bases/{quote(knowledge_base_id)}/sources/{quote(source_id)}")
        )
        return answer
