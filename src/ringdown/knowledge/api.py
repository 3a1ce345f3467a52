"""Routes of knowledge bases and their sources."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from ringdown import values
from ringdown.knowledge import schemas, search, service, store
from ringdown.knowledge.documents import DocumentStore
from ringdown.knowledge.models import KnowledgeBase, Source, Status, Totals
from ringdown.providers.embedding import Embedder
from ringdown.web import context, envelope, openapi, route
from ringdown.web.auth import AuthenticatedCaller
from ringdown.web.pagination import PageQuery

# 50 MB in base64 with line ends, and what stands around them.
_MAX_BODY_BYTES = 72 * 1024 * 1024
_BASE = {"$ref": "#/components/schemas/KnowledgeBaseObject"}
_SOURCE = {"$ref": "#/components/schemas/SourceObject"}
_PASSAGES = {"$ref": "#/components/schemas/PassagesObject"}


class _DocumentRoute(route.ApiRoute):
    """A route whose body holds a document."""

    max_body_bytes = _MAX_BODY_BYTES


def new_router(*, documents: DocumentStore, embedder: Embedder | None) -> APIRouter:
    """The routes; files that are sent lie in `documents` until a worker has read them."""
    routes = _Routes(documents, embedder)
    router = route.new_router(prefix="/knowledge-bases", tag="Knowledge bases")
    base = openapi.describe_one(_BASE, "The knowledge base.")
    bases = openapi.describe_list(_BASE, "Knowledge bases.")
    router.get("", summary="List knowledge bases", responses=bases)(routes.list_knowledge_bases)
    _add_document_route(router, "", routes.create_knowledge_base, "Create a knowledge base", schema=_BASE)
    one = "/{knowledge_base_id}"
    router.get(one, summary="Get a knowledge base", responses=base)(routes.get_knowledge_base)
    update, change = routes.update_knowledge_base, "Update a knowledge base"
    router.put(one, summary=change, responses=base, operation_id="replace_knowledge_base")(update)
    router.patch(one, summary=change, responses=base)(update)
    router.delete(one, summary="Delete a knowledge base", responses=openapi.describe_deleted())(
        routes.delete_knowledge_base
    )
    found = openapi.describe_one(_PASSAGES, "What was found.", status=201)
    router.post(f"{one}/query", summary="Search a knowledge base", status_code=201, responses=found)(
        routes.query_knowledge_base
    )
    _add_source_routes(router, routes)
    return router


def _add_source_routes(router: APIRouter, routes: "_Routes") -> None:
    many = "/{knowledge_base_id}/sources"
    one = f"{many}/{{source_id}}"
    sources = openapi.describe_list(_SOURCE, "Sources.")
    router.get(many, summary="List sources", responses=sources)(routes.list_sources)
    _add_document_route(router, f"{many}/document", routes.add_document, "Add a document", schema=_SOURCE)
    _add_document_route(router, f"{many}/text", routes.add_text, "Add a text", schema=_SOURCE)
    new = openapi.describe_one(_SOURCE, "The source.", status=201)
    router.post(f"{many}/web", summary="Add web pages", status_code=201, responses=new)(routes.add_web_pages)
    source = openapi.describe_one(_SOURCE, "The source.")
    router.get(one, summary="Get a source", responses=source)(routes.get_source)
    router.delete(one, summary="Delete a source", responses=openapi.describe_deleted())(routes.delete_source)


def _add_document_route(
    router: APIRouter, path: str, endpoint: Callable[..., Any], summary: str, *, schema: dict[str, Any]
) -> None:
    router.add_api_route(
        path,
        endpoint,
        methods=["POST"],
        summary=summary,
        status_code=201,
        responses=openapi.describe_one(schema, "What was made.", status=201),
        route_class_override=_DocumentRoute,
    )


class _Routes:
    """The endpoints, with what they need besides the request."""

    def __init__(self, documents: DocumentStore, embedder: Embedder | None) -> None:
        self._documents = documents
        self._embedder = embedder

    async def list_knowledge_bases(
        self,
        request: Request,
        caller: AuthenticatedCaller,
        page: PageQuery,
        name: Annotated[
            str | None, Query(description="Only those whose name contains this, in any case.", min_length=1)
        ] = None,
    ) -> Response:
        """Knowledge bases, newest first."""
        async with context.get_database(request).read() as connection:
            bases, total = await store.list_bases(
                connection, caller.organization_id, name=name, limit=page.limit, offset=page.offset
            )
            totals = await store.sum_sources(connection, caller.organization_id, [base.id for base in bases])
        rendered = [self._render(base, totals[base.id]) for base in bases]
        return envelope.respond_page(request, rendered, page.describe(total=total, returned=len(rendered)))

    async def create_knowledge_base(
        self, request: Request, caller: AuthenticatedCaller, body: schemas.CreateKnowledgeBase
    ) -> Response:
        """Create a knowledge base; with `file_content` it is `processing` until the file is read."""
        base = await service.create_base(
            context.get_database(request),
            documents=self._documents,
            organization_id=caller.organization_id,
            body=body,
        )
        return envelope.respond_created(request, await self._render_alone(request, base))

    async def get_knowledge_base(
        self, request: Request, caller: AuthenticatedCaller, knowledge_base_id: str
    ) -> Response:
        """One knowledge base and what its sources amount to."""
        async with context.get_database(request).read() as connection:
            base = await store.get_base(connection, caller.organization_id, knowledge_base_id)
        return envelope.respond(request, await self._render_alone(request, base))

    async def update_knowledge_base(
        self,
        request: Request,
        caller: AuthenticatedCaller,
        knowledge_base_id: str,
        body: schemas.UpdateKnowledgeBase,
    ) -> Response:
        """Change name or description; PUT and PATCH do the same."""
        base = await service.update_base(
            context.get_database(request),
            organization_id=caller.organization_id,
            knowledge_base_id=knowledge_base_id,
            body=body,
        )
        return envelope.respond(request, await self._render_alone(request, base))

    async def delete_knowledge_base(
        self, request: Request, caller: AuthenticatedCaller, knowledge_base_id: str
    ) -> Response:
        """Delete a knowledge base with its sources; agents that have it go on without."""
        await service.delete_base(
            context.get_database(request),
            organization_id=caller.organization_id,
            knowledge_base_id=knowledge_base_id,
        )
        return envelope.respond_deleted(request, knowledge_base_id)

    async def query_knowledge_base(
        self, request: Request, caller: AuthenticatedCaller, knowledge_base_id: str, body: schemas.QueryKnowledge
    ) -> Response:
        """The passages that an agent would be given for these words."""
        database = context.get_database(request)
        async with database.read_alone() as connection:
            await store.get_base(connection, caller.organization_id, knowledge_base_id)
        passages = await search.search_knowledge(
            database,
            organization_id=caller.organization_id,
            knowledge_base_ids=[knowledge_base_id],
            query=body.query,
            limit=body.limit,
            embedder=self._embedder,
        )
        return envelope.respond_created(request, {"query": body.query, "passages": passages})

    async def list_sources(
        self,
        request: Request,
        caller: AuthenticatedCaller,
        knowledge_base_id: str,
        page: PageQuery,
        status: Annotated[Status | None, Query(description="Only sources in this state.")] = None,
    ) -> Response:
        """The sources of a knowledge base, newest first."""
        async with context.get_database(request).read() as connection:
            await store.get_base(connection, caller.organization_id, knowledge_base_id)
            sources, total = await store.list_sources(
                connection,
                caller.organization_id,
                knowledge_base_id,
                status=status,
                limit=page.limit,
                offset=page.offset,
            )
        rendered = [render_source(source) for source in sources]
        return envelope.respond_page(request, rendered, page.describe(total=total, returned=len(rendered)))

    async def add_document(
        self, request: Request, caller: AuthenticatedCaller, knowledge_base_id: str, body: schemas.AddDocument
    ) -> Response:
        """Add a PDF, DOCX, TXT, Markdown or HTML file of up to 50 MB; it is read by a worker."""
        source = await service.add_document(
            context.get_database(request),
            documents=self._documents,
            organization_id=caller.organization_id,
            knowledge_base_id=knowledge_base_id,
            body=body,
        )
        return envelope.respond_created(request, render_source(source))

    async def add_text(
        self, request: Request, caller: AuthenticatedCaller, knowledge_base_id: str, body: schemas.AddText
    ) -> Response:
        """Add a text."""
        source = await service.add_text(
            context.get_database(request),
            documents=self._documents,
            organization_id=caller.organization_id,
            knowledge_base_id=knowledge_base_id,
            body=body,
        )
        return envelope.respond_created(request, render_source(source))

    async def add_web_pages(
        self, request: Request, caller: AuthenticatedCaller, knowledge_base_id: str, body: schemas.AddWebPages
    ) -> Response:
        """Add public web pages, and with `max_depth` those of the same site that they link to."""
        source = await service.add_web_pages(
            context.get_database(request),
            documents=self._documents,
            organization_id=caller.organization_id,
            knowledge_base_id=knowledge_base_id,
            body=body,
        )
        return envelope.respond_created(request, render_source(source))

    async def get_source(
        self, request: Request, caller: AuthenticatedCaller, knowledge_base_id: str, source_id: str
    ) -> Response:
        """One source: how far its ingestion is, or why it has failed."""
        async with context.get_database(request).read_alone() as connection:
            source = await store.get_source(connection, caller.organization_id, knowledge_base_id, source_id)
        return envelope.respond(request, render_source(source))

    async def delete_source(
        self, request: Request, caller: AuthenticatedCaller, knowledge_base_id: str, source_id: str
    ) -> Response:
        """Delete a source, also while it is ingested."""
        await service.delete_source(
            context.get_database(request),
            organization_id=caller.organization_id,
            knowledge_base_id=knowledge_base_id,
            source_id=source_id,
        )
        return envelope.respond_deleted(request, source_id)

    async def _render_alone(self, request: Request, base: KnowledgeBase) -> dict[str, Any]:
        async with context.get_database(request).read_alone() as connection:
            totals = await store.sum_sources(connection, base.organization_id, [base.id])
        return self._render(base, totals[base.id])

    def _render(self, base: KnowledgeBase, totals: Totals) -> dict[str, Any]:
        return {
            "id": base.id,
            "name": base.name,
            "description": base.description,
            "status": totals.status,
            "source_count": totals.sources,
            "chunk_count": totals.chunks,
            "embedding_model": self._embedder.model if self._embedder is not None else None,
            "created_at": values.to_wire_time(base.created_at),
            "updated_at": values.to_wire_time(base.updated_at),
        }


def render_source(source: Source) -> dict[str, Any]:
    """The source as the API shows it."""
    origin = source.origin
    return {
        "id": source.id,
        "knowledge_base_id": source.knowledge_base_id,
        "kind": source.kind,
        "name": source.name,
        "description": source.description,
        "status": source.status,
        "progress": source.progress,
        "error": source.error,
        "warnings": source.warnings,
        "chunk_count": source.chunk_count,
        "embedded_chunk_count": source.embedded_count,
        **{
            name: origin.get(name)
            for name in ("filename", "content_type", "size_bytes", "urls", "max_depth", "max_pages")
        },
        "created_at": values.to_wire_time(source.created_at),
        "updated_at": values.to_wire_time(source.updated_at),
    }
