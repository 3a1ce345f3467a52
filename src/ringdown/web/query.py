"""Query parameters: nothing that is unknown or given twice is silently ignored."""

from collections.abc import Mapping
from types import UnionType
from typing import Union, get_args, get_origin

from fastapi import Request, params
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params

from ringdown.errors import FieldError, ValidationFailed


def list_parameters(dependant: Dependant) -> Mapping[str, bool]:
    """The query parameters that an endpoint reads, and whether each may be given more than once."""
    return {
        field.alias: _is_sequence(field.field_info.annotation)
        for field in get_flat_params(dependant)
        if isinstance(field.field_info, params.Query)
    }


def refuse_unread(request: Request, known: Mapping[str, bool]) -> None:
    """Refuse parameters that the endpoint would not read; raises `ValidationFailed` naming those it knows."""
    refused: list[FieldError] = []
    seen: set[str] = set()
    for name, _value in request.query_params.multi_items():
        if name not in known:
            refused.append(FieldError(name, _describe_known(known)))
        elif name in seen and not known[name]:
            refused.append(FieldError(name, "may be given only once"))
        seen.add(name)
    if refused:
        raise ValidationFailed(list(dict.fromkeys(refused)))


def _describe_known(known: Mapping[str, bool]) -> str:
    if not known:
        return "is not a known query parameter; this endpoint takes none"
    return f"is not a known query parameter; known are: {', '.join(sorted(known))}"


def _is_sequence(annotation: object) -> bool:
    if get_origin(annotation) in (Union, UnionType):
        return any(_is_sequence(member) for member in get_args(annotation))
    return get_origin(annotation) in (list, tuple, set, frozenset)
