"""The brain that runs a flow with a language model: the model understands and words, the flow decides what is next."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence

from ringdown.voice import brain, flow, flow_steps, guided_script, opt_out, ports, turns
from ringdown.voice.events import ConversationReport
from ringdown.voice.flow_brain import FlowBrain, FlowProposal, close_step
from ringdown.voice.history import History, Turn
from ringdown.voice.model_answer import ModelAnswer, ModelParts
from ringdown.voice.model_brain import summarise, to_message

_RECORDED = ports.ToolResult("Recorded.")


class GuidedBrain(FlowBrain):
    """Runs one call through a `Flow` with `model`; its report is that of the same flow without a model.

    Spoken answers go to the model, which reports them by tools. Keys, silence, dictated messages, and everything while
    the model fails are answered as without one. `toolbox` serves the flow's nodes and the caller's side questions.
    """

    def __init__(
        self,
        *,
        flow: flow.Flow,
        variables: Mapping[str, str],
        model: ports.LanguageModel,
        system_prompt: str,
        temperature: float = 0.3,
        summary_model: ports.LanguageModel | None = None,
        language: str = "en-US",
        toolbox: ports.ToolBox | None = None,
    ) -> None:
        super().__init__(flow=flow, variables=variables, language=language, toolbox=toolbox)
        self._model = model
        self._summary_model = summary_model or model
        self._system = ports.Message("system", f"{system_prompt}\n\n{guided_script.RULES}")
        self._temperature = temperature
        self._history = History()
        self._summary: str | None = None

    @property
    def history(self) -> Sequence[ports.Message]:
        """What was said, heard and found so far, without the system prompt."""
        return tuple(self._history.messages())

    def consider(self, heard: brain.Heard) -> brain.Proposal:
        """The model's answer to free speech at a question, else the step that follows."""
        state = self._state
        is_question = state is not None and state.phase in ("asking", "confirming")
        if state is None or not is_question or heard.source != "speech" or not heard.text or self._is_dictating(state):
            return _ToldProposal(super().consider(heard), Turn([to_message(heard)]), self._history)
        if self.steps.is_opting_out(heard):
            return _ToldProposal(super().consider(heard), Turn([to_message(heard)]), self._history)
        return _GuidedAnswer(self, heard, state, history=self._history)

    def judge(self, text: str) -> turns.Completeness:
        """As the flow does, but what fits no answer may still be all that is said: a question, perhaps."""
        judged = super().judge(text)
        kind = self.listening().expectation.kind
        return judged if judged == "complete" or kind == "digits" else "unknown"

    def spoken(self, text: str) -> None:
        """Keep what the caller heard."""
        if text:
            self._history.hear(text)

    async def summarise(self) -> None:
        """Let the model summarise a flow that has no words for it. Raises `ports.ProviderError`."""
        if self._flow.summary is None:
            self._summary = await summarise(self._summary_model, self.history, temperature=self._temperature)

    def report(self) -> ConversationReport:
        """The flow's report, with the model's summary where the flow has none."""
        found = super().report()
        return ConversationReport(found.slots, found.summary or self._summary, found.outcome)

    def ask(self, messages: Sequence[ports.Message], tools: Sequence[ports.ToolSpec]) -> ModelParts:
        """The model's answer to the history and `messages`."""
        asked = (self._system, *self._history.messages(), *messages)
        return self._model.reply(asked, tools=tools, temperature=self._temperature)

    def _is_dictating(self, state: flow_steps.FlowState) -> bool:
        listen = self.steps.node(state).listen
        return listen is not None and listen.kind == "message" and state.phase == "asking"


