"""Writes `docs/api/reference` from the OpenAPI document: one page for each part of the API."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from codegen.client import make_document

FOLDER = Path(__file__).parent.parent / "docs/api/reference"
_NOTE = "Generated from the OpenAPI document by `make generate`; not edited by hand."
_SHARED = ("400", "401", "403", "404", "409", "413", "422", "429", "500")
_WIDTH = 118


def make_files(document: Mapping[str, Any]) -> dict[str, str]:
    """The text of every page, by its name."""
    parts: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            parts.setdefault(operation["tags"][0], []).append((verb.upper(), path, operation))
    pages = {f"{_to_name(part)}.md": _render_part(document, part, found) for part, found in parts.items()}
    pages["README.md"] = _render_index(parts)
    return pages


def _render_index(parts: Mapping[str, Sequence[tuple[str, str, Mapping[str, Any]]]]) -> str:
    lines = ["# Reference", "", _NOTE, ""]
    for part, found in parts.items():
        lines += [f"## [{part}]({_to_name(part)}.md)", ""]
        lines += [
            f"- [`{verb} {path}`]({_to_name(part)}.md#{operation['operationId']})" for verb, path, operation in found
        ]
        lines.append("")
    return "\n".join(lines)


def _render_part(document: Mapping[str, Any], part: str, found: Sequence[tuple[str, str, Mapping[str, Any]]]) -> str:
    lines = [f"# {part}", "", _NOTE, ""]
    for verb, path, operation in found:
        lines += _render_operation(document, verb, path, operation)
    return "\n".join(lines)


def _render_operation(document: Mapping[str, Any], verb: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f'<a id="{operation["operationId"]}"></a>'
    yield ""
    yield f"## {operation['summary']}"
    yield ""
    yield f"`{verb} {path}`" + ("" if operation.get("security") else " (no API key)")
    yield ""
    yield from _wrap(operation.get("description", ""))
    parameters = [one for one in operation.get("parameters", ()) if one["in"] != "header"]
    if parameters:
        yield "| Parameter | In | Type | |"
        yield "|---|---|---|---|"
        for one in parameters:
            needed = "Required. " if one.get("required") else ""
            shown = f"{needed}{one.get('description', '')}{_render_bounds(one['schema'])}"
            yield f"| `{one['name']}` | {one['in']} | {_render_type(one['schema'])} | {_to_cell(shown)} |"
        yield ""
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        yield f"Body (`{kind}`):"
        yield ""
        yield from _render_fields(document, media["schema"])
    yield from _render_answers(document, operation["responses"])


def _render_answers(document: Mapping[str, Any], responses: Mapping[str, Any]) -> Iterator[str]:
    for status, response in responses.items():
        if not status.startswith("2"):
            continue
        for kind, media in response.get("content", {}).items():
            yield f"Answer {status} (`{kind}`): {response['description']}"
            yield ""
            schema = media.get("schema", {})
            data = schema.get("properties", {}).get("data", schema)
            yield from _render_fields(document, data.get("items", data))
    own = [status for status in responses if not status.startswith("2") and status not in _SHARED]
    shared = [status for status in responses if status in _SHARED]
    named = "; ".join(f"{status}: {responses[status]['description']}" for status in own)
    yield from _wrap(f"Refusals: {', '.join(shared)}{'. ' + named if named else ''}")


def _render_fields(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    name, resolved = _resolve(document, schema)
    fields = resolved.get("properties", {})
    if not fields:
        return
    if name:
        yield f"`{name}`:"
        yield ""
    yield "| Field | Type | |"
    yield "|---|---|---|"
    required = resolved.get("required", ())
    for field, member in fields.items():
        needed = "Required. " if field in required and name and not name.endswith("Object") else ""
        default = f" Default `{json.dumps(member['default'])}`." if member.get("default") is not None else ""
        shown = f"{needed}{member.get('description', '')}{default}{_render_bounds(member)}"
        yield f"| `{field}` | {_render_type(member)} | {_to_cell(shown)} |"
    yield ""
    for example in resolved.get("examples", ())[:1]:
        yield "```json"
        yield json.dumps(example, indent=2, ensure_ascii=False)
        yield "```"
        yield ""


def _resolve(document: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[str | None, Mapping[str, Any]]:
    for choice in (schema, *schema.get("anyOf", ())):
        if "$ref" in choice:
            name = choice["$ref"].rpartition("/")[2]
            return name, document["components"]["schemas"][name]
    return None, schema


def _render_type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    for choices in ("anyOf", "oneOf"):
        if choices in schema:
            return " or ".join(dict.fromkeys(_render_type(choice) for choice in schema[choices]))
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_render_type(schema.get('items', {}))}"
    return str(schema.get("format") or kind) if isinstance(kind, str) else " or ".join(kind)


_BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} entries",
    "maxItems": "at most {} entries",
}


def _render_bounds(schema: Mapping[str, Any]) -> str:
    found = [words.format(schema[name]) for name, words in _BOUNDS.items() if name in schema]
    shown = [words.removesuffix("s") if " 1 " in f"{words} " else words for words in found]
    return f" ({', '.join(shown)})" if shown else ""


def _to_cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").strip()


def _wrap(text: str) -> Iterator[str]:
    for paragraph in filter(None, (" ".join(part.split()) for part in text.split("\n\n"))):
        line = ""
        for word in paragraph.split(" "):
            if line and len(line) + len(word) >= _WIDTH:
                yield line
                line = ""
            line = f"{line} {word}" if line else word
        yield line
        yield ""


def _to_name(part: str) -> str:
    return part.lower().replace(" ", "-")


def main() -> int:
    """Write the pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    pages = make_files(make_document())
    for path in FOLDER.glob("*.md"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        (FOLDER / name).write_text(text.rstrip("\n") + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
