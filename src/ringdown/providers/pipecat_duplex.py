"""Pipecat's speech-to-speech services behind our port; what the aggregators of a pipeline do for them is done here."""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import aiohttp
from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    FunctionCallResultFrame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMMessagesAppendFrame,
    LLMSetToolsFrame,
    ProposedUserStartedSpeakingFrame,
    ProposedUserStoppedSpeakingFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSTextFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.llm_service import FunctionCallParams

from ringdown.providers import openai_chat, pipecat_host
from ringdown.providers.pipecat_host import ServiceHost
from ringdown.providers.pipecat_plan import ServicePlan
from ringdown.providers.pipecat_thinking import build_tools
from ringdown.providers.resample import Resampler
from ringdown.voice import ports

_SAY = "Say exactly the following words, in their language, and nothing else:\n{}"
# Tools are bounded by whoever runs them; this only ends what a lost call left behind.
_TOOL_TIMEOUT_S = 300.0
_RESULT_TIMEOUT_S = 2.0


class PipecatDuplex:
    """A `SpeechToSpeech`; each session has a service of its own."""

    def __init__(self, plan: ServicePlan) -> None:
        self._plan = plan

    async def open(
        self,
        *,
        instructions: str,
        tools: Sequence[ports.ToolSpec],
        sample_rate_hz: int,
        language: str,
        temperature: float,
        history: Sequence[ports.Message] = (),
    ) -> "PipecatDuplexSession":
        """Begin a session, or go on after `history`; PCM of both sides at `sample_rate_hz`. Raises `ProviderError`."""
        plan, provider = self._plan, self._plan.provider
        changes: dict[str, Any] = {"system_instruction": instructions, "language": language}
        if plan.has_temperature:
            changes["temperature"] = temperature
        if provider.voices:
            changes["voice"] = provider.voices[0].voice
        http = aiohttp.ClientSession() if plan.needs_session else None
        host = ServiceHost(provider.name, in_hz=sample_rate_hz)
        session = PipecatDuplexSession(host, http=http, sample_rate_hz=sample_rate_hz)
        try:
            build = session.prepare(lambda: plan.build(session=http, **changes))
            await host.open(build, timeout_s=provider.timeout_seconds)
            await session.begin(tools, history)
        except BaseException:
            await session.close()
            raise
        return session


