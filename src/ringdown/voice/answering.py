"""The first moments of a call that we placed: finds out who has answered, and meets machines as the settings say."""

import audioop
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any, Literal

from ringdown.voice import beep, brain, cadence, machine, ports
from ringdown.voice.ear import Ear
from ringdown.voice.events import ConversationEnd
from ringdown.voice.floor import Floor
from ringdown.voice.settings import ConversationSettings

# A greeting that is still going on has enough words by now to tell a machine's from a business's; and again.
_PEEK_MS = 2200
_PEEK_AGAIN_MS = 800
# Sounds of a line without a voice: their words, if they have any, are known when nobody is waited for any longer.
_PEEK_AHEAD_MS = 200
# The words of what ended so long before are all there.
_BREATH_MS = 200
# Somebody was asked to come to the telephone.
_PATIENCE_MS = 30_000
# After these pauses a recording is over: a voicemail greeting without a beep, a question, a list of choices.
_RECORDING_OVER_MS = 1500
_QUESTION_OVER_MS = 600
_CHOICES_OVER_MS = 1200
# Questions and choices that never pause are answered all the same.
_LONGEST_PROMPT_MS = 15_000
# The words of what is over may still be on their way through the recognizer.
_WORDS_MS = 1500
# So long after the first words of the agent, what is heard may still be a greeting.
_EARLY_MS = 15_000
# A beep after so much speech is a machine's, when the call has just begun and later; and so soon after it.
_EARLY_GREETING_MS = 1000
_LATE_GREETING_MS = cadence.LONG_MS
_BEEP_WITHIN_MS = 2500
# A beep so soon after the message has begun: the machine did not record its beginning.
_TOO_EARLY_MS = 10_000
_MOST_BEGINNINGS = 3
_MOST_PROMPTS = 10
_PARTIAL_TICK_MS = 100
# The greeting begins so soon after it is known that a person is there, whatever else is heard.
_LONGEST_WAIT_MS = 1000
# Whose voice is heard for so long in the first moments of our greeting does not listen: a recording. About four
# tenths of speech are as loud as that.
_TALKING_MS, _MOMENTS_MS = 800, 2500
# Voice activity sees a tone's beginning a little before or after the tone does.
_TONE_LAG_MS = 150

_Step = Literal["deciding", "question", "choices", "recording", "leaving", "open", "done"]


