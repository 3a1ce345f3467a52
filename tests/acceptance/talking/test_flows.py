"""The same flow in real calls: led by a model, and by the keypad without one; and a flow that hands over."""

import json

import pytest

from tests.acceptance.model_server import CHAT, Answer, ScriptedServer
from tests.acceptance.talking.desk import COLLEAGUE, Desk

pytestmark = pytest.mark.asyncio(loop_scope="package")

FLOW = {
    "start": "coming",
    "nodes": {
        "coming": {
            "say": "Will you come tomorrow?",
            "listen": {"kind": "yes_no"},
            "slot": "coming",
            "keypad": {"1": "yes", "2": "no"},
            "next": {"yes": "people", "no": "bye"},
            "on_failure": "bye",
        },
        "people": {
            "say": "How many people will come?",
            "listen": {"kind": "digits", "min": 1, "max": 2},
            "slot": "people",
            "next": "bye",
            "on_failure": "bye",
        },
        "bye": {"say": "Thank you. Goodbye.", "end": "hang_up"},
    },
    "summary": "Coming: {{coming}}, people: {{people}}.",
    "outcome": {"coming": {"yes": "interested", "no": "not_interested"}},
}
HAND_OVER = {
    "start": "pass",
    "nodes": {"pass": {"say": "I connect you with a colleague.", "end": "transfer", "transfer_to": COLLEAGUE}},
}


def _record(value: str) -> tuple[tuple[str, str], ...]:
    return (("record_answer", json.dumps({"value": value})),)


async def test_a_model_understands_free_answers_and_comes_back_from_a_side_question(
    desk: Desk, provider: ScriptedServer
) -> None:
    provider.answers = {
        "Where is it again?": Answer("At the town hall. Will you come tomorrow?"),
        "I would not miss it.": Answer("", tools=_record("yes")),
        "My wife and I.": Answer("", tools=_record("2")),
    }
    recorded = iter(["Lovely. How many will you be?", "Thank you. Goodbye."])
    provider.choose = lambda last: Answer(next(recorded)) if last == "Recorded." else None
    agent = await desk.make_agent(flow=FLOW)
    try:
        async with desk.call(
            agent, "say Where is it again?", "say I would not miss it.", "say My wife and I.", "wait 30"
        ) as (call_id, _):
            call = await desk.end_of(call_id)
    finally:
        provider.choose = None
    assert [words for _, words in await desk.turns_of(call_id)][1:] == [
        "Where is it again?",
        "At the town hall. Will you come tomorrow?",
        "I would not miss it.",
        "Lovely. How many will you be?",
        "My wife and I.",
        "Thank you. Goodbye.",
    ]
    assert await _result(desk, call_id, call) == ("agent_hangup", "interested", "Coming: yes, people: 2.")


async def test_the_same_flow_without_a_model_has_the_same_result_by_keypad(
    desk: Desk, provider: ScriptedServer
) -> None:
    agent = await desk.make_agent(flow=FLOW, model="builtin")
    async with desk.call(agent, "digits 1", "digits 2#", "wait 30") as (call_id, _):
        call = await desk.end_of(call_id)
    assert await _result(desk, call_id, call) == ("agent_hangup", "interested", "Coming: yes, people: 2.")
    assert provider.requests_to(CHAT) == []


async def _result(desk: Desk, call_id: str, call: dict[str, object]) -> tuple[object, ...]:
    analysis = call["analysis"]
    assert isinstance(analysis, dict)
    assert analysis["structured_data"] == {"coming": "yes", "people": "2"}
    return call["ended_reason"], call["outcome"], call["summary"]


async def test_a_flow_hands_the_caller_over(desk: Desk) -> None:
    agent = await desk.make_agent(flow=HAND_OVER)
    async with desk.call(agent, "wait 30") as (call_id, _):
        call = await desk.end_of(call_id)
    assert (call["ended_reason"], call["outcome"]) == ("transferred", "escalated")
    assert call["transfer"]["to"] == COLLEAGUE
