"""Who has the floor: the agent's reply being played, the answer in the making, and the caller who may take over."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from ringdown.voice import brain, ports, turns
from ringdown.voice.attempt import Attempt, Marks
from ringdown.voice.ear import Ear
from ringdown.voice.events import ConversationEnd
from ringdown.voice.judgement import Judgement
from ringdown.voice.producer import Producer
from ringdown.voice.reply import FRAME_MS, Purpose, Reply
from ringdown.voice.settings import ConversationSettings
from ringdown.voice.transcript import TranscriptWriter, write_heard

OnFailure = Callable[[ports.ProviderError], None]

# A voice's silence before its first sound is waiting for the caller.
_AUDIBLE = 8

# Sounds go on for so long after the last word of a finished sentence (the detector's tail, people in the background)
# before they are taken for its continuation; words are one at once.
_VOICE_TAIL_MS = 700


class Floor:
    """Answers the caller, plays the agent, and lets the caller interrupt.

    `advance` and `frame` are called each tick; `now` gives the media time. `on_failure` hears of a provider that
    failed for good, `on_turn` of each turn of the caller, `on_reply_over` of each reply that is over, and
    `on_recognized` of the words of each turn (and its start) before they are answered, as often as they grow.
    """

    def __init__(
        self,
        *,
        settings: ConversationSettings,
        brain: brain.Brain,
        ear: Ear,
        producer: Producer,
        transcript: TranscriptWriter,
        spawn: Callable[[Coroutine[Any, Any, None]], Any],
        now: Callable[[], int],
        on_failure: OnFailure,
        on_turn: Callable[[], None],
        on_reply_over: Callable[[Reply], None],
        on_recognized: Callable[[ports.Recognition, int], None],
    ) -> None:
        self._settings = settings
        self._brain = brain
        self._ear = ear
        self._producer = producer
        self._transcript = transcript
        self._spawn = spawn
        self._now = now
        self._on_failure = on_failure
        self._on_turn = on_turn
        self._on_reply_over = on_reply_over
        self._on_recognized = on_recognized
        self._marks: Marks | None = None
        self._judgement = Judgement(settings=settings, brain=brain, ear=ear)
        self._probing: asyncio.Task[None] | None = None
        # The words that were answered early last: once is enough.
        self._early_text = ""
        # What may be answered now; changes only when an answer begins.
        self.listening = brain.listening()
        # The question is asked again: the caller knows it before it is finished.
        self._is_repeating = False
        self.reply: Reply | None = None
        self.attempt: Attempt | None = None
        self.is_open = False
        # The last words are being said; nothing that the caller does changes them.
        self.is_closing = False
        # It is not certain that a person speaks: answers wait; or not even that, what is heard is only written down.
        self.is_held = False
        self.is_noting = False

    @property
    def is_quiet(self) -> bool:
        """Whether nobody speaks, and nothing is about to be said."""
        return self.reply is None and self.attempt is None and not self._ear.is_active

    # --- the agent begins ---------------------------------------------------------------------------------------

    def say(
        self,
        proposal: brain.Proposal,
        *,
        purpose: Purpose,
        ends: ConversationEnd | None = None,
        is_uninterruptible: bool = False,
    ) -> None:
        """Say something of our own accord; with `ends` these are the last words."""
        reply = self._new_reply(purpose, is_uninterruptible=is_uninterruptible or ends is not None)
        reply.ends = ends
        self.is_closing = self.is_closing or ends is not None
        attempt = Attempt(reply, self._new_marks(), proposal=proposal, is_binding=True)
        self._start(attempt)

    def open(self, greeting: str | None) -> None:
        """Say the first words."""
        attempt = Attempt(self._new_opening(), self._new_marks(), is_binding=True)
        attempt.proposal = self._brain.open(greeting, None)
        self._start(attempt)

    def answer(self, heard: brain.Heard, *, start_ms: int, end_ms: int) -> None:
        """Answer keys or silence."""
        is_keypad = heard.source == "keypad"
        reply = self._new_reply("answer") if self.is_open else self._new_opening()
        attempt = Attempt(reply, self._new_marks(), heard=heard, is_binding=is_keypad)
        attempt.heard_from_ms, attempt.heard_until_ms = start_ms, end_ms
        attempt.transcript = write_heard(heard, kind=self._ear.kind)
        attempt.proposal = self._propose(heard)
        self._start(attempt)

    def end_dictation(self) -> bool:
        """A key pressed while a message is dictated ends the message; whether there is one."""
        if self._ear.kind != "message" or not self._ear.is_active or self.reply is not None:
            return False
        if self.attempt is None:
            self._end_turn(is_binding=True)
        return True

    def end_turn(self) -> None:
        """The caller is done, whatever else is heard: the answer waits for nothing any more."""
        if self.attempt is not None:
            self.attempt.is_binding = True
        elif self._ear.is_active:
            self._end_turn(is_binding=True)

    # --- each tick ----------------------------------------------------------------------------------------------

    def advance(self) -> None:
        """Start, void, release and begin answers; stop for the caller."""
        attempt = self.attempt
        if attempt is None:
            if self._ear.is_active and not self.is_closing:
                self._listen()
            return
        if self._is_void(attempt):
            if attempt.heard is not None:
                self._judgement.note_resumed(attempt.heard, heard_until_ms=attempt.heard_until_ms)
            self.cancel_attempt()
            return
        if attempt.failure is not None:
            if attempt.marks.speech_end_ms is None or self._is_silent_for(attempt):
                self._on_failure(attempt.failure)
            return
        if attempt.correction is not None:
            self._correct(attempt, attempt.correction)
            return
        if attempt.proposal is None:
            return
        if attempt.marks.released_ms is None and self._is_releasable(attempt):
            attempt.marks.released_ms = attempt.marks.now()
            if attempt.words is not None:
                attempt.heard_until_ms, attempt.marks.speech_end_ms = self._ear.last_voiced_ms, self._ear.speech_end_ms
        if self.is_held and attempt.heard is not None:
            return
        if attempt.marks.released_ms is not None and attempt.reply.is_ready():
            self._begin(attempt)

    def frame(self, at_ms: int) -> bytes | None:
        """The 20 ms of the agent's voice that belong at `at_ms`."""
        reply = self.reply
        frame = reply.frame(at_ms) if reply is not None else None
        level, marks, wire = self._ear.note_sent(frame), self._marks, self._ear.wire
        if level >= _AUDIBLE and marks is not None and marks.played_ms is None:
            marks.played_ms = at_ms + (wire.lag_ms if wire is not None else 0)
        if reply is not None and reply.is_played():
            self.close_reply(is_interrupted=False)
        return frame

    def cancel_attempt(self) -> Attempt | None:
        """Give up the answer in the making; nothing of it was heard."""
        attempt, self.attempt = self.attempt, None
        if attempt is not None:
            attempt.reply.stop()
        return attempt

    def close_reply(self, *, is_interrupted: bool) -> None:
        """The agent stops: its turn is what was heard of it."""
        reply, self.reply = self.reply, None
        if reply is None:
            return
        reply.stop()
        text, marks, self._marks = reply.heard_text(), self._marks, None
        if text and reply.started_ms is not None:
            latency = marks.latency(marks.played_ms or reply.started_ms) if marks is not None else None
            self._transcript.agent(
                text,
                start_ms=reply.started_ms,
                end_ms=reply.stopped_ms,
                is_interrupted=is_interrupted and not reply.is_heard(),
                latency=latency,
            )
            self._brain.spoken(text)
        self._on_reply_over(reply)

    def keep_heard(self, attempt: Attempt | None) -> None:
        """Write down what was heard although its answer is given up."""
        if attempt is not None and attempt.transcript:
            self._transcript.contact(attempt.transcript, start_ms=attempt.heard_from_ms, end_ms=attempt.heard_until_ms)
            attempt.transcript = ""

    def clear(self, *, is_deaf: bool) -> None:
        """Take the floor from both sides; what the caller said is kept, as unclear if nobody can recognize it."""
        attempt = self.cancel_attempt()
        self.close_reply(is_interrupted=True)
        ear = self._ear
        if attempt is not None and attempt.transcript:
            self.keep_heard(attempt)
            if attempt.proposal is not None and self.is_open:
                attempt.proposal.commit()  # nobody answers these words, but the report holds them
        elif is_deaf and ear.is_active:
            text = write_heard(brain.Heard(), kind=ear.kind)
            self._transcript.contact(text, start_ms=ear.started_ms, end_ms=ear.last_voiced_ms)
        else:
            return
        ear.drop(self._spawn)

    # --- the caller speaks --------------------------------------------------------------------------------------

    def _listen(self) -> None:
        """An utterance is open and nothing is being prepared yet."""
        ear, reply, now = self._ear, self.reply, self._now()
        if reply is not None and reply.is_uninterruptible:
            return
        if reply is not None and not reply.is_paused and self._judgement.is_interrupting(reply):
            reply.pause()
            if ear.tells_words is not False and not ear.partial():
                self._probing = self._spawn(self._probe(reply))
        elif reply is not None and reply.is_paused and self._judgement.is_listening(reply):
            reply.resume()
        listening = self.listening
        is_too_long = now - ear.started_ms >= (listening.max_ms or turns.MAX_TURN_MS)
        if is_too_long or ear.silence_ms >= (listening.end_silence_ms or turns.SPECULATION_SILENCE_MS):
            self._end_turn(is_binding=is_too_long)
        elif listening.end_silence_ms is None and ear.partial() != self._early_text and self._judgement.is_said(reply):
            self._early_text = ear.partial()
            self._end_turn(words=ports.Recognition(self._early_text))

    async def _probe(self, reply: Reply) -> None:
        """The agent was stopped by sounds: unless they are words, it goes on at once."""
        ear = self._ear
        voiced_ms = ear.voiced_ms
        try:
            recognition = await ear.recognize()
        except ports.ProviderError:
            # The recognition at the turn's end reports it.
            return
        if self.reply is not reply or self.attempt is not None or ear.partial() or not recognition.understood:
            return
        if self._judgement.is_wordless(recognition.text, reply, voiced_ms=voiced_ms):
            reply.resume()

    def _end_turn(self, *, is_binding: bool = False, words: ports.Recognition | None = None) -> None:
        """The caller may be done: prepare the answer; at once if his `words` are known."""
        if self._probing is not None:
            # The answer's own recognition tells the same; an utterance is asked once at a time.
            self._probing.cancel()
        reply = self._new_reply("answer") if self.is_open else self._new_opening()
        attempt = Attempt(reply, self._new_marks(), is_binding=is_binding, words=words, is_confirmed=words is None)
        attempt.heard_from_ms, attempt.heard_until_ms = self._ear.started_ms, self._ear.last_voiced_ms
        attempt.marks.speech_end_ms = self._ear.speech_end_ms
        self._start(attempt)

    def _is_void(self, attempt: Attempt) -> bool:
        """Whether the caller went on speaking before anything was heard of the answer."""
        if attempt.is_binding or not self._ear.is_active:
            return False
        if attempt.heard is not None and self._judgement.has_grown(attempt.heard):
            return True
        more_ms = self._ear.last_voiced_ms - attempt.heard_until_ms
        if attempt.words is not None and more_ms <= _VOICE_TAIL_MS:
            return False
        return more_ms > 0

    def _correct(self, attempt: Attempt, words: ports.Recognition) -> None:
        """The recognizer has heard something else than what is being answered."""
        self.cancel_attempt()
        self._end_turn(words=words)
        assert self.attempt is not None
        self.attempt.is_confirmed = True
        self.attempt.heard_until_ms = attempt.heard_until_ms

    def _is_releasable(self, attempt: Attempt) -> bool:
        if attempt.is_binding or attempt.marks.speech_end_ms is None:
            return True
        ear = self._ear
        return attempt.is_confirmed and ear.silence_ms >= attempt.release_silence_ms and not ear.is_stirring

    def _is_silent_for(self, attempt: Attempt) -> bool:
        """Whether the caller is done, as far as a failed answer's words tell."""
        return self._ear.silence_ms >= max(attempt.release_silence_ms, turns.SPECULATION_SILENCE_MS)

    def _begin(self, attempt: Attempt) -> None:
        """The answer is heard from now on: what led to it is a fact."""
        self.attempt = None
        self.keep_heard(attempt)
        assert attempt.proposal is not None
        attempt.proposal.commit()
        listening = self._brain.listening()
        self._is_repeating = self.is_open and listening == self.listening
        self.listening = listening
        if attempt.heard is not None and attempt.heard.source != "silence":
            self._judgement.note_turn(attempt.heard)
            self._early_text = ""
            self._ear.drop(self._spawn)
            self._on_turn()
        self.is_open = self.is_open or attempt.reply.purpose in ("opening", "answer")
        self.reply, self._marks = attempt.reply, attempt.marks

    # --- preparing an answer ------------------------------------------------------------------------------------

    def _start(self, attempt: Attempt) -> None:
        attempt.marks.started_ms = attempt.marks.now()
        self.attempt = attempt
        attempt.reply.producers.append(self._spawn(self._prepare(attempt)))

    async def _prepare(self, attempt: Attempt) -> None:
        try:
            if attempt.proposal is None:
                recognition = attempt.words
                if recognition is None:
                    recognition = await self._ear.recognize()
                elif not attempt.is_confirmed:
                    attempt.reply.producers.append(self._spawn(self._confirm(attempt, recognition)))
                attempt.marks.recognized_ms = attempt.marks.now()
                if not self._accept(attempt, recognition):
                    return
            assert attempt.proposal is not None
            await self._producer.produce(attempt.reply, attempt.proposal, attempt.marks)
        except ports.ProviderError as error:
            self._fail(attempt, error)

    async def _confirm(self, attempt: Attempt, words: ports.Recognition) -> None:
        """Ask the recognizer for what is being answered already."""
        try:
            recognition = await self._ear.recognize()
        except ports.ProviderError as error:
            self._fail(attempt, error)
            return
        if turns.split_words(recognition.text) == turns.split_words(words.text):
            attempt.is_confirmed = True
        else:
            attempt.correction = recognition

    def _fail(self, attempt: Attempt, error: ports.ProviderError) -> None:
        """Nobody is told of it while the caller may go on: then another answer is tried."""
        if attempt is self.attempt and not attempt.is_binding:
            attempt.failure = error
        else:
            self._on_failure(error)

    def _accept(self, attempt: Attempt, recognition: ports.Recognition) -> bool:
        """Whether what was heard takes the turn; if so the agent is silent and the answer proposed."""
        ear, text = self._ear, recognition.text.strip()
        heard = brain.Heard(
            text, is_understood=recognition.understood, duration_ms=attempt.heard_until_ms - attempt.heard_from_ms
        )
        if not self._judgement.takes_turn(heard, self.reply, is_repeating=self._is_repeating):
            self.attempt = None
            ear.drop(self._spawn)
            if self.reply is not None:
                self.reply.resume()
            return False
        self.close_reply(is_interrupted=True)
        self._on_recognized(recognition, attempt.heard_from_ms)
        attempt.heard = heard
        attempt.transcript = write_heard(heard, kind=ear.kind)
        patience = self.listening.end_silence_ms or 0
        rule_ms = self._judgement.release_silence_ms(text)
        attempt.release_silence_ms = max(patience, rule_ms)
        attempt.proposal = self._propose(heard)
        return True

    def _propose(self, heard: brain.Heard) -> brain.Proposal:
        if self.is_noting:
            return brain.FixedProposal("")
        if self.is_open:
            return self._brain.consider(heard)
        greeting = self._settings.greeting
        return self._brain.open(greeting.text if greeting.first_speaker == "agent" else None, heard)

    def _new_marks(self) -> Marks:
        # An answer's instants are compared with the tick that plays it, which is named by its beginning.
        return Marks(lambda: self._now() - FRAME_MS)

    def _new_reply(self, purpose: Purpose, *, is_uninterruptible: bool = False) -> Reply:
        return Reply(purpose, sample_rate_hz=self._settings.sample_rate_hz, is_uninterruptible=is_uninterruptible)

    def _new_opening(self) -> Reply:
        return self._new_reply("opening", is_uninterruptible=self._settings.greeting.uninterruptible)
