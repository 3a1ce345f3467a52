"""A conversation: driven by the media clock's ticks, it joins hearing, deciding and speaking, and knows when to end."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from ringdown.voice import brain, ports, turns
from ringdown.voice.answering import Answering
from ringdown.voice.attempt import Attempt
from ringdown.voice.detector import VoiceDetector
from ringdown.voice.ear import Ear
from ringdown.voice.events import ConversationEnd, ConversationReport, ConversationState, Event, Noted
from ringdown.voice.floor import Floor
from ringdown.voice.inactivity import InactivityClock
from ringdown.voice.keypad import Keypad
from ringdown.voice.languages import LanguageRule
from ringdown.voice.producer import Producer
from ringdown.voice.reply import FRAME_MS, Reply
from ringdown.voice.settings import ConversationSettings, InactivityMessage
from ringdown.voice.transcript import TranscriptWriter, write_heard

# The last words are still in the far end's jitter buffer when the last frame leaves.
_TAIL_MS = 200
# Beyond its longest duration a conversation only waits for a clock that has stopped.
_RUN_MARGIN_S = 120.0


class Conversation:
    """One call's conversation.

    `tick` it every 20 ms, await `run` for its end, and `finish` it in any case: only then are the last words of the
    caller recognized. All instants are milliseconds of media time; no clock is read. `act` begins a tool that runs when
    the words before it were played; `speaker_for` gives the voice for a language of `settings.languages`.
    """

    def __init__(
        self,
        *,
        settings: ConversationSettings,
        brain: brain.Brain,
        recognizer: ports.SpeechToText,
        speaker: ports.TextToSpeech,
        detector: VoiceDetector,
        on_event: Callable[[Event], None],
        act: Callable[[ports.ToolRequest], None] | None = None,
        speaker_for: Callable[[str], ports.TextToSpeech] | None = None,
    ) -> None:
        self._settings = settings
        self._brain = brain
        self._act = act
        self._on_event = on_event
        self._speaker_for = speaker_for
        self._languages = LanguageRule((settings.language, *settings.languages)) if settings.languages else None
        self._now_ms = 0
        self._group: asyncio.TaskGroup | None = None
        self._end: ConversationEnd | None = None
        self._ended = asyncio.Event()
        self._ends_at: tuple[int, ConversationEnd] | None = None
        self._finishing = asyncio.Lock()
        self._is_finished = False
        self._silent_since_ms = 0
        self._inactivity_message: InactivityMessage | None = None
        self._inactivity = InactivityClock(settings.inactivity_messages)
        self._keypad = Keypad(brain.judge_keypad)
        self._transcript = TranscriptWriter(on_event)
        self._ear = Ear(
            settings=settings,
            recognizer=recognizer,
            detector=detector,
            expectation=lambda: self._floor.listening.expectation,
        )
        self._is_resting = False
        self._producer = Producer(speaker=speaker, settings=settings, spawn=self._spawn)
        self._floor = self._make_floor()
        self._answering = self._watch_answer() if settings.is_watching_answer else None

    def attach(self, wire: ports.Wire) -> None:
        """Measure the turns on the wire; `tick` is then called while `wire` tells of that tick."""
        self._ear.wire = wire

    @property
    def state(self) -> ConversationState:
        """What the agent does."""
        if self._floor.reply is not None:
            return "speaking"
        return "listening" if self._floor.attempt is None else "thinking"

    @property
    def partial(self) -> str:
        """What the caller has said of a turn that goes on, where the recognizer tells."""
        return self._ear.partial()

    # --- driven by the owner ------------------------------------------------------------------------------------

    async def run(self) -> ConversationEnd:
        """Converse until the end; returns after the last words were played."""
        limit_s = self._settings.max_duration_ms / 1000 + _RUN_MARGIN_S
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                async with asyncio.timeout(limit_s):
                    await self._ended.wait()
            except TimeoutError:
                self._stop(ConversationEnd("max_duration", "the media clock stopped"))
            finally:
                self._group = None
                self._floor.cancel_attempt()
                if self._floor.reply is not None:
                    self._floor.reply.stop()
        assert self._end is not None
        return self._end

    def tick(self, far_pcm: bytes, at_ms: int) -> bytes | None:
        """Take the far party's 20 ms that began at `at_ms`; returns the agent's, or None for silence.

        Never blocks, never awaits.
        """
        if self._end is not None:
            return None
        self._now_ms = at_ms + FRAME_MS
        self._ear.push(bytes(len(far_pcm)) if self._is_resting else far_pcm, at_ms)
        if self._group is None or self._is_resting:
            return None
        if self._answering is not None:
            self._answering.hear(far_pcm, at_ms)
        self._advance()
        return self._floor.frame(at_ms)

    def pause(self) -> None:
        """The caller is elsewhere, as on hold: what is being said stops here, and nothing more is heard."""
        if self._end is None and not self._is_resting:
            self._is_resting = True
            self._floor.clear(is_deaf=True)

    def resume(self, announcement: str | None = None) -> None:
        """The caller is back. Says `announcement`, or asks again what was asked before."""
        if self._end is not None or not self._is_resting:
            return
        self._is_resting = False
        self._take_turn()
        if self._group is None or self._floor.is_closing:
            return
        if announcement is not None:
            self._floor.say(brain.FixedProposal(announcement), purpose="announcement")
        elif self._floor.is_open and self._floor.listening.answer_timeout_ms is not None:
            self._floor.answer(brain.Heard(source="silence"), start_ms=self._now_ms, end_ms=self._now_ms)

    def press(self, digit: str, at_ms: int) -> None:
        """The caller pressed a key: it stops the agent, and belongs to an answer."""
        if self._end is not None or self._floor.is_closing or self._is_resting:
            return
        self._inactivity.caller_active(at_ms)
        if self._answering is not None:
            self._answering.take_key()
        floor = self._floor
        if self._group is not None and floor.end_dictation():
            return
        if not (floor.reply is not None and floor.reply.is_uninterruptible):
            if floor.attempt is not None and not floor.attempt.is_binding:
                floor.cancel_attempt()
            floor.close_reply(is_interrupted=True)
        self._keypad.press(digit, at_ms)

    def settle(self, request: ports.ToolRequest, result: ports.ToolResult) -> None:
        """Tell the brain what came of something that it asked for after its words."""
        if isinstance(self._brain, brain.Accountant):
            self._brain.settle(request.tool_call_id, result)

    def leave_message(self, text: str) -> None:
        """A voicemail has answered: say `text` after its beep, or when it has fallen silent, and end."""
        if self._group is None or self._end is not None or self._floor.is_closing:
            return
        if self._answering is None:
            self._answering = self._watch_answer()
        self._answering.record(text, self._now_ms)

    def dismiss(self) -> bool:
        """The call has to end soon: say the last words, and end. False when nothing can be said now, as on hold."""
        if self._group is None or self._end is not None or self._is_resting:
            return False
        if not self._floor.is_closing:
            self._close(ConversationEnd("dismissed"), self._settings.time_exceeded_message or self._settings.farewell)
        return True

    async def finish(self) -> None:
        """The call is over: cut the agent's turn to what was heard, and write down the caller's last words.

        Waits at most `timeouts.last_words_s` for them. Safe at any time, and twice.
        """
        async with self._finishing:
            if self._is_finished:
                return
            self._is_finished = True
            self._stop(ConversationEnd("stopped"))
            attempt = self._floor.cancel_attempt()
            self._floor.close_reply(is_interrupted=True)
            await self._keep_last_words(attempt)
            await self._ear.close()
            await self._brain.close()

    async def summarise(self) -> None:
        """Let the brain prepare the report's summary, within `timeouts.summary_s`; without one if that fails."""
        try:
            async with asyncio.timeout(self._settings.timeouts.summary_s):
                await self._brain.summarise()
        except (TimeoutError, ports.ProviderError):
            return

    def report(self) -> ConversationReport:
        """What the conversation has achieved so far."""
        return self._brain.report()

    # --- each tick ----------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        now, floor = self._now_ms, self._floor
        if self._ends_at is not None:
            if now >= self._ends_at[0]:
                self._stop(self._ends_at[1])
            return
        if now >= self._settings.max_duration_ms and not floor.is_closing:
            self._close(ConversationEnd("max_duration"), self._settings.time_exceeded_message)
        is_held = floor.reply is not None and floor.reply.is_uninterruptible
        if self._keypad.is_active and not is_held and floor.attempt is None:
            self._answer_keys()
        if self._answering is not None:
            self._answering.advance(now)
            if self._answering.is_busy or self._end is not None:
                return
        floor.advance()
        if floor.is_quiet and not floor.is_closing and not self._keypad.is_active:
            self._wait_for_caller()

    def _wait_for_caller(self) -> None:
        """Nobody speaks."""
        now, greeting, floor = self._now_ms, self._settings.greeting, self._floor
        if floor.is_held:
            return
        if not floor.is_open:
            if greeting.first_speaker == "agent":
                if now > greeting.delay_ms:
                    floor.open(greeting.text)
                return
            if greeting.fallback_delay_ms is not None and now > greeting.fallback_delay_ms:
                floor.open(greeting.fallback_text or greeting.text)
                return
        if self._inactivity.is_over(now):
            self._stop(ConversationEnd("inactivity"))
        elif (message := self._inactivity.message_due(now)) is not None:
            self._inactivity_message = message
            is_last = message.end_behavior == "END_BEHAVIOR_HANG_UP_STRICT"
            ends = ConversationEnd("inactivity") if is_last else None
            floor.say(brain.FixedProposal(message.message), purpose="inactivity", ends=ends)
        elif floor.is_open:
            timeout_ms = floor.listening.answer_timeout_ms
            if timeout_ms is not None and now - self._silent_since_ms >= timeout_ms:
                floor.answer(brain.Heard(source="silence"), start_ms=now, end_ms=now)

    def _answer_keys(self) -> None:
        answer = self._keypad.take(self._now_ms)
        if answer is not None:
            heard = brain.Heard(answer.digits, source="keypad")
            self._floor.answer(heard, start_ms=answer.start_ms, end_ms=answer.end_ms)

    # --- what the floor reports ---------------------------------------------------------------------------------

    def _take_turn(self) -> None:
        self._inactivity.caller_active(self._now_ms)
        self._silent_since_ms = self._now_ms

    def _take_reply_over(self, reply: Reply) -> None:
        self._silent_since_ms = self._now_ms
        self._inactivity.agent_stopped(self._now_ms)
        if reply.purpose == "inactivity" and self._inactivity_message is not None:
            self._inactivity.message_spoken(self._inactivity_message, self._now_ms)
        if reply.ends is not None and reply.is_played():
            self._ends_at = (self._now_ms + _TAIL_MS, reply.ends)
        elif reply.act is not None and reply.is_played() and self._act is not None:
            reply.act.begun()
            self._act(reply.act.request)

    def _take_recognition(self, recognition: ports.Recognition, turn_start_ms: int) -> None:
        """Go on in the language that the caller speaks."""
        rule = self._languages
        if rule is None:
            return
        before, text = rule.current, recognition.text
        language = rule.hear(recognition.language, text, turn_start_ms=turn_start_ms)
        if language is None:
            return
        self._ear.language = language
        if self._speaker_for is not None:
            self._producer.switch_speaker(self._speaker_for(language))
        if isinstance(self._brain, brain.Polyglot):
            self._brain.switch_language(language)
        self._note("language.switched", {"from": before, "to": language})

    def _apologize(self, error: ports.ProviderError) -> None:
        """A provider failed for good: say so, if the voice works, and end."""
        if self._group is None:
            return
        end = ConversationEnd("provider_error", str(error))
        if self._floor.is_closing:
            # Not even the last words can be said: the conversation ends as it would have after them.
            last = self._floor.attempt.reply if self._floor.attempt is not None else self._floor.reply
            reason = last.ends.reason if last is not None and last.ends is not None else end.reason
            # A message that was not left is no voicemail.
            self._stop(end if reason == "voicemail" else ConversationEnd(reason, end.detail))
            return
        self._floor.clear(is_deaf=True)
        self._floor.say(brain.FixedProposal(self._settings.apology), purpose="apology", ends=end)

    def _close(self, end: ConversationEnd, message: str | None) -> None:
        """Whatever goes on, these are the last words."""
        self._floor.clear(is_deaf=False)
        if message:
            self._floor.say(brain.FixedProposal(message), purpose="time_exceeded", ends=end)
        else:
            self._stop(end)

    def _make_floor(self) -> Floor:
        return Floor(
            settings=self._settings,
            brain=self._brain,
            ear=self._ear,
            producer=self._producer,
            transcript=self._transcript,
            spawn=self._spawn,
            now=lambda: self._now_ms,
            on_failure=self._apologize,
            on_turn=self._take_turn,
            on_reply_over=self._take_reply_over,
            on_recognized=self._take_recognition,
        )

    def _watch_answer(self) -> Answering:
        return Answering(
            settings=self._settings,
            floor=self._floor,
            ear=self._ear,
            spawn=self._spawn,
            note=self._note,
            stop=self._stop,
            navigate=lambda menu: self._brain.navigate(menu) if isinstance(self._brain, brain.Navigator) else None,
            on_open=self._take_turn,
        )

    def _note(self, kind: str, details: Mapping[str, object]) -> None:
        self._on_event(Noted(kind, self._now_ms, details))

    # --- the end ------------------------------------------------------------------------------------------------

    def _stop(self, end: ConversationEnd) -> None:
        if self._end is None:
            self._end = end
            self._ended.set()

    async def _keep_last_words(self, attempt: Attempt | None) -> None:
        keys, ear = self._keypad.take(self._now_ms, at_once=True), self._ear
        if keys is not None:
            heard = brain.Heard(keys.digits, source="keypad")
            self._keep(heard, start_ms=keys.start_ms, end_ms=keys.end_ms)
        if attempt is not None and attempt.heard is not None and ear.last_voiced_ms <= attempt.heard_until_ms:
            self._keep(attempt.heard, start_ms=attempt.heard_from_ms, end_ms=attempt.heard_until_ms)
            return
        if not ear.is_active:
            return
        start_ms, end_ms, voiced_ms = ear.started_ms, ear.last_voiced_ms, ear.voiced_ms
        try:
            async with asyncio.timeout(self._settings.timeouts.last_words_s):
                recognition = await ear.recognize()
        except (TimeoutError, ports.ProviderError):
            recognition = ports.Recognition("", understood=False)
        text, vad = recognition.text.strip(), self._settings.vad
        heard = brain.Heard(text, is_understood=recognition.understood, duration_ms=end_ms - start_ms)
        if turns.is_turn(text, is_understood=heard.is_understood, voiced_ms=voiced_ms, vad=vad):
            self._keep(heard, start_ms=start_ms, end_ms=end_ms)

    def _keep(self, heard: brain.Heard, *, start_ms: int, end_ms: int) -> None:
        """Nobody answers these words any more, but transcript and report hold them."""
        if heard.source == "silence":
            return
        self._transcript.contact(write_heard(heard, kind=self._ear.kind), start_ms=start_ms, end_ms=end_ms)
        # Words spoken over our very last ones answer no question any more.
        if self._floor.is_open and not self._floor.is_closing:
            self._brain.consider(heard).commit()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        assert self._group is not None
        return self._group.create_task(work)
