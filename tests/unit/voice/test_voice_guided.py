"""The same flow with a model: the model understands and words, the flow decides; the report is the same."""

import json
from typing import Any

from ringdown.voice.flow import Flow
from ringdown.voice.flow_brain import FlowBrain
from ringdown.voice.guided_brain import GuidedBrain
from ringdown.voice.ports import ProviderError, ToolRequest, ToolResult
from tests.fakes import virtual_time
from tests.fakes.voices import FakeModel
from tests.unit.voice.script import Played, Presses, Says, play
from tests.unit.voice.toolboxes import FakeTools, is_valid, tools, uses

FLOW: dict[str, Any] = {
    "start": "coming",
    "nodes": {
        "coming": {
            "say": "Will you come tomorrow?",
            "listen": {"kind": "yes_no"},
            "slot": "coming",
            "next": {"yes": "people", "no": "bye"},
            "on_failure": "bye",
        },
        "people": {
            "say": "How many people will come?",
            "listen": {"kind": "digits", "max": 2},
            "slot": "people",
            "confirm": "I heard {{people}}. Is that right?",
            "next": "bye",
            "on_failure": "bye",
        },
        "bye": {"say": "Goodbye.", "end": "hang_up"},
    },
    "keywords": {"operator": {"phrases": ["operator"], "next": "bye"}},
    "outcome": {"coming": {"yes": "interested", "no": "not_interested"}},
}


def answers(value: str, tool_call_id: str = "1") -> ToolRequest:
    return uses("record_answer", tool_call_id, json.dumps({"value": value}))


def confirms(is_right: bool) -> ToolRequest:
    return uses("confirm_answer", "9", json.dumps({"is_right": is_right}))


def guided(
    *replies: str | list[str | ToolRequest | ProviderError],
    flow: dict[str, Any] | None = None,
    toolbox: FakeTools | None = None,
) -> tuple[GuidedBrain, FakeModel]:
    fake = FakeModel([[reply] if isinstance(reply, str) else reply for reply in replies])
    brain = GuidedBrain(
        flow=Flow.parse(flow or FLOW), variables={}, model=fake, system_prompt="You are a test.", toolbox=toolbox
    )
    return brain, fake


def test_the_report_is_the_same_with_and_without_a_model() -> None:
    script = [Says(2500, 3200, "yes."), Says(6000, 6500, "four."), Says(9500, 10_000, "yes.")]
    with_model, fake = guided(
        [answers("yes")], "Great, and how many?",
        [answers("four")], "Four, is that right?",
        [confirms(True)], "See you!",
    )  # fmt: skip
    without = FlowBrain(flow=Flow.parse(FLOW), variables={})
    worded, plain = play(with_model, script), play(without, script)
    assert with_model.report() == without.report()
    assert dict(with_model.report().slots) == {"coming": "yes", "people": "4"}
    assert worded.end.reason == plain.end.reason == "agent_hangup"
    assert [text for speaker, text in worded.lines if speaker == "agent"] == [
        "Will you come tomorrow?", "Great, and how many?", "Four, is that right?", "See you!",
    ]  # fmt: skip
    assert all(is_valid(request) for request in fake.requests)


def test_a_free_answer_is_understood_by_the_model_and_the_next_words_are_told_to_it() -> None:
    brain, fake = guided([answers("yes")], "Wonderful! How many of you?")
    play(brain, [Says(2500, 3500, "I would not miss it.")], hang_up_ms=8000)
    assert fake.requests[0][-1].content.startswith("The open question is: Will you come tomorrow?")
    assert "Say now, in your own words" in fake.requests[1][-1].content
    assert "How many people will come?" in fake.requests[1][-1].content
    assert brain.listening().expectation.kind == "digits"


def test_a_side_question_is_answered_and_the_flow_stays_where_it_is() -> None:
    brain, fake = guided([uses("search")], "At ten. Will you come?", [answers("no")], "Pity. Goodbye.",
                         toolbox=tools(search=0.2))  # fmt: skip
    played = play(brain, [Says(2500, 3500, "what time is it?"), Says(6500, 7000, "no.")])
    assert ("agent", "At ten. Will you come?") in played.lines
    assert dict(brain.report().slots) == {"coming": "no"}
    assert (brain.report().outcome, played.end.reason) == ("not_interested", "agent_hangup")
    assert is_valid(brain.history)
    assert len(fake.requests) == 4


def test_an_answer_that_the_question_cannot_have_is_told_to_the_model() -> None:
    brain, fake = guided([answers("perhaps")], "Yes or no?")
    play(brain, [Says(2500, 3200, "we shall see.")], hang_up_ms=8000)
    assert fake.requests[1][-2].content == "Error: The value must be one of: no, yes."
    assert dict(brain.report().slots) == {}


