"""JSON Schema as Python types: annotations and `TypedDict` classes."""

import keyword
from collections.abc import Mapping
from typing import Any

_SIMPLE = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


def to_type(schema: Mapping[str, Any]) -> str:
    """The annotation of a value; `Any` where the schema says nothing."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "const" in schema:
        return f"Literal[{schema['const']!r}]"
    if "enum" in schema:
        return f"Literal[{', '.join(repr(value) for value in schema['enum'])}]"
    for name in ("anyOf", "oneOf"):
        if name in schema:
            return " | ".join(dict.fromkeys(to_type(choice) for choice in schema[name]))
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(dict.fromkeys(to_type({**schema, "type": one}) for one in kind))
    if kind == "array":
        return f"list[{to_type(schema.get('items', {}))}]"
    if kind == "object":
        members = schema.get("additionalProperties")
        return f"dict[str, {to_type(members) if isinstance(members, Mapping) else 'Any'}]"
    return _SIMPLE.get(str(kind), "Any")


def render_typed_dict(name: str, schema: Mapping[str, Any]) -> str:
    """The definition of an object; what may be left out is not required."""
    required = set(schema.get("required", ()))
    fields = {
        key: f"Required[{to_type(member)}]" if key in required else to_type(member)
        for key, member in schema.get("properties", {}).items()
    }
    if not fields:
        return f"{name} = dict[str, Any]\n"
    if all(key.isidentifier() and not keyword.iskeyword(key) for key in fields):
        lines = "".join(f"    {key}: {annotation}\n" for key, annotation in fields.items())
        return f"class {name}(TypedDict, total=False):\n{lines}"
    entries = "".join(f'    "{key}": "{annotation}",\n' for key, annotation in fields.items())
    return f'{name} = TypedDict("{name}", {{\n{entries}}}, total=False)\n'
