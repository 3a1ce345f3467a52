"""The JSON of contacts: what requests may say, in every documented spelling, and what answers say."""

import re
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Self
from zoneinfo import available_timezones

import msgspec
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from ringdown.contacts import models, numbers

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


class RequestBody(BaseModel):
    """A body in which an unknown field is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _strip(value: object) -> object:
    # A blank text says nothing, as a blank cell of a spreadsheet does.
    return (value.strip() or None) if isinstance(value, str) else value


def _check_not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text.strip()


def _check_email(text: str | None) -> str | None:
    if text is not None and _EMAIL.fullmatch(text) is None:
        raise ValueError("must be an e-mail address")
    return text


def _check_zone(text: str | None) -> str | None:
    if text is not None and text not in _list_zones():
        raise ValueError("must be an IANA time zone such as Europe/Berlin")
    return text


@cache
def _list_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _check_region(value: object) -> object:
    region = value.strip().upper() if isinstance(value, str) else value
    if region is not None and not (isinstance(region, str) and numbers.is_region(region)):
        raise ValueError("must be an ISO 3166 country such as US or DE")
    return region


def _refuse_file_key(value: object) -> object:
    if value is not None:
        raise ValueError("must be null: no file was sent before; send it here, as base64_file or as a form")
    return None


def _join_keywords(value: object) -> object:
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return ", ".join(word.strip() for word in value if word.strip()) or None
    return value


def _check_custom_fields(fields: dict[str, Any] | None) -> dict[str, Any] | None:
    if fields is None:
        return None
    kept = {name.strip(): value for name, value in fields.items() if value is not None}
    if len(kept) > models.MAX_CUSTOM_FIELDS:
        raise ValueError(f"must have at most {models.MAX_CUSTOM_FIELDS} fields")
    if not all(1 <= len(name) <= models.MAX_CUSTOM_NAME_LENGTH for name in kept):
        raise ValueError(f"must have names of 1 to {models.MAX_CUSTOM_NAME_LENGTH} characters")
    try:
        size = len(msgspec.json.encode(kept))
    except (OverflowError, RecursionError):
        raise ValueError("must not hold numbers beyond 64 bits or be nested deeply") from None
    if size > models.MAX_CUSTOM_BYTES:
        raise ValueError(f"must have at most {models.MAX_CUSTOM_BYTES} bytes as JSON")
    return kept


_Name = Annotated[str | None, Field(max_length=models.MAX_NAME_LENGTH), BeforeValidator(_strip)]
_FullName = Annotated[str | None, Field(max_length=2 * models.MAX_NAME_LENGTH + 1), BeforeValidator(_strip)]
_Text = Annotated[str | None, Field(max_length=models.MAX_TEXT_LENGTH), BeforeValidator(_strip)]
_PinCode = Annotated[str | None, Field(max_length=models.MAX_PIN_CODE_LENGTH), BeforeValidator(_strip)]
_Email = Annotated[
    str | None, Field(max_length=models.MAX_EMAIL_LENGTH), BeforeValidator(_strip), AfterValidator(_check_email)
]
_Zone = Annotated[str | None, BeforeValidator(_strip), AfterValidator(_check_zone)]
_Keywords = Annotated[
    str | None,
    Field(max_length=models.MAX_KEYWORDS_LENGTH),
    BeforeValidator(_strip),
    BeforeValidator(_join_keywords),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}]}),
]
_Description = Annotated[str | None, Field(max_length=models.MAX_TEXT_LENGTH * 5), BeforeValidator(_strip)]
_NoFileKey = Annotated[None, BeforeValidator(_refuse_file_key)]
_Reason = Annotated[str | None, Field(max_length=models.MAX_REASON_LENGTH), BeforeValidator(_strip)]
_FolderName = Annotated[str, Field(min_length=1, max_length=models.MAX_NAME_LENGTH), AfterValidator(_check_not_blank)]
_CustomFields = Annotated[dict[str, Any] | None, AfterValidator(_check_custom_fields)]
Region = Annotated[str | None, BeforeValidator(_check_region)]


class ContactFields(RequestBody):
    """What is told of a person, in every spelling."""

    phone_number: str | None = Field(None, description="E.164, or as it is dialled in `country`.")
    phone: str | None = Field(None, description="Another word for `phone_number`.")
    first_name: _Name = None
    last_name: _Name = None
    name: _FullName = Field(None, description="First and last name in one.")
    email: _Email = None
    company_name: _Text = None
    industry: _Text = None
    location: _Text = None
    pin_code: _PinCode = None
    keywords: _Keywords = Field(None, description="Separated by commas, or a list.")
    custom_fields: _CustomFields = None
    metadata: _CustomFields = Field(None, description="Another word for `custom_fields`.")
    timezone: _Zone = Field(None, description="IANA time zone; by default that of the number.")

    @model_validator(mode="after")
    def _check_spellings(self) -> Self:
        for one, other in (("phone_number", "phone"), ("custom_fields", "metadata")):
            both = self.model_fields_set >= {one, other}
            if both and getattr(self, one) != getattr(self, other):
                raise ValueError(f"{one} and {other} are the same field; send one of them")
        if self.name is not None:
            told = " ".join(part for part in (self.first_name, self.last_name) if part)
            if told and told != self.name:
                raise ValueError("name is first_name and last_name in one; send it or them")
        return self


class CreateContact(ContactFields):
    """A new contact."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["phone_number"]}, {"required": ["phone"]}]},
    )

    folder_id: str | None = Field(None, description="By default the organization's default folder.")
    country: Region = Field(None, description="How a number without country code is read.")


class UpdateContact(ContactFields):
    """What changes; what is not sent stays."""

    folder_id: str | None = Field(None, description="Moves the contact.")
    country: Region = Field(None, description="How a number without country code is read.")


