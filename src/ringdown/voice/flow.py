"""A flow: the graph of what a built-in agent says and may be answered, parsed and validated. Pure.

What a step through it does is in `voice.flow_steps`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from ringdown.voice import ports, turns

ListenKind = ports.ExpectationKind
MAX_REPROMPTS = 2
MAX_MESSAGE_SECONDS = 120
# The rest of every answer's way: taken when its value has no `next` of its own.
ANY = "*"

_FLOW_FIELDS = {"start", "nodes", "summary", "outcome"}
_NODE_FIELDS = {
    "say", "listen", "slot", "confirm", "keypad", "reprompt", "max_reprompts", "next", "on_failure", "end",
}  # fmt: skip
_LISTEN_FIELDS: Mapping[str, set[str]] = {
    "yes_no": set(), "choice": {"options"}, "digits": {"min", "max"}, "date": set(), "message": {"max_seconds"},
    "free": set(),
}  # fmt: skip


class FlowError(ValueError):
    """A flow that cannot run: `node` (`""` for the flow itself), `field` and what is wrong with it."""

    def __init__(self, node: str, field: str, message: str) -> None:
        super().__init__(f"flow{f' node {node!r}' if node else ''}: {field}: {message}")
        self.node = node
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class Listen:
    """What a node takes for an answer."""

    kind: ListenKind
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    min_digits: int = 1
    max_digits: int = 16
    max_seconds: int = MAX_MESSAGE_SECONDS


@dataclass(frozen=True, slots=True)
class Node:
    """One step: words, what may be answered, and where to go by the answer. Texts are templates."""

    name: str
    say: str = ""
    listen: Listen | None = None
    slot: str | None = None
    confirm: str | None = None
    keypad: Mapping[str, str] = field(default_factory=dict)
    reprompt: str | None = None
    max_reprompts: int = MAX_REPROMPTS
    next: Mapping[str, str] = field(default_factory=dict)
    on_failure: str | None = None
    end: Literal["hang_up"] | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """A valid graph. `outcome` is a fixed outcome, or by slot and value (`*` for any)."""

    start: str
    nodes: Mapping[str, Node]
    summary: str | None = None
    outcome: str | Mapping[str, Mapping[str, str]] | None = None

    @staticmethod
    def parse(document: Mapping[str, Any], *, has_model: bool = False) -> "Flow":
        """The flow of a JSON object. Raises `FlowError`; `free` questions need a model."""
        return _parse(document, has_model=has_model)

    def phrases(self) -> Iterator[tuple[str, str]]:
        """Every phrase of every choice with its node's name: what a recognizer must be able to pronounce."""
        for node in self.nodes.values():
            for phrases in node.listen.options.values() if node.listen else ():
                yield from ((node.name, phrase) for phrase in phrases)


def _parse(document: Mapping[str, Any], *, has_model: bool) -> Flow:
    _require(isinstance(document, Mapping), "", "flow", "must be an object")
    _refuse_unknown(document, _FLOW_FIELDS, node="", prefix="")
    nodes = document.get("nodes")
    _require(isinstance(nodes, Mapping) and len(nodes) > 0, "", "nodes", "must be an object with at least one node")
    assert isinstance(nodes, Mapping)
    start = document.get("start")
    _require(isinstance(start, str) and start in nodes, "", "start", f"must be one of {_list_names(nodes)}")
    parsed = {str(name): _parse_node(str(name), node, has_model=has_model) for name, node in nodes.items()}
    for node in parsed.values():
        _check_targets(node, parsed)
    _check_silent_circles(parsed)
    return Flow(
        start=str(start),
        nodes=parsed,
        summary=_text(document, "summary", node=""),
        outcome=_parse_outcome(document.get("outcome"), parsed),
    )


