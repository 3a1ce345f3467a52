"""From what a request or a row tells of a person to the columns of a contact; pure."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from ringdown import errors
from ringdown.contacts import numbers
from ringdown.contacts.models import Contact
from ringdown.contacts.schemas import ContactFields

_COPIED = (
    "first_name",
    "last_name",
    "email",
    "company_name",
    "industry",
    "location",
    "pin_code",
    "keywords",
    "timezone",
)


def read_fields(body: ContactFields, *, region: str) -> dict[str, Any]:
    """The columns that the body names, in whichever spelling. Raises `ValidationFailed` for the number."""
    told = body.model_fields_set
    columns: dict[str, Any] = {name: getattr(body, name) for name in _COPIED if name in told}
    if "name" in told and not (body.first_name or body.last_name):
        first, _, last = (body.name or "").partition(" ")
        columns |= {"first_name": first or None, "last_name": last.strip() or None}
    for name in ("phone_number", "phone"):
        if name in told:
            columns["phone_number"] = read_number(getattr(body, name), field=name, region=region)
    for name in ("custom_fields", "metadata"):
        if name in told:
            columns["custom_fields"] = getattr(body, name) or {}
    return columns


def read_number(text: str | None, *, field: str, region: str) -> str:
    """The E.164 number of a request's field. Raises `ValidationFailed`."""
    if text is None:
        raise errors.invalid(field, "must not be null")
    try:
        return numbers.parse_number(text, region=region)
    except ValueError as error:
        raise errors.invalid(field, str(error)) from None


def merge(present: Contact, told: Contact, *, now_ms: int) -> Contact:
    """What is stored, with what an import tells in its place; custom fields are added to those that are there."""
    changes: dict[str, Any] = {name: getattr(told, name) for name in _COPIED if getattr(told, name) is not None}
    custom_fields: Mapping[str, Any] = {**present.custom_fields, **told.custom_fields}
    return dataclasses.replace(present, **changes, custom_fields=custom_fields, updated_at=now_ms)
