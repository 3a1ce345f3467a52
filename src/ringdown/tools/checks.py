"""What must hold of a tool before it is stored; pure."""

import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

from ringdown import outbound
from ringdown.errors import FieldError, ValidationFailed
from ringdown.outbound import OutboundError
from ringdown.tools import arguments, models, templates
from ringdown.tools.models import Parameter, StaticParameter, Tool

_URL_PLACE = re.compile(r"\{([^{}]*)\}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
# These belong to the connection, not to the tool.
_RESERVED_HEADER = re.compile(
    r"host|content-length|transfer-encoding|connection|accept-encoding|upgrade|te|trailer|keep-alive|expect|proxy-.*",
    re.IGNORECASE,
)


def check_tool(tool: Tool, *, private_allowed: bool) -> None:
    """Refuse what cannot work or would be unsafe. Raises `ValidationFailed` with all that is refused."""
    refused = [*_check_name(tool), *_check_url(tool, private_allowed=private_allowed), *_check_places(tool)]
    refused += [*_check_headers(tool), *_check_schemas(tool), *_check_body(tool), *_check_kind(tool)]
    if refused:
        raise ValidationFailed(refused)


def _list_all(tool: Tool) -> list[Parameter | StaticParameter]:
    return [*tool.parameters, *tool.static_parameters]


def _check_name(tool: Tool) -> Iterator[FieldError]:
    if tool.model_tool_name in models.BUILTIN_NAMES:
        yield FieldError(
            "definition.modelToolName", f"must not be {tool.model_tool_name}, which is the name of a built-in tool"
        )


def _check_url(tool: Tool, *, private_allowed: bool) -> Iterator[FieldError]:
    if tool.url is None:
        return
    if "{{" in tool.url:
        yield FieldError("url", "must hold {name} for parameters of the path; other placeholders are for parameters")
        return
    try:
        parsed = outbound.parse_url(_URL_PLACE.sub("x", tool.url))
    except OutboundError as error:
        yield FieldError("url", f"is refused: {str(error)[0].lower()}{str(error)[1:].rstrip('.')}")
        return
    if not private_allowed:
        if parsed.scheme != "https":
            yield FieldError("url", "must begin with https:// unless private addresses are allowed")
        elif _is_private_address(parsed.host):
            yield FieldError("url", "must not lead to a private address")
    split = urlsplit(tool.url)
    for name, _ in parse_qsl(split.query, keep_blank_values=True):
        if models.is_secret_name(name):
            yield FieldError("url", f"must not hold secrets such as {name}; send it in a header instead")
    if "{" in split.netloc or "{" in split.query:
        yield FieldError("url", "may hold {name} only in its path")
    places = set(_URL_PLACE.findall(tool.url))
    given = {one.name for one in _list_all(tool) if one.location == "path"}
    for name in sorted(places - given):
        yield FieldError("url", f"has a place for {name}, but there is no such parameter of the path")
    for name in sorted(given - places):
        yield FieldError("url", f"has no place for the parameter {name}; write {{{name}}} into its path")


def _is_private_address(host: str) -> bool:
    try:
        return not outbound.is_public(host)
    except ValueError:
        return False


def _check_places(tool: Tool) -> Iterator[FieldError]:
    names = Counter(one.name for one in tool.parameters)
    for name in (name for name, count in names.items() if count > 1):
        yield FieldError(f"parameters.{name}", "is given twice")
    static = {one.key for one in tool.static_parameters}
    for one in tool.parameters:
        key = (one.location, one.name.lower() if one.location == "header" else one.name)
        if key in static:
            yield FieldError(f"parameters.{one.name}", "is a static parameter, too")
    for fixed in tool.static_parameters:
        if fixed.location in ("query", "path") and models.is_secret_name(fixed.name):
            yield FieldError(
                f"staticParameters.{fixed.name}", "looks like a secret, which must not stand in a URL; use a header"
            )


def _check_headers(tool: Tool) -> Iterator[FieldError]:
    for one in _list_all(tool):
        if one.location != "header":
            continue
        if _HEADER_NAME.fullmatch(one.name) is None or _RESERVED_HEADER.fullmatch(one.name):
            yield FieldError(f"headers.{one.name}", "is not a header that a tool may set")
    for fixed in tool.static_parameters:
        if fixed.location == "header" and isinstance(fixed.value, str) and not fixed.value.isprintable():
            yield FieldError(f"headers.{fixed.name}", "must not hold line breaks or control characters")


def _check_schemas(tool: Tool) -> Iterator[FieldError]:
    for one in tool.parameters:
        try:
            arguments.check_schema(one.schema)
        except ValueError as error:
            yield FieldError(f"parameters.{one.name}.schema", str(error))


def _check_body(tool: Tool) -> Iterator[FieldError]:
    body = [one.name for one in _list_all(tool) if one.location == "body"]
    if tool.method not in models.METHODS_WITH_BODY:
        if body:
            yield FieldError(f"parameters.{body[0]}", f"cannot stand in the body of a {tool.method}; use QUERY")
        if tool.body_template is not None:
            yield FieldError("body_template", f"cannot be used with {tool.method}, which has no body")
    if tool.body_template is None:
        return
    try:
        templates.check_body(tool.body_template)
    except ValueError as error:
        yield FieldError("body_template", str(error))
        return
    places = set(templates.list_names(tool.body_template))
    for name in body:
        if name not in places:
            yield FieldError("body_template", f"has no place for the parameter {name}; write {{{{{name}}}}} into it")


def _check_kind(tool: Tool) -> Iterator[FieldError]:
    if tool.kind == "http":
        if tool.include is not None:
            yield FieldError("definition.include", "is for MCP servers only")
        return
    if tool.url is None:
        yield FieldError("definition.url", "is required for an MCP server")
    if tool.parameters or tool.body_template is not None:
        yield FieldError("definition", "of an MCP server must not hold parameters: the server names them")
    if any(one.location != "header" for one in tool.static_parameters):
        yield FieldError("definition.staticParameters", "of an MCP server may be headers only")