def _parse_node(name: str, raw: object, *, has_model: bool) -> Node:
    if not isinstance(raw, Mapping):
        raise FlowError(name, "node", "must be an object")
    _refuse_unknown(raw, _NODE_FIELDS, node=name, prefix="")
    listen = _parse_listen(name, raw["listen"], has_model=has_model) if raw.get("listen") is not None else None
    end = raw.get("end")
    _require(end in (None, "hang_up"), name, "end", 'must be "hang_up"')
    if listen is None:
        for key in ("slot", "confirm", "keypad", "reprompt", "on_failure"):
            _require(raw.get(key) is None, name, key, 'needs a "listen"')
    else:
        _require(end is None, name, "end", "a node that listens cannot end the call")
    slot = _text(raw, "slot", node=name)
    _require(slot is None or slot.isidentifier(), name, "slot", "must be a name of letters, digits and underscores")
    confirm = _text(raw, "confirm", node=name)
    _require(confirm is None or slot is not None, name, "confirm", 'needs a "slot" for the answer')
    max_reprompts = raw.get("max_reprompts", MAX_REPROMPTS)
    _require(_is_count(max_reprompts) and max_reprompts <= 10, name, "max_reprompts", "must be a number from 0 to 10")
    return Node(
        name=name,
        say=_text(raw, "say", node=name) or "",
        listen=listen,
        slot=slot,
        confirm=confirm,
        keypad=_parse_keypad(name, raw.get("keypad"), listen),
        reprompt=_text(raw, "reprompt", node=name),
        max_reprompts=max_reprompts,
        next=_parse_next(name, raw.get("next")),
        on_failure=_text(raw, "on_failure", node=name),
        end=end,
    )


def _parse_listen(node: str, raw: object, *, has_model: bool) -> Listen:
    if not isinstance(raw, Mapping):
        raise FlowError(node, "listen", "must be an object")
    kind = raw.get("kind")
    _require(
        isinstance(kind, str) and kind in _LISTEN_FIELDS,
        node,
        "listen.kind",
        f"must be one of {', '.join(get_args(ListenKind))}",
    )
    assert isinstance(kind, str)
    _refuse_unknown(raw, _LISTEN_FIELDS[kind] | {"kind"}, node=node, prefix="listen.")
    if kind == "choice":
        return Listen(kind="choice", options=_parse_options(node, raw.get("options")))
    if kind == "digits":
        shortest, longest = raw.get("min", 1), raw.get("max", 16)
        _require(_is_count(shortest) and shortest >= 1, node, "listen.min", "must be a number from 1")
        _require(_is_count(longest) and shortest <= longest <= 32, node, "listen.max", f"must be from {shortest} to 32")
        return Listen(kind="digits", min_digits=shortest, max_digits=longest)
    if kind == "message":
        seconds = raw.get("max_seconds", MAX_MESSAGE_SECONDS)
        _require(_is_count(seconds) and 1 <= seconds <= 600, node, "listen.max_seconds", "must be from 1 to 600")
        return Listen(kind="message", max_seconds=seconds)
    _require(kind != "free" or has_model, node, "listen.kind", '"free" needs a language model')
    return Listen(kind="free") if kind == "free" else Listen(kind="date") if kind == "date" else Listen(kind="yes_no")


def _parse_options(node: str, raw: object) -> dict[str, tuple[str, ...]]:
    if not isinstance(raw, Mapping) or not raw:
        raise FlowError(node, "listen.options", "must be an object of at least one option")
    options = {}
    for option, phrases in raw.items():
        where = f"listen.options.{option}"
        if not isinstance(phrases, list | tuple) or not phrases:
            raise FlowError(node, where, "must be a list of at least one phrase")
        for phrase in phrases:
            _require(isinstance(phrase, str) and bool(turns.split_words(phrase)), node, where, "must hold words")
        options[str(option)] = tuple(" ".join(turns.split_words(phrase)) for phrase in phrases)
    return options


def _parse_keypad(node: str, raw: object, listen: Listen | None) -> dict[str, str]:
    if raw is None:
        return {"1": "yes", "2": "no"} if listen is not None and listen.kind == "yes_no" else {}
    if not isinstance(raw, Mapping):
        raise FlowError(node, "keypad", "must be an object of keys and answers")
    assert listen is not None
    allowed = {"yes_no": {"yes", "no"}, "choice": set(listen.options)}.get(listen.kind)
    for key, answer in raw.items():
        is_key = isinstance(key, str) and key != "" and set(key) <= set("0123456789*")
        _require(is_key, node, f"keypad.{key}", "must be digits or *")
        _require(isinstance(answer, str) and answer != "", node, f"keypad.{key}", "must be an answer")
        is_known = allowed is None or answer in allowed
        _require(is_known, node, f"keypad.{key}", f"must be one of {_list_names(allowed or ())}")
    return {str(key): str(answer) for key, answer in raw.items()}


