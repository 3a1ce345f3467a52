"""Pipecat's language models behind our port."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    FunctionCallFromLLM,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMTextFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext

from ringdown.providers import openai_chat
from ringdown.providers.pipecat_host import ServicePool
from ringdown.providers.pipecat_plan import ServicePlan
from ringdown.voice.ports import Message, ProviderError, TextDelta, ToolRequest, ToolSpec


class PipecatModel:
    """A chat model (`LanguageModel`)."""

    def __init__(self, plan: ServicePlan) -> None:
        self._plan = plan
        # Services keep their temperature; agents have few different ones.
        self._pools: dict[float, ServicePool] = {}

    async def close(self) -> None:
        """Close the services that are idle, and later the others."""
        for pool in self._pools.values():
            await pool.close()

    async def reply(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec] = (), temperature: float = 0.3
    ) -> AsyncIterator[TextDelta | ToolRequest]:
        """Stream the next message of the assistant; tool requests come whole, after the text.

        Closing the iterator cancels the request. Raises `ProviderError`.
        """
        requests: list[ToolRequest] = []

        async def take_calls(calls: Sequence[FunctionCallFromLLM]) -> None:
            requests.extend(_to_request(call) for call in calls)

        has_text = False
        pool = self._find_pool(temperature)
        async with pool.borrow() as host:
            host.service.run_function_calls = take_calls  # who asked runs them
            await host.send(LLMContextFrame(_build_context(messages, tools)))
            while not isinstance(frame := await host.receive(timeout_s=pool.timeout_s), LLMFullResponseEndFrame):
                if isinstance(frame, LLMTextFrame) and frame.text:
                    has_text = True
                    yield TextDelta(frame.text)
            for request in requests:
                yield request
            if not has_text and not requests:
                raise ProviderError(host.name, "the answer was empty", retryable=True)

    def _find_pool(self, temperature: float) -> ServicePool:
        pool = self._pools.get(temperature)
        if pool is None:
            changes = {"temperature": temperature} if self._plan.has_temperature else {}
            pool = self._pools[temperature] = ServicePool(
                self._plan.provider.name,
                lambda session: self._plan.build(session=session, **changes),
                timeout_s=self._plan.provider.timeout_seconds,
            )
        return pool


def build_tools(tools: Sequence[ToolSpec]) -> ToolsSchema:
    """The tools as Pipecat's services take them; each has its own format of them."""
    return ToolsSchema(standard_tools=[_build_tool(tool) for tool in tools])


def _build_tool(tool: ToolSpec) -> FunctionSchema:
    schema: dict[str, Any] = dict(tool.parameters)
    return FunctionSchema(
        name=tool.name,
        description=tool.description,
        properties=dict(schema.get("properties") or {}),
        required=list(schema.get("required") or ()),
    )


def _build_context(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> LLMContext:
    rendered: list[Any] = [openai_chat.render_message(message) for message in messages]
    return LLMContext(rendered, tools=build_tools(tools)) if tools else LLMContext(rendered)


def _to_request(call: FunctionCallFromLLM) -> ToolRequest:
    return ToolRequest(call.tool_call_id, call.function_name, json.dumps(dict(call.arguments)))
