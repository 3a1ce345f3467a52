"""What flows do beside asking: tools, transfers, digits, messages, ways by slot, keywords."""

import json
from typing import Any

import pytest

from ringdown.voice.brain import Act, HangUp, Heard
from ringdown.voice.flow import Flow
from ringdown.voice.flow_brain import FlowBrain
from ringdown.voice.flow_nodes import FlowError
from ringdown.voice.flow_steps import pick
from ringdown.voice.ports import ToolRequest, ToolResult
from tests.unit.voice.script import Says, play
from tests.unit.voice.toolboxes import FakeTools, tools

BYE = {"say": "Goodbye.", "end": "hang_up"}
ASK = {
    "say": "Shall I look it up?",
    "listen": {"kind": "yes_no"},
    "slot": "wanted",
    "next": "look",
    "on_failure": "bye",
}
LOOK_UP: dict[str, Any] = {
    "start": "ask",
    "nodes": {
        "ask": ASK,
        "look": {
            "say": "I look.",
            "tool": {"name": "find", "arguments": {"who": "{{name}}", "deep": {"list": ["{{wanted}}", 3]}},
                     "result": {"status": "order.status", "first": "items.0", "none": "a.b"}},
            "next": "tell",
            "on_failure": "sorry",
        },
        "tell": {"say": "It is {{status}}.", "next": "branch"},
        "branch": {"by": "status", "next": {"sent": "bye", "*": "sorry"}},
        "sorry": {"say": "Too bad.", "end": "hang_up"},
        "bye": BYE,
    },
}  # fmt: skip
ORDER = json.dumps({"order": {"status": "sent"}, "items": [7]})
YES = Says(2500, 3000, "yes.")


def nodes(**named: Any) -> dict[str, Any]:
    return {"start": "go", "nodes": {"bye": BYE} | named}


def brain(document: dict[str, Any], toolbox: FakeTools | None = None) -> FlowBrain:
    return FlowBrain(flow=Flow.parse(document), variables={"name": "Ana"}, toolbox=toolbox)


async def parts_of(proposal: Any) -> list[Any]:
    return [part async for part in proposal.parts()]


def finds(content: str, *, delay_s: float = 0.2, is_error: bool = False) -> FakeTools:
    return FakeTools({"find": (delay_s, ToolResult(content, is_error=is_error))})


def test_a_tool_fills_slots_and_the_flow_goes_on_by_them() -> None:
    flow = brain(LOOK_UP, finds(ORDER))
    played = play(flow, [YES])
    assert played.lines[1:] == [("contact", "yes."), ("agent", "I look. It is sent. Goodbye.")]
    assert flow.report().slots == {"wanted": "yes", "status": "sent", "first": "7", "none": ""}
    assert played.end.reason == "agent_hangup"


def test_a_tools_arguments_are_templates() -> None:
    seen: list[ToolRequest] = []

    class Box(FakeTools):
        async def call(self, request: ToolRequest) -> ToolResult:
            seen.append(request)
            return await super().call(request)

    play(brain(LOOK_UP, Box(finds(ORDER).results)), [YES])
    [request] = seen
    assert (request.name, json.loads(request.arguments)) == ("find", {"who": "Ana", "deep": {"list": ["yes", 3]}})


@pytest.mark.parametrize("toolbox", [finds("broken", is_error=True), tools(), None])
def test_a_tool_that_fails_or_is_not_there_leads_to_the_failure_node(toolbox: FakeTools | None) -> None:
    if toolbox is not None and not toolbox.results:
        toolbox = FakeTools({"find": (0.0, ToolResult("There is no tool.", is_error=True))})
    assert play(brain(LOOK_UP, toolbox), [YES]).lines[-1] == ("agent", "I look. Too bad.")


def test_a_tool_goes_on_when_the_caller_speaks_and_is_used_once() -> None:
    toolbox = finds(ORDER, delay_s=5.0)
    played = play(brain(LOOK_UP, toolbox), [YES, Says(5000, 6000, "are you still there?")])
    assert toolbox.begun == ["find"]
    assert played.lines[-1][1].endswith("It is sent. Goodbye.")
    assert ("contact", "are you still there?") in played.lines


def test_a_slow_tool_of_a_flow_is_announced() -> None:
    played = play(brain(LOOK_UP, finds(ORDER, delay_s=4.0)), [YES])
    assert played.lines[-1][1] == "I look. One moment, please, let me check. It is sent. Goodbye."


