"""The brain that runs a flow; needs no model and does no I/O."""

from collections.abc import AsyncIterator, Mapping

from ringdown.voice import brain, flow, flow_steps, ports, sentences
from ringdown.voice.events import ConversationReport
from ringdown.voice.turns import Completeness

# Silence after a question that counts as no answer; callers who look for a number need about this long.
ANSWER_TIMEOUT_MS = 8000
# People pause to think while they dictate a message.
MESSAGE_END_SILENCE_MS = 2500
_MS_PER_SECOND = 1000
_ENGLISH_ONLY = ("yes_no", "date")


class FlowBrain:
    """Runs one call through a `Flow`. `variables` fill the templates beside the flow's own slots."""

    def __init__(self, *, flow: flow.Flow, variables: Mapping[str, str], language: str = "en-US") -> None:
        self._flow = flow
        self._variables = dict(variables)
        self._steps = flow_steps.FlowSteps(flow, self._variables)
        self._is_english = language.lower().split("-")[0] == "en"
        self._state: flow_steps.FlowState | None = None

    def listening(self) -> brain.Listening:
        """The grammar of the current question."""
        if self._state is None or self._state.phase == "ended":
            return brain.Listening()
        if self._state.phase == "confirming":
            return brain.Listening(ports.Expectation(kind="yes_no"), answer_timeout_ms=ANSWER_TIMEOUT_MS)
        listen = self._steps.node(self._state).listen
        if listen is None:
            return brain.Listening()
        expectation = ports.Expectation(
            kind=listen.kind,
            phrases=tuple(phrase for phrases in listen.options.values() for phrase in phrases),
            min_digits=listen.min_digits,
            max_digits=listen.max_digits,
        )
        is_message = listen.kind == "message"
        return brain.Listening(
            expectation,
            end_silence_ms=MESSAGE_END_SILENCE_MS if is_message else None,
            max_ms=listen.max_seconds * _MS_PER_SECOND if is_message else None,
            answer_timeout_ms=ANSWER_TIMEOUT_MS,
        )

    def open(self, greeting: str | None, heard: brain.Heard | None) -> brain.Proposal:
        """The greeting, then the start node; what the caller said before is no answer to it."""
        del heard
        step = self._steps.open()
        return _FlowProposal(self, step, before=greeting or "")

    def consider(self, heard: brain.Heard) -> brain.Proposal:
        """The step that follows from `heard`."""
        if self._state is None:
            return self.open(None, heard)
        # These answers are understood in English only; elsewhere the keypad takes them.
        if heard.source == "speech" and not self._is_english and self.listening().expectation.kind in _ENGLISH_ONLY:
            heard = brain.Heard(heard.text, is_understood=False, duration_ms=heard.duration_ms)
        return _FlowProposal(self, self._steps.take_answer(self._state, heard))

    def judge(self, text: str) -> Completeness:
        """Whether the question is answered."""
        return self._steps.judge(self._state, text) if self._state is not None else "unknown"

    def judge_keypad(self, digits: str) -> Completeness:
        """Whether the keys pressed are an answer."""
        return self._steps.judge_keypad(self._state, digits) if self._state is not None else "unknown"

    def spoken(self, text: str) -> None:
        """A flow goes on whatever the caller heard of its words."""

    async def summarise(self) -> None:
        """A flow's summary is its template."""

    def report(self) -> ConversationReport:
        """Slots, the summary template filled with them, and the outcome by slot value."""
        slots = dict(self._state.slots) if self._state is not None else {}
        return ConversationReport(slots=slots, summary=self._summarise(slots), outcome=self._outcome(slots))

    async def close(self) -> None:
        """Nothing runs beside a flow."""

    def _summarise(self, slots: Mapping[str, str]) -> str | None:
        """The sentences of the template that have something to tell."""
        if not slots or self._flow.summary is None:
            return None
        known = {**self._variables, **slots}
        telling = []
        for sentence in sentences.split_sentences(self._flow.summary):
            names = sentences.find_variables(sentence)
            if not names or any(known.get(name) for name in names):
                telling.append(sentences.render_template(sentence, known))
        return " ".join(telling) or None

    def enter(self, state: flow_steps.FlowState) -> None:
        """A proposed step was heard: the flow stands there now."""
        self._state = state

    def _outcome(self, slots: Mapping[str, str]) -> str | None:
        outcome = self._flow.outcome
        if outcome is None or isinstance(outcome, str):
            return outcome if slots else None
        for slot, by_value in outcome.items():
            if slot in slots and (name := by_value.get(slots[slot]) or by_value.get(flow.ANY)):
                return name
        return None


class _FlowProposal:
    def __init__(self, owner: FlowBrain, step: flow_steps.Step, *, before: str = "") -> None:
        self._owner = owner
        self._step = step
        self._text = f"{before} {step.say}".strip()

    async def parts(self) -> AsyncIterator[brain.Part]:
        if self._text:
            yield self._text
        if self._step.state.phase == "ended":
            yield brain.HangUp()

    def commit(self) -> None:
        self._owner.enter(self._step.state)
