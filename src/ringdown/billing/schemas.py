"""The JSON of credits and usage."""

from pydantic import BaseModel, Field

from ringdown.billing.ledger import EntryKind


class CreditsObject(BaseModel):
    """What an organization has."""

    balance: int = Field(description="What can be spent: holds are taken off.")
    held: int = Field(description="Held for calls that have not ended.")
    enforced: bool = Field(description="Whether calls are refused (402) when the balance does not suffice.")
    low_mark: int | None = Field(description="Below it `balance` + `held` counts as low; null: never.")
    is_low: bool
    daily_limit: int | None = Field(description="Of the organization; null: none.")
    spent_today: int = Field(description="Held for and charged to calls of this day, by the organization's time zone.")


class LedgerEntryObject(BaseModel):
    """One signed amount; the balance is the sum of all."""

    id: str
    type: EntryKind
    amount: int = Field(description="Credits; negative when it takes.")
    call_id: str | None
    batch_call_id: str | None = Field(description="Of the call.")
    note: str | None
    created_at: str


class UsageObject(BaseModel):
    """What the calls of a day, a month or the whole range used."""

    period: str | None = Field(description="`2026-11-22` or `2026-11`, UTC; null with `interval=total`.")
    agent_id: str | None = Field(description="With `group_by=agent`.")
    phone_number: str | None = Field(description="With `group_by=number`: ours; null for calls from browsers.")
    batch_call_id: str | None = Field(description="With `group_by=batch`; null for calls of no batch.")
    calls: int
    answered_calls: int
    duration_seconds: int
    minutes: float
    credits: int
