"""One node of a flow: what it holds, and how it is read from JSON, refusing what cannot be. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from ringdown.voice import ports, turns

ListenKind = ports.ExpectationKind
NodeEnd = Literal["hang_up", "transfer", "take_message"]
TransferMode = Literal["blind", "attended"]

MAX_REPROMPTS = 2
MAX_MESSAGE_SECONDS = 120
# The rest of every answer's way: taken when its value has no `next` of its own.
ANY = "*"

_SPEAKING_FIELDS = {"say", "next"}
_LISTENING_FIELDS = {"listen", "slot", "confirm", "keypad", "reprompt", "max_reprompts", "on_failure", "send_digits"}
_FIELDS = _SPEAKING_FIELDS | _LISTENING_FIELDS | {"end", "transfer_to", "mode", "tool", "by"}
_TOOL_FIELDS = {"name", "arguments", "result"}
_LISTEN_FIELDS: Mapping[str, set[str]] = {
    "yes_no": set(), "choice": {"options"}, "digits": {"min", "max"}, "date": set(), "message": {"max_seconds"},
    "free": set(),
}  # fmt: skip
_ALLOWED: Mapping[str, set[str]] = {
    "hang_up": {"say", "end"},
    "transfer": {"say", "end", "transfer_to", "mode", "on_failure"},
    "take_message": {"say", "end", "slot", "confirm", "reprompt", "max_reprompts", "on_failure"},
    "listen": _SPEAKING_FIELDS | _LISTENING_FIELDS,
    "tool": _SPEAKING_FIELDS | {"tool", "on_failure"},
    "speak": _SPEAKING_FIELDS | {"by", "send_digits"},
}
_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PHONE_NUMBER = re.compile(r"\+[1-9]\d{5,14}")
_DESTINATION_NAME = re.compile(r"[A-Za-z][\w -]{0,63}")
_DIGITS = re.compile(r"[0-9*#A-Dw]{1,64}")


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
class NodeTool:
    """The tool that a node uses. Texts in `arguments` are templates.

    `results` are the slots to fill: each from the place of that dotted path in a JSON result, `""` for all of it.
    """

    name: str
    arguments: Mapping[str, object]
    results: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Transfer:
    """To whom a node hands the caller over: a phone number, or the name of one of the agent's."""

    to: str
    mode: TransferMode = "blind"


@dataclass(frozen=True, slots=True)
class Node:
    """One step: words, what may be answered, and where to go by the answer. Texts are templates.

    It listens, or uses a `tool`, or transfers, or ends the call; or it goes on, by the value of slot `by` if any.
    """

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
    tool: NodeTool | None = None
    transfer: Transfer | None = None
    send_digits: str | None = None
    by: str | None = None
    is_end: bool = False

    @property
    def slots(self) -> tuple[str, ...]:
        """The slots that it fills."""
        return (*((self.slot,) if self.slot else ()), *(self.tool.results if self.tool else ()))

    def answers(self) -> set[str] | None:
        """Every answer that its question can have; None when there is no end of them."""
        if self.listen is None:
            return None
        return {"yes_no": {"yes", "no"}, "choice": set(self.listen.options)}.get(self.listen.kind)


def parse_nodes(raw: Mapping[str, Any], *, has_model: bool) -> dict[str, Node]:
    """The nodes by name, before anybody knows whether they fit together. Raises `FlowError`."""
    nodes: dict[str, Node] = {}
    for name, node in raw.items():
        if not isinstance(node, Mapping):
            raise FlowError(str(name), "node", "must be an object")
        if node.get("end") == "take_message":
            _refuse_misplaced(node, node=str(name), role="take_message")
            for part, document in _expand_message(str(name), node).items():
                nodes[part] = _parse_node(part, document, has_model=has_model)
        else:
            nodes[str(name)] = _parse_node(str(name), node, has_model=has_model)
    return nodes


