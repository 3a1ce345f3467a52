"""Sentences for refused values: what is allowed, in words for the person who sent the request."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ringdown.errors import FieldError

# pydantic's error type -> our sentence; `{…}` are the error's own facts.
_SENTENCES = {
    "missing": "is required",
    "missing_argument": "is required",
    "extra_forbidden": "is not a known field",
    "string_type": "must be a string",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match the pattern {pattern}",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "set_type": "must be a list",
    "dict_type": "must be an object",
    "mapping_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dataclass_type": "must be an object",
    "none_required": "must be null",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "literal_error": "must be one of: {choices}",
    "enum": "must be one of: {choices}",
    "datetime_type": "must be an ISO 8601 time such as 2026-04-05T10:00:00Z",
    "datetime_parsing": "must be an ISO 8601 time such as 2026-04-05T10:00:00Z",
    "datetime_from_date_parsing": "must be an ISO 8601 time such as 2026-04-05T10:00:00Z",
    "datetime_object_invalid": "must be an ISO 8601 time such as 2026-04-05T10:00:00Z",
    "date_type": "must be an ISO 8601 date such as 2026-04-05",
    "date_parsing": "must be an ISO 8601 date such as 2026-04-05",
    "date_from_datetime_parsing": "must be an ISO 8601 date such as 2026-04-05",
    "url_type": "must be a URL",
    "url_parsing": "must be a URL",
    "url_scheme": "must be a URL beginning with {expected_schemes}",
    "string_unicode": "must be text in UTF-8",
}


def explain(found_errors: Iterable[Mapping[str, Any]], *, body: Any = None) -> list[FieldError]:
    """The refused fields of pydantic's errors, one entry each, in the order in which they were found.

    Locations begin with the source: `body` is what was sent there.

    A field that fits no alternative of a union gets one entry that names them all.
    """
    reasons: dict[str, list[str]] = {}
    for item in found_errors:
        field = _name_field(item["loc"], body)
        found = reasons.setdefault(field, [])
        reason = _describe(item)
        if reason not in found:
            found.append(reason)
    return [FieldError(field, _join(found)) for field, found in reasons.items()]


def _name_field(location: Sequence[int | str], body: Any) -> str:
    source, *path = location
    if source != "body":
        return ".".join(str(part) for part in path) or str(source)
    return ".".join(str(part) for part in _keep_real_parts(path, body)) or "body"


def _keep_real_parts(path: Sequence[int | str], body: Any) -> list[int | str]:
    # pydantic puts the names of union members and validators into the path; only what the sender wrote is kept, and
    # the last part when it names the field that is missing.
    kept: list[int | str] = []
    current = body
    for position, part in enumerate(path):
        is_last = position == len(path) - 1
        if isinstance(current, Mapping) and isinstance(part, str):
            if part in current:
                kept.append(part)
                current = current[part]
            elif is_last:
                kept.append(part)
        elif isinstance(current, list) and isinstance(part, int) and part < len(current):
            kept.append(part)
            current = current[part]
    return kept


def _describe(item: Mapping[str, Any]) -> str:
    facts: dict[str, Any] = dict(item.get("ctx") or {})
    kind = item["type"]
    if kind in ("value_error", "assertion_error"):
        return str(facts.get("error", item["msg"]))
    sentence = _SENTENCES.get(kind)
    if sentence is None:
        message = str(item["msg"])
        return message[:1].lower() + message[1:]
    if "expected" in facts:
        facts["choices"] = str(facts["expected"]).replace("'", "").replace(" or ", ", ")
    return sentence.format(**facts)


def _join(reasons: Sequence[str]) -> str:
    if len(reasons) == 1:
        return reasons[0]
    shared = "must be "
    if all(reason.startswith(shared) for reason in reasons):
        return shared + " or ".join(reason.removeprefix(shared) for reason in reasons)
    return " or ".join(reasons)
