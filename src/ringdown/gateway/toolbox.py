"""The tools of one live call: built in, of the organization, and the search of its knowledge; every use is noted."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog

from ringdown.calls import callback
from ringdown.calls.models import ClaimedCall, TranscriptTurn
from ringdown.contacts import dnc_service
from ringdown.db.engine import UNAVAILABLE
from ringdown.errors import RingdownError
from ringdown.gateway import builtin_tools
from ringdown.gateway.patience import keep_trying
from ringdown.gateway.services import Services
from ringdown.knowledge.search import search_knowledge
from ringdown.telephony import permission
from ringdown.telephony.models import Trunk
from ringdown.tools import store as tool_store
from ringdown.tools.models import BUILTIN_NAMES
from ringdown.tools.session import ToolSession
from ringdown.voice import opt_out
from ringdown.voice.ports import ToolRequest, ToolResult, ToolSpec

log = structlog.get_logger(__name__)

Note = Callable[[str, Mapping[str, object]], None]

_PASSAGES = 4
#: What of arguments, results and names is kept in events, in characters.
MAX_NOTED, MAX_NAME = 2000, 64
_NOT_NOW = ToolResult("That is not possible at the moment.", is_error=True)


class CallToolBox:
    """Implements `voice.ports.ToolBox`. `open` before the conversation, `close` after it."""

    def __init__(self, services: Services, claimed: ClaimedCall, *, trunk: Trunk | None, note: Note) -> None:
        self._services = services
        self._call = claimed.call
        self._agent = claimed.agent
        self._trunk = trunk
        self._note = note
        self._permitted = builtin_tools.list_permitted(claimed.agent, claimed.call)
        self._session: ToolSession | None = None
        self._opening: asyncio.Task[None] | None = None
        self._has_opted_out = False

    async def open(self) -> None:
        """Read the agent's tools; servers that list theirs are asked in the background."""
        agent = self._agent
        if not agent.tools:
            return
        async with self._services.database.read() as connection:
            tools = await tool_store.find_tools(connection, agent.organization_id, agent.tools)
        self._session = ToolSession(tools, runner=self._services.tools, context=self._make_context())
        self._opening = asyncio.create_task(self._session.open())

    async def close(self) -> None:
        """Let go of connections. Safe twice."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def honour(self, turns: Sequence[TranscriptTurn]) -> None:
        """The call is over: who asked with their last words not to be called any more gets that without an answer."""
        last = next((turn.text for turn in reversed(turns) if turn.speaker == "contact"), "")
        is_able = builtin_tools.OPT_OUT in self._permitted and not self._has_opted_out
        if is_able and opt_out.is_asked(last):
            await keep_trying(lambda: self._opt_out("asked for it with the last words of the call"))

    # --- the port ----------------------------------------------------------------------------------------------------

    def specs(self) -> Sequence[ToolSpec]:
        """The tools that the model may use now."""
        own = () if self._session is None else self._session.specs()
        return [*builtin_tools.list_specs(self._agent, self._call), *own]

    async def call(self, request: ToolRequest) -> ToolResult:
        """Use a tool; faults are results."""
        started = time.monotonic()
        name = request.name[:MAX_NAME]
        self._note("tool.started", {"name": name, "arguments": request.arguments[:MAX_NOTED]})
        try:
            result = await self._use(request)
        except (ValueError, RingdownError) as error:
            result = ToolResult(str(error), is_error=True)
        except UNAVAILABLE as error:
            log.warning("tool failed: database away", call_id=self._call.id, tool=name, error=str(error))
            result = _NOT_NOW
        self._note(
            "tool.finished",
            {
                "name": name,
                "duration_ms": round((time.monotonic() - started) * 1000),
                "is_error": result.is_error,
                "result": result.content[:MAX_NOTED],
            },
        )
        return result

    def check(self, request: ToolRequest) -> ToolResult | None:
        """What keeps a tool that runs after the words from being begun; None: nothing."""
        try:
            self._check(request)
        except ValueError as error:
            return ToolResult(str(error), is_error=True)
        return None

    async def _use(self, request: ToolRequest) -> ToolResult:
        if request.name not in BUILTIN_NAMES:
            if self._session is None:
                raise _no_tool(request)
            own = await self._session.call(request)
            return ToolResult(own.content, is_error=own.is_error)
        if request.name not in self._permitted:
            raise _no_tool(request)
        arguments = builtin_tools.read_arguments(request)
        match request.name:
            case builtin_tools.SEARCH_KNOWLEDGE:
                return await self._search(builtin_tools.read_query(arguments))
            case builtin_tools.SCHEDULE_CALLBACK:
                return await self._promise(builtin_tools.read_callback(arguments))
            case builtin_tools.OPT_OUT:
                return await self._opt_out(builtin_tools.read_reason(arguments))
        raise ValueError(f"The tool {request.name} runs after the words.")

    def _check(self, request: ToolRequest) -> None:
        arguments = builtin_tools.read_arguments(request)
        match request.name:
            case builtin_tools.TRANSFER:
                transfer = builtin_tools.read_transfer(self._agent, arguments)
                refusal = permission.find_refusal(transfer.to, settings=self._services.settings, trunk=self._trunk)
                if refusal is not None:
                    raise ValueError(f"That number may not be called: {refusal.message}.")
            case builtin_tools.SEND_DIGITS:
                builtin_tools.read_digits(arguments)
            case builtin_tools.LEAVE_VOICEMAIL:
                builtin_tools.read_message(arguments)

    async def _search(self, query: str) -> ToolResult:
        passages = await search_knowledge(
            self._services.database,
            organization_id=self._agent.organization_id,
            knowledge_base_ids=self._agent.knowledge_bases,
            query=query,
            limit=_PASSAGES,
            embedder=self._services.embedder,
        )
        found: list[dict[str, Any]] = [
            {
                "source_id": passage.source_id,
                "source_name": passage.source_name,
                "text": passage.text,
                "score": round(passage.score, 4),
            }
            for passage in passages
        ]
        self._note("knowledge.searched", {"query": query, "passages": found})
        shown = [{"source": passage["source_name"], "text": passage["text"]} for passage in found]
        return ToolResult(json.dumps({"passages": shown}, ensure_ascii=False))

    async def _promise(self, wanted: builtin_tools.Callback) -> ToolResult:
        call_id = await callback.schedule_callback(
            self._services.database, call=self._call, at_ms=wanted.at_ms, reason=wanted.reason
        )
        return ToolResult(json.dumps({"scheduled": True, "call_id": call_id}))

    async def _opt_out(self, reason: str | None) -> ToolResult:
        call = self._call
        is_new = await dnc_service.add_during_call(
            self._services.database,
            organization_id=call.organization_id,
            number=call.phone_number,
            reason=reason,
            call_id=call.id,
        )
        self._has_opted_out = True
        self._note("contact.opted_out", {"is_new": is_new})
        return ToolResult(json.dumps({"opted_out": True}))

    def _make_context(self) -> Mapping[str, str]:
        call = self._call
        known = {
            "call_id": call.id,
            "agent_id": call.agent_id,
            "organization_id": call.organization_id,
            "direction": call.direction,
            "caller_number": call.phone_number,
            "called_number": call.to_number,
        }
        return {**call.variables, **{name: value for name, value in known.items() if value is not None}}


def _no_tool(request: ToolRequest) -> ValueError:
    return ValueError(f"There is no tool {request.name[:MAX_NAME]}.")
