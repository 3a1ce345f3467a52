"""Values that a JSON schema does not allow, for one member of a body or for all of them at once."""

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema

Schema = Mapping[str, Any]

_OF_ANOTHER_KIND: dict[str, Any] = {
    "an object": {"no": "such"},
    "a list": ["no such"],
    "a text": "\N{NO ENTRY} no such",
    "a fraction": 0.5,
    "a truth": True,
    "null": None,
}


def is_allowed(schema: Schema, value: Any, components: Schema) -> bool:
    """Whether the schema allows the value."""
    return jsonschema.Draft202012Validator({**schema, "components": components}).is_valid(value)


def list_choices(schema: Schema, components: Schema) -> list[Schema]:
    """The schemas that stand behind references and unions."""
    if "$ref" in schema:
        return list_choices(components["schemas"][schema["$ref"].rpartition("/")[2]], components)
    choices = schema.get("anyOf", ()) or schema.get("oneOf", ())
    if choices and "properties" not in schema:
        return [one for choice in choices for one in list_choices(choice, components)]
    return [schema]


def find_object(schema: Schema, components: Schema) -> Schema | None:
    """The one object with members that the schema may stand for."""
    found = [choice for choice in list_choices(schema, components) if choice.get("properties")]
    return found[0] if len(found) == 1 else None


def list_wrong(schema: Schema, components: Schema) -> Iterator[tuple[str, Any]]:
    """Values that the schema does not allow, each with what is wrong."""
    limits = {name: bound for choice in list_choices(schema, components) for name, bound in choice.items()}
    wrong = dict(_OF_ANOTHER_KIND)
    if "maxLength" in limits:
        wrong["too long"] = "x" * (limits["maxLength"] + 1)
    if "minLength" in limits:
        wrong["too short"] = ""
    if "maxItems" in limits:
        wrong["too many"] = ["x"] * (limits["maxItems"] + 1)
    if "minItems" in limits:
        wrong["too few"] = []
    if "maximum" in limits:
        wrong["too large"] = round(limits["maximum"]) + 1
    if "minimum" in limits:
        wrong["too small"] = round(limits["minimum"]) - 1
    for what, value in wrong.items():
        if not is_allowed(schema, value, components):
            yield what, value


def list_wrong_members(
    schema: Schema, components: Schema, *, without: frozenset[str]
) -> dict[str, tuple[dict[str, Any], set[str]]]:
    """By what is wrong: a body of which as many members as possible are wrong in this way, and their names."""
    found: dict[str, tuple[dict[str, Any], set[str]]] = {}
    for name, member in schema["properties"].items():
        if name in without:
            continue
        for what, value in list_wrong(member, components):
            body, names = found.setdefault(what, ({}, set()))
            body[name] = value
            names.add(name)
        inside = find_object(member, components)
        inner = list_wrong_members(inside, components, without=without) if inside else {}
        for what, (value, wrong) in inner.items():
            body, names = found.setdefault(f"inside, {what}", ({}, set()))
            body[name] = value
            names |= {f"{name}.{one}" for one in wrong}
    return found
