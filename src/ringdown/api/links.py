"""OpenAPI links: from the answer that holds a new thing's id to the operations that take it."""

import re
from typing import Any

_NAME = re.compile(r"{(\w+)}")


def add_links(document: dict[str, Any]) -> None:
    """Describe at every creating POST what can be done with what it made.

    The id of what `POST /voices` and `POST /voices/clone` make is the `voice_id` of `/voices/{voice_id}`.
    """
    paths = document["paths"]
    for path, operations in paths.items():
        made = operations.get("post", {}).get("responses", {}).get("201")
        name = _find_id_name(path, paths)
        if made is None or name is None or not _has_id(made, document["components"]["schemas"]):
            continue
        given = {known: f"$request.path.{known}" for known in _NAME.findall(path)}
        made["links"] = _list_links({**given, name: "$response.body#/data/id"}, name, paths)


def _find_id_name(path: str, paths: dict[str, Any]) -> str | None:
    """The name of the id that stands below the path or in place of its last part."""
    for parent in (path, path.rpartition("/")[0]):
        below = (_NAME.fullmatch(other.removeprefix(f"{parent}/")) for other in paths)
        found = next((match[1] for match in below if match), None)
        if found is not None:
            return found
    return None


def _has_id(answer: dict[str, Any], schemas: dict[str, Any]) -> bool:
    wrapped = answer["content"]["application/json"]["schema"]
    name = wrapped.get("properties", {}).get("data", {}).get("$ref", "").rpartition("/")[2]
    return "id" in schemas.get(name, {}).get("properties", {})


def _list_links(values: dict[str, str], name: str, paths: dict[str, Any]) -> dict[str, Any]:
    links: dict[str, Any] = {}
    for path, operations in paths.items():
        taken = _NAME.findall(path)
        if f"{{{name}}}" not in path.split("/") or not values.keys() >= set(taken):
            continue
        for operation in operations.values():
            parameters = {parameter: values[parameter] for parameter in taken}
            links[operation["operationId"]] = {"operationId": operation["operationId"], "parameters": parameters}
    return links
