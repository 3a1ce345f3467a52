"""The JSON of tools: what requests may say, in every documented spelling, and what answers say."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from ringdown import values
from ringdown.tools.models import MAX_TIMEOUT_MS, MIN_TIMEOUT_MS, MODEL_TOOL_NAME, Location, Method, ToolKind

_LOCATIONS: dict[str, Location | None] = {
    "BODY": "body",
    "QUERY": "query",
    "HEADER": "header",
    "PATH": "path",
    "UNSPECIFIED": None,
}
_LOCATION_RULE = "must be one of: PARAMETER_LOCATION_BODY, _QUERY, _HEADER, _PATH, or body, query, header, path"
_MAX_URL_LENGTH = 4096
_MAX_HEADER_LENGTH = 8192


class RequestBody(BaseModel):
    """A body in which an unknown field is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _read_location(value: object) -> object:
    name = value.upper().removeprefix("PARAMETER_LOCATION_") if isinstance(value, str) else None
    if name not in _LOCATIONS:
        raise ValueError(_LOCATION_RULE)
    return _LOCATIONS[name]


def _read_method(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _read_timeout(value: object) -> object:
    if not isinstance(value, (str, int, float)):
        raise ValueError('must be a duration such as "10s" or whole seconds')
    duration_ms = values.parse_duration_ms(value)
    if not MIN_TIMEOUT_MS <= duration_ms <= MAX_TIMEOUT_MS:
        raise ValueError(f"must be from {MIN_TIMEOUT_MS // 1000} to {MAX_TIMEOUT_MS // 1000} seconds")
    return duration_ms


def _check_not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


WireLocation = Annotated[
    Location | None,
    BeforeValidator(_read_location),
    WithJsonSchema(
        {
            "type": "string",
            "enum": [f"PARAMETER_LOCATION_{name}" for name in _LOCATIONS] + ["body", "query", "header", "path"],
        }
    ),
]
WireMethod = Annotated[Method, BeforeValidator(_read_method)]
Timeout = Annotated[
    int,
    BeforeValidator(_read_timeout),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 1, "maximum": 60},
                {"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s)$"},
            ]
        }
    ),
]
Name = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_check_not_blank)]
ParameterName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_.$\[\]-]+$")]
Url = Annotated[str, Field(min_length=1, max_length=_MAX_URL_LENGTH)]
Headers = Annotated[dict[str, Annotated[str, Field(max_length=_MAX_HEADER_LENGTH)]], Field(max_length=32)]
JsonType = Literal["string", "integer", "number", "boolean", "array", "object", "null"]


class ParameterBody(RequestBody):
    """A value that the model gives: with a JSON `schema`, or with the schema's keys beside the name."""

    name: ParameterName
    location: WireLocation = Field(None, description="By default the path, query or body, as URL and method have it.")
    schema_: dict[str, Any] | None = Field(None, alias="schema", description="JSON schema.")
    required: bool = False
    type: JsonType | list[JsonType] | None = None
    description: Annotated[str, Field(max_length=4096)] | None = None
    default: Any = None
    enum: list[Any] | None = None
    items: dict[str, Any] | None = None
    properties: dict[str, Any] | None = None


class StaticParameterBody(RequestBody):
    """A value that is always sent; texts may hold placeholders such as `{{call_id}}`."""

    name: ParameterName
    location: WireLocation = None
    value: Any = None


class AutomaticParameterBody(RequestBody):
    """A fact of the call that is always sent."""

    name: ParameterName
    location: WireLocation = None
    knownValue: Literal["KNOWN_PARAM_CALL_ID"] | None = None  # noqa: N815 - the wire's name
    value: Annotated[str, Field(max_length=4096)] | None = Field(None, description="A template such as `{{call_id}}`.")


class HttpBody(RequestBody):
    """Where the request goes."""

    url: Url | None = None
    method: WireMethod | None = None
    baseUrlPattern: Url | None = None  # noqa: N815 - the wire's name
    httpMethod: WireMethod | None = None  # noqa: N815 - the wire's name


class HeaderKeyBody(RequestBody):
    """A key in a header."""

    name: ParameterName
    value: Annotated[str, Field(max_length=_MAX_HEADER_LENGTH)] | None = None


class HttpAuthBody(RequestBody):
    """A token in the `Authorization` header."""

    scheme: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,32}$")] = "Bearer"
    value: Annotated[str, Field(max_length=_MAX_HEADER_LENGTH)] | None = None


class RequirementBody(RequestBody):
    """One secret that the request needs."""

    headerApiKey: HeaderKeyBody | None = None  # noqa: N815 - the wire's name
    httpAuth: HttpAuthBody | None = None  # noqa: N815 - the wire's name
    queryApiKey: HeaderKeyBody | None = Field(None, description="Refused: secrets must not stand in a URL.")  # noqa: N815


class SecurityOptionBody(RequestBody):
    """What is needed together."""

    requirements: Annotated[dict[str, RequirementBody], Field(max_length=8)] = {}


class SecurityOptionsBody(RequestBody):
    """Ways to be let in; the first one is used."""

    options: Annotated[list[SecurityOptionBody], Field(max_length=8)] = []


class RequirementsBody(RequestBody):
    """What the request needs."""

    httpSecurityOptions: SecurityOptionsBody | None = None  # noqa: N815 - the wire's name