class _GuidedAnswer(ModelAnswer):
    """The model's answer; each answer of the caller that it reports is a step of the flow."""

    last_tools = ()

    def __init__(
        self, owner: GuidedBrain, heard: brain.Heard, state: flow_steps.FlowState, *, history: History
    ) -> None:
        super().__init__(said=[to_message(heard)], tools=owner.tools, ask=self._ask_guided, remember=history.add)
        self._owner = owner
        self._steps = owner.steps
        self._heard = heard
        self._step = flow_steps.Step(state, "")
        self._has_moved = False
        self._is_asked = False
        self._plain: FlowProposal | None = None

    async def parts(self) -> AsyncIterator[brain.Part]:
        """The model's words; the flow's own ones when it fails before it says any."""
        is_silent, self._is_asked = True, True
        try:
            async for part in super().parts():
                is_silent = is_silent and not (isinstance(part, str) and part.strip())
                yield part
        except ports.ProviderError:
            if not is_silent:
                raise
            step = self._step if self._has_moved else self._steps.take_answer(self._step.state, self._heard)
            self._plain = FlowProposal(self._owner, step)
            if self.is_committed:
                self._plain.commit()
            async for part in self._plain.parts():
                yield part

    def commit(self) -> None:
        """The caller hears it."""
        super().commit()
        if self._plain is not None:
            self._plain.commit()
        elif self._is_asked:
            self._owner.enter(self._step.state)
        else:
            # The last words of a caller who hung up: nobody answers them, and the flow understands what it can.
            self._owner.enter(self._steps.take_answer(self._step.state, self._heard).state)

    async def prepare(self) -> AsyncIterator[brain.Part]:
        """Use the tool of the node that was reached, then ask the model to word what follows."""
        async for part in super().prepare():
            yield part
        while (request := self._step.tool) is not None:
            tool = self._owner.tool
            if not tool.is_running(request):
                yield brain.Commit()
                await self.committed()
                tool.begin(request)
            async for waiting in tool.wait():
                yield waiting
            before = self._step.say
            after = self._steps.take_result(self._step.state, tool.result())
            self._move(flow_steps.Step(after.state, f"{before} {after.say}".strip(), after.tool, after.act))

    def offer(self) -> Sequence[ports.ToolSpec]:
        """The tools that lead on in the flow, and those that answer side questions."""
        state = self._step.state
        node = self._steps.node(state)
        beside = [spec for spec in self._owner.tools.specs() if spec.runs == "during"]
        return (*guided_script.offer(node, state, self._owner.keywords), *beside)

    def answer(self, request: ports.ToolRequest) -> ports.ToolResult | None:
        """Take what the model reports."""
        state = self._step.state
        node = self._steps.node(state)
        arguments = json.loads(request.arguments)
        match request.name:
            case guided_script.ANSWER if state.phase == "asking":
                value = guided_script.read_answer(node, arguments.get("value"))
                if value is None:
                    return guided_script.refuse_answer(node)
                self._move(self._steps.take_value(state, value, is_certain=False))
            case guided_script.CONFIRM if state.phase == "confirming":
                self._move(self._steps.confirm(state, is_right=arguments.get("is_right") is True))
            case guided_script.NO_ANSWER:
                self._move(self._steps.give_up(state))
            case guided_script.KEYWORD:
                self._move(self._steps.take_keyword(state, str(arguments.get("keyword"))))
            case opt_out.TOOL if self._steps.leads_out:
                self._move(self._steps.take_opt_out(state))
            case guided_script.ANSWER | guided_script.CONFIRM:
                return ports.ToolResult("One answer at a time.", is_error=True)
            case _:
                return None
        return _RECORDED

    def close(self) -> Sequence[brain.Part]:
        """The end of the call, or what is done after the words, where the flow has come to one."""
        return close_step(self._step) if self._has_moved else ()

    def _move(self, step: flow_steps.Step) -> None:
        self._step, self._has_moved = step, True
        if self.is_committed:
            self._owner.enter(step.state)

    def _ask_guided(self, messages: Sequence[ports.Message], tools: Sequence[ports.ToolSpec]) -> ModelParts:
        question = self._steps.ask_again(self._step.state)
        told = guided_script.instruct(self._step, question=question, is_new=self._has_moved)
        return self._owner.ask((*messages, told), tools)


class _ToldProposal:
    """A step of the flow that the model is told of."""

    def __init__(self, proposal: brain.Proposal, turn: Turn, history: History) -> None:
        self._proposal = proposal
        self._turn = turn
        self._history = history

    def parts(self) -> AsyncIterator[brain.Part]:
        return self._proposal.parts()

    def commit(self) -> None:
        self._history.add(self._turn)
        self._proposal.commit()
