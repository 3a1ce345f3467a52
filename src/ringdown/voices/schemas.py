"""The JSON of voices: what is imported and cloned, what answers say."""

import base64
import binascii
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

# Together, decoded. Half a minute of speech is enough for a clone; these are some minutes of uncompressed sound.
MAX_SAMPLES_BYTES = 25 * 1024 * 1024
_MAX_FILES = 10


def _check_printable(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("must be printable text and not blank")
    return text


def _check_language(text: str) -> str:
    if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", text) is None:
        raise ValueError("must be a language tag such as en or en-US")
    return text


def _check_base64(text: str) -> str:
    try:
        decoded = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("must be base64") from None
    if not decoded:
        raise ValueError("must not be empty")
    return text


Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_check_printable)]
Language = Annotated[str, AfterValidator(_check_language)]


class RequestBody(BaseModel):
    """A body in which an unknown field is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ImportVoice(RequestBody):
    """A voice that a provider has already."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Rachel", "provider_voice_id": "21m00Tcm4TlvDq8ikWAM"}]}
    )

    name: Name
    provider: str = Field("elevenlabs", max_length=64, description="A configured provider of voices.")
    provider_voice_id: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_-]+$")]
    description: Annotated[str, Field(max_length=500)] | None = None
    language: Language | None = Field(None, description="By default what the provider says.")


class SampleFile(RequestBody):
    """A recording of who is to be cloned."""

    filename: Annotated[str, Field(max_length=255), AfterValidator(_check_printable)]
    data: Annotated[str, AfterValidator(_check_base64)] = Field(description="The file in base64.", repr=False)
    content_type: Annotated[str, Field(pattern=r"^audio/[A-Za-z0-9.+-]+$")]


class CloneVoice(RequestBody):
    """A voice to be made of recordings."""

    name: Name
    files: Annotated[list[SampleFile], Field(min_length=1, max_length=_MAX_FILES)]
    provider: str = Field("elevenlabs", max_length=64, description="A configured provider of voices.")
    description: Annotated[str, Field(max_length=500)] | None = None
    language: Language = "en"


class UpdateVoice(RequestBody):
    """What may be changed of a voice; a field that is absent stays."""

    name: Name | None = None
    description: Annotated[str, Field(max_length=500)] | None = None


class VoiceObject(BaseModel):
    """A speaking voice. A voice that comes with the installation has no times."""

    id: str
    name: str
    provider: str
    type: Literal["reference", "custom"] = Field(description="`custom` is a clone.")
    language: str | None
    status: Literal["training", "active", "failed"]
    created_at: str | None
    updated_at: str | None
    description: str | None
    provider_voice_id: str
    error: str | None = Field(description="Why it `failed`.")


def read_samples(body: CloneVoice) -> list[tuple[str, str, bytes]]:
    """Name, content type and content of each file."""
    return [(each.filename, each.content_type, base64.b64decode("".join(each.data.split()))) for each in body.files]
