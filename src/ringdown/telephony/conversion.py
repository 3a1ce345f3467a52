"""Trunks between the wire and the inside: a request's changes, what must hold together, an answer's JSON; pure."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from ringdown import values
from ringdown.errors import FieldError, ValidationFailed
from ringdown.telephony.models import SECRET_FIELDS, Trunk, TrunkHost, TrunkStatus
from ringdown.telephony.schemas import TrunkHostBody, UpdateTrunk

# `null` changes nothing of these.
_REQUIRED_FIELDS = ("name", "hosts")
_DEFAULTS = {field.name: field.default for field in dataclasses.fields(Trunk)}
_STATUS_FIELDS = ("registration", "registration_error", "is_reachable", "round_trip_ms", "last_error")


def read_changes(body: UpdateTrunk) -> dict[str, Any]:
    """The fields of `Trunk` that the body sets; the secrets among them are not sealed yet."""
    changes: dict[str, Any] = {}
    for name in body.model_fields_set:
        value = getattr(body, name)
        if value is not None:
            changes[name] = _read_list(value) if isinstance(value, list) else value
        elif name not in _REQUIRED_FIELDS:
            changes[name] = _DEFAULTS[name]
    return changes


def _read_list(entries: list[Any]) -> tuple[Any, ...]:
    read = [TrunkHost(**entry.model_dump()) if isinstance(entry, TrunkHostBody) else entry for entry in entries]
    return tuple(dict.fromkeys(read))


def check_trunk(trunk: Trunk) -> None:
    """Refuse fields that do not fit each other. Raises `ValidationFailed`."""
    refused = []
    if trunk.username is None and trunk.registers:
        refused.append(FieldError("username", "is required with registers"))
    if trunk.username is None and trunk.password is not None:
        refused.append(FieldError("username", "is required with password"))
    if (trunk.inbound_username is None) != (trunk.inbound_password is None):
        refused.append(FieldError("inbound_password", "and inbound_username must be set together"))
    if (trunk.tls_certificate is None) != (trunk.tls_private_key is None):
        refused.append(FieldError("tls_private_key", "and tls_certificate must be set together"))
    if refused:
        raise ValidationFailed(refused)


def render_trunk(trunk: Trunk, statuses: Sequence[TrunkStatus]) -> dict[str, object]:
    """The trunk as the API shows it: of secrets only whether they are set."""
    shown = {
        field.name: getattr(trunk, field.name)
        for field in dataclasses.fields(trunk)
        if field.name not in (*SECRET_FIELDS, "organization_id")
    }
    return {
        **shown,
        **{f"has_{name}": getattr(trunk, name) is not None for name in SECRET_FIELDS},
        "status": _render_status(statuses),
        "created_at": values.to_wire_time(trunk.created_at),
        "updated_at": values.to_wire_time(trunk.updated_at),
    }


def _render_status(statuses: Sequence[TrunkStatus]) -> dict[str, object]:
    newest = max(statuses, key=lambda status: status.checked_at, default=None)
    return {
        **{name: getattr(newest, name, None) for name in _STATUS_FIELDS},
        "live_calls": sum(status.live_calls for status in statuses),
        "checked_at": values.to_wire_time(newest.checked_at if newest else None),
        "gateways": [
            {
                "gateway_id": status.gateway_id,
                **{name: getattr(status, name) for name in _STATUS_FIELDS},
                "live_calls": status.live_calls,
                "checked_at": values.to_wire_time(status.checked_at),
            }
            for status in statuses
        ],
    }