def test_a_transfer_is_done_after_the_words_and_a_failed_one_goes_on() -> None:
    acted: list[ToolRequest] = []
    document = nodes(
        go={"say": "I connect you.", "end": "transfer", "transfer_to": "+14155550100", "mode": "attended",
            "on_failure": "bye"}
    )  # fmt: skip
    played = play(brain(document), [Says(4000, 4500, "hello?")], act=acted.append, hang_up_ms=9000)
    assert [(request.name, json.loads(request.arguments)) for request in acted] == [
        ("transfer_call", {"destination": "+14155550100", "mode": "attended"})
    ]
    assert played.lines[0] == ("agent", "I connect you.")
    assert played.lines[-1] == ("agent", "Goodbye.")


def test_a_failed_transfer_without_a_failure_node_says_so_and_hangs_up() -> None:
    document = nodes(go={"say": "I connect you.", "end": "transfer", "transfer_to": "sales"})
    played = play(brain(document), [Says(4000, 4500, "hello?")], act=lambda request: None, hang_up_ms=20_000)
    assert played.lines[-1][1].startswith("I'm sorry, nobody is available")
    assert played.end.reason == "agent_hangup"


def test_digits_are_sent_after_the_words_and_the_flow_goes_on_by_itself() -> None:
    acted: list[ToolRequest] = []
    document = nodes(go={"say": "Hello.", "send_digits": "1w2#", "next": "more"}, more={"say": "Sent.", "next": "bye"})
    played = play(brain(document), [], act=acted.append, hang_up_ms=20_000)
    assert [request.arguments for request in acted] == ['{"digits": "1w2#"}']
    assert played.lines == [("agent", "Hello."), ("agent", "Sent. Goodbye.")]


def test_a_question_may_send_digits_first() -> None:
    acted: list[ToolRequest] = []
    played = play(brain(nodes(go=ASK | {"send_digits": "9", "next": "bye"})), [YES], act=acted.append)
    assert (len(acted), played.lines[-1]) == (1, ("agent", "Goodbye."))


def test_take_message_takes_a_message_and_hangs_up() -> None:
    flow = brain(nodes(go={"say": "Leave a message.", "end": "take_message"}))
    played = play(flow, [Says(2000, 6000, "please call me back tomorrow")], hang_up_ms=30_000)
    assert flow.report().slots == {"message": "4 seconds"}
    assert played.lines[-1] == ("agent", "Thank you. I will pass your message on. Goodbye.")


KEYWORDS = {
    "operator": {"phrases": ["operator", "a human"], "key": "0", "next": "bye"},
    "repeat": {"phrases": ["repeat", "say that again"], "key": "9"},
}


@pytest.mark.parametrize(
    ("heard", "said"),
    [
        (Heard("operator please"), "Goodbye."),
        (Heard("0", source="keypad"), "Goodbye."),
        (Heard("could you repeat"), "Shall I look it up?"),
        (Heard("9", source="keypad"), "Shall I look it up?"),
        (Heard("yes"), "I look."),
        (Heard("tell an operator to look at all of this"), "Sorry"),
    ],
)
async def test_keywords_work_at_every_question_unless_the_question_is_answered(heard: Heard, said: str) -> None:
    flow = brain(LOOK_UP | {"keywords": KEYWORDS}, finds(ORDER))
    flow.open(None, None).commit()
    [first, *_] = [part async for part in _first(flow.consider(heard))]
    assert first.startswith(said)


async def _first(proposal: Any) -> Any:
    async for part in proposal.parts():
        yield part
        return


def test_a_keyword_is_a_whole_answer_and_a_choice_lets_the_recognizer_hear_it() -> None:
    listen = {"kind": "choice", "options": {"red": ["red"], "blue": ["blue"]}}
    question = {"say": "Which?", "listen": listen, "next": "bye", "on_failure": "bye"}
    flow = brain(nodes(go=question) | {"keywords": KEYWORDS})
    flow.open(None, None).commit()
    assert "a human" in flow.listening().expectation.phrases
    assert (flow.judge("operator"), flow.judge_keypad("0")) == ("complete", "complete")


async def test_a_flow_that_was_told_to_hang_up_does() -> None:
    flow = brain(nodes(go={"say": "Hi.", "next": "bye"}))
    assert (await parts_of(flow.open("Hello.", None)))[-1] == HangUp()
    sends = brain(nodes(go={"say": "Hi.", "send_digits": "5", "next": "bye"}))
    assert isinstance((await parts_of(sends.open(None, None)))[-1], Act)


