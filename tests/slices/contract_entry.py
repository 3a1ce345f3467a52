"""One operation of the API in the table of its contract: what it is asked, and how it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"
MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation; a text `$name` stands for the thing of that name, of the organization that asks."""

    body: Mapping[str, Any] | None = None
    #: Parameters of the path that are not the thing of `PATHS`.
    path: Mapping[str, str] = field(default_factory=dict)
    query: Any = field(default_factory=dict)
    #: The status of success where it is not 201 for POST and 200 for all others.
    status: int | None = None
    media_type: str = JSON
    #: The answer is not in the envelope.
    is_bare: bool = False
    #: A list shows this thing, and never another organization's.
    shows: str | None = None
    #: Fields in which things of others are refused, with a value that names one.
    refers: Mapping[str, Any] = field(default_factory=dict)
    #: The same where things of others are as good as absent: the answer counts or shows none.
    overlooks: Mapping[str, Any] = field(default_factory=dict)
    #: Fields of the answer that a change moves, beside those that were sent.
    follows: tuple[str, ...] = ()
    #: Fields that are sent in one form and shown in another.
    reworded: frozenset[str] = frozenset()
    #: What is told of a body without any field, if not the required fields by their names.
    needed: tuple[str, ...] = ()
    #: Other documented names of fields, which are not sent together with these.
    aliases: Mapping[str, str] = field(default_factory=dict)
    #: Fields that are looked at only when all others are well-formed.
    looked_at_last: frozenset[str] = frozenset()
    #: How a thing is refused that does not exist.
    absent: tuple[int, str] = (404, "not_found")
    #: The largest body, as a form if there is one.
    max_bytes: int = MB
    form: Mapping[str, Any] | None = None


#: The things that parameters of paths name.
PATHS = {
    "agent_id": "$agent",
    "number": "$version",
    "call_id": "$call",
    "batch_call_id": "$batch",
    "knowledge_base_id": "$knowledge_base",
    "source_id": "$source",
    "folder_id": "$folder",
    "contact_id": "$contact",
    "phone_number": "$dnc_number",
    "voice_id": "$voice",
    "credential_id": "$credential",
    "number_id": "$number",
    "trunk_id": "$trunk",
    "endpoint_id": "$endpoint",
    "delivery_id": "$delivery",
    "erasure_id": "$erasure",
    "key_id": "$key",
    "tool_id": "$tool",
}