class AuthenticationBody(RequestBody):
    """How the tool's server is told who asks."""

    type: Literal["none", "bearer", "api_key", "basic"] | None = None
    token: Annotated[str, Field(max_length=_MAX_HEADER_LENGTH)] | None = None
    header: ParameterName | None = Field(None, description="The header of an `api_key`; by default `X-API-Key`.")
    value: Annotated[str, Field(max_length=_MAX_HEADER_LENGTH)] | None = None
    username: Annotated[str, Field(max_length=255)] | None = None
    password: Annotated[str, Field(max_length=255)] | None = None
    options: Annotated[list[SecurityOptionBody], Field(max_length=8)] | None = None


class ObjectSchemaBody(BaseModel):
    """All parameters as one JSON schema of an object."""

    model_config = ConfigDict(extra="forbid", strict=True)

    type: Literal["object"] = "object"
    properties: dict[ParameterName, dict[str, Any]] = {}
    required: list[str] = []
    additionalProperties: bool = False  # noqa: N815 - the wire's name
    description: str | None = None


Parameters = Annotated[list[ParameterBody], Field(max_length=64)]


class DefinitionBody(RequestBody):
    """What the tool does: an HTTP request, or the tools of an MCP server."""

    modelToolName: Annotated[str, Field(pattern=MODEL_TOOL_NAME)] | None = None  # noqa: N815 - the wire's name
    description: Annotated[str, Field(max_length=4096)] | None = Field(
        None, description="What it does and when to use it, for the model."
    )
    type: ToolKind | None = None
    http: HttpBody | None = None
    url: Url | None = None
    base_url: Url | None = None
    method: WireMethod | None = None
    headers: Headers | None = None
    parameters: Parameters | ObjectSchemaBody | None = None
    dynamicParameters: Parameters | None = None  # noqa: N815 - the wire's name
    staticParameters: Annotated[list[StaticParameterBody], Field(max_length=64)] | None = None  # noqa: N815
    automaticParameters: Annotated[list[AutomaticParameterBody], Field(max_length=64)] | None = None  # noqa: N815
    requirements: RequirementsBody | None = None
    authTokens: Headers | None = Field(  # noqa: N815 - the wire's name
        None, description="The secrets of the requirements, by their names."
    )
    authentication: AuthenticationBody | None = None
    body_template: Annotated[str, Field(max_length=65_536)] | None = None
    timeout: Timeout | None = None
    timeout_seconds: Timeout | None = None
    include: Annotated[list[Annotated[str, Field(max_length=128)]], Field(max_length=128)] | None = Field(
        None, description="Of an MCP server only these tools."
    )


class UpdateTool(RequestBody):
    """What may be changed of a tool.

    A field that is absent stays, also inside `definition`; `null` puts an optional one back to its default, and
    `definition: null` leaves a placeholder. `***` stands for a secret that stays.
    """

    name: Name | None = None
    description: Annotated[str, Field(max_length=4096)] | None = None
    definition: DefinitionBody | None = None
    type: ToolKind | None = None
    url: Url | None = None
    endpoint: Url | None = None
    method: WireMethod | None = None
    headers: Headers | None = None
    parameters: Parameters | ObjectSchemaBody | None = None
    authentication: AuthenticationBody | None = None
    body_template: Annotated[str, Field(max_length=65_536)] | None = None
    timeout_seconds: Timeout | None = None
    category: Annotated[str, Field(max_length=100)] | None = None
    response_schema: dict[str, Any] | None = None


class CreateTool(UpdateTool):
    """A new tool. Without a definition it is a placeholder, which tells the model that it is not set up."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Find order",
                    "definition": {
                        "description": "Finds an order by its number.",
                        "http": {"baseUrlPattern": "https://shop.example/orders/{number}", "httpMethod": "GET"},
                        "dynamicParameters": [
                            {
                                "name": "number",
                                "location": "PARAMETER_LOCATION_PATH",
                                "schema": {"type": "string"},
                                "required": True,
                            }
                        ],
                    },
                }
            ]
        }
    )

    @model_validator(mode="after")
    def _check_name(self) -> "CreateTool":
        if self.name is None and (self.definition is None or self.definition.modelToolName is None):
            raise ValueError("name is required unless definition.modelToolName is given")
        return self


class ToolTrial(RequestBody):
    """A trial of a tool."""

    arguments: dict[str, Any] = Field(default_factory=dict, description="What the model would give.")
    context: dict[str, str] = Field(
        default_factory=dict, description="Stands in for the call: `call_id`, `caller_number`, variables."
    )
    tool: Annotated[str, Field(max_length=128)] | None = Field(
        None, description="Of an MCP server: which of its tools. Without it they are listed."
    )


class ToolObject(BaseModel):
    """A tool; secrets are shown as `***`."""

    id: str
    name: str
    type: ToolKind
    description: str
    url: str | None = Field(description="`null` for a placeholder.")
    method: Method
    headers: dict[str, str | None]
    body_template: str | None
    timeout_seconds: float
    created_at: str
    updated_at: str
    definition: dict[str, Any] = Field(description="As it may be sent back; its `http` is `null` for a placeholder.")
    category: str | None
    response_schema: dict[str, Any] | None


class ToolTestObject(BaseModel):
    """What came of a trial."""

    status: int | None = Field(description="Of the HTTP answer; `null` when there was none.")
    duration_ms: int
    is_error: bool
    response: str = Field(description="What the model would read.")
    request: dict[str, Any] | None = Field(description="What was sent, without secrets.")
