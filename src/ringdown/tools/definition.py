"""The tool that a request describes, whatever its spelling: one form of URL, method and parameters; pure."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ringdown import errors
from ringdown.tools import models, security
from ringdown.tools.models import Location, Method, Parameter, StaticOrigin, StaticParameter, Tool
from ringdown.tools.schemas import (
    DefinitionBody,
    HttpBody,
    ObjectSchemaBody,
    ParameterBody,
    UpdateTool,
)

_CONTRADICTION = "says something else than {}; send one of them"
_SCHEMA_KEYS = ("type", "description", "default", "enum", "items", "properties")
# Of a tool without a definition.
_EMPTY: dict[str, Any] = {
    "kind": "http",
    "url": None,
    "method": "GET",
    "parameters": (),
    "static_parameters": (),
    "body_template": None,
    "timeout_ms": models.DEFAULT_TIMEOUT_MS,
    "include": None,
}


def read_tool(body: UpdateTool, present: Tool) -> Tool:
    """`present` with what the body changes; secrets among the static parameters are plain, or `***` for unchanged.

    Raises `ValidationFailed` when two spellings contradict each other.
    """
    if "definition" in body.model_fields_set and body.definition is None:
        present = dataclasses.replace(present, **_EMPTY)
    definition = body.definition or DefinitionBody()
    http = definition.http or HttpBody()
    spellings = _Spellings((("", body), ("definition.", definition), ("definition.http.", http)))
    name = body.name or present.name or definition.modelToolName or ""
    url = spellings.pick(("url", "endpoint", "base_url", "baseUrlPattern"), present=present.url, default=None)
    method: Method = spellings.pick(("method", "httpMethod"), present=present.method, default="GET")
    wanted = dataclasses.replace(
        present,
        name=name,
        model_tool_name=definition.modelToolName or present.model_tool_name or models.derive_model_tool_name(name),
        description=spellings.pick(("description",), present=present.description, default=""),
        kind=spellings.pick(("type",), present=present.kind, default="http"),
        url=url,
        method=method,
        body_template=spellings.pick(("body_template",), present=present.body_template, default=None),
        timeout_ms=spellings.pick(
            ("timeout", "timeout_seconds"), present=present.timeout_ms, default=models.DEFAULT_TIMEOUT_MS
        ),
        include=spellings.pick(("include",), present=present.include, default=None),
        category=spellings.pick(("category",), present=present.category, default=None),
        response_schema=spellings.pick(("response_schema",), present=present.response_schema, default=None),
    )
    if wanted.include is not None:
        wanted = dataclasses.replace(wanted, include=tuple(wanted.include))
    sent = spellings.pick(("dynamicParameters", "parameters"), present=None, default=[])
    if sent is not None:
        wanted = dataclasses.replace(wanted, parameters=tuple(_read_parameters(sent, wanted)))
    return dataclasses.replace(wanted, static_parameters=_read_static(spellings, definition, wanted))


class _Spellings:
    """The places of a request that may say the same thing."""

    def __init__(self, places: Sequence[tuple[str, Any]]) -> None:
        self._places = places

    def pick(self, names: Sequence[str], *, present: Any, default: Any) -> Any:
        """What was sent under any of the names; `default` for null, `present` when nothing was sent."""
        sent = [
            (f"{prefix}{name}", getattr(body, name))
            for prefix, body in self._places
            for name in names
            if name in body.model_fields_set
        ]
        given = [(path, value) for path, value in sent if value is not None]
        for path, value in given[1:]:
            if value != given[0][1]:
                raise errors.invalid(path, _CONTRADICTION.format(given[0][0]))
        if given:
            return given[0][1]
        return default if sent else present


def _read_parameters(sent: Sequence[ParameterBody] | ObjectSchemaBody, tool: Tool) -> Iterable[Parameter]:
    if isinstance(sent, ObjectSchemaBody):
        unknown = [name for name in sent.required if name not in sent.properties]
        if unknown:
            raise errors.invalid("parameters.required", f"names what is no property: {unknown[0]}")
        for name, schema in sent.properties.items():
            yield Parameter(name, _place(None, name, tool), schema, required=name in sent.required)
        return
    for one in sent:
        schema = dict(one.schema_ or {})
        schema |= {key: getattr(one, key) for key in _SCHEMA_KEYS if getattr(one, key) is not None}
        yield Parameter(
            one.name, _place(one.location, one.name, tool), schema or {"type": "string"}, required=one.required
        )


def _place(location: Location | None, name: str, tool: Tool) -> Location:
    if location is not None:
        return location
    if tool.url is not None and f"{{{name}}}" in tool.url:
        return "path"
    return "query" if tool.method in ("GET", "DELETE") else "body"


def _read_static(spellings: _Spellings, definition: DefinitionBody, tool: Tool) -> tuple[StaticParameter, ...]:
    """All static parameters: a group that was sent replaces its own, the others stay."""
    groups: dict[StaticOrigin, Sequence[StaticParameter]] = {
        origin: [one for one in tool.static_parameters if one.origin == origin]
        for origin in ("security", "static", "header")
    }
    kept = {id(one) for group in groups.values() for one in group}
    headers = spellings.pick(("headers",), present=None, default={})
    if headers is not None:
        groups["header"] = [_make_static(name, "header", value, origin="header") for name, value in headers.items()]
    if definition.model_fields_set & {"staticParameters", "automaticParameters"}:
        groups["static"] = list(_list_static(definition, tool))
    groups["security"] = security.read_security(
        definition,
        authentication=spellings.pick(("authentication",), present=None, default=security.NO_AUTHENTICATION),
        present=groups["security"],
    )
    merged: dict[tuple[Location, str], StaticParameter] = {}
    for one in (one for group in groups.values() for one in group):
        known = merged.get(one.key)
        if known is None:
            merged[one.key] = one
        elif one.value == models.MASK or id(one) in kept:
            continue
        elif known.value in (models.MASK, None) or id(known) in kept:
            value = one.value.removeprefix(known.prefix) if isinstance(one.value, str) else one.value
            merged[one.key] = dataclasses.replace(known, value=value)
        elif known.value != one.value:
            raise errors.invalid(f"headers.{one.name}", "is given twice with different values")
    return tuple(merged.values())


def _list_static(definition: DefinitionBody, tool: Tool) -> Iterable[StaticParameter]:
    for one in definition.staticParameters or ():
        yield _make_static(one.name, _place(one.location, one.name, tool), one.value)
    for automatic in definition.automaticParameters or ():
        value = "{{call_id}}" if automatic.knownValue is not None else automatic.value
        yield _make_static(automatic.name, _place(automatic.location, automatic.name, tool), value)


def _make_static(name: str, location: Location, value: Any, *, origin: StaticOrigin = "static") -> StaticParameter:
    return StaticParameter(
        name=name,
        location=location,
        value=value,
        is_secret=models.is_secret_value(name, location, value),
        origin=origin,
    )


def keep_secrets(tool: Tool, present: Tool | None, *, seal: Callable[[str], str]) -> Tool:
    """The tool with its secrets sealed: new ones by `seal(text)`, for `***` those of `present`.

    Raises `ValidationFailed` for a `***` that stands for nothing.
    """
    known: Mapping[tuple[Location, str], StaticParameter] = {
        one.key: one for one in (present.static_parameters if present is not None else ()) if one.is_secret
    }
    sealed = []
    for one in tool.static_parameters:
        before = known.get(one.key)
        if not one.is_secret or one.value is None or (before is not None and one.value == before.value):
            sealed.append(one)
        elif one.value != models.MASK:
            sealed.append(dataclasses.replace(one, value=seal(one.value)))
        elif before is not None and before.value is not None:
            sealed.append(dataclasses.replace(one, value=before.value))
        else:
            raise errors.invalid(f"{one.location}.{one.name}", "*** stands for a stored secret, but there is none")
    return dataclasses.replace(tool, static_parameters=tuple(sealed))