@pytest.mark.parametrize(
    ("node", "field"),
    [
        ({"end": "transfer"}, "transfer_to"),
        ({"end": "transfer", "transfer_to": "0049123"}, "transfer_to"),
        ({"end": "transfer", "transfer_to": "{{number}}"}, "transfer_to"),
        ({"end": "transfer", "transfer_to": "sales", "mode": "warm"}, "mode"),
        ({"end": "hang_up", "transfer_to": "sales"}, "transfer_to"),
        ({"end": "take_message", "listen": {"kind": "yes_no"}}, "listen"),
        ({"end": "take_message", "on_failure": "nowhere"}, "on_failure"),
        ({"tool": "find", "next": "bye", "on_failure": "bye"}, "tool"),
        ({"tool": {"name": "find me"}, "next": "bye", "on_failure": "bye"}, "tool.name"),
        ({"tool": {"name": "find", "url": "x"}, "next": "bye", "on_failure": "bye"}, "tool.url"),
        ({"tool": {"name": "find", "arguments": []}, "next": "bye", "on_failure": "bye"}, "tool.arguments"),
        ({"tool": {"name": "find", "result": 3}, "next": "bye", "on_failure": "bye"}, "tool.result"),
        ({"tool": {"name": "find", "result": {"a b": "c"}}, "next": "bye", "on_failure": "bye"}, "tool.result.a b"),
        ({"tool": {"name": "find"}, "next": "bye"}, "on_failure"),
        ({"tool": {"name": "find"}, "next": {"yes": "bye"}, "on_failure": "bye"}, "next"),
        ({"tool": {"name": "find"}, "next": "go", "on_failure": "bye"}, "next"),
        ({"tool": {"name": "find"}, "next": "bye", "on_failure": "go"}, "next"),
        ({"by": "unknown", "next": {"*": "bye"}}, "by"),
        ({"send_digits": "call me", "next": "bye"}, "send_digits"),
        ({"send_digits": "1", "end": "hang_up"}, "send_digits"),
        ({"end": ["hang_up"]}, "end"),
    ],
)
def test_a_node_that_cannot_act_is_refused_by_its_field(node: dict[str, Any], field: str) -> None:
    with pytest.raises(FlowError) as refusal:
        Flow.parse(nodes(go=node))
    assert (refusal.value.node, refusal.value.field) == ("go", field)


@pytest.mark.parametrize(
    ("keywords", "field"),
    [
        ([], "keywords"),
        ({"stop": "bye"}, "keywords.stop"),
        ({"stop": {"phrases": []}}, "keywords.stop.phrases"),
        ({"stop": {"phrases": ["?"]}}, "keywords.stop.phrases"),
        ({"stop": {"phrases": ["stop"], "key": "12"}}, "keywords.stop.key"),
        ({"stop": {"phrases": ["stop"], "next": "nowhere"}}, "keywords.stop.next"),
        ({"stop": {"phrases": ["stop"], "next": ["bye"]}}, "keywords.stop.next"),
        ({"stop": {"phrases": ["stop"], "goto": "bye"}}, "keywords.stop.goto"),
    ],
)
def test_a_keyword_that_cannot_be_is_refused_by_its_field(keywords: Any, field: str) -> None:
    with pytest.raises(FlowError) as refusal:
        Flow.parse(LOOK_UP | {"keywords": keywords})
    assert (refusal.value.node, refusal.value.field) == ("", field)


def test_a_way_by_slot_needs_a_way_for_any_other_value() -> None:
    document = LOOK_UP | {"nodes": LOOK_UP["nodes"] | {"branch": {"by": "status", "next": {"sent": "bye"}}}}
    with pytest.raises(FlowError) as refusal:
        Flow.parse(document)
    assert (refusal.value.node, refusal.value.field) == ("branch", "next")


def test_circles_are_found_in_wide_silent_graphs_at_once() -> None:
    ways = {str(level): {"by": "wanted", "next": {"a": str(level + 1), "*": str(level + 1)}} for level in range(60)}
    document = {"start": "ask", "nodes": {"ask": ASK | {"next": "0"}, "bye": BYE} | ways | {"60": BYE}}
    assert Flow.parse(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [("", '{"a": [{"b": true}]}'), ("a.0.b", "true"), ("a.1", ""), ("a.b", ""), ("x", ""), ("a.0", '{"b": true}')],
)
def test_a_place_in_a_result_is_found_or_empty(path: str, value: str) -> None:
    assert pick('{"a": [{"b": true}]}', path) == value


def test_a_result_that_is_no_json_has_no_places() -> None:
    assert (pick("plain", ""), pick("plain", "a"), pick("[" * 100_000, "a")) == ("plain", "", "")
