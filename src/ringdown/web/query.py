"""Query parameters: nothing that is unknown or given twice is silently ignored."""

from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from fastapi import Request, params
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params
from pydantic import BeforeValidator

from ringdown.errors import FieldError, ValidationFailed

# How a family of parameters, whose names only the client knows, stands among the known ones.
_MEMBER = ".<key>"


def _restore_plus(value: object) -> object:
    # A `+` that was not encoded is a space in a URL, and every number begins with one.
    return f"+{value[1:]}" if isinstance(value, str) and value.startswith(" ") else value


#: A phone number as a parameter.
Number = Annotated[str, BeforeValidator(_restore_plus)]


def list_parameters(dependant: Dependant, openapi_extra: Mapping[str, Any] | None = None) -> Mapping[str, bool]:
    """The query parameters that an endpoint reads, and whether each may be given more than once.

    Families are those that the route's `openapi_extra` describes with the style `deepObject`; see `read_members`.
    """
    known = {
        field.alias: _is_sequence(field.field_info.annotation)
        for field in get_flat_params(dependant)
        if isinstance(field.field_info, params.Query)
    }
    described = (openapi_extra or {}).get("parameters", ())
    return known | {f"{one['name']}{_MEMBER}": False for one in described if one.get("style") == "deepObject"}


def read_members(request: Request, family: str) -> Mapping[str, str]:
    """The parameters of a family by their keys: `family.key=value`, or `family[key]=value` as clients are generated.

    Raises `ValidationFailed` for a key that is given twice.
    """
    members: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        key = _find_key(name, family)
        if key is None:
            continue
        if key in members:
            raise ValidationFailed([FieldError(name, "may be given only once")])
        members[key] = value
    return members


def refuse_unread(request: Request, known: Mapping[str, bool]) -> None:
    """Refuse parameters that the endpoint would not read; raises `ValidationFailed` naming those it knows."""
    refused: list[FieldError] = []
    seen: set[str] = set()
    for name, _value in request.query_params.multi_items():
        if name not in known and not _is_member(name, known):
            refused.append(FieldError(name, _describe_known(known)))
        elif name in seen and not known.get(name):
            refused.append(FieldError(name, "may be given only once"))
        seen.add(name)
    if refused:
        raise ValidationFailed(list(dict.fromkeys(refused)))


def _is_member(name: str, known: Mapping[str, bool]) -> bool:
    families = (one.removesuffix(_MEMBER) for one in known if one.endswith(_MEMBER))
    return any(_find_key(name, family) is not None for family in families)


def _find_key(name: str, family: str) -> str | None:
    if name.startswith(f"{family}."):
        return name[len(family) + 1 :]
    if name.startswith(f"{family}[") and name.endswith("]"):
        return name[len(family) + 1 : -1]
    return None


def _describe_known(known: Mapping[str, bool]) -> str:
    if not known:
        return "is not a known query parameter; this endpoint takes none"
    return f"is not a known query parameter; known are: {', '.join(sorted(known))}"


def _is_sequence(annotation: object) -> bool:
    if get_origin(annotation) in (Union, UnionType):
        return any(_is_sequence(member) for member in get_args(annotation))
    return get_origin(annotation) in (list, tuple, set, frozenset)
