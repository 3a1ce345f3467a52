"""A flow: the graph of what an agent says and may be answered, parsed and validated. Pure.

What a step through it does is in `voice.flow_steps`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ringdown.voice import turns
from ringdown.voice.flow_nodes import ANY, FlowError, Node, list_names, parse_nodes, refuse_unknown, require, text

_FIELDS = {"start", "nodes", "summary", "outcome", "keywords"}
_KEYWORD_FIELDS = {"phrases", "key", "next"}


@dataclass(frozen=True, slots=True)
class Keyword:
    """What the caller may say, or press, at any question: goes to node `next`, or asks again (None)."""

    phrases: tuple[str, ...]
    key: str | None = None
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """A valid graph. `outcome` is a fixed outcome, or by slot and value (`*` for any)."""

    start: str
    nodes: Mapping[str, Node]
    summary: str | None = None
    outcome: str | Mapping[str, Mapping[str, str]] | None = None
    keywords: Mapping[str, Keyword] = field(default_factory=dict)

    @staticmethod
    def parse(document: Mapping[str, Any], *, has_model: bool = False) -> "Flow":
        """The flow of a JSON object. Raises `FlowError`; `free` questions need a model."""
        return _parse(document, has_model=has_model)

    def phrases(self) -> Iterator[tuple[str, str]]:
        """What a recognizer must be able to pronounce, with the name of the node; `""` for keywords."""
        for node in self.nodes.values():
            for phrases in node.listen.options.values() if node.listen else ():
                yield from ((node.name, phrase) for phrase in phrases)
        for keyword in self.keywords.values():
            yield from (("", phrase) for phrase in keyword.phrases)


def _parse(document: Mapping[str, Any], *, has_model: bool) -> Flow:
    require(isinstance(document, Mapping), "", "flow", "must be an object")
    refuse_unknown(document, _FIELDS, node="", prefix="")
    nodes = document.get("nodes")
    require(isinstance(nodes, Mapping) and len(nodes) > 0, "", "nodes", "must be an object with at least one node")
    assert isinstance(nodes, Mapping)
    start = document.get("start")
    require(isinstance(start, str) and start in nodes, "", "start", f"must be one of {list_names(nodes)}")
    parsed = parse_nodes(nodes, has_model=has_model)
    slots = {slot for node in parsed.values() for slot in node.slots}
    for node in parsed.values():
        _check_targets(node, parsed, known=list_names(nodes))
        known = f"must be one of the slots {list_names(slots)}"
        require(node.by is None or node.by in slots, node.name, "by", known)
    _check_silent_circles(parsed)
    return Flow(
        start=str(start),
        nodes=parsed,
        summary=text(document, "summary", node=""),
        outcome=_parse_outcome(document.get("outcome"), slots),
        keywords=_parse_keywords(document.get("keywords"), parsed),
    )


def _parse_outcome(raw: object, slots: set[str]) -> str | dict[str, dict[str, str]] | None:
    if raw is None or isinstance(raw, str):
        return raw
    if not isinstance(raw, Mapping):
        raise FlowError("", "outcome", "must be an outcome, or an object of slots")
    for slot, by_value in raw.items():
        require(slot in slots, "", f"outcome.{slot}", f"must be one of the slots {list_names(slots)}")
        is_table = isinstance(by_value, Mapping) and all(isinstance(outcome, str) for outcome in by_value.values())
        require(is_table, "", f"outcome.{slot}", "must be an object of values and outcomes")
    return {str(slot): {str(value): str(name) for value, name in table.items()} for slot, table in raw.items()}


def _parse_keywords(raw: object, nodes: Mapping[str, Node]) -> dict[str, Keyword]:
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        raise FlowError("", "keywords", "must be an object of names and keywords")
    return {str(name): _parse_keyword(f"keywords.{name}", keyword, nodes) for name, keyword in raw.items()}


def _parse_keyword(where: str, raw: object, nodes: Mapping[str, Node]) -> Keyword:
    if not isinstance(raw, Mapping):
        raise FlowError("", where, "must be an object")
    refuse_unknown(raw, _KEYWORD_FIELDS, node="", prefix=f"{where}.")
    phrases, key, target = raw.get("phrases"), raw.get("key"), text(raw, "next", node="", prefix=f"{where}.")
    is_list = isinstance(phrases, list | tuple) and len(phrases) > 0
    require(is_list, "", f"{where}.phrases", "must be a list of at least one phrase")
    assert isinstance(phrases, list | tuple)
    for phrase in phrases:
        is_phrase = isinstance(phrase, str) and bool(turns.split_words(phrase))
        require(is_phrase, "", f"{where}.phrases", "must hold words")
    is_key = key is None or (isinstance(key, str) and len(key) == 1 and key in "0123456789*")
    require(is_key, "", f"{where}.key", "must be a digit or *")
    known = f"unknown node {target!r}; known: {list_names(nodes)}"
    require(target is None or target in nodes, "", f"{where}.next", known)
    return Keyword(tuple(" ".join(turns.split_words(phrase)) for phrase in phrases), key, target)


def _check_targets(node: Node, nodes: Mapping[str, Node], *, known: str) -> None:
    for value, target in node.next.items():
        require(target in nodes, node.name, f"next.{value}", f"unknown node {target!r}; known: {known}")
    failure = node.on_failure
    require(failure is None or failure in nodes, node.name, "on_failure", f"unknown node {failure!r}; known: {known}")
    if node.is_end or node.transfer is not None:
        return
    if node.listen is not None:
        _check_answers(node, node.answers())
    elif node.by is not None:
        require(ANY in node.next, node.name, "next", 'must say where any other value leads ("*")')
    else:
        one = "a node that neither listens nor ends needs one next node"
        require(set(node.next) == {ANY}, node.name, "next", one)
    is_sure = node.tool is None or failure is not None
    require(is_sure, node.name, "on_failure", "must say where a tool leads that fails")


def _check_answers(node: Node, answers: set[str] | None) -> None:
    """Every answer must lead somewhere, and every way must be an answer's."""
    if answers is None:
        require(ANY in node.next, node.name, "next", 'must say where any other answer leads ("*")')
        return
    for value in node.next:
        require(value in answers | {ANY}, node.name, f"next.{value}", f"must be one of {list_names(answers)}")
    missing = sorted(answers - set(node.next))
    require(ANY in node.next or not missing, node.name, "next", f"leads nowhere for {', '.join(missing)}")


def _check_silent_circles(nodes: Mapping[str, Node]) -> None:
    """Refuse nodes that lead to each other without ever listening or ending."""
    done: set[str] = set()
    for start in nodes:
        path: dict[str, None] = {}
        ways = [iter((start,))]
        while ways:
            name = next(ways[-1], None)
            if name is None:
                ways.pop()
                if path:
                    done.add(path.popitem()[0])
                continue
            require(name not in path, name, "next", "leads in a circle that never listens")
            if name not in done:
                path[name] = None
                ways.append(iter(_silent_targets(nodes[name])))


def _silent_targets(node: Node) -> tuple[str, ...]:
    """Where a node leads without an answer of the caller."""
    if node.listen is not None or node.is_end:
        return ()
    return (*node.next.values(), *(() if node.on_failure is None else (node.on_failure,)))
