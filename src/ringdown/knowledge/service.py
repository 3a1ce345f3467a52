"""The use cases of knowledge bases: create, change, delete, add and remove sources; each is one transaction."""

import asyncio
from collections.abc import Mapping
from typing import Any

from ringdown import errors, values
from ringdown.db.engine import Database
from ringdown.knowledge import ingestion, schemas, store, uploads
from ringdown.knowledge.documents import DocumentStore
from ringdown.knowledge.models import Format, KnowledgeBase, Source, SourceKind
from ringdown.web import idempotency

_UNKNOWN_FORMAT = "must be a PDF, DOCX, TXT, Markdown or HTML file"


async def create_base(
    database: Database, *, documents: DocumentStore, organization_id: str, body: schemas.CreateKnowledgeBase
) -> KnowledgeBase:
    """A new knowledge base, with a document in it if the body holds one. Raises `ValidationFailed`."""
    now = values.now_ms()
    base = KnowledgeBase(
        organization_id=organization_id,
        id=values.new_id("kb"),
        name=body.name,
        description=body.description,
        created_at=now,
        updated_at=now,
    )
    source, content = None, b""
    if body.file_content is not None:
        filename = body.file_name or "document.txt"
        content, form = await asyncio.to_thread(_read_content, body.file_content, filename)
        origin = {"format": form, "filename": filename, "size_bytes": len(content)}
        source = _new_source(base, kind="document", name=filename, origin=origin)
    elif body.file_name is not None:
        raise errors.invalid("file_content", "is required with file_name")
    await _store(database, documents, base=base, source=source, content=content)
    return base


async def update_base(
    database: Database, *, organization_id: str, knowledge_base_id: str, body: schemas.UpdateKnowledgeBase
) -> KnowledgeBase:
    """Change name and description as far as they are sent. Raises `NotFound`."""
    changes = body.model_dump(exclude_unset=True)
    if changes.get("name", "") is None:
        del changes["name"]
    async with database.write() as connection:
        await store.get_base(connection, organization_id, knowledge_base_id, lock=True)
        await store.update_base(
            connection, organization_id, knowledge_base_id, changes | {"updated_at": values.now_ms()}
        )
        return await store.get_base(connection, organization_id, knowledge_base_id)


async def delete_base(database: Database, *, organization_id: str, knowledge_base_id: str) -> None:
    """Delete a knowledge base with all its sources; agents that have it go on without. Raises `NotFound`."""
    async with database.write() as connection:
        await store.get_base(connection, organization_id, knowledge_base_id, lock=True)
        await store.delete_base(connection, organization_id, knowledge_base_id)
        await ingestion.defer_sweep(
            connection, organization_id=organization_id, knowledge_base_id=knowledge_base_id, source_id=None
        )


async def add_document(
    database: Database,
    *,
    documents: DocumentStore,
    organization_id: str,
    knowledge_base_id: str,
    body: schemas.AddDocument,
) -> Source:
    """Add a document, to be ingested. Raises `NotFound`, `ValidationFailed` and `PayloadTooLarge`."""
    base = await _get_base(database, organization_id, knowledge_base_id)
    file = body.file
    content = await asyncio.to_thread(uploads.decode_data, file.data, field="file.data")
    form = uploads.find_format(filename=file.filename, content_type=file.content_type, content=content)
    if form is None:
        raise errors.invalid("file.content_type", _UNKNOWN_FORMAT)
    origin = {
        "format": form,
        "filename": file.filename,
        "content_type": file.content_type,
        "charset": _find_charset(file.content_type),
        "size_bytes": len(content),
    }
    source = _new_source(base, kind="document", name=body.name, description=body.description, origin=origin)
    await _store(database, documents, base=None, source=source, content=content)
    return source


async def add_text(
    database: Database,
    *,
    documents: DocumentStore,
    organization_id: str,
    knowledge_base_id: str,
    body: schemas.AddText,
) -> Source:
    """Add a text, to be ingested. Raises `NotFound`, `ValidationFailed` and `PayloadTooLarge`."""
    base = await _get_base(database, organization_id, knowledge_base_id)
    content = uploads.check_size(body.text.encode(), field="text")
    origin = {"format": body.format, "size_bytes": len(content)}
    source = _new_source(base, kind="text", name=body.name, description=body.description, origin=origin)
    await _store(database, documents, base=None, source=source, content=content)
    return source


async def add_web_pages(
    database: Database,
    *,
    documents: DocumentStore,
    organization_id: str,
    knowledge_base_id: str,
    body: schemas.AddWebPages,
) -> Source:
    """Add pages of a web site, to be fetched. Raises `NotFound`."""
    base = await _get_base(database, organization_id, knowledge_base_id)
    origin = {"urls": body.urls, "max_depth": body.max_depth, "max_pages": body.max_pages}
    source = _new_source(base, kind="web", name=body.name, description=body.description, origin=origin)
    await _store(database, documents, base=None, source=source, content=b"")
    return source


async def delete_source(database: Database, *, organization_id: str, knowledge_base_id: str, source_id: str) -> None:
    """Delete a source, also while it is ingested; nothing of it is found any more. Raises `NotFound`."""
    async with database.write() as connection:
        await store.get_source(connection, organization_id, knowledge_base_id, source_id, lock=True)
        await store.delete_source(connection, organization_id, source_id)
        await store.grow_version(connection, organization_id, knowledge_base_id)
        await ingestion.defer_sweep(
            connection, organization_id=organization_id, knowledge_base_id=knowledge_base_id, source_id=source_id
        )


async def _get_base(database: Database, organization_id: str, knowledge_base_id: str) -> KnowledgeBase:
    async with database.read_alone() as connection:
        return await store.get_base(connection, organization_id, knowledge_base_id)


async def _store(
    database: Database,
    documents: DocumentStore,
    *,
    base: KnowledgeBase | None,
    source: Source | None,
    content: bytes,
) -> None:
    """Store a new base, a new source, or both; the bytes first, so that no source waits for bytes that never come."""
    if source is not None and content:
        await documents.save(source, content)
    try:
        async with database.write() as connection:
            if base is not None:
                await store.insert_base(connection, base)
            if source is not None:
                # Locked, so that it is not deleted while the source is added.
                await store.get_base(connection, source.organization_id, source.knowledge_base_id, lock=True)
                await store.insert_source(connection, source)
                await ingestion.defer_ingestion(connection, source)
            await idempotency.bind_resource(connection, base.id if base is not None else _name(source))
    except BaseException:
        if source is not None and content:
            await documents.delete(source)
        raise


def _name(source: Source | None) -> str:
    assert source is not None
    return source.id


def _new_source(
    base: KnowledgeBase, *, kind: SourceKind, name: str, origin: Mapping[str, Any], description: str | None = None
) -> Source:
    now = values.now_ms()
    return Source(
        organization_id=base.organization_id,
        id=values.new_id("src"),
        knowledge_base_id=base.id,
        kind=kind,
        name=name,
        description=description,
        origin=origin,
        created_at=now,
        updated_at=now,
    )


def _read_content(text: str, filename: str) -> tuple[bytes, Format]:
    named = uploads.find_format(filename=filename)
    content = uploads.decode_content(text, field="file_content", form=named)
    form = uploads.find_format(filename=filename, content=content)
    if form is None:
        raise errors.invalid("file_name", _UNKNOWN_FORMAT)
    return content, form


def _find_charset(content_type: str | None) -> str | None:
    for parameter in (content_type or "").split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"') or None
    return None
