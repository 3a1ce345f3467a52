"""What an erasure is; pure values."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """The deletion of everything of one person: whose (until it is done), and how much it has deleted so far."""

    organization_id: str
    id: str
    phone_number: str | None
    created_at: int
    contacts: int = 0
    batch_contacts: int = 0
    calls: int = 0
    recordings: int = 0
    completed_at: int | None = None
