"""Tools as the API shows them: without their secrets, and in a form that may be sent back; pure."""

from typing import Any

from ringdown import values
from ringdown.tools.models import MASK, StaticParameter, Tool
from ringdown.tools.results import RunResult

# Of a parameter, as the wire names it.
_LOCATION = "PARAMETER_LOCATION_{}"


def render_tool(tool: Tool) -> dict[str, object]:
    """The tool as an object of the API."""
    return {
        "id": tool.id,
        "name": tool.name,
        "type": tool.kind,
        "description": tool.description,
        "url": tool.url,
        "method": tool.method,
        "headers": {one.name: _show(one) for one in tool.static_parameters if one.location == "header"},
        "body_template": tool.body_template,
        "timeout_seconds": _to_seconds(tool.timeout_ms),
        "created_at": values.to_wire_time(tool.created_at),
        "updated_at": values.to_wire_time(tool.updated_at),
        "definition": _render_definition(tool),
        "category": tool.category,
        "response_schema": tool.response_schema,
    }


def render_trial(result: RunResult) -> dict[str, object]:
    """What came of a trial."""
    return {
        "status": result.status,
        "duration_ms": result.duration_ms,
        "is_error": result.is_error,
        "response": result.content,
        "request": result.request,
    }


def _render_definition(tool: Tool) -> dict[str, Any]:
    shared = {"modelToolName": tool.model_tool_name, "description": tool.description, "type": tool.kind}
    headers = {one.name: _show(one) for one in tool.static_parameters if one.origin == "header"}
    if tool.kind == "mcp":
        include = None if tool.include is None else list(tool.include)
        return {**shared, "url": tool.url, "headers": headers, "include": include, **_render_security(tool)}
    return {
        **shared,
        "http": None if tool.url is None else {"url": tool.url, "method": tool.method},
        "headers": headers,
        "dynamicParameters": [
            {
                "name": one.name,
                "location": _LOCATION.format(one.location.upper()),
                "schema": one.schema,
                "required": one.required,
            }
            for one in tool.parameters
        ],
        "staticParameters": [
            {"name": one.name, "location": _LOCATION.format(one.location.upper()), "value": _show(one)}
            for one in tool.static_parameters
            if one.origin == "static"
        ],
        **_render_security(tool),
        "body_template": tool.body_template,
        "timeout": values.format_duration(tool.timeout_ms),
    }


def _render_security(tool: Tool) -> dict[str, Any]:
    needed = [one for one in tool.static_parameters if one.origin == "security"]
    if not needed:
        return {}
    requirements = {
        one.requirement: {"httpAuth": {"scheme": one.prefix.strip()}}
        if one.prefix
        else {"headerApiKey": {"name": one.name}}
        for one in needed
    }
    return {
        "requirements": {"httpSecurityOptions": {"options": [{"requirements": requirements}]}},
        "authTokens": {one.requirement: MASK for one in needed if one.value is not None},
    }


def _show(one: StaticParameter) -> Any:
    return MASK if one.is_secret and one.value is not None else one.value


def _to_seconds(duration_ms: int) -> float:
    return duration_ms // 1000 if duration_ms % 1000 == 0 else duration_ms / 1000
