"""A speech-to-speech model on the virtual clock: exact, and silent only where a test wants that.

Its audio is that of `voices.Codebook`: a test reads from it what was said. Each word lasts 200 ms and comes faster than
it is played.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from ringdown.voice import ports
from tests.fakes.voices import FRAME_MS, MS_PER_WORD, Codebook

END_SILENCE_MS = 300

Reply = Sequence[str | ports.ToolRequest | ports.ProviderError]


@dataclass
class FakeDuplexModel:
    """Answers each turn with the next of `replies`, text or tool requests; with none left it says nothing more.

    `faults` are raised by `open`, one each; `words_delay_s` None never tells what the caller said.
    """

    codebook: Codebook
    replies: list[Reply] = field(default_factory=list)
    delay_s: float = 0.15
    open_delay_s: float = 0.05
    words_delay_s: float | None = 0.1
    is_mute: bool = False
    faults: list[ports.ProviderError] = field(default_factory=list)
    sessions: list["FakeDuplexSession"] = field(default_factory=list)

    async def open(
        self,
        *,
        instructions: str,
        tools: Sequence[ports.ToolSpec],
        sample_rate_hz: int,
        language: str,
        temperature: float,
        history: Sequence[ports.Message] = (),
    ) -> "FakeDuplexSession":
        """Begin a session."""
        assert sample_rate_hz == self.codebook.sample_rate_hz
        await asyncio.sleep(self.open_delay_s)
        if self.faults:
            raise self.faults.pop(0)
        self.sessions.append(FakeDuplexSession(self, instructions, tuple(tools), tuple(history)))
        return self.sessions[-1]

    @property
    def session(self) -> "FakeDuplexSession":
        """The newest session."""
        return self.sessions[-1]


class FakeDuplexSession:
    """One session; keeps what it was told."""

    def __init__(
        self,
        owner: FakeDuplexModel,
        instructions: str,
        tools: tuple[ports.ToolSpec, ...],
        history: tuple[ports.Message, ...],
    ) -> None:
        self._owner = owner
        self.instructions = instructions
        self.tools = tools
        self.history = history
        self.said: list[str] = []
        self.heard: list[str] = []
        self.responses: list[str | None] = []
        self.truncations: list[tuple[str, int]] = []
        self.tool_results: list[tuple[str, str]] = []
        self.is_closed = False
        self._events: asyncio.Queue[ports.DuplexEvent | ports.ProviderError] = asyncio.Queue()
        self._answers: list[tuple[str, Reply]] = []
        self._has_answer = asyncio.Event()
        self._answering: asyncio.Task[None] | None = None
        self._tasks = {asyncio.create_task(self._answer_all())}
        self._pushed_ms = 0
        self._turns = 0
        self._items = 0
        self._turn_pcm = bytearray()
        self._is_voiced = False
        self._last_voiced_ms = 0

    def push(self, pcm: bytes) -> None:
        frame_bytes = len(self._owner.codebook.silence)
        for at in range(0, len(pcm), frame_bytes):
            self._push_frame(pcm[at : at + frame_bytes])

    def _push_frame(self, frame: bytes) -> None:
        start_ms, self._pushed_ms = self._pushed_ms, self._pushed_ms + FRAME_MS
        if any(frame):
            if not self._is_voiced:
                self._is_voiced = True
                self._turns += 1
                self._turn_pcm.clear()
                self.stop()
                self._events.put_nowait(ports.SpeechStarted(f"turn_{self._turns}", start_ms))
            self._last_voiced_ms = self._pushed_ms
        if self._is_voiced:
            self._turn_pcm += frame
            if self._pushed_ms - self._last_voiced_ms >= END_SILENCE_MS:
                self._end_turn(is_answered=True)

    def _end_turn(self, *, is_answered: bool) -> None:
        self._is_voiced = False
        turn_id = f"turn_{self._turns}"
        self._events.put_nowait(ports.SpeechStopped(turn_id, self._last_voiced_ms))
        words = " ".join(word for word, _, _ in self._owner.codebook.decode(bytes(self._turn_pcm)))
        if self._owner.words_delay_s is not None:
            self._spawn(self._tell_words(ports.CallerWords(turn_id, words), self._owner.words_delay_s))
        if is_answered and not self._owner.is_mute:
            self._want("", self._next_reply())

    async def _tell_words(self, words: ports.CallerWords, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        self._events.put_nowait(words)

    async def events(self) -> AsyncIterator[ports.DuplexEvent]:
        while True:
            event = await self._events.get()
            if isinstance(event, ports.ProviderError):
                raise event
            yield event

    def say(self, text: str, *, label: str) -> None:
        self.said.append(text)
        if not self._owner.is_mute:
            self._want(label, [text])

    def respond(self, instructions: str | None = None, *, label: str) -> None:
        self.responses.append(instructions)
        if not self._owner.is_mute:
            self._want(label, self._next_reply())

    def hear(self, text: str) -> None:
        self.heard.append(text)

    def answer_tool(self, request: ports.ToolRequest, result: ports.ToolResult) -> None:
        self.tool_results.append((request.name, result.content))

    def stop(self) -> None:
        self._answers.clear()
        if self._answering is not None:
            self._answering.cancel()

    def truncate(self, item_id: str, heard_ms: int) -> None:
        self.truncations.append((item_id, heard_ms))

    def flush(self) -> None:
        if self._is_voiced:
            self._end_turn(is_answered=False)

    async def close(self) -> None:
        self.is_closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def break_off(self, error: ports.ProviderError | None = None) -> None:
        """The connection is lost."""
        self._events.put_nowait(error or ports.ProviderError("fake", "the connection was lost", retryable=True))

    def _next_reply(self) -> Reply:
        return self._owner.replies.pop(0) if self._owner.replies else ()

    def _want(self, label: str, reply: Reply) -> None:
        self._answers.append((label, reply))
        self._has_answer.set()

    def _spawn(self, work: "asyncio._CoroutineLike[None]") -> asyncio.Task[None]:
        task = asyncio.create_task(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        return task

    async def _answer_all(self) -> None:
        while True:
            await self._has_answer.wait()
            self._has_answer.clear()
            while self._answers:
                label, reply = self._answers.pop(0)
                self._answering = self._spawn(self._answer(label, reply))
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait({self._answering})
                self._events.put_nowait(ports.AgentDone())

    async def _answer(self, label: str, reply: Reply) -> None:
        await asyncio.sleep(self._owner.delay_s)
        self._events.put_nowait(ports.AgentStarted(label))
        self._items += 1
        item_id = f"item_{self._items}"
        for part in reply:
            if isinstance(part, ports.ProviderError | ports.ToolRequest):
                self._events.put_nowait(part)
            else:
                for word in part.split():
                    self._events.put_nowait(ports.AgentWords(item_id, f"{word} "))
                    frames = self._owner.codebook.frame(word) * (MS_PER_WORD // FRAME_MS)
                    self._events.put_nowait(ports.AgentAudio(item_id, frames))
                    await asyncio.sleep(0.02)
