"""What a tool is: where its request goes and what it carries; pure values, no I/O."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

ToolKind = Literal["http", "mcp"]
Location = Literal["body", "query", "header", "path"]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
#: Which part of a definition a static parameter came from; an update of one part leaves the others.
StaticOrigin = Literal["static", "header", "security"]

#: What is shown instead of a secret, and accepted back for "unchanged".
MASK = "***"
DEFAULT_TIMEOUT_MS = 10_000
MIN_TIMEOUT_MS, MAX_TIMEOUT_MS = 1_000, 60_000
METHODS_WITH_BODY = ("POST", "PUT", "PATCH", "DELETE")

#: Tools that every call may have without a definition; no other tool takes their names.
BUILTIN_NAMES = frozenset(
    (
        "end_call",
        "transfer_call",
        "send_digits",
        "leave_voicemail",
        "schedule_callback",
        "search_knowledge",
        "opt_out",
    )
)
MODEL_TOOL_NAME = r"^[a-zA-Z0-9_-]{1,64}$"

_SECRET_NAME = re.compile(
    r"(api|access|auth|secret|private|subscription)[-_]?key|token|secret|passw(or)?d|signature|credential|authorization"
    r"|^(key|auth|sig|pwd|bearer)$",
    re.IGNORECASE,
)
# Headers that say nothing that must be hidden, whatever their value.
_OPEN_HEADERS = frozenset(("accept", "accept-language", "content-type", "cache-control", "prefer", "x-requested-with"))
_ONLY_PLACEHOLDERS = re.compile(r"\s*(\{\{\s*[\w.-]+\s*\}\}\s*)+")
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9]+")
_WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that the model gives; `schema` is a JSON schema."""

    name: str
    location: Location
    schema: Mapping[str, Any]
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticParameter:
    """A value that is always sent; texts in it are templates over the call's context.

    Of a secret, `value` is ciphertext in a stored tool, or None while the secret has not been given. `prefix` goes
    before it (`Bearer `), and `requirement` is its name among the security requirements.
    """

    name: str
    location: Location
    value: Any
    is_secret: bool = False
    origin: StaticOrigin = "static"
    prefix: str = ""
    requirement: str | None = None

    @property
    def key(self) -> tuple[Location, str]:
        """What makes two of them the same; names of headers have no case."""
        return self.location, self.name.lower() if self.location == "header" else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function that the model may call. Without a URL it is a placeholder. Instants are milliseconds UTC.

    `url` holds `{name}` for each parameter of the path. `include` names the tools of an MCP server that are offered;
    None offers all.
    """

    organization_id: str
    id: str
    name: str
    model_tool_name: str
    created_at: int
    updated_at: int
    description: str = ""
    kind: ToolKind = "http"
    url: str | None = None
    method: Method = "GET"
    parameters: tuple[Parameter, ...] = ()
    static_parameters: tuple[StaticParameter, ...] = ()
    body_template: str | None = None
    timeout_ms: int = DEFAULT_TIMEOUT_MS
    include: tuple[str, ...] | None = None
    category: str | None = None
    response_schema: Mapping[str, Any] | None = None


def derive_model_tool_name(name: str) -> str:
    """The snake_case form of a tool's name, as the model calls it."""
    words = _NOT_IN_NAMES.sub("_", _WORD_BREAK.sub("_", name)).strip("_").lower()
    return words[:64].rstrip("_") or "tool"


def is_secret_name(name: str) -> bool:
    """Whether a parameter of this name usually holds a secret, which must never stand in a URL."""
    return _SECRET_NAME.search(name) is not None


def is_secret_value(name: str, location: Location, value: object) -> bool:
    """Whether a static value is kept sealed: texts of headers and of secret names, unless made of context alone."""
    if not isinstance(value, str) or not value or _ONLY_PLACEHOLDERS.fullmatch(value):
        return False
    if location == "header":
        return name.lower() not in _OPEN_HEADERS
    return location == "body" and is_secret_name(name)
