"""One step through a flow: from where it stands and what was heard to what is said and where it stands then. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from ringdown.voice import answers, brain, flow, sentences, turns

_CONFIRM_KEYPAD = {"1": "yes", "2": "no"}
_FAREWELL = "I'm sorry, I could not understand you. Goodbye."
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


def open_flow(graph: flow.Flow, variables: Mapping[str, str]) -> Step:
    """The first words, up to the first question or the end."""
    return _enter(graph, FlowState(node=graph.start), graph.start, variables)


def take_answer(graph: flow.Flow, state: FlowState, heard: brain.Heard, variables: Mapping[str, str]) -> Step:
    """What follows from `heard` at `state`."""
    node = graph.nodes[state.node]
    if state.phase == "ended" or node.listen is None:
        return Step(replace(state, phase="ended"), "")
    if state.phase == "confirming":
        return _take_confirmation(graph, state, heard, variables)
    answer = understand(node, heard)
    if answer is None:
        return _reprompt(graph, state, heard, variables)
    # A key was pressed on purpose; only what was heard needs a confirmation.
    if node.confirm is not None and heard.source == "speech":
        known = {**variables, **state.slots, str(node.slot): answer}
        say = sentences.render_template(node.confirm, known)
        return Step(replace(state, phase="confirming", answer=answer), say)
    return _advance(graph, state, answer, variables)


def understand(node: flow.Node, heard: brain.Heard) -> str | None:
    """The answer to `node`'s question in `heard`; None when there is none."""
    listen = node.listen
    if listen is None or heard.source == "silence":
        return None
    if heard.source == "keypad":
        return _understand_keypad(node, listen, heard.text)
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


def judge(node: flow.Node, state: FlowState, text: str) -> turns.Completeness:
    """Whether `text` is all of the answer that is due."""
    if state.phase == "confirming":
        return "complete" if answers.understand_yes_no(text) else "partial"
    listen = node.listen
    if listen is None or listen.kind in ("free", "message"):
        return "unknown"
    answer = understand(node, brain.Heard(text))
    if listen.kind == "digits":
        return "complete" if answer is not None and len(answer) == listen.max_digits else "partial"
    return "complete" if answer is not None else "partial"


def judge_keypad(node: flow.Node, state: FlowState, digits: str) -> turns.Completeness:
    """Whether `digits` are all of an answer; "unknown" when more may follow."""
    if state.phase == "confirming":
        return "complete" if digits in _CONFIRM_KEYPAD else "partial"
    if node.listen is not None and node.listen.kind == "digits":
        return "complete" if len(digits) >= node.listen.max_digits else "unknown"
    longer = any(key.startswith(digits) and key != digits for key in node.keypad)
    if longer:
        return "unknown"
    return "complete" if digits in node.keypad else "partial"


def _understand_keypad(node: flow.Node, listen: flow.Listen, digits: str) -> str | None:
    if digits in node.keypad:
        return node.keypad[digits]
    if listen.kind == "digits" and digits.isdigit() and listen.min_digits <= len(digits) <= listen.max_digits:
        return digits
    return None


def _speak_duration(duration_ms: int) -> str:
    seconds = max(1, round(duration_ms / 1000))
    return "1 second" if seconds == 1 else f"{seconds} seconds"


def _take_confirmation(graph: flow.Flow, state: FlowState, heard: brain.Heard, variables: Mapping[str, str]) -> Step:
    node = graph.nodes[state.node]
    if heard.source == "keypad":
        agreed = _CONFIRM_KEYPAD.get(heard.text)
    else:
        is_clear = heard.source == "speech" and heard.is_understood
        agreed = answers.understand_yes_no(heard.text) if is_clear else None
    if agreed == "yes":
        return _advance(graph, state, state.answer, variables)
    if state.reprompts >= node.max_reprompts:
        return _give_up(graph, state, variables)
    again = replace(state, reprompts=state.reprompts + 1)
    if agreed == "no":
        say = node.reprompt or node.say
        return Step(replace(again, phase="asking", answer=""), _render(say, again, variables))
    known = {**variables, **state.slots, str(node.slot): state.answer}
    question = sentences.render_template(node.confirm or "", known)
    return Step(again, _join(question, "Please say yes or no, or press one for yes and two for no."))


def _reprompt(graph: flow.Flow, state: FlowState, heard: brain.Heard, variables: Mapping[str, str]) -> Step:
    node = graph.nodes[state.node]
    if state.reprompts >= node.max_reprompts:
        return _give_up(graph, state, variables)
    again = replace(state, reprompts=state.reprompts + 1)
    if node.reprompt is not None:
        say = node.reprompt
    else:
        say = _SILENCE_PROMPT if heard.source == "silence" else _UNCLEAR_PROMPT
        say = _join(say, _explain_keypad(node) if not heard.is_understood else "", node.say)
    return Step(again, _render(say, again, variables))


def _explain_keypad(node: flow.Node) -> str:
    """How to answer with keys, for a caller whose words are not understood."""
    if node.listen is not None and node.listen.kind == "digits":
        return "Please use your keypad and finish with the hash key."
    keys = [f"press {key} for {answer.replace('_', ' ')}" for key, answer in node.keypad.items()]
    return f"Please {', '.join(keys)}." if keys else ""


def _give_up(graph: flow.Flow, state: FlowState, variables: Mapping[str, str]) -> Step:
    node = graph.nodes[state.node]
    if node.on_failure is not None:
        return _enter(graph, state, node.on_failure, variables)
    return Step(replace(state, phase="ended"), _FAREWELL)


def _advance(graph: flow.Flow, state: FlowState, answer: str, variables: Mapping[str, str]) -> Step:
    node = graph.nodes[state.node]
    slots = {**state.slots, node.slot: answer} if node.slot else state.slots
    target = node.next.get(answer) or node.next[flow.ANY]
    return _enter(graph, replace(state, slots=slots), target, variables)


def _enter(graph: flow.Flow, state: FlowState, name: str, variables: Mapping[str, str]) -> Step:
    """Go to node `name` and on, through nodes that only speak, to the next question or the end."""
    spoken: list[str] = []
    while True:
        node = graph.nodes[name]
        state = FlowState(node=name, slots=state.slots)
        spoken.append(_render(node.say, state, variables))
        if node.listen is not None:
            return Step(state, _join(*spoken))
        if node.end is not None:
            return Step(replace(state, phase="ended"), _join(*spoken))
        name = node.next[flow.ANY]


def _render(text: str, state: FlowState, variables: Mapping[str, str]) -> str:
    return sentences.render_template(text, {**variables, **state.slots})


def _join(*texts: str) -> str:
    return " ".join(text for text in texts if text)
