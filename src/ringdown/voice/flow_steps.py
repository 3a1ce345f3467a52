"""One step through a flow: from where it stands and what was heard to what is said and where it stands then. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from ringdown.voice import answers, brain, flow, sentences, turns

_CONFIRM_KEYPAD = {"1": "yes", "2": "no"}
_FAREWELL = "I'm sorry, I could not understand you. Goodbye."
_CONFIRM_PROMPT = "Please say yes or no, or press one for yes and two for no."
_SILENCE_PROMPT = "Sorry, I did not hear you."
_UNCLEAR_PROMPT = "Sorry, I did not understand."


@dataclass(frozen=True, slots=True)
class FlowState:
    """Where a conversation stands: at which node, whether its answer is being confirmed, what it knows."""

    node: str
    phase: Literal["asking", "confirming", "ended"] = "asking"
    reprompts: int = 0
    # The answer that waits for its confirmation.
    answer: str = ""
    slots: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """What to say, and where the flow stands once it is said. It hangs up when `state.phase` is `ended`."""

    state: FlowState
    say: str


class FlowSteps:
    """The steps of one call through a flow; `variables` fill its templates. Holds no state of the call itself."""

    def __init__(self, graph: flow.Flow, variables: Mapping[str, str]) -> None:
        self._graph = graph
        self._variables = variables

    def open(self) -> Step:
        """The first words, up to the first question or the end."""
        return self._enter(FlowState(node=self._graph.start), self._graph.start)

    def node(self, state: FlowState) -> flow.Node:
        """Where `state` stands."""
        return self._graph.nodes[state.node]

    def take_answer(self, state: FlowState, heard: brain.Heard) -> Step:
        """What follows from `heard` at `state`."""
        node = self.node(state)
        if state.phase == "ended" or node.listen is None:
            return Step(replace(state, phase="ended"), "")
        if state.phase == "confirming":
            return self._take_confirmation(state, heard)
        answer = understand(node, heard)
        if answer is None:
            return self._reprompt(state, heard)
        # A key was pressed on purpose; only what was heard needs a confirmation.
        if node.confirm is not None and heard.source == "speech":
            waiting = replace(state, phase="confirming", answer=answer, slots=self._keep_message(state, answer))
            return Step(waiting, self._ask_to_confirm(state, answer))
        return self._advance(state, answer)

    def judge(self, state: FlowState, text: str) -> turns.Completeness:
        """Whether `text` is all of the answer that is due."""
        if state.phase == "confirming":
            return "complete" if answers.understand_yes_no(text) else "partial"
        node = self.node(state)
        listen = node.listen
        if listen is None or listen.kind in ("free", "message"):
            return "unknown"
        answer = understand(node, brain.Heard(text))
        if listen.kind == "digits":
            return "complete" if answer is not None and len(answer) == listen.max_digits else "partial"
        return "complete" if answer is not None else "partial"

    def judge_keypad(self, state: FlowState, digits: str) -> turns.Completeness:
        """Whether `digits` are all of an answer; "unknown" when more may follow."""
        if state.phase == "confirming":
            return "complete" if digits in _CONFIRM_KEYPAD else "partial"
        node = self.node(state)
        if node.listen is not None and node.listen.kind == "digits":
            return "complete" if len(digits) >= node.listen.max_digits else "unknown"
        if any(key.startswith(digits) and key != digits for key in node.keypad):
            return "unknown"
        return "complete" if digits in node.keypad else "partial"

    def _take_confirmation(self, state: FlowState, heard: brain.Heard) -> Step:
        node = self.node(state)
        if heard.source == "keypad":
            agreed = _CONFIRM_KEYPAD.get(heard.text)
        else:
            is_clear = heard.source == "speech" and heard.is_understood
            agreed = answers.understand_yes_no(heard.text) if is_clear else None
        if agreed == "yes":
            return self._advance(state, state.answer)
        if state.reprompts >= node.max_reprompts:
            return self._give_up(state)
        again = replace(state, reprompts=state.reprompts + 1)
        if agreed == "no":
            again = replace(again, slots={name: value for name, value in state.slots.items() if name != node.slot})
            return Step(replace(again, phase="asking", answer=""), self._render(node.reprompt or node.say, again))
        return Step(again, _join(self._ask_to_confirm(state, state.answer), _CONFIRM_PROMPT))

    def _keep_message(self, state: FlowState, answer: str) -> Mapping[str, str]:
        """A message is there before it is confirmed: most callers hang up when they have spoken."""
        node = self.node(state)
        is_message = node.listen is not None and node.listen.kind == "message"
        return {**state.slots, str(node.slot): answer} if is_message else state.slots

    def _ask_to_confirm(self, state: FlowState, answer: str) -> str:
        node = self.node(state)
        known = {**self._variables, **state.slots, str(node.slot): answer}
        return sentences.render_template(node.confirm or "", known)

    def _reprompt(self, state: FlowState, heard: brain.Heard) -> Step:
        node = self.node(state)
        if state.reprompts >= node.max_reprompts:
            return self._give_up(state)
        again = replace(state, reprompts=state.reprompts + 1)
        if node.reprompt is not None:
            say = node.reprompt
        else:
            say = _SILENCE_PROMPT if heard.source == "silence" else _UNCLEAR_PROMPT
            say = _join(say, _explain_keypad(node) if not heard.is_understood else "", node.say)
        return Step(again, self._render(say, again))

    def _give_up(self, state: FlowState) -> Step:
        failure = self.node(state).on_failure
        if failure is not None:
            return self._enter(state, failure)
        return Step(replace(state, phase="ended"), _FAREWELL)

    def _advance(self, state: FlowState, answer: str) -> Step:
        node = self.node(state)
        slots = {**state.slots, node.slot: answer} if node.slot else state.slots
        return self._enter(replace(state, slots=slots), node.next.get(answer) or node.next[flow.ANY])

    def _enter(self, state: FlowState, name: str) -> Step:
        """Go to node `name` and on, through nodes that only speak, to the next question or the end."""
        spoken: list[str] = []
        while True:
            node = self._graph.nodes[name]
            state = FlowState(node=name, slots=state.slots)
            spoken.append(self._render(node.say, state))
            if node.listen is not None:
                return Step(state, _join(*spoken))
            if node.end is not None:
                return Step(replace(state, phase="ended"), _join(*spoken))
            name = node.next[flow.ANY]

    def _render(self, text: str, state: FlowState) -> str:
        return sentences.render_template(text, {**self._variables, **state.slots})


def understand(node: flow.Node, heard: brain.Heard) -> str | None:
    """The answer to `node`'s question in `heard`; None when there is none."""
    listen = node.listen
    if listen is None or heard.source == "silence":
        return None
    if heard.source == "keypad":
        return _understand_keypad(node, heard.text)
    if listen.kind == "message":
        return _speak_duration(heard.duration_ms)
    if not heard.is_understood:
        return None
    if listen.kind == "yes_no":
        return answers.understand_yes_no(heard.text)
    if listen.kind == "choice":
        return answers.understand_choice(heard.text, listen.options)
    if listen.kind == "digits":
        digits = answers.understand_digits(heard.text)
        return digits if listen.min_digits <= len(digits) <= listen.max_digits else None
    if listen.kind == "date":
        return answers.understand_date(heard.text)
    return heard.text or None


def _understand_keypad(node: flow.Node, digits: str) -> str | None:
    listen = node.listen
    if digits in node.keypad:
        return node.keypad[digits]
    if listen is None or listen.kind != "digits" or not digits.isdigit():
        return None
    return digits if listen.min_digits <= len(digits) <= listen.max_digits else None


def _speak_duration(duration_ms: int) -> str:
    seconds = max(1, round(duration_ms / 1000))
    return "1 second" if seconds == 1 else f"{seconds} seconds"


def _explain_keypad(node: flow.Node) -> str:
    """How to answer with keys, for a caller whose words are not understood."""
    if node.listen is not None and node.listen.kind == "digits":
        return "Please use your keypad and finish with the hash key."
    keys = [f"press {key} for {answer.replace('_', ' ')}" for key, answer in node.keypad.items()]
    return f"Please {', '.join(keys)}." if keys else ""


def _join(*texts: str) -> str:
    return " ".join(text for text in texts if text)
