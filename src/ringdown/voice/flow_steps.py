"""One step through a flow: from where it stands and what was heard to what is said and where it stands then. Pure."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from ringdown.voice import answers, brain, flow, opt_out, ports, sentences, turns
from ringdown.voice.flow_nodes import ANY, Node
from ringdown.voice.flow_phrases import find_phrases

# The names of the tools that carry out what a node does beside speaking.
TRANSFER_CALL = "transfer_call"
SEND_DIGITS = "send_digits"

_CONFIRM_KEYPAD = {"1": "yes", "2": "no"}


@dataclass(frozen=True, slots=True)
class FlowState:
    """Where a conversation stands: at which node, in which phase of it, what it knows.

    `calling` waits for the node's tool, `acting` for what is done after its words: a transfer, or digits.
    """

    node: str
    phase: Literal["asking", "confirming", "calling", "acting", "ended"] = "asking"
    reprompts: int = 0
    # The answer that waits for its confirmation.
    answer: str = ""
    # Where the caller asked not to be called any more.
    before: str = ""
    slots: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """What to say, and where the flow stands once it is said. It hangs up when `state.phase` is `ended`.

    `tool` is used when the phase is `calling`; `act` is done when the words were played.
    """

    state: FlowState
    say: str
    tool: ports.ToolRequest | None = None
    act: ports.ToolRequest | None = None


class FlowSteps:
    """The steps of one call through a flow; `variables` fill its templates. Holds no state of the call itself.

    `language` (BCP-47) is that of answers, and of words that the flow does not have; `leads_out` where callers can have
    their number put on the do-not-call list.
    """

    def __init__(
        self, graph: flow.Flow, variables: Mapping[str, str], language: str = "en-US", *, leads_out: bool = False
    ) -> None:
        self._variables = variables
        self._language = language.lower().partition("-")[0]
        self._phrases = find_phrases(self._language)
        self._graph = opt_out.lead_out(graph, self._phrases) if leads_out else graph
        self.leads_out = leads_out

    def open(self) -> Step:
        """The first words, up to the first question or the end."""
        return self._enter(FlowState(node=self._graph.start), self._graph.start)

    @property
    def keywords(self) -> Collection[flow.Keyword]:
        """What may be said at any question."""
        return self._graph.keywords.values()

    def ask_again(self, state: FlowState) -> str:
        """The words of the open question."""
        is_confirming = state.phase == "confirming"
        return self._ask_to_confirm(state, state.answer) if is_confirming else self._render(self.node(state).say, state)

    def node(self, state: FlowState) -> Node:
        """Where `state` stands."""
        return self._graph.nodes[state.node]

    def take_answer(self, state: FlowState, heard: brain.Heard) -> Step:
        """What follows from `heard` at `state`."""
        node = self.node(state)
        if state.phase in ("acting", "ended", "calling") or node.listen is None:
            return self._go_on(state)
        if self.is_opting_out(heard):
            return self._ask_to_opt_out(state)
        keyword = self.find_keyword(state, heard)
        if keyword is not None:
            return self.take_keyword(state, keyword)
        if state.phase == "confirming":
            return self._take_confirmation(state, heard)
        answer = self.understand(node, heard)
        if answer is None:
            return self._reprompt(state, heard)
        # A key was pressed on purpose; only what was heard needs a confirmation.
        return self.take_value(state, answer, is_certain=heard.source != "speech")

    def take_value(self, state: FlowState, answer: str, *, is_certain: bool) -> Step:
        """What follows from an answer that is understood."""
        if self.node(state).confirm is not None and not is_certain:
            waiting = replace(state, phase="confirming", answer=answer, slots=self._keep_message(state, answer))
            return Step(waiting, self._ask_to_confirm(state, answer))
        return self._advance(state, answer)

    def confirm(self, state: FlowState, *, is_right: bool) -> Step:
        """What follows when the caller has said whether the answer that waits is right."""
        node = self.node(state)
        if is_right:
            return self._advance(state, state.answer)
        if state.reprompts >= node.max_reprompts:
            return self.give_up(state)
        slots = {name: value for name, value in state.slots.items() if name != node.slot}
        again = replace(state, reprompts=state.reprompts + 1, slots=slots, phase="asking", answer="")
        return Step(again, self._render(node.reprompt or node.say, again))

    def is_opting_out(self, heard: brain.Heard) -> bool:
        """Whether the caller asks not to be called any more, whatever the question was."""
        is_clear = self.leads_out and heard.source == "speech" and heard.is_understood
        return is_clear and opt_out.is_asked(heard.text)

    def take_opt_out(self, state: FlowState) -> Step:
        """What follows when it is certain that the caller does not want to be called any more."""
        return self._enter(state, opt_out.WRITE)

    def _ask_to_opt_out(self, state: FlowState) -> Step:
        if state.node == opt_out.ASK:
            return self.take_opt_out(state)
        step = self._enter(state, opt_out.ASK)
        return replace(step, state=replace(step.state, before=state.node))

    def take_keyword(self, state: FlowState, name: str) -> Step:
        """What follows from a keyword; one that is not known, or leads nowhere, asks again."""
        keyword = self._graph.keywords.get(name)
        if keyword is not None and keyword.next is not None:
            return self._enter(state, keyword.next)
        again = replace(state, phase="asking", answer="")
        return Step(again, self._render(self.node(state).say, again))

    def take_result(self, state: FlowState, result: ports.ToolResult) -> Step:
        """What follows from the result of the node's tool."""
        node = self.node(state)
        assert node.tool is not None
        if result.is_error:
            return self.give_up(state)
        found = {slot: pick(result.content, path) for slot, path in node.tool.results.items()}
        state = replace(state, slots={**state.slots, **found})
        return self._enter(state, node.next[ANY])

    def judge(self, state: FlowState, text: str) -> turns.Completeness:
        """Whether `text` is all of the answer that is due."""
        if state.phase not in ("asking", "confirming"):
            return "unknown"
        node, heard = self.node(state), brain.Heard(text)
        if self.is_opting_out(heard) or self.find_keyword(state, heard) is not None:
            return "complete"
        if state.phase == "confirming":
            return "complete" if answers.understand_yes_no(text, language=self._language) else "partial"
        listen = node.listen
        if listen is None or listen.kind in ("free", "message"):
            return "unknown"
        answer = self.understand(node, heard)
        if listen.kind == "digits":
            return "complete" if answer is not None and len(answer) == listen.max_digits else "partial"
        return "complete" if answer is not None else "partial"

    def judge_keypad(self, state: FlowState, digits: str) -> turns.Completeness:
        """Whether `digits` are all of an answer; "unknown" when more may follow."""
        if self.find_keyword(state, brain.Heard(digits, source="keypad")) is not None:
            return "complete"
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
            agreed = answers.understand_yes_no(heard.text, language=self._language) if is_clear else None
        if agreed is not None:
            return self.confirm(state, is_right=agreed == "yes")
        if state.reprompts >= node.max_reprompts:
            return self.give_up(state)
        again = replace(state, reprompts=state.reprompts + 1)
        return Step(again, _join(self._ask_to_confirm(state, state.answer), self._phrases.confirm))

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
            return self.give_up(state)
        again = replace(state, reprompts=state.reprompts + 1)
        if node.reprompt is not None:
            say = node.reprompt
        else:
            say = self._phrases.silence if heard.source == "silence" else self._phrases.unclear
            say = _join(say, self._explain_keypad(node) if not heard.is_understood else "", node.say)
        return Step(again, self._render(say, again))

    def request_tool(self, state: FlowState) -> ports.ToolRequest:
        """The tool of the node where `state` stands, with its arguments."""
        node = self.node(state)
        assert node.tool is not None
        arguments = json.dumps(self._fill(node.tool.arguments, state))
        return ports.ToolRequest(f"flow_{node.name}", node.tool.name, arguments)

    def give_up(self, state: FlowState) -> Step:
        """What follows when there will be no answer."""
        failure = self.node(state).on_failure
        if failure is not None:
            return self._enter(state, failure)
        return Step(replace(state, phase="ended"), self._phrases.not_understood)

    def _go_on(self, state: FlowState) -> Step:
        """Nothing is asked any more, and the call goes on: nobody took it over, or the digits were sent."""
        node = self.node(state)
        if state.phase == "acting" and node.transfer is None:
            return self._enter(state, self._find_next(node, state))
        if state.phase == "acting":
            return (
                self.give_up(state)
                if node.on_failure
                else Step(replace(state, phase="ended"), self._phrases.nobody_there)
            )
        return Step(replace(state, phase="ended"), "")

    def find_keyword(self, state: FlowState, heard: brain.Heard) -> str | None:
        """The name of the keyword that the caller said or pressed, where that is no answer to the question."""
        node = self.node(state)
        kind = node.listen.kind if node.listen is not None else "message"
        if kind == "message" or (kind != "free" and self.understand(node, heard) is not None):
            return None
        for name, keyword in self._graph.keywords.items():
            if heard.source == "keypad":
                is_meant = heard.text == keyword.key and not (state.phase == "confirming" and heard.text in "12")
            else:
                is_meant = heard.is_understood and answers.is_phrase(heard.text, keyword.phrases)
            if is_meant:
                return name
        return None

    def _find_next(self, node: Node, state: FlowState) -> str:
        value = state.slots.get(node.by, "") if node.by is not None else ANY
        return node.next.get(value) or node.next[ANY]

    def _advance(self, state: FlowState, answer: str) -> Step:
        node = self.node(state)
        if state.before and answer == "no":
            return self._enter(state, state.before)
        slots = {**state.slots, node.slot: answer} if node.slot else state.slots
        return self._enter(replace(state, slots=slots), node.next.get(answer) or node.next[ANY])

    def _enter(self, state: FlowState, name: str) -> Step:
        """Go to node `name` and on, through nodes that only speak, to where something else happens."""
        spoken: list[str] = []
        while True:
            node = self._graph.nodes[name]
            state = FlowState(node=name, slots=state.slots)
            spoken.append(self._render(node.say, state))
            say, keys = _join(*spoken), node.send_digits
            act = None if keys is None else ports.ToolRequest(f"flow_{name}", SEND_DIGITS, json.dumps({"digits": keys}))
            if node.listen is not None:
                return Step(state, say, act=act)
            if node.is_end:
                return Step(replace(state, phase="ended"), say)
            if node.tool is not None:
                return Step(replace(state, phase="calling"), say, tool=self.request_tool(state))
            if node.transfer is not None:
                wanted = json.dumps({"destination": node.transfer.to, "mode": node.transfer.mode})
                act = ports.ToolRequest(f"flow_{name}", TRANSFER_CALL, wanted)
            if act is not None:
                return Step(replace(state, phase="acting"), say, act=act)
            name = self._find_next(node, state)

    def _fill(self, value: object, state: FlowState) -> object:
        """`value` with the templates in it rendered."""
        match value:
            case str():
                return self._render(value, state)
            case Mapping():
                return {key: self._fill(item, state) for key, item in value.items()}
            case list():
                return [self._fill(item, state) for item in value]
        return value

    def understand(self, node: Node, heard: brain.Heard) -> str | None:
        """The answer to `node`'s question in `heard`; None when there is none."""
        listen, language = node.listen, self._language
        if listen is None or heard.source == "silence":
            return None
        if heard.source == "keypad":
            return _understand_keypad(node, heard.text)
        if listen.kind == "message":
            seconds = max(1, round(heard.duration_ms / 1000))
            return self._phrases.one_second if seconds == 1 else self._phrases.seconds.format(count=seconds)
        if not heard.is_understood:
            return None
        if listen.kind == "yes_no":
            return answers.understand_yes_no(heard.text, language=language)
        if listen.kind == "choice":
            return answers.understand_choice(heard.text, listen.options)
        if listen.kind == "digits":
            digits = answers.understand_digits(heard.text, language=language)
            return digits if listen.min_digits <= len(digits) <= listen.max_digits else None
        if listen.kind == "date":
            return answers.understand_date(heard.text, language=language)
        return heard.text or None

    def _explain_keypad(self, node: Node) -> str:
        """How to answer with keys, for a caller whose words are not understood."""
        if node.listen is not None and node.listen.kind == "digits":
            return self._phrases.keypad
        keys = [
            self._phrases.press.format(key=key, answer=answer.replace("_", " ")) for key, answer in node.keypad.items()
        ]
        return self._phrases.choose.format(keys=", ".join(keys)) if keys else ""

    def _render(self, text: str, state: FlowState) -> str:
        return sentences.render_template(text, {**self._variables, **state.slots})


def pick(content: str, path: str) -> str:
    """The value at a dotted path of a JSON text, as text; all of it for `""`, nothing where there is none."""
    if not path:
        return content
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    for key in path.split("."):
        if isinstance(value, list) and key.isascii() and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, dict) and key in value:
            value = value[key]
        else:
            return ""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _understand_keypad(node: Node, digits: str) -> str | None:
    listen = node.listen
    if digits in node.keypad:
        return node.keypad[digits]
    if listen is None or listen.kind != "digits" or not digits.isdigit():
        return None
    return digits if listen.min_digits <= len(digits) <= listen.max_digits else None


def _join(*texts: str) -> str:
    return " ".join(text for text in texts if text)
