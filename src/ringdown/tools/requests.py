"""The HTTP request of a tool: URL, query, headers and body from arguments, static values and context; pure."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from ringdown.tools import templates
from ringdown.tools.arguments import UnusableArguments
from ringdown.tools.models import MASK, Location, StaticParameter, Tool

_FORM = "application/x-www-form-urlencoded"

#: Opens the sealed value of a secret.
OpenSecret = Callable[[StaticParameter], str]


class NotSetUp(ValueError):
    """The tool lacks something that only its owner can give; the message says what."""


@dataclass(slots=True)
class ToolHttpRequest:
    """A request that is ready to be sent."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    query: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | None = None

    def describe(self) -> dict[str, object]:
        """The request as JSON, for people; build it with masked secrets."""
        target = f"{self.url}{'&' if '?' in self.url else '?'}{urlencode(self.query)}" if self.query else self.url
        body = None if self.body is None else self.body.decode()
        return {"method": self.method, "url": target, "headers": self.headers, "body": body}


def mask_secret(parameter: StaticParameter) -> str:
    """Stands in for opening a secret where the request is only shown."""
    del parameter
    return MASK


def build_request(
    tool: Tool, arguments: Mapping[str, Any], *, context: Mapping[str, str], open_secret: OpenSecret
) -> ToolHttpRequest:
    """The request of a tool with checked arguments.

    Raises `NotSetUp`, `UnusableArguments` where a value cannot stand at its place, and what `open_secret` raises.
    """
    if tool.url is None:
        raise NotSetUp("This tool is not set up.")
    values: dict[Location, dict[str, Any]] = {"path": {}, "query": {}, "header": {}, "body": {}}
    for static in tool.static_parameters:
        values[static.location][static.name] = _open(static, context, open_secret)
    for parameter in tool.parameters:
        if parameter.name in arguments:
            values[parameter.location][parameter.name] = arguments[parameter.name]
    request = ToolHttpRequest(tool.method, _fill_path(tool.url, values["path"]))
    request.headers = {"Accept": "application/json, text/plain;q=0.9, */*;q=0.5"}
    request.query = _list_query(values["query"])
    _add_headers(request, values["header"])
    _add_body(tool, request, values["body"], {**context, **values["body"], **arguments})
    return request


def render_headers(tool: Tool, *, context: Mapping[str, str], open_secret: OpenSecret) -> dict[str, str]:
    """The static headers of a tool. Raises as `build_request` does."""
    request = ToolHttpRequest(tool.method, tool.url or "")
    _add_headers(request, {one.name: _open(one, context, open_secret) for one in tool.static_parameters})
    return request.headers


def _open(static: StaticParameter, context: Mapping[str, str], open_secret: OpenSecret) -> Any:
    if static.is_secret:
        if static.value is None:
            raise NotSetUp(f"This tool is not set up: its {static.location} {static.name} has no value.")
        # A template in a secret is filled in, too: a token may carry the number of the caller.
        opened = open_secret(static)
        return static.prefix + (opened if opened == MASK else templates.render(opened, context))
    return templates.render(static.value, context)


def _fill_path(url: str, values: Mapping[str, Any]) -> str:
    for name, value in values.items():
        text = templates.to_text(value)
        # An empty part or dots would lead to another resource.
        if text.strip(".") == "":
            raise UnusableArguments(f"{name}: must not be empty.")
        url = url.replace(f"{{{name}}}", quote(text, safe=""))
    return url


def _list_query(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (name, templates.to_text(one))
        for name, value in values.items()
        if value is not None
        for one in (value if isinstance(value, list) else [value])
    ]


def _add_headers(request: ToolHttpRequest, values: Mapping[str, Any]) -> None:
    own = {name.lower(): name for name in request.headers}
    for name, value in values.items():
        text = templates.to_text(value).strip()
        if not text.isprintable():
            raise UnusableArguments(f"{name}: must not hold line breaks or control characters.")
        if text:
            request.headers.pop(own.get(name.lower(), ""), None)
            request.headers[name] = text


def _add_body(tool: Tool, request: ToolHttpRequest, body: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    content_type = next((value for name, value in request.headers.items() if name.lower() == "content-type"), None)
    if tool.body_template is not None:
        request.body = templates.render_body(tool.body_template, values).encode()
    elif body and content_type is not None and content_type.lower().startswith(_FORM):
        request.body = urlencode(_list_query(body)).encode()
    elif body or tool.method in ("POST", "PUT", "PATCH"):
        request.body = json.dumps(body, ensure_ascii=False).encode()
    if request.body is not None and content_type is None:
        request.headers["Content-Type"] = "application/json"
