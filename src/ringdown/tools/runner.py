"""Runs the HTTP tools of customers: checks the arguments, sends the request, retries once where that is safe."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from ringdown import outbound
from ringdown.outbound import OutboundClient, OutboundError
from ringdown.secret import SecretBox, SecretUnreadable
from ringdown.tools import arguments, requests, results
from ringdown.tools.arguments import UnusableArguments
from ringdown.tools.models import StaticParameter, Tool
from ringdown.tools.requests import NotSetUp, ToolHttpRequest
from ringdown.tools.results import RunResult
from ringdown.voice.ports import ToolSpec

_log = structlog.get_logger(__name__)

_MAX_BYTES = 1024 * 1024
_RETRY_PAUSE_S = 0.1
_PASSING_STATUSES = (502, 503, 504)
# Doing these twice is doing them once (RFC 9110 §9.2.2).
_IDEMPOTENT_METHODS = ("GET", "PUT", "DELETE")
_MAX_REDIRECTS = 3
UNREADABLE = "This tool is not set up: a stored secret of it cannot be read."


class ToolRunner:
    """Runs tools of any call. `clock` counts seconds."""

    def __init__(self, client: OutboundClient, box: SecretBox, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.client = client
        self._box = box
        self._clock = clock

    def spec(self, tool: Tool) -> ToolSpec:
        """The tool as the model sees it."""
        return ToolSpec(tool.model_tool_name, tool.description or tool.name, arguments.make_schema(tool.parameters))

    def open_secret(self, parameter: StaticParameter) -> str:
        """The plain value of a sealed parameter. Raises `SecretUnreadable`."""
        return self._box.unseal(parameter.value)

    async def run(self, tool: Tool, given: Mapping[str, Any], *, context: Mapping[str, str]) -> RunResult:
        """Call an HTTP tool with the model's arguments; `context` are the call's facts and variables.

        Never raises for a fault of the tool: it is a result that the model can read. Takes at most the tool's timeout.
        """
        started = self._clock()
        shown: Mapping[str, object] | None = None
        try:
            read = arguments.read_arguments(tool.parameters, given)
            shown = requests.build_request(tool, read, context=context, open_secret=requests.mask_secret).describe()
            request = requests.build_request(tool, read, context=context, open_secret=self.open_secret)
            response = await self._send(request, deadline=started + tool.timeout_ms / 1000)
        except (UnusableArguments, NotSetUp) as error:
            return self._fail(str(error), started, shown)
        except SecretUnreadable as error:
            _log.warning("tool_secret_unreadable", tool_id=tool.id, error=str(error))
            return self._fail(UNREADABLE, started, shown)
        except OutboundError as error:
            return self._fail(f"The tool failed. {error}", started, shown)
        answer = results.read_answer(response.status, response.headers.get("content-type", ""), response.body)
        return RunResult(
            answer.content,
            is_error=answer.is_error,
            status=response.status,
            duration_ms=self._count_ms(started),
            request=shown,
        )

    def _fail(self, message: str, started: float, shown: Mapping[str, object] | None) -> RunResult:
        return RunResult(message, is_error=True, duration_ms=self._count_ms(started), request=shown)

    def _count_ms(self, started: float) -> int:
        return round((self._clock() - started) * 1000)

    async def _send(self, request: ToolHttpRequest, *, deadline: float) -> outbound.Response:
        """The answer to the request, or to its one repetition. Raises `OutboundError`."""
        is_idempotent = request.method in _IDEMPOTENT_METHODS
        try:
            response = await self._send_once(request, deadline)
            if not is_idempotent or response.status not in _PASSING_STATUSES:
                return response
        except OutboundError as error:
            if error.reason != "connection" or (error.is_sent and not is_idempotent):
                raise
        await asyncio.sleep(_RETRY_PAUSE_S)
        return await self._send_once(request, deadline)

    async def _send_once(self, request: ToolHttpRequest, deadline: float) -> outbound.Response:
        return await self.client.send(
            request.method,
            request.url,
            headers=request.headers,
            query=request.query,
            body=request.body,
            timeout_s=max(deadline - self._clock(), 0.0),
            max_bytes=_MAX_BYTES,
            max_redirects=_MAX_REDIRECTS if request.method == "GET" else 0,
        )
