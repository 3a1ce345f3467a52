"""The operations of an OpenAPI document as methods of the client."""

import keyword
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from codegen.python_types import to_type

_JSON = "application/json"
_FORM = "multipart/form-data"
_WIDTH = 112

Kind = Literal["page", "data", "bare", "stream"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method: what it is called, what it takes and what its answer is."""

    group: str
    name: str
    operation_id: str
    summary: str
    verb: str
    path: str
    path_names: tuple[str, ...]
    query: Mapping[str, Any] | None
    body: str | None
    form: Mapping[str, Any] | None
    kind: Kind
    answer: str
    media_types: tuple[str, ...]

    @property
    def query_name(self) -> str:
        """The shape of its query parameters."""
        return "".join(part.capitalize() for part in self.operation_id.split("_")) + "Query"

    def render(self, *, is_async: bool) -> Iterator[str]:
        """The lines of the method, and of the one that goes through all pages."""
        opening, request = ("async def", "await self._transport.") if is_async else ("def", "self._transport.")
        if self.kind == "stream":
            manager = "AbstractAsyncContextManager" if is_async else "AbstractContextManager"
            yield from self._render_head("def", f"{manager}[httpx2.Response]", self.name)
            yield f"        return self._transport.stream({self._render_operation()})"
        elif self.kind == "page":
            yield from self._render_head(opening, f"Page[{self.answer}]", self.name)
            yield f"        return {request}request_page({self._render_operation()})"
        else:
            yield from self._render_head(opening, self.answer, self.name)
            method = "request" if self.kind == "bare" else "request_data"
            yield f"        answer: {self.answer} = {request}{method}({self._render_operation()})"
            yield "        return answer"
        yield ""
        if self.kind == "page" and self.verb == "GET":
            iterator = "AsyncIterator" if is_async else "Iterator"
            name = re.sub("^list", "iterate", self.name)
            yield from self._render_head("def", f"{iterator}[{self.answer}]", name, doc=f"{self.summary}: all pages.")
            yield f"        return self._iterate({self._render_operation()})"
            yield ""

    def _render_head(self, opening: str, returns: str, name: str, *, doc: str | None = None) -> Iterator[str]:
        parameters = ["self", *(f"{name}: str" for name in self.path_names)]
        if self.form is not None or self.verb == "POST":
            parameters.append("*")
        if self.form is not None:
            for key, schema in self.form["properties"].items():
                is_file = schema.get("format") == "binary" or "contentMediaType" in schema
                is_required = key in self.form.get("required", ())
                kind = "File" if is_file else to_type(schema)
                optional = f"{key}: {kind.removesuffix(' | None')} | None = None"
                parameters.append(f"{key}: {kind}" if is_required else optional)
        if self.verb == "POST":
            parameters.append("idempotency_key: str | None = None")
        if self.body is not None:
            parameters.append(f"**body: Unpack[s.{self.body}]")
        elif self.query is not None:
            parameters.append(f"**query: Unpack[s.{self.query_name}]")
        one_line = f"    {opening} {name}({', '.join(parameters)}) -> {returns}:"
        if len(one_line) <= _WIDTH:
            yield one_line
        else:
            yield f"    {opening} {name}("
            yield f"        {', '.join(parameters)}"
            yield f"    ) -> {returns}:"
        yield f'        """{doc or self.summary + "."}"""'

    def _render_operation(self) -> str:
        quoted = re.sub(r"{(\w+)}", r"{quote(\1)}", self.path)
        path = f'f"{quoted}"' if self.path_names else f'"{self.path}"'
        parts = [f'method="{self.verb}"', f"path={path}"]
        if self.form is not None:
            files = [
                key
                for key, schema in self.form["properties"].items()
                if schema.get("format") == "binary" or "contentMediaType" in schema
            ]
            texts = [key for key in self.form["properties"] if key not in files]
            parts.append("files={" + ", ".join(f'"{key}": {key}' for key in files) + "}")
            members = ", ".join(f'"{key}": {key}' for key in texts)
            parts.append(f"form={{name: value for name, value in {{{members}}}.items() if value is not None}}")
        if self.verb == "POST":
            parts.append("idempotency_key=idempotency_key")
        if self.kind == "stream":
            parts.append(f"media_types={self.media_types!r}")
        if self.body is not None:
            parts.append("body={**body}")
        elif self.query is not None:
            parts.append("query={**query}")
        return f"Operation({', '.join(parts)})"


def read_methods(document: Mapping[str, Any], base_path: str) -> Iterator[Method]:
    """Every operation under the base path but PUTs, which do what PATCHes do."""
    for path, operations in document["paths"].items():
        if not path.startswith(base_path):
            continue
        for verb, operation in operations.items():
            if verb != "put" or "patch" not in operations:
                yield _read(path.removeprefix(base_path), verb.upper(), operation)


def _read(path: str, verb: str, operation: Mapping[str, Any]) -> Method:
    group = operation["tags"][0].lower().replace(" ", "_").replace("-", "_")
    content = operation.get("requestBody", {}).get("content", {})
    query = _read_query(operation.get("parameters", []))
    answers = next(response["content"] for status, response in operation["responses"].items() if status[0] == "2")
    kind, answer = _read_answer(answers)
    return Method(
        group=group,
        name=_shorten(operation["operationId"], group),
        operation_id=operation["operationId"],
        summary=operation["summary"],
        verb=verb,
        path=path,
        path_names=tuple(re.findall(r"{(\w+)}", path)),
        query=query,
        body=_find_reference(content[_JSON]["schema"]) if _JSON in content else None,
        form=content[_FORM]["schema"] if _FORM in content else None,
        kind=kind,
        answer=answer,
        media_types=tuple(answers),
    )


def _read_query(parameters: list[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    found = [parameter for parameter in parameters if parameter["in"] == "query"]
    if not found:
        return None
    required = [parameter["name"] for parameter in found if parameter.get("required")]
    return {"properties": {parameter["name"]: parameter["schema"] for parameter in found}, "required": required}


def _read_answer(content: Mapping[str, Any]) -> tuple[Kind, str]:
    if _JSON not in content:
        return "stream", "bytes"
    schema = content[_JSON]["schema"]
    members = schema.get("properties", {})
    if "data" not in members:
        return "bare", _name(schema)
    data = members["data"]
    if "pagination" in members:
        return "page", _name(data["items"])
    if data.get("type") == "array":
        return "data", f"Sequence[{_name(data['items'])}]"
    return "data", _name(data)


def _name(schema: Mapping[str, Any]) -> str:
    return f"s.{to_type(schema)}" if "$ref" in schema else "dict[str, Any]"


def _find_reference(schema: Mapping[str, Any]) -> str | None:
    for choice in (schema, *schema.get("anyOf", ())):
        if "$ref" in choice:
            return to_type(choice)
    return None


def _shorten(operation_id: str, group: str) -> str:
    """`list_calls` of the calls is `list`."""
    for noun in (group, group.removesuffix("s")):
        shortened = operation_id.removesuffix(f"_{noun}")
        if shortened != operation_id and not keyword.iskeyword(shortened):
            return shortened
    return operation_id