class Answering:
    """Holds the floor of one conversation until it is known who has answered.

    `hear` and `advance` are called each tick. `note` takes events, `stop` ends the conversation, `navigate` gives the
    answer to a phone menu (None where nobody could press a key), `on_open` hears that the floor was given free.
    """

    def __init__(
        self,
        *,
        settings: ConversationSettings,
        floor: Floor,
        ear: Ear,
        spawn: Callable[[Coroutine[Any, Any, None]], Any],
        note: Callable[[str, Mapping[str, object]], None],
        stop: Callable[[ConversationEnd], None],
        navigate: Callable[[str], brain.Proposal | None],
        on_open: Callable[[], None],
    ) -> None:
        self._limits = settings.machine
        self._message = settings.machine.message or settings.greeting.text
        self._answer = settings.screening.answer if settings.screening is not None else ""
        self._greeting = settings.greeting
        self._floor = floor
        self._ear = ear
        self._spawn = spawn
        self._note = note
        self._stop = stop
        self._navigate = navigate
        self._on_open = on_open
        self._tones = beep.ToneFinder(sample_rate_hz=settings.sample_rate_hz)
        self._cadence = cadence.Cadence()
        self._line = cadence.Line()
        self._signal: beep.Signal | None = None
        self._step: _Step = "deciding"
        self._now_ms = 0
        # When the step began; when the line was last anything but silent.
        self._since_ms = 0
        self._quiet_since_ms = 0
        self._due_ms: int | None = None
        self._level = 0
        self._first_spoken_ms: int | None = None
        self._is_deaf = self._is_waiting = False
        # What the verdict rested on that opened the floor.
        self._reason = ""
        self._loud_ms = 0
        self._peeked: str | None = None
        self._is_peeking = False
        self._next_peek_ms, self._peeked_ms = _PEEK_MS, 0
        self._prompts = self._beginnings = 0
        floor.is_held = True

    @property
    def is_busy(self) -> bool:
        """Whether the words of speech that goes on are being recognized, so that nobody else may ask for them."""
        return self._is_peeking

    # --- each tick ----------------------------------------------------------------------------------------------

    def hear(self, pcm: bytes, at_ms: int) -> None:
        """Take the far party's 20 ms that began at `at_ms`."""
        if self._step == "done":
            return
        self._level = audioop.rms(pcm, 2)
        self._line.feed(self._level)
        if tones := self._tones.push(pcm, at_ms):
            begin_ms = tones[0].start_ms - _TONE_LAG_MS
            has_spoken = self._first_spoken_ms is not None and self._first_spoken_ms < begin_ms
            self._signal = beep.classify_tones(tones, has_spoken=has_spoken)
            if not has_spoken or self._signal == "ringing":
                self._forget_tones()

    def advance(self, now_ms: int) -> None:
        """Decide, wait and act."""
        self._now_ms = now_ms
        signal, self._signal = self._signal, None
        if self._step == "done":
            return
        ear = self._ear
        if ear.is_active and not self._tones.is_hearing:
            if self._first_spoken_ms is None:
                self._first_spoken_ms = ear.started_ms
            voiced_ms = ear.last_voiced_ms
            self._cadence.feed(started_ms=ear.started_ms, last_voiced_ms=voiced_ms, level=self._level, now_ms=now_ms)
        if self._floor.is_closing:
            if self._step == "leaving" and signal == "beep":
                self._begin_again()
            return
        match self._step:
            case "deciding":
                self._decide(signal)
            case "question":
                self._await_end(_QUESTION_OVER_MS, signal, then=self._answer_question)
            case "choices":
                self._await_end(_CHOICES_OVER_MS, signal, then=self._answer_menu)
            case "recording":
                self._await_end(_RECORDING_OVER_MS, signal, then=self._leave_message)
            case _:
                self._watch(signal)

    def take_key(self) -> None:
        """A key was pressed at the other end: somebody is there."""
        if self._step == "deciding":
            self._conclude(machine.Finding("human", "key"), "")

    def _forget_tones(self) -> None:
        """A tone that sounded like a voice is nobody's turn."""
        self._first_spoken_ms = None
        self._cadence.reset()
        self._line = cadence.Line()
        if self._step == "deciding" and self._ear.is_active:
            self._floor.cancel_attempt()
            self._ear.drop(self._spawn)

    def record(self, message: str, now_ms: int) -> None:
        """Somebody knows already that a machine is recording: leave `message`."""
        self._message = message
        self._now_ms = self._quiet_since_ms = now_ms
        self._go_to("recording")

    # --- who is it ----------------------------------------------------------------------------------------------

    def _decide(self, signal: beep.Signal | None) -> None:
        floor, now = self._floor, self._now_ms
        if floor.reply is not None or (floor.attempt is not None and floor.attempt.is_binding):
            # The agent answers a question, or chooses.
            self._quiet_since_ms = now
            return
        if signal == "ringing" or self._tones.is_hearing:
            self._quiet_since_ms = now
        text = self._read_text()
        finding = self._judge_signal(signal) or self._judge_speech(text)
        if finding is not None:
            self._conclude(finding, text or "")
        elif now - self._since_ms >= self._limits.max_greeting_ms:
            self._conclude(machine.Finding("unknown", "time"), text or "")
        elif text and self._is_pause() and machine.read_words(text, is_first=True) == "waiting":
            self._is_waiting = True
            self._clear()

    def _judge_signal(self, signal: beep.Signal | None) -> machine.Finding | None:
        if signal == "fax":
            return machine.Finding("fax", "tone")
        return machine.Finding("machine", signal) if signal in ("beep", "intercept") else None

    def _judge_speech(self, text: str | None) -> machine.Finding | None:
        if self._tones.is_hearing:
            return None
        spoken_ms, quiet_ms = self._cadence.spoken_ms, self._now_ms - self._quiet_since_ms
        is_noise = not self._line.has_voice and quiet_ms >= self._limits.max_silence_ms - _PEEK_AHEAD_MS
        is_due = spoken_ms >= _PEEK_MS or (spoken_ms > 0 and is_noise)
        if is_due and text is None and not self._is_deaf and self._awaits_words(spoken_ms, is_noise=is_noise):
            return None
        evidence = machine.Evidence(
            spoken_ms=spoken_ms,
            silence_ms=self._cadence.silence_ms(self._now_ms),
            quiet_ms=quiet_ms,
            text=text if text is not None else self._peeked,
            is_deaf=self._is_deaf,
            has_voice=self._line.has_voice,
        )
        limits = replace(self._limits, max_silence_ms=_PATIENCE_MS) if self._is_waiting else self._limits
        return machine.judge(evidence, limits=limits)

    def _awaits_words(self, spoken_ms: int, *, is_noise: bool) -> bool:
        """Have the words so far recognized, if that is due; the verdict waits for them, but not for those of noise."""
        if self._is_peeking or self._floor.attempt is not None:
            return not is_noise
        is_new = self._cadence.last_voiced_ms > self._peeked_ms - _BREATH_MS
        is_first = is_noise and self._peeked is None
        if not (is_first or spoken_ms >= self._next_peek_ms or (self._is_pause() and is_new)):
            return False
        self._next_peek_ms, self._peeked_ms = spoken_ms + _PEEK_AGAIN_MS, self._now_ms
        self._is_peeking = True
        self._spawn(self._peek())
        return True

    def _is_pause(self) -> bool:
        return self._cadence.silence_ms(self._now_ms) >= cadence.PAUSE_MS

    def _read_text(self) -> str | None:
        """The words of what is being said, where they are known by now."""
        attempt = self._floor.attempt
        if attempt is not None and attempt.heard is not None:
            self._is_deaf = not attempt.heard.is_understood
            return None if self._is_deaf else attempt.heard.text
        return self._ear.partial() or None

    async def _peek(self) -> None:
        """Have the words so far recognized although nobody pauses."""
        try:
            recognition = await self._ear.recognize()
        except ports.ProviderError:
            recognition = ports.Recognition("", understood=False)
        finally:
            self._is_peeking = False
        self._is_deaf, self._peeked = not recognition.understood, recognition.text

    # --- what follows -------------------------------------------------------------------------------------------

    def _conclude(self, finding: machine.Finding, text: str) -> None:
        verdict = finding.verdict
        self._note("machine.detected", {"verdict": verdict, "reason": finding.reason, "words": text})
        if verdict == "screening" and self._answer and self._prompts < _MOST_PROMPTS:
            self._go_to("question")
        elif verdict == "menu" and self._prompts < _MOST_PROMPTS:
            self._go_to("choices")
        elif verdict in ("human", "unknown", "screening"):
            self._open("open")
            self._reason, self._loud_ms = finding.reason, self._cadence.loud_ms
            if self._is_pause():
                # Others who talk in the background do not keep us from answering.
                self._floor.end_turn()
        else:
            self._meet_machine(finding)

    def _meet_machine(self, finding: machine.Finding) -> None:
        if self._limits.mode in ("off", "continue"):
            self._open("done")
        elif self._limits.mode == "leave_message" and self._can_record(finding) and self._message:
            self._go_to("recording")
            if finding.reason == "beep":
                self._note("machine.beep", {})
                self._due_ms = self._now_ms
        else:
            self._step = "done"
            self._stop(ConversationEnd("voicemail", f"{_NAMES.get(finding.verdict, finding.verdict)} answered"))

    def _can_record(self, finding: machine.Finding) -> bool:
        return finding.verdict == "machine" and finding.reason != "intercept"

    def _go_to(self, step: _Step) -> None:
        """What is heard from now on is written down, and answered by nobody but us."""
        if self._floor.reply is not None:
            self._floor.close_reply(is_interrupted=True)
        self._floor.is_held = self._floor.is_noting = True
        self._step, self._since_ms, self._due_ms = step, self._now_ms, None
        self._tones.is_thrifty = False

    def _open(self, step: Literal["open", "done"]) -> None:
        self._floor.is_held = self._floor.is_noting = False
        self._step, self._since_ms = step, self._now_ms
        self._on_open()

    def _await_end(self, pause_ms: int, signal: beep.Signal | None, *, then: Callable[[str], None]) -> None:
        """Go on when what the machine says is over, or it has beeped, and its words are known."""
        now, floor = self._now_ms, self._floor
        longest_ms = self._limits.max_greeting_ms if self._step == "recording" else _LONGEST_PROMPT_MS
        if signal == "beep":
            self._note("machine.beep", {})
        quiet_since_ms = max(self._cadence.last_voiced_ms, self._quiet_since_ms)
        is_over = now - quiet_since_ms >= pause_ms and not self._tones.is_hearing
        if self._due_ms is None and (signal == "beep" or is_over or now - self._since_ms >= longest_ms):
            self._due_ms = now
        if self._due_ms is None:
            return
        attempt = floor.attempt
        is_known = bool(attempt.transcript) if attempt is not None else not self._ear.is_active
        if is_known or now - self._due_ms >= _WORDS_MS:
            text = attempt.heard.text if attempt is not None and attempt.heard is not None else ""
            self._clear()
            then(text)

    def _clear(self) -> None:
        """What was heard so far is written down; what comes now is new."""
        self._floor.clear(is_deaf=True)
        self._cadence.reset()
        self._peeked, self._next_peek_ms = None, _PEEK_MS
        self._quiet_since_ms = self._now_ms

    # --- what we say to machines --------------------------------------------------------------------------------

    def _answer_question(self, _text: str) -> None:
        self._note("screening.answered", {"answer": self._answer})
        self._say_and_wait(brain.FixedProposal(self._answer))

    def _answer_menu(self, text: str) -> None:
        proposal = self._navigate(text) if text else None
        if proposal is None:
            self._meet_machine(machine.Finding("menu", "words"))
            return
        self._say_and_wait(proposal)

    def _say_and_wait(self, proposal: brain.Proposal) -> None:
        """Answer; then it is open again who comes."""
        self._prompts += 1
        self._step, self._since_ms, self._is_waiting = "deciding", self._now_ms, True
        self._floor.is_noting = False
        self._floor.say(proposal, purpose="announcement", is_uninterruptible=True)

    def _leave_message(self, _text: str) -> None:
        self._step, self._since_ms = "leaving", self._now_ms
        self._beginnings += 1
        end = ConversationEnd("voicemail", "a message was left")
        self._floor.say(brain.FixedProposal(self._message or ""), purpose="announcement", ends=end)

    def _begin_again(self) -> None:
        """The beep comes only now: what was said before it is not on the tape."""
        self._note("machine.beep", {})
        if self._now_ms - self._since_ms <= _TOO_EARLY_MS and self._beginnings < _MOST_BEGINNINGS:
            self._floor.clear(is_deaf=False)
            self._leave_message("")

    # --- later --------------------------------------------------------------------------------------------------

    def _watch(self, signal: beep.Signal | None) -> None:
        """A person's line may switch to voicemail, and a greeting may begin like a person."""
        is_early = self._now_ms - self._since_ms <= _EARLY_MS
        self._tones.is_thrifty = not is_early
        attempt, text = self._floor.attempt, ""
        if not self._floor.is_open and attempt is None:
            self._greet()
        if attempt is not None and attempt.heard is not None and attempt.heard.source == "speech":
            text = attempt.heard.text
            self._is_deaf = not attempt.heard.is_understood
        elif self._ear.is_active and self._now_ms % _PARTIAL_TICK_MS == 0:
            text = self._ear.partial()
        hint = machine.read_words(text, is_first=is_early) if text else None
        if hint == "machine" or (is_early and hint in ("screening", "menu")):
            self._conclude(machine.Finding(hint, "words"), text)
        elif signal == "beep" and self._is_after_greeting(is_early=is_early):
            self._conclude(machine.Finding("machine", "beep"), text)
        elif self._is_deaf and self._talks_on():
            self._conclude(machine.Finding("machine", "cadence"), text)

    def _talks_on(self) -> bool:
        """Whether the voice that seemed to be a person's goes on while we greet."""
        is_greeting = self._now_ms - self._since_ms <= _MOMENTS_MS and self._reason == "cadence"
        return is_greeting and self._cadence.loud_ms - self._loud_ms >= _TALKING_MS

    def _greet(self) -> None:
        """What was heard was no turn, as noise that never pauses: nobody is kept waiting for its end."""
        longest_ms = 0 if self._reason == "silence" else _LONGEST_WAIT_MS
        is_due = self._now_ms - self._since_ms >= longest_ms and self._now_ms > self._greeting.delay_ms
        if is_due and self._floor.reply is None and self._greeting.first_speaker == "agent":
            self._floor.open(self._greeting.text)

    def _is_after_greeting(self, *, is_early: bool) -> bool:
        greeting_ms = _EARLY_GREETING_MS if is_early else _LATE_GREETING_MS
        is_just_over = self._cadence.silence_ms(self._now_ms) <= _BEEP_WITHIN_MS
        return is_just_over and self._cadence.spoken_ms >= greeting_ms


_NAMES = {"machine": "an answering machine", "menu": "a phone menu", "fax": "a fax machine"}
