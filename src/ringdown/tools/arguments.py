"""What the model gives a tool: checked against the schemas of its parameters, with errors that the model can read.

Patterns in schemas are told to the model but not enforced: a customer's regular expression could stop the gateway.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import msgspec
import referencing

from ringdown.tools.models import Parameter

_MAX_DEPTH = 20
_MAX_SCHEMA_CHARACTERS = 16_384
_MAX_MESSAGE_CHARACTERS = 300
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


def _ignore(*_: object) -> None:
    return None


_Validator: Any = jsonschema.validators.extend(
    jsonschema.Draft202012Validator, {"pattern": _ignore, "patternProperties": _ignore}
)
# Never fetches a schema from anywhere.
_REGISTRY: Any = referencing.Registry()


class UnusableArguments(ValueError):
    """The arguments do not fit; the message tells the model what to mend."""


def make_schema(parameters: Sequence[Parameter]) -> dict[str, object]:
    """The JSON schema of all parameters together, as the model sees it."""
    return {
        "type": "object",
        "properties": {parameter.name: dict(parameter.schema) for parameter in parameters},
        "required": [parameter.name for parameter in parameters if parameter.required],
        "additionalProperties": False,
    }


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raises `ValueError`, what is wrong with a parameter's JSON schema."""
    if _measure_depth(schema) > _MAX_DEPTH:
        raise ValueError(f"must not be nested deeper than {_MAX_DEPTH} levels")
    if len(json.dumps(schema)) > _MAX_SCHEMA_CHARACTERS:
        raise ValueError(f"must not have more than {_MAX_SCHEMA_CHARACTERS} characters")
    if _has_reference(schema):
        raise ValueError("must be complete in itself, without $ref")
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise ValueError(f"must be a JSON schema: {error.message[:_MAX_MESSAGE_CHARACTERS]}") from None


def parse_arguments(text: str) -> dict[str, Any]:
    """The JSON object that the model wrote. Raises `UnusableArguments`."""
    try:
        arguments = msgspec.json.decode(text or "{}")
    except (ValueError, RecursionError):
        raise UnusableArguments("The arguments are not valid JSON.") from None
    if not isinstance(arguments, dict):
        raise UnusableArguments("The arguments must be a JSON object.")
    return arguments


def read_arguments(parameters: Sequence[Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the parameters, defaults included; texts that mean numbers become such.

    Raises `UnusableArguments`.
    """
    known = {parameter.name: parameter for parameter in parameters}
    unknown = [name for name in given if name not in known]
    if unknown:
        raise UnusableArguments(
            f"There is no parameter {', '.join(unknown)[:_MAX_MESSAGE_CHARACTERS]}; "
            f"there are: {', '.join(known) or 'none'}."
        )
    missing = [one.name for one in parameters if one.required and one.name not in given and "default" not in one.schema]
    if missing:
        raise UnusableArguments(f"Missing: {', '.join(missing)}.")
    values: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.name in given:
            values[parameter.name] = _read_one(parameter, given[parameter.name])
        elif "default" in parameter.schema:
            values[parameter.name] = parameter.schema["default"]
    return values


def _read_one(parameter: Parameter, value: Any) -> Any:
    value = _convert(value, parameter.schema.get("type"))
    validator = _Validator(parameter.schema, registry=_REGISTRY)
    for error in validator.iter_errors(value):
        where = ".".join([parameter.name, *(str(part) for part in error.absolute_path)])
        raise UnusableArguments(f"{where}: {error.message[:_MAX_MESSAGE_CHARACTERS]}.")
    return value


def _convert(value: Any, wanted: Any) -> Any:
    """Models write "5" for 5 and 5 for "5" now and then; a caller should not have to wait for their correction."""
    if wanted == "string" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str) and wanted in ("integer", "number", "boolean"):
        try:
            read = msgspec.json.decode(value.strip().lower())
        except (ValueError, RecursionError):
            return value
        return read if isinstance(read, (bool, int, float)) else value
    return value


def _measure_depth(schema: object) -> int:
    depth, level = 0, [schema]
    while level and depth <= _MAX_DEPTH:
        depth += 1
        level = [child for node in level for child in _list_children(node)]
    return depth


def _list_children(node: object) -> list[object]:
    if isinstance(node, Mapping):
        return list(node.values())
    return list(node) if isinstance(node, list) else []


def _has_reference(schema: Mapping[str, Any]) -> bool:
    level: list[object] = [schema]
    while level:
        if any(isinstance(node, Mapping) and any(name in node for name in _REFERENCES) for node in level):
            return True
        level = [child for node in level for child in _list_children(node)]
    return False