def _require_either(one: str, other: str) -> dict[str, Any]:
    """The rule of a JSON schema that one of two fields is sent, and not both; null is as good as absent."""
    null = {"type": "null"}
    return {
        "oneOf": [
            {"required": [sent], "properties": {sent: {"not": null}, absent: null}}
            for sent, absent in ((one, other), (other, one))
        ]
    }


class BulkDeleteContacts(RequestBody):
    """Contacts to delete."""

    ids: Annotated[list[str], Field(min_length=1, max_length=models.MAX_BULK_IDS)] | None = None
    contact_ids: Annotated[list[str], Field(min_length=1, max_length=models.MAX_BULK_IDS)] | None = None

    model_config = ConfigDict(json_schema_extra=_require_either("ids", "contact_ids"))


class CreateFolder(RequestBody):
    """A new folder."""

    name: _FolderName
    description: _Description = None


def _drop_default(schema: dict[str, Any]) -> None:
    del schema["default"]


class UpdateFolder(RequestBody):
    """What changes; what is not sent stays."""

    name: _FolderName = Field("", json_schema_extra=_drop_default)
    description: _Description = None


class ImportForm(RequestBody):
    """What stands beside the file of an import."""

    model_config = ConfigDict(extra="forbid", strict=False)

    folder_id: _Name = Field(None, description="By default the organization's default folder.")
    overwrite_existing: bool = Field(False, description="Change contacts of the folder that have the number.")
    country: Region = Field(None, description="How numbers without country code are read.")


class DncImportForm(RequestBody):
    """What stands beside the file of an import into the do-not-call list."""

    country: Region = Field(None, description="How numbers without country code are read.")


class ImportJson(RequestBody):
    """The older form of an import: a file in base64, or the contacts themselves."""

    folder_id: str | None = None
    overwrite_existing: bool = False
    country: Region = None
    base64_file: str | None = Field(None, description="The CSV file.")
    filename: str | None = Field(None, description="Its name; not used.")
    mapping_config: dict[str, str] | None = Field(None, description="Header of the file to field of a contact.")
    contacts: Annotated[list[dict[str, Any]], Field(max_length=models.MAX_INLINE_CONTACTS)] | None = None
    file_key: _NoFileKey = Field(None, description="Only null: there is no store of files that were sent before.")


class AddDncEntries(RequestBody):
    """Numbers that must not be dialled."""

    model_config = ConfigDict(json_schema_extra=_require_either("phone_number", "phone_numbers"))

    phone_number: str | None = None
    phone_numbers: Annotated[list[str], Field(min_length=1, max_length=models.MAX_BULK_IDS)] | None = None
    reason: _Reason = None
    country: Region = Field(None, description="How numbers without country code are read.")


class UpdateDncEntry(RequestBody):
    """What may be changed of a number that is listed."""

    reason: _Reason = Field(None, description="Why it must not be dialled; null: nothing is said.")


class CheckDncNumbers(RequestBody):
    """Numbers to look up."""

    phone_numbers: Annotated[list[str], Field(min_length=1, max_length=models.MAX_BULK_IDS)]
    country: Region = None


class ContactObject(BaseModel):
    """A contact."""

    id: str
    name: str | None = Field(description="First and last name in one.")
    phone: str
    phone_number: str = Field(description="The same.")
    first_name: str | None
    last_name: str | None
    email: str | None
    folder_id: str
    company_name: str | None
    industry: str | None
    location: str | None
    pin_code: str | None
    keywords: str | None
    custom_fields: dict[str, Any]
    metadata: dict[str, Any] = Field(description="The same.")
    timezone: str | None
    last_call_outcome: str | None
    call_count: int
    last_called_at: datetime | None
    created_at: datetime
    updated_at: datetime


class FolderObject(BaseModel):
    """A folder of contacts."""

    id: str
    name: str
    description: str | None
    contact_count: int
    is_default: bool = Field(description="Holds contacts that name no folder.")
    created_at: datetime
    updated_at: datetime


class RowErrorObject(BaseModel):
    """A row that was not imported."""

    row: int = Field(description="As a spreadsheet counts: the header is row 1.")
    phone: str | None
    reason: str


class ImportObject(BaseModel):
    """What an import did."""

    imported: int
    updated: int
    skipped: int = Field(description="Rows whose number the folder had already.")
    errors: int
    successful: int = Field(description="`imported` and `updated` together.")
    failed: int = Field(description="The same as `errors`.")
    folder_id: str
    error_details: list[RowErrorObject]
    error_details_limit: int = Field(description="No more than so many errors are listed.")


class DncImportObject(BaseModel):
    """What an import into the do-not-call list did."""

    imported: int
    skipped: int = Field(description="Rows whose number was listed already.")
    errors: int
    error_details: list[RowErrorObject]
    error_details_limit: int


class DncEntryObject(BaseModel):
    """A number that is never dialled."""

    id: str = Field(description="The number itself.")
    phone_number: str
    reason: str | None
    source: models.DncSource = Field(description="`call`: its owner asked for it during a call.")
    call_id: str | None = Field(description="That call.")
    created_at: datetime


class DncAddedObject(BaseModel):
    """Numbers that were added."""

    added_count: int
    existing_count: int
    phone_numbers: list[str] = Field(description="In E.164, in the order in which they were sent.")


class DncCheckObject(BaseModel):
    """Which numbers must not be dialled."""

    blocked: list[str]
    allowed: list[str]


class DeletedContactsObject(BaseModel):
    """Which contacts were deleted, and which were absent."""

    deleted_count: int
    failed_count: int
    deleted_ids: list[str]
    failed_ids: list[str]
