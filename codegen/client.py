"""Writes the resources and schemas of `ringdown.client` from the OpenAPI document of the public API."""

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from codegen import python_types
from codegen.operations import Method, read_methods
from codegen.python_types import render_typed_dict
from ringdown.api.app import BASE_PATH, create_app
from ringdown.config import Settings
from ringdown.db import engine

FOLDER = Path(__file__).parent.parent / "src/ringdown/client/generated"
_NOTE = "Generated from the OpenAPI document by `make generate`; not edited by hand."


def make_document() -> Mapping[str, Any]:
    """The OpenAPI document as the API serves it."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        document: Mapping[str, Any] = create_app(settings, engine.open_database(settings.sqlalchemy_url)).openapi()
        return document


def make_files(document: Mapping[str, Any]) -> dict[str, str]:
    """The text of every generated file, by its name."""
    groups: dict[str, list[Method]] = {}
    for method in read_methods(document, BASE_PATH):
        groups.setdefault(method.group, []).append(method)
    files = {"__init__.py": f'"""{_NOTE}"""\n', "schemas.py": _render_schemas(document, groups)}
    for group, methods in groups.items():
        files[f"{group}.py"] = _render_group(group, methods)
    files["resources.py"] = _render_resources(list(groups))
    return files


def _render_schemas(document: Mapping[str, Any], groups: Mapping[str, Sequence[Method]]) -> str:
    schemas = [
        render_typed_dict(name, schema)
        for name, schema in sorted(document["components"]["schemas"].items())
        if "properties" in schema or schema.get("type") == "object"
    ]
    aliases = [
        f"{name} = {python_types.to_type(schema)}"
        for name, schema in sorted(document["components"]["schemas"].items())
        if not ("properties" in schema or schema.get("type") == "object")
    ]
    queries = [
        render_typed_dict(method.query_name, method.query)
        for methods in groups.values()
        for method in methods
        if method.query
    ]
    head = f'"""Shapes of requests and answers. {_NOTE}"""\n\nfrom __future__ import annotations\n\n'
    imports = "from typing import Any, Literal, Required, TypedDict\n\n"
    return head + imports + "\n\n".join([*schemas, *queries, *aliases]) + "\n"


def _render_group(group: str, methods: Sequence[Method]) -> str:
    title = _to_class(group)
    lines = [
        f'"""{title}. {_NOTE}"""',
        "",
        "from __future__ import annotations",
        "",
        "from collections.abc import AsyncIterator, Iterator, Sequence",
        "from contextlib import AbstractAsyncContextManager, AbstractContextManager",
        "from typing import Any, Unpack",
        "",
        "import httpx2",
        "",
        "from ringdown.client.generated import schemas as s",
        "from ringdown.client.pages import Page",
        "from ringdown.client.resource import AsyncResource, Resource",
        "from ringdown.client.transport import File, Operation, quote",
        "",
        "",
        f"class {title}(Resource):",
        f'    """{title} of the API."""',
        "",
        *(line for method in methods for line in method.render(is_async=False)),
        "",
        f"class Async{title}(AsyncResource):",
        f'    """{title} of the API, for asyncio."""',
        "",
        *(line for method in methods for line in method.render(is_async=True)),
    ]
    return "\n".join(lines) + "\n"


def _render_resources(groups: Sequence[str]) -> str:
    def render(prefix: str, transport: str) -> Iterator[str]:
        yield ""
        yield f"class {prefix}Resources:"
        yield f'    """Everything the API has, by resource{", for asyncio" if prefix else ""}."""'
        yield ""
        yield f"    def __init__(self, transport: {transport}) -> None:"
        for group in groups:
            yield f"        self.{group} = {group}.{prefix}{_to_class(group)}(transport)"
        yield ""

    lines = [
        f'"""All resources of a client. {_NOTE}"""',
        "",
        f"from ringdown.client.generated import {', '.join(sorted(groups))}",
        "from ringdown.client.transport import AsyncTransport, Transport",
        "",
        *render("", "Transport"),
        *render("Async", "AsyncTransport"),
    ]
    return "\n".join(lines)


def _to_class(group: str) -> str:
    return "".join(part.capitalize() for part in group.split("_"))


def main() -> int:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    files = make_files(make_document())
    for path in FOLDER.glob("*.py"):
        if path.name not in files:
            path.unlink()
    for name, text in files.items():
        (FOLDER / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