def _parse_next(node: str, raw: object) -> dict[str, str]:
    if raw is None:
        return {}
    if isinstance(raw, str):
        return {ANY: raw}
    if not isinstance(raw, Mapping):
        raise FlowError(node, "next", "must be a node's name, or an object of answers and nodes' names")
    for value, target in raw.items():
        _require(isinstance(target, str), node, f"next.{value}", "must be a node's name")
    return {str(value): str(target) for value, target in raw.items()}


def _parse_outcome(raw: object, nodes: Mapping[str, Node]) -> str | dict[str, dict[str, str]] | None:
    if raw is None or isinstance(raw, str):
        return raw
    if not isinstance(raw, Mapping):
        raise FlowError("", "outcome", "must be an outcome, or an object of slots")
    slots = {node.slot for node in nodes.values() if node.slot}
    for slot, by_value in raw.items():
        _require(slot in slots, "", f"outcome.{slot}", f"must be one of the slots {_list_names(slots)}")
        is_table = isinstance(by_value, Mapping) and all(isinstance(outcome, str) for outcome in by_value.values())
        _require(is_table, "", f"outcome.{slot}", "must be an object of values and outcomes")
    return {str(slot): {str(value): str(name) for value, name in table.items()} for slot, table in raw.items()}


def _check_targets(node: Node, nodes: Mapping[str, Node]) -> None:
    names = _list_names(nodes)
    for value, target in node.next.items():
        _require(target in nodes, node.name, f"next.{value}", f"unknown node {target!r}; known: {names}")
    failure = node.on_failure
    _require(failure is None or failure in nodes, node.name, "on_failure", f"unknown node {failure!r}; known: {names}")
    if node.end is not None:
        _require(not node.next, node.name, "next", "a node that ends the call leads nowhere")
    elif node.listen is None:
        _require(set(node.next) == {ANY}, node.name, "next", "a node that neither listens nor ends needs one next node")
    else:
        answers = {"yes_no": {"yes", "no"}, "choice": set(node.listen.options)}.get(node.listen.kind)
        _check_answers(node, answers)


def _check_answers(node: Node, answers: set[str] | None) -> None:
    """Every answer must lead somewhere, and every way must be an answer's."""
    if answers is None:
        _require(ANY in node.next, node.name, "next", 'must say where any other answer leads ("*")')
        return
    for value in node.next:
        _require(value in answers | {ANY}, node.name, f"next.{value}", f"must be one of {_list_names(answers)}")
    missing = sorted(answers - set(node.next))
    _require(ANY in node.next or not missing, node.name, "next", f"leads nowhere for {', '.join(missing)}")


def _check_silent_circles(nodes: Mapping[str, Node]) -> None:
    """Refuse nodes that lead to each other without ever listening or ending."""
    for node in nodes.values():
        seen, current = {node.name}, node
        while current.listen is None and current.end is None:
            current = nodes[current.next[ANY]]
            _require(current.name not in seen, node.name, "next", "leads in a circle that never listens")
            seen.add(current.name)


def _text(raw: Mapping[str, Any], key: str, *, node: str) -> str | None:
    value = raw.get(key)
    _require(value is None or (isinstance(value, str) and value.strip() != ""), node, key, "must be a text")
    return value


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _refuse_unknown(raw: Mapping[str, Any], known: set[str], *, node: str, prefix: str) -> None:
    for key in raw:
        _require(key in known, node, f"{prefix}{key}", f"unknown field; known: {', '.join(sorted(known))}")


def _require(holds: bool, node: str, field: str, message: str) -> None:
    if not holds:
        raise FlowError(node, field, message)


def _list_names(names: object) -> str:
    assert isinstance(names, Mapping | set | tuple)
    return ", ".join(sorted(str(name) for name in names))
