"""A conversation with a speech-to-speech model: it hears, decides and speaks; limits, ends and words are ours."""

import asyncio
from collections.abc import Callable, Sequence

from ringdown.voice import ports, streams
from ringdown.voice.duplex_floor import DuplexFloor
from ringdown.voice.duplex_line import DuplexLine
from ringdown.voice.duplex_log import DuplexLog
from ringdown.voice.duplex_reply import DuplexReply
from ringdown.voice.duplex_summary import write_summary
from ringdown.voice.events import ConversationEnd, ConversationReport, ConversationState, Event, Noted
from ringdown.voice.inactivity import InactivityClock
from ringdown.voice.keypad import Keypad
from ringdown.voice.reply import FRAME_MS
from ringdown.voice.settings import ConversationSettings, InactivityMessage

# The last words are still in the far end's jitter buffer when the last frame leaves.
_TAIL_MS = 200
# Beyond its longest duration a conversation only waits for a clock that has stopped.
_RUN_MARGIN_S = 120.0

_RULES = (
    "You are on a phone call. Answer in short spoken sentences. Before you use a tool that takes a while, say that you "
    "are looking it up. Never say that something was done or found before its tool has answered. When the "
    "conversation is over, say goodbye and call end_call."
)
_GREET = "The call was answered. Greet the caller."
_GREET_AS = "The call was answered. Greet the caller: {}"
_KEYPAD = "[keypad {}]"
# The item of words that the model did not say.
_OURS = "ours"


