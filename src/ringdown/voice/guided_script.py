"""How a model is led through a flow: what it is told at a node, and the tools with which it reports answers. Pure."""

from collections.abc import Collection, Mapping, Sequence

from ringdown.voice import answers, flow_steps, ports
from ringdown.voice.flow_nodes import Node

ANSWER = "record_answer"
CONFIRM = "confirm_answer"
NO_ANSWER = "give_up_question"
KEYWORD = "use_keyword"

RULES = (
    "You are on a phone call and follow a script, step by step; the last system message says where you are. "
    "Speak in short sentences without lists, markup or emoji, and say numbers and symbols as words. "
    "Ask one question at a time. Report what the caller answers with the tools, and never guess an answer. "
    "When the caller asks something else, answer briefly from what you know and come back to the open question. "
    "Never say that something was done or found before its tool has answered."
)
_HINTS: Mapping[ports.ExpectationKind, str] = {
    "date": 'The day as said, in English: "tomorrow", "monday", "may 3".',
    "digits": "Only the digits.",
    "free": "What the caller answered, in a few words.",
}


def instruct(step: flow_steps.Step, *, question: str, is_new: bool) -> ports.Message:
    """Where the conversation stands. `question` is what the node says; `is_new` until the model has said it."""
    state = step.state
    if state.phase not in ("asking", "confirming"):
        last = "" if state.phase != "ended" else " These are the last words of the call."
        return ports.Message("system", f"Say now, in your own words and with every fact in it: {step.say}{last}")
    words = step.say if is_new else question
    told = "Say now, in your own words and with every fact in it" if is_new else "The open question is"
    if state.phase == "confirming":
        rest = f"When the caller has said whether that is right, call {CONFIRM}."
    else:
        rest = f"When the caller answers it, call {ANSWER}; when the caller cannot or will not, call {NO_ANSWER}."
    if is_new:
        rest += " If the caller has answered it already, call the tool at once."
    return ports.Message("system", f"{told}: {words}\n{rest}")


def offer(node: Node, state: flow_steps.FlowState, keywords: Collection[str]) -> Sequence[ports.ToolSpec]:
    """The tools that lead on from where the conversation stands."""
    if state.phase not in ("asking", "confirming"):
        return ()
    if state.phase == "confirming":
        is_right = {"is_right": {"type": "boolean"}}
        first = ports.ToolSpec(CONFIRM, "The caller said whether the answer is right.", _object(is_right))
    else:
        first = ports.ToolSpec(ANSWER, "The caller answered the open question.", _object({"value": _describe(node)}))
    specs = [first, ports.ToolSpec(NO_ANSWER, "The caller cannot or will not answer the question.", _object({}))]
    if keywords:
        names = {"keyword": {"type": "string", "enum": sorted(keywords)}}
        specs.append(ports.ToolSpec(KEYWORD, "The caller wants one of these instead of answering.", _object(names)))
    return specs


def read_answer(node: Node, value: object) -> str | None:
    """The answer that the model reports, as the flow writes it; None for one that the question cannot have."""
    if not isinstance(value, str) or not value.strip():
        return None
    text, listen = value.strip(), node.listen
    assert listen is not None
    known = node.answers()
    if known is not None:
        return text if text in known else answers.understand_yes_no(text) if listen.kind == "yes_no" else None
    if listen.kind == "digits":
        digits = answers.understand_digits(text)
        return digits if listen.min_digits <= len(digits) <= listen.max_digits else None
    return answers.understand_date(text) or text if listen.kind == "date" else text


def refuse_answer(node: Node) -> ports.ToolResult:
    """What the model is told about an answer that the question cannot have."""
    known, listen = node.answers(), node.listen
    assert listen is not None
    if known is not None:
        return ports.ToolResult(f"The value must be one of: {', '.join(sorted(known))}.", is_error=True)
    if listen.kind == "digits":
        bounds = f"{listen.min_digits} to {listen.max_digits}"
        return ports.ToolResult(f"The value must have {bounds} digits; ask the caller again.", is_error=True)
    return ports.ToolResult("The value must be a text.", is_error=True)


def _describe(node: Node) -> dict[str, object]:
    known, listen = node.answers(), node.listen
    assert listen is not None
    if known is None:
        return {"type": "string", "description": _HINTS.get(listen.kind, "")}
    meanings = "; ".join(f"{name}: {', '.join(phrases)}" for name, phrases in listen.options.items())
    return {"type": "string", "enum": sorted(known), "description": meanings}


def _object(properties: Mapping[str, object]) -> dict[str, object]:
    required = list(properties)
    return {"type": "object", "properties": dict(properties), "required": required, "additionalProperties": False}