def _expand_message(name: str, node: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The nodes that a node stands for which takes a message and hangs up."""
    thank, without = f"{name} (thanks)", f"{name} (no message)"
    listening = {key: value for key, value in node.items() if key != "end"}
    defaults = {
        "say": "Please leave your message now, and stop speaking when you are done.",
        "slot": "message",
        "reprompt": "Please leave your message now.",
        "on_failure": without,
    }
    return {
        name: {**defaults, **listening, "listen": {"kind": "message"}, "next": thank},
        thank: {"say": "Thank you. I will pass your message on. Goodbye.", "end": "hang_up"},
        without: {"say": "I have no message from you. Please call again. Goodbye.", "end": "hang_up"},
    }


def _parse_node(name: str, raw: Mapping[str, Any], *, has_model: bool) -> Node:
    role = _find_role(name, raw)
    _refuse_misplaced(raw, node=name, role=role)
    listen = _parse_listen(name, raw["listen"], has_model=has_model) if role == "listen" else None
    slot = text(raw, "slot", node=name)
    require(slot is None or slot.isidentifier(), name, "slot", "must be a name of letters, digits and underscores")
    confirm = text(raw, "confirm", node=name)
    require(confirm is None or slot is not None, name, "confirm", 'needs a "slot" for the answer')
    max_reprompts = raw.get("max_reprompts", MAX_REPROMPTS)
    require(_is_count(max_reprompts) and max_reprompts <= 10, name, "max_reprompts", "must be a number from 0 to 10")
    digits = text(raw, "send_digits", node=name)
    is_keys = digits is None or _DIGITS.fullmatch(digits) is not None
    require(is_keys, name, "send_digits", 'must be keys: digits, "*", "#", A to D, and "w" for half a second')
    return Node(
        name=name,
        say=text(raw, "say", node=name) or "",
        listen=listen,
        slot=slot,
        confirm=confirm,
        keypad=_parse_keypad(name, raw.get("keypad"), listen),
        reprompt=text(raw, "reprompt", node=name),
        max_reprompts=max_reprompts,
        next=_parse_next(name, raw.get("next")),
        on_failure=text(raw, "on_failure", node=name),
        tool=_parse_tool(name, raw["tool"]) if role == "tool" else None,
        transfer=_parse_transfer(name, raw) if role == "transfer" else None,
        send_digits=digits,
        by=text(raw, "by", node=name),
        is_end=role == "hang_up",
    )


def _find_role(node: str, raw: Mapping[str, Any]) -> str:
    refuse_unknown(raw, _FIELDS, node=node, prefix="")
    end = raw.get("end")
    is_end = end is None or (isinstance(end, str) and end in get_args(NodeEnd))
    require(is_end, node, "end", f"must be one of {', '.join(get_args(NodeEnd))}")
    if raw.get("listen") is not None:
        require(end is None, node, "end", "a node that listens cannot end the call")
        return "listen"
    if end is not None:
        return str(end)
    return "tool" if raw.get("tool") is not None else "speak"


def _refuse_misplaced(raw: Mapping[str, Any], *, node: str, role: str) -> None:
    for key in sorted(_FIELDS - _ALLOWED[role]):
        if raw.get(key) is None:
            continue
        if key == "next":
            raise FlowError(node, key, "a node that ends the call leads nowhere")
        needs = {"transfer_to": '"end": "transfer"', "mode": '"end": "transfer"'}
        why = f"needs {needs[key]}" if key in needs else f"has no place in a node that is to {role.replace('_', ' ')}"
        is_answer = role == "speak" and key in _LISTENING_FIELDS
        raise FlowError(node, key, 'needs a "listen"' if is_answer else why)


def _parse_tool(node: str, raw: object) -> NodeTool:
    if not isinstance(raw, Mapping):
        raise FlowError(node, "tool", "must be an object")
    refuse_unknown(raw, _TOOL_FIELDS, node=node, prefix="tool.")
    name = raw.get("name")
    is_name = isinstance(name, str) and _TOOL_NAME.fullmatch(name) is not None
    require(is_name, node, "tool.name", "must be the name of a tool, of letters, digits, _ and -")
    arguments = raw.get("arguments", {})
    if not isinstance(arguments, Mapping):
        raise FlowError(node, "tool.arguments", "must be an object")
    result = raw.get("result", {})
    results = {result: ""} if isinstance(result, str) else result
    if not isinstance(results, Mapping):
        raise FlowError(node, "tool.result", "must be a slot, or an object of slots and places in the result")
    for slot, path in results.items():
        is_slot = isinstance(slot, str) and slot.isidentifier()
        require(is_slot and isinstance(path, str), node, f"tool.result.{slot}", "must be a place such as order.status")
    return NodeTool(str(name), dict(arguments), {str(key): str(path) for key, path in results.items()})


def _parse_transfer(node: str, raw: Mapping[str, Any]) -> Transfer:
    to, mode = raw.get("transfer_to"), raw.get("mode") or "blind"
    is_to = isinstance(to, str) and (_PHONE_NUMBER.fullmatch(to) or _DESTINATION_NAME.fullmatch(to))
    require(bool(is_to), node, "transfer_to", "must be a phone number such as +14155550100, or a name of the agent's")
    modes: Mapping[object, TransferMode] = {mode: mode for mode in get_args(TransferMode)}
    if not isinstance(mode, str) or mode not in modes:
        raise FlowError(node, "mode", f"must be one of {list_names(modes)}")
    return Transfer(str(to), modes[mode])


def _parse_listen(node: str, raw: object, *, has_model: bool) -> Listen:
    if not isinstance(raw, Mapping):
        raise FlowError(node, "listen", "must be an object")
    kind = raw.get("kind")
    require(
        isinstance(kind, str) and kind in _LISTEN_FIELDS,
        node,
        "listen.kind",
        f"must be one of {', '.join(get_args(ListenKind))}",
    )
    assert isinstance(kind, str)
    refuse_unknown(raw, _LISTEN_FIELDS[kind] | {"kind"}, node=node, prefix="listen.")
    if kind == "choice":
        return Listen(kind="choice", options=_parse_options(node, raw.get("options")))
    if kind == "digits":
        shortest, longest = raw.get("min", 1), raw.get("max", 16)
        require(_is_count(shortest) and shortest >= 1, node, "listen.min", "must be a number from 1")
        require(_is_count(longest) and shortest <= longest <= 32, node, "listen.max", f"must be from {shortest} to 32")
        return Listen(kind="digits", min_digits=shortest, max_digits=longest)
    if kind == "message":
        seconds = raw.get("max_seconds", MAX_MESSAGE_SECONDS)
        require(_is_count(seconds) and 1 <= seconds <= 600, node, "listen.max_seconds", "must be from 1 to 600")
        return Listen(kind="message", max_seconds=seconds)
    require(kind != "free" or has_model, node, "listen.kind", '"free" needs a language model')
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
            require(isinstance(phrase, str) and bool(turns.split_words(phrase)), node, where, "must hold words")
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
        require(is_key, node, f"keypad.{key}", "must be digits or *")
        require(isinstance(answer, str) and answer != "", node, f"keypad.{key}", "must be an answer")
        is_known = allowed is None or answer in allowed
        require(is_known, node, f"keypad.{key}", f"must be one of {list_names(allowed or ())}")
    return {str(key): str(answer) for key, answer in raw.items()}


def _parse_next(node: str, raw: object) -> dict[str, str]:
    if raw is None:
        return {}
    if isinstance(raw, str):
        return {ANY: raw}
    if not isinstance(raw, Mapping):
        raise FlowError(node, "next", "must be a node's name, or an object of answers and nodes' names")
    for value, target in raw.items():
        require(isinstance(target, str), node, f"next.{value}", "must be a node's name")
    return {str(value): str(target) for value, target in raw.items()}


def text(raw: Mapping[str, Any], key: str, *, node: str, prefix: str = "") -> str | None:
    """The text in `key`, None for none. Raises `FlowError`."""
    value = raw.get(key)
    is_text = value is None or (isinstance(value, str) and value.strip() != "")
    require(is_text, node, f"{prefix}{key}", "must be a text")
    return value


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def refuse_unknown(raw: Mapping[str, Any], known: set[str], *, node: str, prefix: str) -> None:
    """Raise `FlowError` at a field that is not `known`."""
    for key in raw:
        require(key in known, node, f"{prefix}{key}", f"unknown field; known: {', '.join(sorted(known))}")


def require(holds: bool, node: str, field: str, message: str) -> None:
    """Raise `FlowError` unless it holds."""
    if not holds:
        raise FlowError(node, field, message)


def list_names(names: object) -> str:
    """The names as a message shows them."""
    assert isinstance(names, Mapping | set | tuple)
    return ", ".join(sorted(str(name) for name in names))
