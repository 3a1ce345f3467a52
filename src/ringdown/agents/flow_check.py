"""Whether a flow can run: its graph."""

from collections.abc import Mapping
from typing import Any

from ringdown import errors
from ringdown.voice.flow import Flow, FlowError


async def check_flow(document: Mapping[str, Any], *, has_model: bool, language: str) -> None:  # noqa: ARG001
    """Raises `ValidationFailed` naming node and field."""
    try:
        Flow.parse(document, has_model=has_model)
    except FlowError as error:
        raise errors.invalid(_name_field(error.node, error.field), error.message) from error


def _name_field(node: str, field: str) -> str:
    return f"flow.nodes.{node}.{field}" if node else f"flow.{field}"
