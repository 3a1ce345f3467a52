"""What the caller's voice and words mean for the floor: an interruption, a whole turn, or nothing; changes nothing."""

from ringdown.voice import brain, turns
from ringdown.voice.ear import Ear
from ringdown.voice.reply import Reply
from ringdown.voice.settings import ConversationSettings
from ringdown.voice.vocabulary import Vocabulary, find_vocabulary

# Our words that may come back as echo.
_ECHO_WORDS = 40


class Judgement:
    """Applies the rules of `voice.turns` to what the ear has heard; `reply` is what the agent is saying."""

    def __init__(self, *, settings: ConversationSettings, brain: brain.Brain, ear: Ear) -> None:
        self._vad = settings.vad
        self._brain = brain
        self._ear = ear
        # Voice of the utterance that began at this instant which turned out to be no words.
        self._wordless_ms = (0, 0)
        # How many words came before a full stop that may not hold, and the pause after it.
        self._broken = (0, 0)

    def is_interrupting(self, reply: Reply) -> bool:
        """Whether the caller, speaking over the agent, now stops it."""
        ear = self._ear
        partial, voiced_ms = self._leave_out_echo(ear.partial(), reply), ear.voiced_ms
        started_ms, wordless_ms = self._wordless_ms
        if not partial and started_ms == ear.started_ms:
            voiced_ms -= wordless_ms
        return turns.interrupts(
            voiced_ms=voiced_ms,
            partial=partial,
            tells_words=ear.tells_words,
            untold_ms=ear.untold_ms,
            vad=self._vad,
            vocabulary=self._vocabulary(),
        )

    def is_listening(self, reply: Reply) -> bool:
        """Whether the voice that stopped the agent has ended, and said nothing but that the caller listens."""
        ear = self._ear
        if not ear.partial() or ear.silence_ms < turns.RESUME_SILENCE_MS:
            return False
        return turns.is_backchannel(self._leave_out_echo(ear.partial(), reply), self._vocabulary())

    def is_wordless(self, text: str, reply: Reply, *, voiced_ms: int) -> bool:
        """Whether the voice that stopped the agent says nothing; then so much voice does not stop it again."""
        if not turns.is_backchannel(self._leave_out_echo(text, reply), self._vocabulary()):
            return False
        self._wordless_ms = (self._ear.started_ms, voiced_ms)
        return True

    def is_said(self, reply: Reply | None) -> bool:
        """Whether the words so far are a whole turn, although the silence after them has only begun."""
        ear, text = self._ear, self._ear.partial()
        if not text or ear.silence_ms < turns.EARLY_SILENCE_MS or ear.voiced_ms < self._vad.minimum_turn_duration_ms:
            return False
        if reply is not None:
            # Only where these words have stopped the agent.
            caller_text = self._leave_out_echo(text, reply)
            if not reply.is_paused or turns.is_backchannel(caller_text, self._vocabulary()):
                return False
        if turns.is_finished(text):
            return not turns.is_trailing(text, self._vocabulary())
        return self._brain.judge(text) == "complete"

    def takes_turn(self, heard: brain.Heard, reply: Reply | None, *, is_repeating: bool) -> bool:
        """Whether what was recognized is a turn of the caller, even over the agent."""
        ear, vad = self._ear, self._vad
        if reply is None:
            return turns.is_turn(
                heard.text,
                is_understood=heard.is_understood,
                voiced_ms=ear.voiced_ms,
                vad=vad,
                tells_words=ear.tells_words,
            )
        if ear.voiced_ms < vad.minimum_turn_duration_ms:
            return False
        text, remaining_ms = self._leave_out_echo(heard.text, reply), reply.remaining_ms()
        is_asked = is_repeating or "?" in reply.heard_text() or remaining_ms < turns.NEARLY_FINISHED_MS
        if ear.kind == "yes_no" and not is_asked:
            # A yes/no grammar makes an answer of anything; before the question it is none.
            text = ""
        return turns.stops_agent(
            text,
            is_understood=heard.is_understood,
            voiced_ms=ear.voiced_ms,
            remaining_ms=remaining_ms,
            tells_words=ear.tells_words,
            is_answer=self._brain.judge(text) == "complete" if text else False,
            is_question=any("?" in sentence.text for sentence in reply.sentences) or ear.kind != "free",
            is_farewell_heard=reply.ends is not None,
            vocabulary=self._vocabulary(),
        )

    def release_silence_ms(self, text: str) -> int:
        """How long the caller must have been silent before the answer to `text` may be heard."""
        return turns.release_silence_ms(
            text,
            completeness=self._brain.judge(text),
            vad=self._vad,
            vocabulary=self._vocabulary(),
            manner=self._ear.manner,
        )

    def has_grown(self, heard: brain.Heard) -> bool:
        """Whether the recognizer tells more words than these by now."""
        partial = self._ear.partial()
        if len(partial) <= len(heard.text):
            return False
        return len(turns.split_words(partial)) > len(turns.split_words(heard.text))

    def note_resumed(self, heard: brain.Heard, *, heard_until_ms: int) -> None:
        """The caller goes on after these words, perhaps: there may be a full stop behind them that does not hold."""
        if turns.is_finished(heard.text) and self._ear.resumed_ms >= heard_until_ms:
            self._broken = (len(turns.split_words(heard.text)), self._ear.pause_ms)

    def note_turn(self, heard: brain.Heard) -> None:
        """The words were answered, and the caller did not go on: that tells how his recognizer writes."""
        (broken_words, pause_ms), self._broken = self._broken, (0, 0)
        if heard.source != "speech" or not heard.text:
            return
        manner = self._ear.manner
        manner.note_turn(heard.text)
        if len(turns.split_words(heard.text)) > broken_words > 0:
            manner.note_broken(pause_ms)

    def _vocabulary(self) -> Vocabulary:
        return find_vocabulary(self._ear.language)

    def _leave_out_echo(self, text: str, reply: Reply) -> str:
        """The caller's part of the words."""
        if not text or not self._ear.has_echo:
            return text
        return turns.remove_echo(text, turns.split_words(reply.heard_text())[-_ECHO_WORDS:])
