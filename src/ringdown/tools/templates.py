"""Texts with placeholders: `{{call_id}}` in static values, and JSON body templates; pure."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

# Two or three braces mean the same: nothing is escaped for HTML here.
_NAME = r"\s*([A-Za-z_][\w.-]*)\s*"
_PLACEHOLDER = re.compile(rf"\{{\{{\{{{_NAME}\}}\}}\}}|\{{\{{{_NAME}\}}\}}")


def list_names(text: str) -> list[str]:
    """The names of the placeholders in a text."""
    return [_read_name(match) for match in _PLACEHOLDER.finditer(text)]


def render(value: Any, context: Mapping[str, Any]) -> Any:
    """A JSON value with the placeholders in its texts filled in; a name that is not known becomes nothing."""
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda match: to_text(context.get(_read_name(match))), value)
    if isinstance(value, Mapping):
        return {name: render(child, context) for name, child in value.items()}
    if isinstance(value, (list, tuple)):
        return [render(child, context) for child in value]
    return value


def to_text(value: Any) -> str:
    """A JSON value as it stands in a text: no quotes around a string, nothing for null."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def render_body(template: str, values: Mapping[str, Any]) -> str:
    """The JSON text of a body template.

    A placeholder inside a string becomes text of that string, one outside becomes a JSON value, null if not known.
    """
    return "".join(_render_pieces(template, values))


def check_body(template: str) -> None:
    """Raises `ValueError`, what is wrong with a body template."""
    if "{{#" in template or "{{/" in template or "{{^" in template or "{{>" in template:
        raise ValueError("must not hold sections; only placeholders such as {{name}} are known")
    try:
        json.loads(render_body(template, {}))
    except (ValueError, RecursionError):
        raise ValueError("must be JSON when its placeholders are filled in") from None


def _read_name(match: re.Match[str]) -> str:
    return match[1] or match[2]


def _render_pieces(template: str, values: Mapping[str, Any]) -> Iterator[str]:
    in_string, position = False, 0
    for match in _PLACEHOLDER.finditer(template):
        literal = template[position : match.start()]
        in_string = _ends_in_string(literal, in_string)
        position = match.end()
        yield literal
        value = values.get(_read_name(match))
        yield json.dumps(to_text(value), ensure_ascii=False)[1:-1] if in_string else json.dumps(value)
    yield template[position:]


def _ends_in_string(literal: str, in_string: bool) -> bool:
    is_escaped = False
    for character in literal:
        if is_escaped:
            is_escaped = False
        elif character == "\\" and in_string:
            is_escaped = True
        elif character == '"':
            in_string = not in_string
    return in_string