def test_a_caller_who_will_not_answer_is_led_to_the_failure_node() -> None:
    brain, _ = guided([uses("give_up_question")], "All right, goodbye.")
    played = play(brain, [Says(2500, 3200, "leave me alone.")])
    assert (played.end.reason, played.lines[-1]) == ("agent_hangup", ("agent", "All right, goodbye."))


def test_a_keyword_is_a_tool_of_the_model() -> None:
    brain, _ = guided([uses("use_keyword", arguments='{"keyword": "operator"}')], "Sure, goodbye.")
    assert play(brain, [Says(2500, 3200, "a person, please.")]).end.reason == "agent_hangup"


def test_two_answers_in_one_sentence_are_two_steps() -> None:
    brain, _ = guided([answers("yes")], [answers("4", "2")], "Four people, right?")
    play(brain, [Says(2500, 3500, "yes, the four of us.")], hang_up_ms=8000)
    assert brain.listening().expectation.kind == "yes_no"  # the confirmation


def test_a_model_that_fails_leaves_the_conversation_to_the_flow() -> None:
    broken: list[str | ToolRequest | ProviderError] = [ProviderError("test", "broken", retryable=True)]
    brain, _ = guided(broken, broken, broken)
    played = play(brain, [Says(2500, 3200, "yes."), Says(6000, 6500, "four."), Says(9500, 10_000, "yes.")])
    assert [text for speaker, text in played.lines if speaker == "agent"] == [
        "Will you come tomorrow?", "How many people will come?", "I heard 4. Is that right?", "Goodbye.",
    ]  # fmt: skip
    assert dict(brain.report().slots) == {"coming": "yes", "people": "4"}


def test_a_model_that_fails_after_it_reported_an_answer_leaves_the_words_to_the_flow() -> None:
    brain, _ = guided([answers("yes")], [ProviderError("test", "broken", retryable=False)])
    played = play(brain, [Says(2500, 3200, "sure thing.")], hang_up_ms=8000)
    assert played.lines[-1] == ("agent", "How many people will come?")


def test_keys_and_silence_need_no_model() -> None:
    brain, fake = guided()
    played = play(brain, [Presses(2500, "1")], hang_up_ms=16_000)
    assert fake.requests == []
    assert ("agent", "How many people will come?") in played.lines
    assert played.lines[-1] == ("agent", "Sorry, I did not hear you. How many people will come?")


def test_an_interrupted_step_is_taken_and_its_words_are_what_was_heard() -> None:
    long = "Wonderful to hear that and now I would like to know how many people will come with you."
    brain, _ = guided([answers("yes")], long, "Sorry, go on.")
    played = play(brain, [Says(2500, 3200, "yes."), Says(5000, 6000, "wait a moment please.")], hang_up_ms=9000)
    heard = [turn for turn in played.turns if turn.interrupted]
    assert len(heard) == 1
    assert heard[0].text in [message.content for message in brain.history]
    assert long.startswith(heard[0].text)


def use_tool(toolbox: FakeTools, *replies: str | list[str | ToolRequest | ProviderError]) -> Played:
    document = FLOW | {
        "nodes": FLOW["nodes"]
        | {
            "coming": FLOW["nodes"]["coming"] | {"next": {"yes": "book", "no": "bye"}},
            "book": {
                "say": "I book.",
                "tool": {"name": "book", "result": "table"},
                "next": "told",
                "on_failure": "bye",
            },
            "told": {"say": "It is table {{table}}.", "end": "hang_up"},
        }
    }
    brain, _ = guided(*replies, flow=document, toolbox=toolbox)
    return play(brain, [Says(2500, 3200, "yes.")])


def test_a_node_with_a_tool_runs_it_and_its_result_is_worded_by_the_model() -> None:
    toolbox = FakeTools({"book": (0.3, ToolResult("seven"))})
    played = use_tool(toolbox, [answers("yes")], "You have table seven.")
    assert (toolbox.begun, played.lines[-1]) == (["book"], ("agent", "You have table seven."))
    assert played.end.reason == "agent_hangup"


def test_a_node_with_a_slow_tool_says_that_it_checks() -> None:
    toolbox = FakeTools({"book": (3.0, ToolResult("seven"))})
    played = use_tool(toolbox, [answers("yes")], "You have table seven.")
    assert played.lines[-1] == ("agent", "One moment, please, let me check. You have table seven.")


def test_an_answer_before_the_hang_up_is_in_the_report() -> None:
    brain, fake = guided()
    play(brain, [Says(2500, 3200, "yes.")], hang_up_ms=3220)
    assert (fake.requests, dict(brain.report().slots)) == ([], {"coming": "yes"})


def test_without_a_summary_of_its_own_a_flow_has_the_models() -> None:
    brain, _ = guided([answers("no")], "Goodbye.", "The caller will not come.")
    play(brain, [Says(2500, 3200, "no.")])
    virtual_time.run(brain.summarise())
    assert brain.report().summary == "The caller will not come."
