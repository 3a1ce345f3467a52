"""Getting off the list: the words that ask for it, in every flow, with and without a model; in scripted calls."""

import json
from typing import Any

import pytest

from ringdown.voice import flows, opt_out
from ringdown.voice.flow import Flow
from ringdown.voice.flow_brain import FlowBrain
from ringdown.voice.flow_phrases import find_phrases
from ringdown.voice.guided_brain import GuidedBrain
from ringdown.voice.model_brain import ModelBrain
from ringdown.voice.ports import ToolRequest, ToolResult
from ringdown.voice.settings import ConversationSettings, GreetingSettings
from tests.fakes.voices import FakeModel
from tests.unit.voice.script import Played, Presses, Says, play
from tests.unit.voice.toolboxes import FakeTools, is_valid, uses

FLOW: dict[str, Any] = {
    "start": "coming",
    "nodes": {
        "coming": {
            "say": "Will you come?",
            "listen": {"kind": "yes_no"},
            "slot": "coming",
            "next": "bye",
            "on_failure": "bye",
        },
        "bye": {"say": "Goodbye.", "end": "hang_up"},
    },
    "outcome": {"coming": {"*": "interested"}},
}
ASKED = Says(2500, 4000, "no, please take me off your list.")
LONG = "i met a friend who said you should take me off your list and then we talked about the weather and the price "
PHRASES = find_phrases("en")


def box(*, is_error: bool = False) -> FakeTools:
    return FakeTools({opt_out.TOOL: (0.2, ToolResult("Done.", is_error=is_error))})


def plain(toolbox: FakeTools | None, flow: Flow | None = None) -> FlowBrain:
    return FlowBrain(flow=flow or Flow.parse(FLOW), variables={}, toolbox=toolbox)


def said(played: Played) -> list[str]:
    return [text for speaker, text in played.lines if speaker == "agent"]


@pytest.mark.parametrize(
    "text",
    [
        "Don't call me again!",
        "Do not ever call this number again.",
        "Please stop calling me.",
        "Take me off your list, thank you.",
        "Could you remove my number from your database?",
        "Put me on the do-not-call list.",
        "I want to opt out.",
        "Unsubscribe me please",
        "Never call me again",
        "Rufen Sie mich nie wieder an.",
        "Bitte rufen Sie hier nicht mehr an!",
        "Streichen Sie mich bitte von Ihrer Liste.",
        "No me llamen más.",
        "¡Deje de llamarme!",
        "Bórreme de su lista.",
        "Ne m'appelez plus !",
        "Arrêtez de m'appeler.",
        "Retirez-moi de votre liste, s'il vous plaît.",
    ],
)
def test_these_words_ask_not_to_be_called_any_more(text: str) -> None:
    assert opt_out.is_asked(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Call me again tomorrow.",
        "Don't call me back, I will call you.",
        "Please put me on your list.",
        "I never call my mother.",
        "Stop, I have to take a call.",
        "Could you take my order off the list?",
        "Rufen Sie mich morgen wieder an.",
        "Llámeme mañana.",
        "Rappelez-moi demain.",
        LONG * 2,
    ],
)
def test_these_words_do_not(text: str) -> None:
    assert not opt_out.is_asked(text)


def test_a_flow_asks_whether_it_is_meant_writes_it_down_says_so_and_hangs_up() -> None:
    brain, toolbox = plain(tools := box()), tools
    played = play(brain, [ASKED, Says(10_000, 10_500, "yes.")])
    assert said(played) == ["Will you come?", PHRASES.opt_out, PHRASES.opted_out]
    assert (toolbox.finished, played.end.reason) == ([opt_out.TOOL], "agent_hangup")
    assert (brain.report().outcome, dict(brain.report().slots)) == ("not_interested", {})


def test_no_leads_back_to_the_question() -> None:
    brain = plain(toolbox := box())
    played = play(brain, [ASKED, Says(10_000, 10_500, "no."), Says(13_500, 14_000, "yes.")])
    assert said(played) == ["Will you come?", PHRASES.opt_out, "Will you come?", "Goodbye."]
    assert (toolbox.begun, brain.report().outcome) == ([], "interested")


@pytest.mark.parametrize("answer", [[], [Presses(10_000, "1")], [Says(10_000, 12_000, "no, never call me again!")]])
def test_anything_but_a_no_is_a_yes(answer: list[Any]) -> None:
    played = play(plain(toolbox := box()), [ASKED, *answer])
    assert (toolbox.begun, said(played)[-1]) == ([opt_out.TOOL], PHRASES.opted_out)


def test_who_says_yes_and_hangs_up_is_off_the_list() -> None:
    play(plain(toolbox := box()), [ASKED, Says(10_000, 10_500, "yes.")], hang_up_ms=10_600)
    assert toolbox.finished == [opt_out.TOOL]


def test_the_receptionist_does_not_take_it_for_a_message() -> None:
    brain = plain(toolbox := box(), flows.receptionist(None))
    played = play(brain, [Says(7000, 9000, "please take me off your list."), Says(18_000, 18_500, "yes.")])
    assert (toolbox.finished, said(played)[-1]) == ([opt_out.TOOL], PHRASES.opted_out)
    assert brain.report().slots == {}


def test_a_list_that_cannot_be_written_is_admitted() -> None:
    played = play(plain(box(is_error=True)), [ASKED, Says(10_000, 10_500, "yes.")])
    assert said(played)[-1] == PHRASES.not_opted_out


@pytest.mark.parametrize("toolbox", [None, FakeTools({})])
def test_a_call_without_the_tool_goes_on_as_before(toolbox: FakeTools | None) -> None:
    assert said(play(plain(toolbox), [ASKED])) == ["Will you come?", "Goodbye."]


def test_a_guided_flow_takes_the_same_way_and_its_model_may_begin_it() -> None:
    def guided(*replies: list[str | ToolRequest]) -> tuple[GuidedBrain, FakeTools]:
        toolbox, model = box(), FakeModel(list(replies))
        brain = GuidedBrain(
            flow=Flow.parse(FLOW), variables={}, model=model, system_prompt="You are a test.", toolbox=toolbox
        )
        return brain, toolbox

    record = uses("record_answer", "1", json.dumps({"value": "yes"}))
    brain, toolbox = guided([record], ["You are off our list. Goodbye."])
    played = play(brain, [ASKED, Says(10_000, 10_500, "yes.")])
    assert said(played) == ["Will you come?", PHRASES.opt_out, "You are off our list. Goodbye."]
    assert (toolbox.finished, brain.report().outcome) == ([opt_out.TOOL], "not_interested")
    brain, toolbox = guided([uses(opt_out.TOOL)], ["As you wish. Goodbye."])
    played = play(brain, [Says(2500, 3500, "leave me in peace for ever.")])
    assert (said(played)[-1], toolbox.finished) == ("As you wish. Goodbye.", [opt_out.TOOL])
    assert (played.end.reason, is_valid(brain.history)) == ("agent_hangup", True)


def test_a_model_uses_the_tool_and_says_so() -> None:
    toolbox = box()
    model = FakeModel([[uses(opt_out.TOOL)], ["You are off our list. Goodbye.", uses("end_call", "2")]])
    brain = ModelBrain(model=model, system_prompt="You are a test.", toolbox=toolbox)
    settings = ConversationSettings(greeting=GreetingSettings(text="Good day."))
    played = play(brain, [ASKED], settings=settings)
    assert (toolbox.finished, said(played)[-1]) == ([opt_out.TOOL], "You are off our list. Goodbye.")
    assert played.end.reason == "agent_hangup"