class DuplexConversation:
    """One call's conversation over a `SpeechToSpeech`, with the face of `Conversation`.

    `tick` it every 20 ms, await `run` for its end, and `finish` it in any case. All instants are milliseconds of media
    time. `speaker` is another voice, which apologizes when the model is lost; `summary_model` writes the report's
    summary; `act` begins a tool that runs when the words before it were played.
    """

    def __init__(
        self,
        *,
        settings: ConversationSettings,
        model: ports.SpeechToSpeech,
        system_prompt: str,
        on_event: Callable[[Event], None],
        toolbox: ports.ToolBox | None = None,
        temperature: float = 0.3,
        greeting_prompt: str | None = None,
        speaker: ports.TextToSpeech | None = None,
        summary_model: ports.LanguageModel | None = None,
        act: Callable[[ports.ToolRequest], None] | None = None,
    ) -> None:
        self._settings = settings
        self._model = model
        self._instructions = f"{system_prompt}\n\n{_RULES}"
        self._on_event = on_event
        self._temperature = temperature
        self._greeting_prompt = greeting_prompt
        self._speaker = speaker
        self._summary_model = summary_model
        self._summary: str | None = None
        self._now_ms = 0
        self._end: ConversationEnd | None = None
        self._ended = asyncio.Event()
        self._ends_at: tuple[int, ConversationEnd] | None = None
        self._attending: asyncio.Task[None] | None = None
        self._finishing = asyncio.Lock()
        self._is_finished = False
        self._is_open = False
        # Set whenever words of the caller may have come.
        self._words_came = asyncio.Event()
        self._inactivity = InactivityClock(settings.inactivity_messages)
        self._inactivity_message: InactivityMessage | None = None
        self._keypad = Keypad(lambda _digits: "unknown")
        self._log = DuplexLog(on_event)
        self._line = DuplexLine(
            open_session=self._open_session,
            history=self._log.history,
            on_event=self._take_event,
            on_open=lambda: self._floor.take_session(),
            on_break=self._take_break,
            timeout_s=settings.timeouts.model_s,
            sample_rate_hz=settings.sample_rate_hz,
        )
        self._floor = DuplexFloor(
            line=self._line,
            log=self._log,
            toolbox=toolbox,
            act=act,
            sample_rate_hz=settings.sample_rate_hz,
            now=lambda: self._now_ms,
            on_turn=self._take_turn,
            on_reply_over=self._take_reply_over,
        )

    @property
    def state(self) -> ConversationState:
        """What the agent does."""
        if self._floor.reply is not None:
            return "speaking"
        return "thinking" if self._floor.is_owing else "listening"

    @property
    def partial(self) -> str:
        """Nothing: the model's words of the caller come when they are whole."""
        return ""

    # --- driven by the owner ------------------------------------------------------------------------------------

    async def run(self) -> ConversationEnd:
        """Converse until the end; returns after the last words were played."""
        limit_s = self._settings.max_duration_ms / 1000 + _RUN_MARGIN_S
        self._attending = asyncio.create_task(self._attend())
        self._attending.add_done_callback(self._check_attending)
        try:
            async with asyncio.timeout(limit_s):
                await self._ended.wait()
        except TimeoutError:
            self._stop(ConversationEnd("max_duration", "the media clock stopped"))
        if self._end is None:
            await self._attending  # raises what broke it
        assert self._end is not None
        return self._end

    def tick(self, far_pcm: bytes, at_ms: int) -> bytes | None:
        """Take the far party's 20 ms that began at `at_ms`; returns the agent's, or None for silence.

        Never blocks, never awaits.
        """
        if self._end is not None:
            return None
        self._now_ms = at_ms + FRAME_MS
        # Who calls out before the greeting is greeted first.
        is_early = not self._is_open and self._settings.greeting.first_speaker == "agent"
        is_deaf = is_early or self._floor.is_deaf
        self._line.push(bytes(len(far_pcm)) if is_deaf else far_pcm, self._now_ms)
        if self._attending is None or self._floor.is_resting:
            return None
        self._advance()
        return self._floor.frame(at_ms)

    def pause(self) -> None:
        """The caller is elsewhere, as on hold: what is being said stops here, and nothing more is heard."""
        if self._end is None and not self._floor.is_resting:
            self._floor.is_resting = True
            self._floor.cut()

    def resume(self, announcement: str | None = None) -> None:
        """The caller is back. Says `announcement`."""
        if self._end is not None or not self._floor.is_resting:
            return
        self._floor.is_resting = False
        self._take_turn()
        if announcement is not None and self._floor.last_words is None:
            self._floor.say(announcement, purpose="announcement")

    def press(self, digit: str, at_ms: int) -> None:
        """The caller pressed a key: it stops the agent, and belongs to an answer."""
        floor = self._floor
        if self._end is not None or floor.last_words is not None or floor.is_resting:
            return
        self._inactivity.caller_active(at_ms)
        if floor.reply is None or not floor.reply.is_uninterruptible:
            floor.cut()
        self._keypad.press(digit, at_ms)

    def leave_message(self, text: str) -> None:
        """Say `text` to a voicemail that has answered, and end."""
        if self._end is None and self._floor.last_words is None:
            self._floor.cut()
            end = ConversationEnd("voicemail", "a message was left")
            self._floor.say(text, purpose="announcement", ends=end)

    def dismiss(self) -> bool:
        """The call has to end soon: say the last words, and end. False when nothing can be said now, as on hold."""
        if self._attending is None or self._end is not None or self._floor.is_resting:
            return False
        if self._floor.last_words is None:
            self._close(ConversationEnd("dismissed"), self._settings.time_exceeded_message or self._settings.farewell)
        return True

    async def finish(self) -> None:
        """The call is over: cut the agent's turn to what was heard, and wait for the caller's last words.

        Waits at most `timeouts.last_words_s` for them. Safe at any time, and twice.
        """
        async with self._finishing:
            if self._is_finished:
                return
            self._is_finished = True
            self._stop(ConversationEnd("stopped"))
            self._floor.cut()
            self._floor.is_resting = True
            self._keep_keys(at_once=True)
            await self._keep_last_words()
            await self._floor.tools.close()
            if self._attending is not None:
                self._attending.cancel()
                await asyncio.gather(self._attending, return_exceptions=True)
            self._log.give_up()

    async def summarise(self) -> None:
        """Let the summary's model prepare the report's summary, within `timeouts.summary_s`."""
        if self._summary_model is None:
            return
        try:
            async with asyncio.timeout(self._settings.timeouts.summary_s):
                self._summary = await write_summary(self._summary_model, self._log.history())
        except (TimeoutError, ports.ProviderError):
            return

    def report(self) -> ConversationReport:
        """What the conversation has achieved so far."""
        return ConversationReport(summary=self._summary)

    # --- each tick ----------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        now, floor = self._now_ms, self._floor
        if self._ends_at is not None:
            if now >= self._ends_at[0]:
                self._stop(self._ends_at[1])
            return
        if not self._log.is_settled:
            self._log.give_up(now)
        if now >= self._settings.max_duration_ms and floor.last_words is None:
            self._close(ConversationEnd("max_duration"), self._settings.time_exceeded_message)
        is_held = floor.reply is not None and floor.reply.is_uninterruptible
        if self._keypad.is_active:
            if not is_held and self._line.session is not None and self._keep_keys():
                floor.respond()
        elif floor.is_quiet and floor.last_words is None:
            self._wait_for_caller()

    def _wait_for_caller(self) -> None:
        now, greeting = self._now_ms, self._settings.greeting
        if not self._is_open:
            if greeting.first_speaker == "agent":
                if now > greeting.delay_ms:
                    self._greet(greeting.text)
                return
            if greeting.fallback_delay_ms is not None and now > greeting.fallback_delay_ms:
                self._greet(greeting.fallback_text or greeting.text)
                return
        if self._inactivity.is_over(now):
            self._stop(ConversationEnd("inactivity"))
        elif (message := self._inactivity.message_due(now)) is not None:
            self._inactivity_message = message
            is_last = message.end_behavior == "END_BEHAVIOR_HANG_UP_STRICT"
            ends = ConversationEnd("inactivity") if is_last else None
            self._floor.say(message.message, purpose="inactivity", ends=ends)

    def _greet(self, text: str | None) -> None:
        self._is_open = True
        is_uninterruptible = self._settings.greeting.uninterruptible
        if text:
            self._floor.say(text, purpose="opening", is_uninterruptible=is_uninterruptible)
        else:
            wording = self._greeting_prompt
            instructions = _GREET_AS.format(wording) if wording else _GREET
            self._floor.respond(instructions, purpose="opening", is_uninterruptible=is_uninterruptible)

    def _keep_keys(self, *, at_once: bool = False) -> bool:
        """Write down keys that are an answer; whether they are."""
        answer = self._keypad.take(self._now_ms, at_once=at_once)
        if answer is None:
            return False
        text = _KEYPAD.format(answer.digits)
        self._is_open = True
        self._log.add_caller(text, start_ms=answer.start_ms, end_ms=answer.end_ms)
        if self._line.session is not None:
            self._line.session.hear(text)
        return True

    # --- what the floor and the line report ---------------------------------------------------------------------

    def _take_turn(self) -> None:
        self._is_open = True
        self._inactivity.caller_active(self._now_ms)

    def _take_reply_over(self, reply: DuplexReply) -> None:
        self._inactivity.agent_stopped(self._now_ms)
        if reply.purpose == "inactivity" and self._inactivity_message is not None:
            self._inactivity.message_spoken(self._inactivity_message, self._now_ms)
        if reply.ends is not None and reply.is_played():
            self._ends_at = (self._now_ms + _TAIL_MS, reply.ends)

    def _take_event(self, event: ports.DuplexEvent) -> None:
        if self._is_finished and isinstance(event, ports.ToolRequest | ports.AgentStarted):
            return
        self._floor.take(event)
        self._words_came.set()

    def _take_break(self, error: ports.ProviderError) -> None:
        details = {"kind": "model", "provider": error.provider, "error": str(error)}
        self._on_event(Noted("provider.failed", self._now_ms, details))
        self._floor.take_break()
        self._words_came.set()

    async def _open_session(self, history: Sequence[ports.Message]) -> ports.DuplexSession:
        return await self._model.open(
            instructions=self._instructions,
            tools=self._floor.tools.specs(),
            sample_rate_hz=self._settings.sample_rate_hz,
            language=self._settings.language,
            temperature=self._temperature,
            history=history,
        )

    # --- faults and ends ----------------------------------------------------------------------------------------

    async def _attend(self) -> None:
        try:
            await self._line.attend()
        except ports.ProviderError as error:
            await self._apologize(ConversationEnd("provider_error", str(error)))

    def _check_attending(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._ended.set()

    async def _apologize(self, end: ConversationEnd) -> None:
        """The model is lost for good: another voice says so, if there is one, and the conversation ends."""
        last = self._floor.last_words
        if last is not None and last.ends is not None:
            # Not even the last words can be said: the conversation ends as it would have after them.
            self._stop(ConversationEnd(last.ends.reason, end.detail))
            return
        if self._speaker is None or self._end is not None:
            self._stop(end)
            return
        reply = DuplexReply("apology", sample_rate_hz=self._settings.sample_rate_hz, is_uninterruptible=True)
        reply.ends = end
        self._floor.play(reply)
        if not await self._speak(reply, self._settings.apology, speaker=self._speaker):
            self._stop(end)

    async def _speak(self, reply: DuplexReply, text: str, *, speaker: ports.TextToSpeech) -> bool:
        """Fill a reply by another voice; whether there is anything to hear."""
        reply.add_words(_OURS, text)
        source = speaker.speak(text, sample_rate_hz=self._settings.sample_rate_hz)
        has_audio = False
        try:
            async for piece in streams.bound(source, timeout_s=self._settings.timeouts.speech_s, provider="voice"):
                reply.add_audio(_OURS, piece.pcm)
                has_audio = has_audio or bool(piece.pcm)
        except ports.ProviderError:
            pass  # what there is of it is said
        reply.is_written = True
        return has_audio

    def _close(self, end: ConversationEnd, message: str | None) -> None:
        """Whatever goes on, these are the last words."""
        self._floor.cut()
        if message:
            self._floor.say(message, purpose="time_exceeded", ends=end)
        else:
            self._stop(end)

    def _stop(self, end: ConversationEnd) -> None:
        if self._end is None:
            self._end = end
            self._ended.set()

    async def _keep_last_words(self) -> None:
        session, attending = self._line.session, self._attending
        if session is None or attending is None:
            return
        if self._floor.is_caller_speaking:
            session.flush()
        try:
            async with asyncio.timeout(self._settings.timeouts.last_words_s):
                while not self._log.is_settled and self._line.session is session:
                    self._words_came.clear()
                    await self._words_came.wait()
        except TimeoutError:
            return
