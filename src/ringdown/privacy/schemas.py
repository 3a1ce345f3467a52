"""The JSON of one person's data: what requests may say, and what answers say."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ringdown.contacts.schemas import Region, RequestBody

ErasureStatus = Literal["running", "completed"]


class ErasePerson(RequestBody):
    """Whose data is to be erased."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"phone_number": "+12025550142"}]})

    phone_number: Annotated[str, Field(min_length=1, max_length=64)]
    country: Region = Field(None, description="How a number without country code is read.")


class ErasureObject(BaseModel):
    """An erasure, and how much it has deleted so far."""

    id: str
    status: ErasureStatus
    phone_number: str | None = Field(description="Null once it is completed.")
    deleted_contacts: int
    deleted_batch_contacts: int = Field(description="Places in batch calls, which stay without the person.")
    deleted_calls: int = Field(description="Calls, which stay without the person.")
    deleted_recordings: int
    created_at: datetime
    completed_at: datetime | None
