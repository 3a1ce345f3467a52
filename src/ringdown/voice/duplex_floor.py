"""The agent's side of a conversation with a speech-to-speech model: what it says, until the caller takes over."""

import json
from collections.abc import Callable

from ringdown.voice import ports, turns
from ringdown.voice.attempt import Marks
from ringdown.voice.duplex_line import DuplexLine
from ringdown.voice.duplex_log import DuplexLog, Entry
from ringdown.voice.duplex_reply import DuplexReply
from ringdown.voice.duplex_tools import DuplexTools
from ringdown.voice.events import ConversationEnd
from ringdown.voice.model_answer import END_CALL
from ringdown.voice.reply import FRAME_MS, Purpose
from ringdown.voice.tool_tasks import BEGUN, NOT_DONE, ONE_ONLY, SPOKEN_OVER

_GO_ON = "The line was interrupted for a moment. Go on: answer the caller, or ask to repeat what was not heard."
_UNCLEAR = "[unclear]"
# The label of what continues the answer that is being said.
_MORE = "more"

Act = Callable[[ports.ToolRequest], None]


class DuplexFloor:
    """Plays the model's answers, cuts them where the caller interrupts, and carries out its tools.

    `now` gives the media time; `on_turn` hears of each sign of the caller, `on_reply_over` of each reply that is over.
    `last_words` are what ends the call once they were played; nothing that the caller does changes them.
    """

    def __init__(
        self,
        *,
        line: DuplexLine,
        log: DuplexLog,
        toolbox: ports.ToolBox | None,
        act: Act | None,
        sample_rate_hz: int,
        now: Callable[[], int],
        on_turn: Callable[[], None],
        on_reply_over: Callable[[DuplexReply], None],
    ) -> None:
        self._line = line
        self._log = log
        self._act = act
        self._sample_rate_hz = sample_rate_hz
        self._now = now
        self._on_turn = on_turn
        self._on_reply_over = on_reply_over
        self.tools = DuplexTools(toolbox, on_result=self._take_result)
        self.reply: DuplexReply | None = None
        self.last_words: DuplexReply | None = None
        self.is_caller_speaking = False
        self.is_resting = False
        self._last_text = ""
        self._entry: Entry | None = None
        # What the model was asked to say and has not begun, by label.
        self._wanted: dict[str, DuplexReply] = {}
        self._labels = 0
        self._marks: Marks | None = None
        # An answer was owed when the session broke.
        self._was_cut_off = False

    @property
    def is_quiet(self) -> bool:
        """Whether nobody speaks, and nothing is about to be said."""
        is_idle = self.reply is None and not self._wanted and not self.is_caller_speaking
        return is_idle and not self.is_owing and self._line.session is not None

    @property
    def is_owing(self) -> bool:
        """Whether the model is to answer, or one of its tools."""
        return self._line.is_expecting or self.tools.is_running

    @property
    def is_deaf(self) -> bool:
        """Whether the caller shall not be heard now: the model would stop for each sound, and forget the greeting."""
        is_held = self.reply is not None and self.reply.is_uninterruptible
        is_due = any(reply.is_uninterruptible or reply.purpose == "opening" for reply in self._wanted.values())
        return is_held or is_due or self.is_resting or self.last_words is not None

    # --- the agent speaks ---------------------------------------------------------------------------------------

    def say(
        self, text: str, *, purpose: Purpose, is_uninterruptible: bool = False, ends: ConversationEnd | None = None
    ) -> None:
        """Let the model say something of our own accord; with `ends` these are the last words."""
        reply = self._new_reply(purpose, is_uninterruptible=is_uninterruptible or ends is not None)
        reply.ends = ends
        if ends is not None:
            self.last_words, self._last_text = reply, text
        if self._line.session is not None:
            label = self._want(reply)
            self._line.session.say(text, label=label)

    def respond(
        self, instructions: str | None = None, *, purpose: Purpose = "answer", is_uninterruptible: bool = False
    ) -> None:
        """Let the model say what it wants."""
        if self._line.session is not None:
            label = self._want(self._new_reply(purpose, is_uninterruptible=is_uninterruptible))
            self._line.session.respond(instructions, label=label)

    def play(self, reply: DuplexReply) -> None:
        """Say last words that come from elsewhere."""
        self.close_reply(is_interrupted=True)
        self.reply = self.last_words = reply

    def frame(self, at_ms: int) -> bytes | None:
        """The 20 ms of the agent's voice that belong at `at_ms`."""
        if self.reply is None:
            return None
        frame = self.reply.frame(at_ms)
        if frame is not None and self._entry is None:
            self._entry = self._log.start_agent(start_ms=at_ms)
        if self.reply.is_played():
            self.close_reply(is_interrupted=False)
        return frame

    def cut(self, *, has_stopped: bool = False) -> None:
        """The agent stops, the model too unless it `has_stopped`, which forgets what nobody heard."""
        reply, session = self.reply, self._line.session
        self._wanted.clear()
        self._marks = None if reply is None else self._marks
        self._line.relax()
        if session is not None:
            if not has_stopped:
                session.stop()
            for item_id, heard_ms in reply.unheard_items() if reply is not None else ():
                session.truncate(item_id, heard_ms)
        self.close_reply(is_interrupted=True)

    def close_reply(self, *, is_interrupted: bool) -> None:
        """The agent's turn is over: it is what was heard of it."""
        reply, self.reply = self.reply, None
        if reply is None:
            return
        entry, self._entry = self._entry, None
        marks, self._marks = self._marks, None
        if entry is not None and reply.started_ms is not None:
            self._log.stop_agent(
                entry,
                reply.heard_text(),
                end_ms=reply.stopped_ms,
                is_interrupted=is_interrupted and not reply.is_heard(),
                latency=marks.latency(reply.started_ms) if marks is not None else None,
            )
        if reply.request is not None:
            self._begin(reply.request, is_through=reply.is_played())
        self._on_reply_over(reply)

    def _new_reply(self, purpose: Purpose, *, is_uninterruptible: bool = False) -> DuplexReply:
        return DuplexReply(purpose, sample_rate_hz=self._sample_rate_hz, is_uninterruptible=is_uninterruptible)

    def _want(self, reply: DuplexReply) -> str:
        self._labels += 1
        label = f"{reply.purpose}-{self._labels}"
        self._wanted[label] = reply
        self._line.expect()
        return label

    def _go_on(self, instructions: str | None = None) -> None:
        """Let the model continue its answer."""
        if self._line.session is not None:
            self._wanted[_MORE] = self._new_reply("answer")
            self._line.expect()
            self._line.session.respond(instructions, label=_MORE)

    # --- the session --------------------------------------------------------------------------------------------

    def take_session(self) -> None:
        """A session is open: the first, or one that goes on where the last broke."""
        was_cut_off, self._was_cut_off = self._was_cut_off, False
        if self.last_words is not None:
            self._repeat_last_words()
        elif was_cut_off and not self.is_resting:
            self._go_on(_GO_ON)

    def take_break(self) -> None:
        """The session is gone: what is there of an answer is played, the rest is asked for again."""
        is_cut = self.reply is not None and not self.reply.is_written
        self._was_cut_off = is_cut or bool(self._wanted) or self.is_caller_speaking or self._line.is_expecting
        self._wanted.clear()
        self.is_caller_speaking = False
        self._log.give_up()
        if self.reply is not None:
            self.reply.is_written = True

    def _repeat_last_words(self) -> None:
        reply = self.last_words
        if reply is not None and reply is not self.reply and reply.ends is not None and self._last_text:
            self.say(self._last_text, purpose=reply.purpose, ends=reply.ends)

    def take(self, event: ports.DuplexEvent) -> None:
        """Something that the model did."""
        match event:
            case ports.SpeechStarted():
                self._start_caller(event)
            case ports.SpeechStopped():
                self._stop_caller(event)
            case ports.CallerWords():
                self._log.name_caller(event.turn_id, event.text if event.understood else _UNCLEAR)
            case ports.AgentStarted():
                self._start_reply(event.label)
            case ports.AgentWords():
                self._mark(has_audio=False)
                if self.reply is not None:
                    self.reply.add_words(event.item_id, event.text)
            case ports.AgentAudio():
                self._mark(has_audio=True)
                if self.reply is not None:
                    self.reply.add_audio(event.item_id, event.pcm)
            case ports.ToolRequest():
                self._take_request(event)
            case ports.AgentDone():
                self._take_done()

    def _start_caller(self, event: ports.SpeechStarted) -> None:
        self.is_caller_speaking = True
        self._log.start_caller(event.turn_id, start_ms=self._line.to_media_ms(event.at_ms))
        if self.last_words is not None:
            self._repeat_last_words()  # the model took back what it had not begun
            return
        self._on_turn()
        reply = self.reply
        if reply is None or not reply.is_uninterruptible:
            is_farewell = reply is not None and reply.ends is not None and reply.is_written
            if reply is not None and is_farewell and reply.remaining_ms() < turns.NEARLY_FINISHED_MS:
                self.last_words = reply  # a farewell over the end of ours stops nothing
            else:
                self.cut(has_stopped=True)

    def _stop_caller(self, event: ports.SpeechStopped) -> None:
        end_ms = self._line.to_media_ms(event.at_ms)
        self.is_caller_speaking = False
        self._log.stop_caller(event.turn_id, end_ms=end_ms)
        if self.last_words is None:
            self._on_turn()
            marks = Marks(lambda: self._now() - FRAME_MS)
            marks.speech_end_ms, marks.started_ms = min(end_ms, marks.now()), marks.now()
            self._marks = marks
            self._line.expect()

    def _start_reply(self, label: str) -> None:
        wanted, session = self._wanted.pop(label, None), self._line.session
        assert session is not None
        if self.last_words is not None and (wanted is None or wanted is not self.last_words):
            session.stop()
            self._repeat_last_words()  # they wait behind nothing
        elif self.is_resting:
            session.stop()
        else:
            self._line.expect()
            if self.reply is None:
                self.reply = wanted or self._new_reply("answer")

    def _mark(self, *, has_audio: bool) -> None:
        self._line.expect()
        marks = self._marks
        if marks is None:
            return
        if marks.first_text_ms is None:
            marks.first_text_ms = marks.now()
        if has_audio and marks.first_audio_ms is None:
            marks.first_audio_ms = marks.released_ms = marks.now()

    def _take_done(self) -> None:
        if not self._wanted:
            self._line.relax()
        if self.reply is not None and not self.tools.is_running and _MORE not in self._wanted:
            self.reply.is_written = True

    # --- tools --------------------------------------------------------------------------------------------------

    def _take_request(self, request: ports.ToolRequest) -> None:
        if self.last_words is not None or self.is_resting:
            return
        if not self.tools.runs_after_words(request):
            self.tools.use(request)
            return
        if self.reply is None:
            self.reply = self._new_reply("answer")
        if self.reply.request is not None:
            self._tell(request, ONE_ONLY)
            return
        if (refusal := self.tools.check(request)) is not None:
            self._take_result(request, refusal)
            return
        self.reply.request = request
        if request.name == END_CALL.name:
            self.reply.ends = ConversationEnd("agent_hangup")

    def _take_result(self, request: ports.ToolRequest, result: ports.ToolResult) -> None:
        self._tell(request, result)
        reply = self.reply
        if reply is not None and reply.request is not None and result.is_error:
            self._tell(reply.request, NOT_DONE)
            reply.request = reply.ends = None
        if self.tools.is_running or self.is_caller_speaking or self.is_resting or self.last_words is not None:
            return
        if reply is not None and reply.request is not None:
            reply.is_written = True  # what follows the words is the end of the answer
        else:
            self._go_on()

    def _begin(self, request: ports.ToolRequest, *, is_through: bool) -> None:
        """What waited for the end of the words; it is off when they were interrupted."""
        if not is_through:
            self._tell(request, SPOKEN_OVER)
        elif request.name != END_CALL.name and self._act is not None:
            self._tell(request, BEGUN)
            self._act(request)

    def _tell(self, request: ports.ToolRequest, result: ports.ToolResult) -> None:
        self._log.add_tool(request, result, at_ms=self._now())
        if self._line.session is not None:
            content = json.dumps({"error": result.content}) if result.is_error else result.content
            self._line.session.answer_tool(request, ports.ToolResult(content, is_error=result.is_error))
