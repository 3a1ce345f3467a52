"""What a contact, a folder and an entry of the do-not-call list are, and their limits; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

MAX_NAME_LENGTH = 100
MAX_TEXT_LENGTH = 100
MAX_PIN_CODE_LENGTH = 20
MAX_KEYWORDS_LENGTH = 1000
MAX_EMAIL_LENGTH = 254
MAX_REASON_LENGTH = 500
MAX_CUSTOM_FIELDS = 100
MAX_CUSTOM_NAME_LENGTH = 100
#: Of the custom fields of one contact, as JSON.
MAX_CUSTOM_BYTES = 16 * 1024
MAX_BULK_IDS = 1000
#: Of an import that holds the contacts themselves instead of a file.
MAX_INLINE_CONTACTS = 10_000
#: Of a file: SQLite stores so many in a few seconds, in which nobody else can write.
MAX_IMPORTED_ROWS = 250_000
MAX_FILE_BYTES = 50 * 1024 * 1024
#: How many refused rows an import lists.
MAX_LISTED_ERRORS = 1000

DEFAULT_FOLDER_NAME = "Default"

#: How a call may have ended for the contact: the contract's words.
Outcome = Literal["contacted", "voicemail", "no_answer", "escalated", "interested", "not_interested", "busy", "failed"]
FolderSort = Literal["name", "created_at", "contact_count"]
SortOrder = Literal["asc", "desc"]
#: How a number came onto the do-not-call list.
DncSource = Literal["api", "import", "call"]


@dataclass(frozen=True, slots=True)
class Folder:
    """A named group of contacts; `contact_count` is kept by the store."""

    organization_id: str
    id: str
    name: str
    description: str | None
    is_default: bool
    contact_count: int
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Contact:
    """A person to call. In one folder a number stands once; other folders may have it too."""

    organization_id: str
    id: str
    folder_id: str
    phone_number: str
    created_at: int
    updated_at: int
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    company_name: str | None = None
    industry: str | None = None
    location: str | None = None
    pin_code: str | None = None
    keywords: str | None = None
    custom_fields: Mapping[str, Any] = field(default_factory=dict)
    timezone: str | None = None
    last_call_outcome: str | None = None
    call_count: int = 0
    last_called_at: int | None = None

    @property
    def name(self) -> str | None:
        """First and last name together; None without either."""
        return " ".join(part for part in (self.first_name, self.last_name) if part) or None


@dataclass(frozen=True, slots=True)
class DncEntry:
    """A number that is never dialled, in E.164; `call_id` is the call in which its owner asked for that."""

    organization_id: str
    phone_number: str
    reason: str | None
    created_at: int
    source: DncSource = "api"
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class ContactFilter:
    """Which contacts of an organization a list holds; None keeps all."""

    folder_id: str | None = None
    search: str | None = None
    last_call_outcome: str | None = None
