"""What a knowledge base, its sources, chunks and passages are, and how a base's status follows; pure values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["processing", "ready", "failed"]
SourceKind = Literal["document", "web", "text"]
#: What a file is read as.
Format = Literal["text", "markdown", "html", "pdf", "docx"]

MAX_DOCUMENT_BYTES = 50 * 1024 * 1024
#: More than this of one source is not stored: 50 MB of text are about 75,000.
MAX_CHUNKS = 200_000
MAX_WARNINGS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeBase:
    """Documents that agents search together. `version` grows whenever its vectors change; instants are ms UTC."""

    organization_id: str
    id: str
    name: str
    description: str | None
    created_at: int
    updated_at: int
    version: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """What the sources of a base amount to."""

    sources: int = 0
    processing: int = 0
    failed: int = 0
    chunks: int = 0
    embedded_chunks: int = 0

    @property
    def status(self) -> Status:
        """`processing` while a source is; `failed` only when every source has failed."""
        if self.processing:
            return "processing"
        return "failed" if self.sources and self.failed == self.sources else "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One document, text or web site of a base.

    `origin` is what it was made from (file name, URLs, limits); `cursor` is where its ingestion goes on, null before
    the first piece; `run_id` is the run that may write to it.
    """

    organization_id: str
    id: str
    knowledge_base_id: str
    kind: SourceKind
    name: str
    description: str | None
    origin: Mapping[str, Any]
    created_at: int
    updated_at: int
    status: Status = "processing"
    progress: float = 0.0
    error: str | None = None
    warnings: list[str] = field(default_factory=list)
    chunk_count: int = 0
    embedded_count: int = 0
    embedding_model: str | None = None
    cursor: Mapping[str, Any] | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a source that is found as a whole; `title` is the path of headings it stands under."""

    text: str
    title: str | None = None
    url: str | None = None

    @property
    def full_text(self) -> str:
        """The text with its headings: what is indexed."""
        return f"{self.title}\n{self.text}" if self.title else self.text


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk that answers a query; `score` is 1 when every search puts it first, and falls towards 0."""

    source_id: str
    source_name: str
    knowledge_base_id: str
    text: str
    score: float
    position: int
    title: str | None = None
    url: str | None = None
