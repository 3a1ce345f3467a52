"""The JSON of knowledge bases: what requests may say, in every documented spelling, and what answers say."""

from typing import Annotated, Literal

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, model_validator

from ringdown.knowledge import crawling
from ringdown.knowledge.models import SourceKind, Status

_MAX_URLS = 100


def _check_name(name: str) -> str:
    if not name.strip():
        raise ValueError("must not be blank")
    return name


Name = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_check_name)]
Description = Annotated[str, Field(max_length=1000)]
PageUrl = Annotated[str, AfterValidator(crawling.normalise)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class UpdateKnowledgeBase(_Body):
    """Changes of a knowledge base; what is not sent stays."""

    name: Name | None = None
    description: Description | None = None


class CreateKnowledgeBase(_Body):
    """A new knowledge base, with its first document if one is sent."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Opening hours and prices", "description": "What callers ask for."}]}
    )

    name: Name
    description: Description | None = None
    file_content: str | None = Field(None, description="Text, or a file in base64; up to 50 MB decoded.")
    file_name: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        None, validation_alias=AliasChoices("file_name", "filename"), description="Tells what the file is: `faq.pdf`."
    )


class FileBody(_Body):
    """A file in base64."""

    filename: Annotated[str, Field(min_length=1, max_length=255)] = Field(
        validation_alias=AliasChoices("filename", "file_name")
    )
    content_type: Annotated[str, Field(max_length=255)] | None = None
    data: str = Field(description="Base64; up to 50 MB decoded.")


class AddDocument(_Body):
    """A document: PDF, DOCX, TXT, Markdown or HTML."""

    name: Name
    description: Description | None = None
    file: FileBody


class AddText(_Body):
    """A text that is typed or pasted."""

    name: Name
    description: Description | None = None
    text: Annotated[str, Field(min_length=1)] = Field(validation_alias=AliasChoices("text", "content"))
    format: Literal["text", "markdown"] = Field("markdown", description="`markdown` keeps headings as titles.")


class AddWebPages(_Body):
    """Pages of a web site, and those of the same site that they link to."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Site", "urls": ["https://example.com/help"], "max_depth": 1}]}
    )

    name: Name
    description: Description | None = None
    urls: Annotated[list[PageUrl], Field(min_length=1, max_length=_MAX_URLS)] = Field(
        validation_alias=AliasChoices("urls", "start_urls", "startUrls")
    )
    max_depth: Annotated[int, Field(ge=0, le=crawling.MAX_DEPTH)] = Field(
        0,
        validation_alias=AliasChoices("max_depth", "maxDepth", "depth"),
        description="How many links away from `urls` a page may be; 0 takes only `urls`.",
    )
    max_pages: Annotated[int, Field(ge=1, le=crawling.MAX_PAGES)] = Field(
        crawling.DEFAULT_PAGES,
        validation_alias=AliasChoices("max_pages", "maxPages", "max_documents", "maxDocuments", "page_limit"),
        description="At most so many pages are fetched.",
    )

    @model_validator(mode="after")
    def _make_room(self) -> "AddWebPages":
        if "max_pages" not in self.model_fields_set:
            self.max_pages = max(self.max_pages, len(self.urls))
        return self


class QueryKnowledge(_Body):
    """A question or some words to search for."""

    query: Annotated[str, Field(min_length=1, max_length=2000)]
    limit: Annotated[int, Field(ge=1, le=50)] = Field(5, description="At most so many passages.")


class KnowledgeBaseObject(BaseModel):
    """A knowledge base; `failed` only when every source has failed."""

    id: str
    name: str
    description: str | None
    status: Status
    source_count: int
    chunk_count: int
    embedding_model: str | None = Field(description="Searches by meaning too; null searches by words only.")
    created_at: str
    updated_at: str


class SourceObject(BaseModel):
    """A source of a knowledge base."""

    id: str
    knowledge_base_id: str
    kind: SourceKind
    name: str
    description: str | None
    status: Status
    progress: float = Field(description="0 to 1.")
    error: str | None = Field(description="Why it has failed.")
    warnings: list[str] = Field(description="What was left out, and why.")
    chunk_count: int
    embedded_chunk_count: int
    filename: str | None
    content_type: str | None
    size_bytes: int | None
    urls: list[str] | None
    max_depth: int | None
    max_pages: int | None
    created_at: str
    updated_at: str


class PassageObject(BaseModel):
    """A piece of a source."""

    source_id: str
    source_name: str
    knowledge_base_id: str
    text: str
    score: float = Field(description="1 is what every search puts first.")
    position: int
    title: str | None = Field(description="The headings that it stands under.")
    url: str | None = Field(description="The web page that it is from.")


class PassagesObject(BaseModel):
    """What a query finds, best first."""

    query: str
    passages: list[PassageObject]