class PipecatDuplexSession:
    """One call's session (`DuplexSession`)."""

    def __init__(self, host: ServiceHost, *, http: aiohttp.ClientSession | None, sample_rate_hz: int) -> None:
        self._host = host
        self._http = http
        self._sample_rate_hz = sample_rate_hz
        self._context = LLMContext()
        self._has_context = False
        # What goes to the service, in its order.
        self._outbox: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._inbox: asyncio.Queue[ports.DuplexEvent | ports.ProviderError] = asyncio.Queue()
        self._sending: asyncio.Task[None] | None = None
        self._results: dict[str, asyncio.Future[str]] = {}
        self._result_sent = asyncio.Event()
        self._labels: deque[str] = deque()
        self._own: set[int] = set()
        self._resampler: Resampler | None = None
        self._pushed_bytes = 0
        self._answers = 0
        self._turns = 0
        self._is_answering = False
        self._is_caller_speaking = False

    def prepare(self, build: Callable[[], Any]) -> Callable[[], Any]:
        """Build a service whose tool calls come to us."""

        def build_with_tools() -> Any:
            service = build()
            service.register_function(None, self._wait_for_result, timeout_secs=_TOOL_TIMEOUT_S)
            return service

        self._host.listener = self._hear
        return build_with_tools

    async def begin(self, tools: Sequence[ports.ToolSpec], history: Sequence[ports.Message]) -> None:
        """Tell the service its tools, and what was said before."""
        messages: list[Any] = [openai_chat.render_message(message) for message in history]
        self._context = LLMContext(messages, tools=build_tools(tools)) if tools else LLMContext(messages)
        if tools:
            await self._host.send(LLMSetToolsFrame(tools=build_tools(tools)))
        self._sending = asyncio.create_task(self._send_all())

    # --- what we want ------------------------------------------------------------------------------------------------

    def push(self, pcm: bytes) -> None:
        """Take the caller's audio."""
        self._pushed_bytes += len(pcm)
        self._send(InputAudioRawFrame(pcm, self._sample_rate_hz, 1))

    def say(self, text: str, *, label: str) -> None:
        """Let the agent say exactly these words, after what it is saying."""
        self.respond(_SAY.format(text), label=label)

    def respond(self, instructions: str | None = None, *, label: str) -> None:
        """Let the agent speak, as `instructions` say, after what it is saying."""
        self._labels.append(label)
        if instructions is not None:
            self._add("user", instructions)
        self._outbox.put_nowait(self._ask)

    def hear(self, text: str) -> None:
        """Take words of the caller that came another way."""
        self._add("user", text)

    def answer_tool(self, request: ports.ToolRequest, result: ports.ToolResult) -> None:
        """Give a tool's result; a service that did not ask for the tool is told of it in words."""
        waiting = self._results.pop(request.tool_call_id, None)
        if waiting is None or waiting.done():
            self._add("user", f"The tool {request.name} answered: {result.content}")
            return
        self._outbox.put_nowait(lambda: self._give_result(waiting, result.content))

    def stop(self) -> None:
        """The agent says no more of its answer."""
        self._labels.clear()
        self._interrupt()

    def truncate(self, item_id: str, heard_ms: int) -> None:
        """Services cut what was heard by themselves, when the caller speaks."""

    def flush(self) -> None:
        """Services tell words when they have them."""

    async def close(self) -> None:
        """End the session; safe to call twice."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait({self._sending})
            self._sending = None
        for waiting in self._results.values():
            waiting.cancel()
        await self._host.close()
        if self._http is not None:
            await self._http.close()

    def _add(self, role: str, text: str) -> None:
        message: Any = {"role": role, "content": text}
        self._context.add_message(message)
        self._send(LLMMessagesAppendFrame([message], run_llm=False))

    def _send(self, frame: Frame) -> None:
        self._outbox.put_nowait(lambda: self._host.send(frame))

    def _interrupt(self) -> None:
        frame = InterruptionFrame()
        self._own.add(frame.id)
        self._send(frame)

    async def _ask(self) -> None:
        """The first context begins the conversation; later ones ask for an answer to what was added."""
        direction = FrameDirection.UPSTREAM if self._has_context else FrameDirection.DOWNSTREAM
        self._has_context = True
        await self._host.service.queue_frame(LLMContextFrame(self._context), direction)

    async def _give_result(self, waiting: "asyncio.Future[str]", content: str) -> None:
        if waiting.done():
            return
        self._result_sent.clear()
        waiting.set_result(content)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_RESULT_TIMEOUT_S):
                await self._result_sent.wait()

    async def _send_all(self) -> None:
        while True:
            send = await self._outbox.get()
            await send()

    async def _wait_for_result(self, call: FunctionCallParams) -> None:
        """A tool call: asked for with an event, answered with `answer_tool`."""
        waiting: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._results[call.tool_call_id] = waiting
        arguments = json.dumps(dict(call.arguments))
        self._inbox.put_nowait(ports.ToolRequest(call.tool_call_id, call.function_name, arguments))
        await call.result_callback(await waiting)

    # --- what the service does ---------------------------------------------------------------------------------------

    async def events(self) -> AsyncIterator[ports.DuplexEvent]:
        """What the model does. Raises `ProviderError`, also when the session ends."""
        while True:
            event = await self._inbox.get()
            if isinstance(event, ports.ProviderError):
                raise event
            yield event

    def _hear(self, frame: Frame) -> None:
        match frame:
            case ErrorFrame():
                self._inbox.put_nowait(pipecat_host.to_provider_error(self._host.name, frame))
            case TTSAudioRawFrame():
                self._begin_answer()
                self._take_audio(frame)
            case TTSTextFrame():
                self._begin_answer()
                self._inbox.put_nowait(ports.AgentWords(self._item_id, frame.text))
            case LLMFullResponseStartFrame():
                self._begin_answer()
            case LLMFullResponseEndFrame():
                self._end_answer()
            case TranscriptionFrame():
                self._take_words(frame)
            case FunctionCallResultFrame():
                self._result_sent.set()
            case ProposedUserStartedSpeakingFrame() | UserStartedSpeakingFrame():
                self._begin_turn()
            case ProposedUserStoppedSpeakingFrame() | UserStoppedSpeakingFrame():
                self._end_turn()
            case InterruptionFrame():
                if frame.id not in self._own:
                    self._begin_turn()

    @property
    def _item_id(self) -> str:
        return f"answer_{self._answers}"

    @property
    def _heard_ms(self) -> int:
        return self._pushed_bytes // 2 * 1000 // self._sample_rate_hz

    def _begin_answer(self) -> None:
        if not self._is_answering:
            self._is_answering = True
            self._answers += 1
            self._resampler = None
            self._inbox.put_nowait(ports.AgentStarted(self._labels.popleft() if self._labels else ""))

    def _end_answer(self) -> None:
        if self._is_answering:
            self._is_answering = False
            rest = self._resampler.flush() if self._resampler is not None else b""
            if rest:
                self._inbox.put_nowait(ports.AgentAudio(self._item_id, rest))
            self._inbox.put_nowait(ports.AgentDone())

    def _take_audio(self, frame: TTSAudioRawFrame) -> None:
        if self._resampler is None:
            self._resampler = Resampler(from_hz=frame.sample_rate, to_hz=self._sample_rate_hz)
        pcm = self._resampler.push(frame.audio)
        if pcm:
            self._inbox.put_nowait(ports.AgentAudio(self._item_id, pcm))

    def _begin_turn(self) -> None:
        if self._is_caller_speaking:
            return
        self._is_caller_speaking = True
        self._turns += 1
        self._inbox.put_nowait(ports.SpeechStarted(f"turn_{self._turns}", self._heard_ms))
        started = UserStartedSpeakingFrame()
        self._send(started)
        self._interrupt()

    def _end_turn(self) -> None:
        if self._is_caller_speaking:
            self._is_caller_speaking = False
            self._inbox.put_nowait(ports.SpeechStopped(f"turn_{self._turns}", self._heard_ms))
            self._send(UserStoppedSpeakingFrame())

    def _take_words(self, frame: TranscriptionFrame) -> None:
        if not self._turns:  # a service that does not tell when the caller speaks
            self._begin_turn()
            self._end_turn()
        language = None if frame.language is None else str(getattr(frame.language, "value", frame.language))
        self._inbox.put_nowait(ports.CallerWords(f"turn_{self._turns}", frame.text.strip(), language=language))
