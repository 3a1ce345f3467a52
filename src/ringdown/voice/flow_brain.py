"""The brain that runs a flow; needs no model, and does no I/O but the tools of the flow."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping

from ringdown.voice import answers, brain, flow, flow_nodes, flow_steps, opt_out, ports, sentences
from ringdown.voice.events import ConversationReport
from ringdown.voice.flow_tool import FlowTool
from ringdown.voice.tool_use import ToolUse
from ringdown.voice.turns import Completeness

# Silence after a question that counts as no answer; callers who look for a number need about this long.
ANSWER_TIMEOUT_MS = 8000
# People pause to think while they dictate a message.
MESSAGE_END_SILENCE_MS = 2500
# A menu that was answered with digits begins to speak again; a transfer that nobody takes comes back by itself.
_AFTER_DIGITS_MS = 2000
_AFTER_TRANSFER_MS = 60_000
_MS_PER_SECOND = 1000
_NEEDS_WORDS = ("yes_no", "date")


class FlowBrain:
    """Runs one call through a `Flow`. `variables` fill the templates beside the flow's own slots.

    `toolbox` holds the tools that its nodes use, and the one that puts callers who ask for it on the do-not-call list.
    """

    def __init__(
        self,
        *,
        flow: flow.Flow,
        variables: Mapping[str, str],
        language: str = "en-US",
        toolbox: ports.ToolBox | None = None,
    ) -> None:
        self._flow = flow
        self._variables = dict(variables)
        self.tools = ToolUse(toolbox, language=language)
        leads_out = any(spec.name == opt_out.TOOL for spec in self.tools.specs())
        self.steps = flow_steps.FlowSteps(flow, self._variables, language, leads_out=leads_out)
        self.tool = FlowTool(self.tools)
        self._is_known_language = language.lower().partition("-")[0] in answers.LANGUAGES
        self._state: flow_steps.FlowState | None = None

    def listening(self) -> brain.Listening:
        """The grammar of the current question."""
        return listen_at(self.steps, self._state)

    @property
    def keywords(self) -> Collection[str]:
        """Names of what may be said at any question."""
        return self._flow.keywords.keys()

    def open(self, greeting: str | None, heard: brain.Heard | None) -> brain.Proposal:
        """The greeting, then the start node; what the caller said before is no answer to it."""
        del heard
        return FlowProposal(self, self.steps.open(), before=greeting or "")

    def consider(self, heard: brain.Heard) -> brain.Proposal:
        """The step that follows from `heard`."""
        if self._state is None:
            return self.open(None, heard)
        if self._state.phase == "calling":
            # The caller spoke while a tool runs: its result is what comes next.
            return FlowProposal(
                self, flow_steps.Step(self._state, "", tool=self.tool.request or self.steps.request_tool(self._state))
            )
        kind = self.listening().expectation.kind
        if self.steps.is_opting_out(heard):
            return FlowProposal(self, self.steps.take_answer(self._state, heard))
        if heard.source == "speech" and not self._is_known_language and kind in _NEEDS_WORDS:
            # Nobody knows the words of this language: the keypad takes the answer.
            heard = brain.Heard(heard.text, is_understood=False, duration_ms=heard.duration_ms)
        return FlowProposal(self, self.steps.take_answer(self._state, heard))

    def judge(self, text: str) -> Completeness:
        """Whether the question is answered."""
        return self.steps.judge(self._state, text) if self._state is not None else "unknown"

    def judge_keypad(self, digits: str) -> Completeness:
        """Whether the keys pressed are an answer."""
        return self.steps.judge_keypad(self._state, digits) if self._state is not None else "unknown"

    def spoken(self, text: str) -> None:
        """A flow goes on whatever the caller heard of its words."""

    async def summarise(self) -> None:
        """A flow's summary is its template."""

    async def close(self) -> None:
        """Wait for a tool that still runs, for a while, and stop it."""
        state = self._state
        if state is not None and state.node == opt_out.WRITE and self.tool.request is None:
            self.tool.begin(self.steps.request_tool(state))  # the caller said yes, and hung up
        await self.tools.close()

    def report(self) -> ConversationReport:
        """Slots, the summary template filled with them, and the outcome by slot value."""
        return report(self._flow, self._state, self._variables)

    def enter(self, state: flow_steps.FlowState) -> None:
        """A proposed step was heard: the flow stands there now."""
        self._state = state
        if state.phase != "calling":
            self.tool.forget()


