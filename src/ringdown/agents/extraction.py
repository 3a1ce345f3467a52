"""The schema into which an agent's calls are extracted: what it must be, and whether something fits it."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from ringdown.tools import arguments
from ringdown.tools.models import Parameter

#: What the extraction is called where it stands, and so in what is said about its faults.
FIELD = "structured_data"
_NO = ("no", "false", "0")
_YES = ("yes", "true", "1")
_MAX_DIGITS = 18


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raises `ValueError`, what is wrong with the schema."""
    arguments.check_schema(schema)
    if schema.get("type", "object") != "object":
        raise ValueError("must describe an object")
    if '"patternProperties"' in json.dumps(schema):  # the validator would run these, however long they take
        raise ValueError("must not have patternProperties")


def find_fault(schema: Mapping[str, Any], extracted: object) -> str | None:
    """The first thing that does not fit the schema, as a sentence; patterns are not enforced."""
    if not isinstance(extracted, Mapping):
        return f"{FIELD} is no object."
    try:
        check_schema(schema)  # of an agent that is older than this rule
        arguments.read_arguments([Parameter(FIELD, "body", schema)], {FIELD: extracted})
    except arguments.UnusableArguments as error:
        return str(error)
    except ValueError as error:
        return f"extraction_schema {error}."
    except ArithmeticError:
        return f"{FIELD} has a number that cannot be compared."
    return None


def extract_from_answers(schema: Mapping[str, Any], answers: Mapping[str, str]) -> dict[str, Any]:
    """Those answers of a flow that the schema names, as values of the types that it wants."""
    properties = schema.get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    return {name: _convert(answer, known[name]) for name, answer in answers.items() if name in known}


def _convert(answer: str, schema: object) -> object:
    wanted = schema.get("type") if isinstance(schema, Mapping) else None
    word = answer.strip().lower()
    if wanted == "boolean" and word in (*_YES, *_NO):
        return word in _YES
    if wanted in ("integer", "number") and len(word) <= _MAX_DIGITS:
        try:
            return msgspec.json.decode(word, type=int if wanted == "integer" else float)
        except msgspec.DecodeError:
            return answer
    return answer
