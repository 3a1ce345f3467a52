"""Chat models of OpenAI-compatible servers, streamed, with tools."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openai.types.chat import ChatCompletionChunk

from ringdown import values
from ringdown.providers import openai_client
from ringdown.voice.ports import Message, ProviderError, TextDelta, ToolRequest, ToolSpec

# A model that has lost itself fills no memory.
_MAX_ARGUMENTS, _MAX_TOOLS = 100_000, 64


@dataclass(slots=True)
class _PartialTool:
    """A tool call whose pieces are still coming."""

    index: int | None = None
    tool_call_id: str = ""
    name: str = ""
    arguments: str = ""


class OpenAIChat:
    """A chat model (`LanguageModel`).

    `timeout_s` bounds the wait for each piece of the answer; `parameters` are added to each request. Some models
    refuse a temperature: `has_temperature=False` sends none.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str | None,
        model: str,
        timeout_s: float = 15.0,
        has_temperature: bool = True,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        self._client = openai_client.open_client(base_url=base_url, api_key=api_key, timeout_s=timeout_s)
        self._model = model
        self._timeout_s = timeout_s
        self._has_temperature = has_temperature
        self._parameters = dict(parameters or {})

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def reply(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec] = (), temperature: float = 0.3
    ) -> AsyncIterator[TextDelta | ToolRequest]:
        """Stream the next message of the assistant; tool requests come whole, after the text.

        Closing the iterator cancels the request. Raises `ProviderError`.
        """
        request: dict[str, Any] = {
            "model": self._model,
            "messages": [render_message(message) for message in messages],
            "stream": True,
            **self._parameters,
        }
        if self._has_temperature:
            request["temperature"] = temperature
        if tools:
            request["tools"] = [_render_tool(tool) for tool in tools]
        partial: list[_PartialTool] = []
        reason: str | None = None
        with openai_client.translate_errors():
            async with asyncio.timeout(self._timeout_s):
                stream = await self._client.chat.completions.create(**request)
            async with contextlib.aclosing(stream):
                async for chunk in openai_client.bound(aiter(stream), timeout_s=self._timeout_s):
                    text, ended = _read_chunk(chunk, partial)
                    reason = ended or reason
                    if text:
                        yield TextDelta(text)
        _check_end(reason)
        for number, tool in enumerate(partial):
            yield _finish_tool(tool, number)


def render_message(message: Message) -> dict[str, Any]:
    """A message in the format of the chat API."""
    rendered: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_call_id is not None:
        rendered["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        rendered["content"] = message.content or None
        rendered["tool_calls"] = [
            {
                "id": call.tool_call_id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    return rendered


def _render_tool(tool: ToolSpec) -> dict[str, Any]:
    parameters = dict(tool.parameters) or {"type": "object", "properties": {}}
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "function": function}


def _read_chunk(chunk: ChatCompletionChunk, partial: list[_PartialTool]) -> tuple[str, str | None]:
    """The chunk's text and the reason why the answer ends, if it does; pieces of tool calls are collected.

    The client library does not check chunks, so that any field may be missing.
    """
    choices = getattr(chunk, "choices", None)
    if not choices:
        return "", None  # the usage, or a keep-alive
    delta = getattr(choices[0], "delta", None)
    for piece in getattr(delta, "tool_calls", None) or ():
        _add_piece(piece, partial)
    text = values.clean_text(getattr(delta, "content", None) or "")
    return text, getattr(choices[0], "finish_reason", None)


def _add_piece(piece: Any, partial: list[_PartialTool]) -> None:
    tool_call_id = getattr(piece, "id", None) or ""
    function = getattr(piece, "function", None)
    name = getattr(function, "name", None) or ""
    tool = _find_tool(getattr(piece, "index", None), tool_call_id, name, partial)
    tool.tool_call_id = tool.tool_call_id or tool_call_id
    if name != tool.name:  # some servers repeat it with each piece
        tool.name += name
    arguments = getattr(function, "arguments", None)
    if arguments is not None:
        tool.arguments += values.clean_text(arguments if isinstance(arguments, str) else json.dumps(arguments))
    if len(tool.arguments) > _MAX_ARGUMENTS or len(partial) > _MAX_TOOLS:
        raise ProviderError(openai_client.PROVIDER, "a tool request without end", retryable=True)


def _find_tool(index: int | None, tool_call_id: str, name: str, partial: list[_PartialTool]) -> _PartialTool:
    """The call that a piece belongs to. Some servers send no index, or the same one for all calls."""
    known = [tool for tool in partial if tool.index == index]
    if known and (not tool_call_id or known[-1].tool_call_id in ("", tool_call_id)):
        is_another = index is None and not tool_call_id and name and known[-1].name
        if not is_another:
            return known[-1]
    partial.append(_PartialTool(index))
    return partial[-1]


def _check_end(reason: str | None) -> None:
    if reason is None:
        raise ProviderError(openai_client.PROVIDER, "the answer broke off", retryable=True)
    if reason == "content_filter":
        raise ProviderError(openai_client.PROVIDER, "the answer was withheld (content_filter)", retryable=False)


def _finish_tool(tool: _PartialTool, number: int) -> ToolRequest:
    arguments = tool.arguments.strip() or "{}"
    try:
        is_object = isinstance(json.loads(arguments), dict)
    except (ValueError, RecursionError):
        is_object = False
    if not tool.name or not is_object:
        raise ProviderError(openai_client.PROVIDER, "a tool request that cannot be read", retryable=True)
    return ToolRequest(tool_call_id=tool.tool_call_id or f"call_{number}", name=tool.name, arguments=arguments)
