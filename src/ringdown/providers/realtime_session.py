"""One OpenAI Realtime session as a `DuplexSession`: which response runs, which wait, and what the events mean."""

import base64
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ringdown.providers import realtime_connection
from ringdown.providers.realtime_audio import RealtimeAudio
from ringdown.providers.realtime_connection import RealtimeConnection, read_ms, read_text
from ringdown.providers.realtime_settings import RealtimeParameters
from ringdown.voice import ports

_SAY = "Say exactly the following words, in their language, and nothing else:\n{}"
# Of a request that came too late or too early; nothing is wrong with the session.
_BUSY = "conversation_already_has_active_response"
_FATAL_TYPES = frozenset({"server_error", "authentication_error", "rate_limit_error", "insufficient_quota"})
_FATAL_CODES = frozenset({"session_expired", "insufficient_quota", "rate_limit_exceeded", "invalid_api_key"})


@dataclass(frozen=True, slots=True)
class _Wish:
    """A response that we want."""

    event_id: str
    label: str
    response: dict[str, Any]


class RealtimeSession:
    """A session that is open and configured. One response runs at a time: those that we want wait for it."""

    def __init__(self, connection: RealtimeConnection, *, audio: RealtimeAudio, parameters: RealtimeParameters) -> None:
        self._connection = connection
        self._audio = audio
        self._parameters = parameters
        self._wishes: deque[_Wish] = deque()
        # Sent, and neither begun nor refused yet.
        self._sent: _Wish | None = None
        self._active_id: str | None = None
        # Nobody wants to hear these: what we asked for and took back, and what runs still.
        self._void_labels: set[str] = set()
        self._is_void = False
        # The caller's turn is over: the server begins a response by itself.
        self._is_answer_due = False
        self._known_calls: set[str] = set()
        self._ids = 0
        # The turn in which the caller is speaking; a flushed one gets another name from the server.
        self._open_turn: str | None = None
        self._flushed: dict[str, str] = {}
        self._pushed_bytes = 0
        self._bytes_per_ms = audio.sample_rate_hz * 2 // 1000

    # --- what we want -------------------------------------------------------------------------------------------

    def push(self, pcm: bytes) -> None:
        """Take the caller's audio."""
        self._pushed_bytes += len(pcm)
        self._connection.send_audio(self._audio.encode(pcm))

    def say(self, text: str, *, label: str) -> None:
        """Let the agent say exactly these words, after what it is saying."""
        self._want({"instructions": _SAY.format(text), "tool_choice": "none"}, label)

    def respond(self, instructions: str | None = None, *, label: str) -> None:
        """Let the agent speak, as `instructions` say, after what it is saying."""
        if instructions is not None:
            item = {"type": "message", "role": "system", "content": [{"type": "input_text", "text": instructions}]}
            self._connection.send({"type": "conversation.item.create", "item": item})
        self._want({}, label)

    def hear(self, text: str) -> None:
        """Take words of the caller that came another way."""
        self._add(ports.Message("user", text))

    def answer_tool(self, request: ports.ToolRequest, result: ports.ToolResult) -> None:
        """Give a tool's result; a session that did not ask for the tool is told of that, too."""
        if request.tool_call_id not in self._known_calls:
            self._add(ports.Message("assistant", "", tool_calls=(request,)))
        self._add(ports.Message("tool", result.content, tool_call_id=request.tool_call_id))

    def stop(self) -> None:
        """The agent says no more of its answer, nor of those that wait."""
        self._void_wishes()
        if self._active_id is not None and not self._is_void:
            self._is_void = True
            self._connection.send({"type": "response.cancel"})

    def truncate(self, item_id: str, heard_ms: int) -> None:
        """Only the first `heard_ms` of an item were heard: the model forgets the rest."""
        event = {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0}
        self._connection.send({**event, "audio_end_ms": heard_ms})

    def flush(self) -> None:
        """The caller is gone: what was pushed last is a turn, whose words are wanted."""
        self._connection.send({"type": "input_audio_buffer.commit"})

    async def close(self) -> None:
        """End the session; safe to call twice."""
        await self._connection.close()

    def remember(self, history: Sequence[ports.Message]) -> None:
        """Tell the session what was said and done before it."""
        for message in history:
            self._add(message)

    def _add(self, message: ports.Message) -> None:
        for item in _to_items(message):
            if item["type"] == "function_call":
                self._known_calls.add(item["call_id"])
            self._connection.send({"type": "conversation.item.create", "item": item})

    def _want(self, response: dict[str, Any], label: str) -> None:
        self._ids += 1
        response = {**response, "metadata": {"label": label}}
        self._void_labels.discard(label)
        self._wishes.append(_Wish(f"wish_{self._ids}", label, response))
        self._send_next()

    def _send_next(self) -> None:
        is_free = self._active_id is None and self._sent is None and not self._is_answer_due
        if self._wishes and is_free:
            self._sent = wish = self._wishes.popleft()
            event = {"type": "response.create", "event_id": wish.event_id, "response": wish.response}
            self._connection.send(event)

    def _void_wishes(self) -> None:
        self._wishes.clear()
        if self._sent is not None:
            self._void_labels.add(self._sent.label)

    # --- what the server does -----------------------------------------------------------------------------------

    async def events(self) -> AsyncIterator[ports.DuplexEvent]:
        """What the model does. Raises `ProviderError`, also when the session ends."""
        async for event in self._connection.receive():
            with realtime_connection.translate_errors():
                told = list(self._read(event))
            for one in told:
                yield one

    def _read(self, event: dict[str, Any]) -> Iterator[ports.DuplexEvent]:
        match event.get("type"):
            case "input_audio_buffer.speech_started":
                self._void_wishes()  # the server stops by itself
                begin_ms = read_ms(event, "audio_start_ms") + self._parameters.prefix_padding_ms
                self._open_turn = read_text(event, "item_id")
                yield ports.SpeechStarted(self._open_turn, begin_ms)
            case "input_audio_buffer.speech_stopped":
                self._is_answer_due, self._open_turn = True, None
                end_ms = read_ms(event, "audio_end_ms") - self._parameters.end_silence_ms
                yield ports.SpeechStopped(read_text(event, "item_id"), max(0, end_ms))
            case "input_audio_buffer.committed" if self._open_turn is not None:
                turn_id, self._open_turn = self._open_turn, None
                self._flushed[read_text(event, "item_id")] = turn_id
                yield ports.SpeechStopped(turn_id, self._pushed_bytes // self._bytes_per_ms)
            case "conversation.item.input_audio_transcription.completed":
                yield ports.CallerWords(self._name_turn(event), read_text(event, "transcript"))
            case "conversation.item.input_audio_transcription.failed":
                yield ports.CallerWords(self._name_turn(event), "", understood=False)
            case "error":
                self._take_error(event.get("error"))
            case "response.created":
                yield from self._start(event.get("response"))
            case "response.done":
                yield from self._finish(event.get("response"))
            case _ if not self._is_void:
                yield from self._read_output(event)

    def _name_turn(self, event: dict[str, Any]) -> str:
        item_id = read_text(event, "item_id")
        return self._flushed.get(item_id, item_id)

    def _read_output(self, event: dict[str, Any]) -> Iterator[ports.DuplexEvent]:
        match event.get("type"):
            case "response.output_audio.delta":
                audio = base64.b64decode(read_text(event, "delta"), validate=True)
                yield ports.AgentAudio(read_text(event, "item_id"), self._audio.decode(audio))
            case "response.output_audio.done":
                yield ports.AgentAudio(read_text(event, "item_id"), self._audio.flush())
            case "response.output_audio_transcript.delta":
                yield ports.AgentWords(read_text(event, "item_id"), read_text(event, "delta"))

    def _start(self, response: object) -> Iterator[ports.DuplexEvent]:
        response = _to_object(response)
        metadata = response.get("metadata")
        label = metadata.get("label", "") if isinstance(metadata, dict) else ""
        if self._sent is not None and (label == self._sent.label or (not label and not self._is_answer_due)):
            label, self._sent = self._sent.label, None
        self._is_answer_due = False
        self._active_id = read_text(response, "id")
        self._is_void = label in self._void_labels
        self._void_labels.discard(label)
        self._audio.restart()
        if self._is_void:
            self._connection.send({"type": "response.cancel"})
        else:
            yield ports.AgentStarted(label)

    def _finish(self, response: object) -> Iterator[ports.DuplexEvent]:
        response = _to_object(response)
        is_void, self._is_void, self._active_id = self._is_void, False, None
        if not is_void:
            if response.get("status") == "failed":
                details = response.get("status_details")
                failure = details.get("error") if isinstance(details, dict) else None
                raise realtime_connection.to_error(failure, message="failed while answering")
            if response.get("status") in ("completed", "incomplete"):
                yield from self._read_calls(response.get("output"))
            yield ports.AgentDone()
        self._send_next()

    def _read_calls(self, output: object) -> Iterator[ports.ToolRequest]:
        for item in output if isinstance(output, list) else ():
            item = _to_object(item)
            if item.get("type") == "function_call" and item.get("status") in (None, "completed"):
                request = ports.ToolRequest(*(read_text(item, name) for name in ("call_id", "name", "arguments")))
                self._known_calls.add(request.tool_call_id)
                yield request

    def _take_error(self, failure: object) -> None:
        """Most errors change nothing; raises `ProviderError` for those that do."""
        failure = _to_object(failure)
        code, event_id, sent = failure.get("code"), failure.get("event_id"), self._sent
        is_ours = sent is not None and event_id == sent.event_id
        if code == _BUSY and sent is not None:
            self._sent = None
            if sent.label not in self._void_labels:
                self._wishes.appendleft(sent)
            self._void_labels.discard(sent.label)
            # It goes after the response that we have not heard of yet.
            self._is_answer_due = self._active_id is None
        elif is_ours or code in _FATAL_CODES or failure.get("type") in _FATAL_TYPES:
            raise realtime_connection.to_error(failure, message="refused to go on")


def _to_object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("no object")
    return value


def _to_items(message: ports.Message) -> Iterator[dict[str, Any]]:
    """A message of a history as items of the protocol."""
    if message.role == "tool":
        yield {"type": "function_call_output", "call_id": message.tool_call_id, "output": message.content}
    elif message.content:
        kind = "output_text" if message.role == "assistant" else "input_text"
        yield {"type": "message", "role": message.role, "content": [{"type": kind, "text": message.content}]}
    for call in message.tool_calls:
        yield {"type": "function_call", "call_id": call.tool_call_id, "name": call.name, "arguments": call.arguments}