class FlowProposal:
    """A step of the flow, said as it is written."""

    def __init__(self, owner: FlowBrain, step: flow_steps.Step, *, before: str = "") -> None:
        self._owner = owner
        self._step = step
        self._before = before
        self._committed = asyncio.Event()

    async def parts(self) -> AsyncIterator[brain.Part]:
        """The words, the tools between them, and the end."""
        if text := f"{self._before} {self._step.say}".strip():
            yield text
        while (request := self._step.tool) is not None:
            tool = self._owner.tool
            if not tool.is_running(request):
                yield brain.Commit()
                # Bounded by the reader, which waits for each part only so long.
                await self._committed.wait()
                tool.begin(request)
            async for waiting in tool.wait():
                yield waiting
            self._step = self._owner.steps.take_result(self._step.state, tool.result())
            if self._committed.is_set():
                self._owner.enter(self._step.state)
            if self._step.say:
                yield f" {self._step.say}"
        for last in close_step(self._step):
            yield last

    def commit(self) -> None:
        """The flow stands at the step now."""
        self._owner.enter(self._step.state)
        self._committed.set()


def close_step(step: flow_steps.Step) -> tuple[brain.Part, ...]:
    """What follows the words of a step."""
    if step.act is not None:
        return (brain.Act(step.act),)
    return (brain.HangUp(),) if step.state.phase == "ended" else ()


def listen_at(steps: flow_steps.FlowSteps, state: flow_steps.FlowState | None) -> brain.Listening:
    """What may be answered where the flow stands."""
    if state is None or state.phase in ("ended", "calling"):
        return brain.Listening()
    node = steps.node(state)
    if state.phase == "acting":
        return brain.Listening(answer_timeout_ms=_AFTER_TRANSFER_MS if node.transfer else _AFTER_DIGITS_MS)
    if state.phase == "confirming":
        return brain.Listening(ports.Expectation(kind="yes_no"), answer_timeout_ms=ANSWER_TIMEOUT_MS)
    assert node.listen is not None
    listen = node.listen
    phrases = [phrase for phrases in listen.options.values() for phrase in phrases]
    if listen.kind == "choice":
        phrases.extend(phrase for keyword in steps.keywords for phrase in keyword.phrases)
    expectation = ports.Expectation(
        kind=listen.kind, phrases=tuple(phrases), min_digits=listen.min_digits, max_digits=listen.max_digits
    )
    is_message = listen.kind == "message"
    return brain.Listening(
        expectation,
        end_silence_ms=MESSAGE_END_SILENCE_MS if is_message else None,
        max_ms=listen.max_seconds * _MS_PER_SECOND if is_message else None,
        answer_timeout_ms=ANSWER_TIMEOUT_MS,
    )


def report(graph: flow.Flow, state: flow_steps.FlowState | None, variables: Mapping[str, str]) -> ConversationReport:
    """Slots, the summary template filled with them, and the outcome by slot value."""
    slots = dict(state.slots) if state is not None else {}
    has_left = state is not None and state.node == opt_out.DONE
    outcome = "not_interested" if has_left else _outcome(graph, slots)
    return ConversationReport(slots=slots, summary=_summarise(graph, slots, variables), outcome=outcome)


def _summarise(graph: flow.Flow, slots: Mapping[str, str], variables: Mapping[str, str]) -> str | None:
    """The sentences of the template that have something to tell."""
    if not slots or graph.summary is None:
        return None
    known = {**variables, **slots}
    telling = []
    for sentence in sentences.split_sentences(graph.summary):
        names = sentences.find_variables(sentence)
        if not names or any(known.get(name) for name in names):
            telling.append(sentences.render_template(sentence, known))
    return " ".join(telling) or None


def _outcome(graph: flow.Flow, slots: Mapping[str, str]) -> str | None:
    outcome = graph.outcome
    if outcome is None or isinstance(outcome, str):
        return outcome if slots else None
    for slot, by_value in outcome.items():
        if slot in slots and (name := by_value.get(slots[slot]) or by_value.get(flow_nodes.ANY)):
            return name
    return None
