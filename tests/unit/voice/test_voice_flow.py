"""Flows: what is refused and where, and what each step says."""

import copy
from typing import Any

import pytest

from ringdown.voice import flow_steps, flows
from ringdown.voice.brain import HangUp, Heard
from ringdown.voice.flow import Flow
from ringdown.voice.flow_brain import FlowBrain
from ringdown.voice.flow_nodes import FlowError

VALID: dict[str, Any] = {
    "start": "ask",
    "nodes": {
        "ask": {
            "say": "Hello {{first_name}}. Will you come?",
            "listen": {"kind": "yes_no"},
            "slot": "coming",
            "confirm": "I heard {{coming}}. Is that right?",
            "keypad": {"1": "yes", "2": "no"},
            "reprompt": "Yes or no?",
            "max_reprompts": 2,
            "next": {"yes": "thanks", "*": "bye"},
            "on_failure": "bye",
        },
        "thanks": {"say": "Thank you.", "next": "bye"},
        "bye": {"say": "Goodbye.", "end": "hang_up"},
    },
    "summary": "Coming: {{coming}}.",
    "outcome": {"coming": {"yes": "interested", "*": "not_interested"}},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    document: Any = copy.deepcopy(VALID)
    *parents, last = path.split("/")
    target = document
    for parent in parents:
        target = target[parent]
    if value is None:
        del target[last]
    else:
        target[last] = value
    if path == "nodes/ask" and isinstance(value, dict):
        del document["outcome"]  # it names the slot of the node that was replaced
    return document  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("path", "value", "node", "field"),
    [
        ("start", None, "", "start"),
        ("start", "nowhere", "", "start"),
        ("nodes", {}, "", "nodes"),
        ("colour", "red", "", "colour"),
        ("summary", 3, "", "summary"),
        ("outcome", {"going": {"yes": "interested"}}, "", "outcome.going"),
        ("outcome", {"coming": "interested"}, "", "outcome.coming"),
        ("nodes/ask", "hello", "ask", "node"),
        ("nodes/ask/says", "Hello", "ask", "says"),
        ("nodes/ask/listen", "yes_no", "ask", "listen"),
        ("nodes/ask/listen", {"kind": "poem"}, "ask", "listen.kind"),
        ("nodes/ask/listen", {"kind": "free"}, "ask", "listen.kind"),
        ("nodes/ask/listen", {"kind": "yes_no", "max": 3}, "ask", "listen.max"),
        ("nodes/ask/listen", {"kind": "choice"}, "ask", "listen.options"),
        ("nodes/ask/listen", {"kind": "choice", "options": {}}, "ask", "listen.options"),
        ("nodes/ask/listen", {"kind": "choice", "options": {"a": []}}, "ask", "listen.options.a"),
        ("nodes/ask/listen", {"kind": "choice", "options": {"a": ["?!"]}}, "ask", "listen.options.a"),
        ("nodes/ask/listen", {"kind": "digits", "min": 0}, "ask", "listen.min"),
        ("nodes/ask/listen", {"kind": "digits", "min": 4, "max": 2}, "ask", "listen.max"),
        ("nodes/ask/listen", {"kind": "message", "max_seconds": 0}, "ask", "listen.max_seconds"),
        ("nodes/ask/slot", "the answer", "ask", "slot"),
        ("nodes/ask/slot", None, "ask", "confirm"),
        ("nodes/ask/keypad", {"x": "yes"}, "ask", "keypad.x"),
        ("nodes/ask/keypad", {"1": "perhaps"}, "ask", "keypad.1"),
        ("nodes/ask/max_reprompts", -1, "ask", "max_reprompts"),
        ("nodes/ask/max_reprompts", True, "ask", "max_reprompts"),
        ("nodes/ask/next", {"yes": "nowhere", "*": "bye"}, "ask", "next.yes"),
        ("nodes/ask/next", {"perhaps": "bye", "*": "bye"}, "ask", "next.perhaps"),
        ("nodes/ask/next", {"yes": "thanks"}, "ask", "next"),
        ("nodes/ask/next", 5, "ask", "next"),
        ("nodes/ask/on_failure", "nowhere", "ask", "on_failure"),
        ("nodes/ask/end", "hang_up", "ask", "end"),
        ("nodes/thanks/next", None, "thanks", "next"),
        ("nodes/thanks/next", "thanks", "thanks", "next"),
        ("nodes/thanks/slot", "x", "thanks", "slot"),
        ("nodes/bye/end", "explode", "bye", "end"),
        ("nodes/bye/next", "ask", "bye", "next"),
    ],
)
def test_a_flow_that_cannot_run_is_refused_by_node_and_field(path: str, value: Any, node: str, field: str) -> None:
    with pytest.raises(FlowError) as refusal:
        Flow.parse(changed(path, value))
    assert (refusal.value.node, refusal.value.field) == (node, field)
    assert refusal.value.message


def test_an_unreachable_node_and_a_free_question_with_a_model_are_fine() -> None:
    document = changed("nodes/island", {"say": "Nobody comes here.", "end": "hang_up"})
    document["nodes"]["ask"] |= {"listen": {"kind": "free"}, "keypad": {}}
    assert "island" in Flow.parse(document, has_model=True).nodes


def test_the_phrases_of_choices_are_listed_with_their_node() -> None:
    listen = {"kind": "choice", "options": {"sales": ["Sales!", "new order"], "help": ["help"]}}
    document = changed("nodes/ask", {"say": "What?", "listen": listen, "next": "bye"})
    assert list(Flow.parse(document).phrases()) == [("ask", "sales"), ("ask", "new order"), ("ask", "help")]


class Walk:
    """Steps through a flow by hand."""

    def __init__(self, document: dict[str, Any] | None = None, **variables: str) -> None:
        self.flow = Flow.parse(document or VALID)
        self.steps = flow_steps.FlowSteps(self.flow, variables)
        self.step = self.steps.open()

    def hear(self, text: str, **heard: Any) -> str:
        self.step = self.steps.take_answer(self.step.state, Heard(text, **heard))
        return self.step.say

    def key(self, digits: str) -> str:
        return self.hear(digits, source="keypad")

    @property
    def is_over(self) -> bool:
        return self.step.state.phase == "ended"


def test_a_spoken_answer_is_confirmed_and_a_key_is_not() -> None:
    spoken = Walk(first_name="Ana")
    assert spoken.step.say == "Hello Ana. Will you come?"
    assert spoken.hear("yeah sure") == "I heard yes. Is that right?"
    assert spoken.step.state.slots == {}
    assert spoken.hear("correct") == "Thank you. Goodbye."
    assert spoken.is_over
    assert spoken.step.state.slots == {"coming": "yes"}
    keyed = Walk(first_name="Ana")
    assert keyed.key("2") == "Goodbye."
    assert keyed.step.state.slots == {"coming": "no"}


def test_a_denied_confirmation_asks_again() -> None:
    walk = Walk()
    walk.hear("no")
    assert walk.hear("no that's wrong") == "Yes or no?"
    walk.hear("yes")
    assert walk.key("1") == "Thank you. Goodbye."


def test_an_unclear_confirmation_is_repeated_with_its_keys() -> None:
    walk = Walk()
    walk.hear("yes")
    assert (
        walk.hear("banana") == "I heard yes. Is that right? Please say yes or no, or press one for yes and two for no."
    )


def test_after_the_last_reprompt_the_flow_gives_up() -> None:
    walk = Walk()
    assert [walk.hear("banana"), walk.hear("", source="silence"), walk.hear("cherry")] == [
        "Yes or no?", "Yes or no?", "Goodbye.",
    ]  # fmt: skip
    assert walk.is_over


def test_a_flow_without_a_way_for_failure_says_goodbye() -> None:
    walk = Walk(changed("nodes/ask/on_failure", None))
    for _ in range(3):
        said = walk.hear("banana")
    assert "Goodbye" in said
    assert walk.is_over


def test_without_a_reprompt_the_question_is_repeated_with_its_keys_when_nothing_can_be_understood() -> None:
    walk = Walk(changed("nodes/ask/reprompt", None), first_name="Ana")
    said = walk.hear("", is_understood=False)
    assert said == "Sorry, I did not understand. Please press 1 for yes, press 2 for no. Hello Ana. Will you come?"


def test_digits_outside_their_length_are_asked_again() -> None:
    walk = Walk(
        changed("nodes/ask", {"say": "Number?", "listen": {"kind": "digits", "min": 2, "max": 3}, "next": "bye"})
    )
    assert "Number?" in walk.hear("one")
    assert walk.hear("double oh seven") == "Goodbye."


def test_a_message_is_confirmed_by_its_length() -> None:
    flow = flows.receptionist("Acme, good day.")
    brain = FlowBrain(flow=flow, variables={})
    steps = flow_steps.FlowSteps(flow, {})
    opening = steps.open()
    assert opening.say.startswith("Acme, good day. Please leave your message")
    step = steps.take_answer(opening.state, Heard("", is_understood=False, duration_ms=12_300))
    assert "12 seconds" in step.say
    step = steps.take_answer(step.state, Heard("yes"))
    assert "Thank you" in step.say and step.state.phase == "ended"
    brain.enter(step.state)
    report = brain.report()
    assert (report.summary, report.outcome) == ("The caller left a message of 12 seconds.", "contacted")


def test_the_outcome_is_looked_up_by_slot_and_value() -> None:
    for key, outcome in (("1", "interested"), ("2", "not_interested")):
        walk = Walk()
        walk.key(key)
        brain = FlowBrain(flow=walk.flow, variables={})
        brain.enter(walk.step.state)
        assert brain.report().outcome == outcome


def test_nothing_is_reported_before_anything_was_answered() -> None:
    report = FlowBrain(flow=Flow.parse(VALID), variables={}).report()
    assert (report.summary, report.outcome, dict(report.slots)) == (None, None, {})


async def test_a_proposal_changes_nothing_until_it_is_committed() -> None:
    brain = FlowBrain(flow=Flow.parse(VALID), variables={"first_name": "Ana"})
    brain.open("Good day.", None).commit()
    proposal = brain.consider(Heard("1", source="keypad"))
    assert brain.listening().expectation.kind == "yes_no"
    assert [part async for part in proposal.parts()] == ["Thank you. Goodbye.", HangUp()]
    assert brain.report().slots == {}
    proposal.commit()
    assert brain.report().slots == {"coming": "yes"}


async def test_a_greeting_comes_before_the_flow_as_it_is() -> None:
    brain = FlowBrain(flow=Flow.parse(VALID), variables={"first_name": "Ana"})
    parts = [part async for part in brain.open("Good day {{first_name}}.", None).parts()]
    assert parts == ["Good day {{first_name}}. Hello Ana. Will you come?"]


def test_the_summary_tells_only_what_is_known() -> None:
    document = {**VALID, "summary": "Coming: {{coming}}. People: {{people}}."}
    brain = FlowBrain(flow=Flow.parse(document), variables={})
    brain.open(None, None).commit()
    assert brain.report().summary is None
    brain.consider(Heard("1", source="keypad")).commit()
    assert brain.report().summary == "Coming: yes."


def test_languages_whose_words_nobody_knows_answer_by_keys() -> None:
    brain = FlowBrain(flow=Flow.parse(VALID), variables={}, language="fi-FI")
    brain.open(None, None).commit()
    brain.consider(Heard("no")).commit()
    assert brain.report().slots == {}
    brain.consider(Heard("1", source="keypad")).commit()
    assert brain.report().slots == {"coming": "yes"}


async def test_a_flow_in_german_understands_and_apologizes_in_german() -> None:
    document = changed("nodes/ask/reprompt", None)
    brain = FlowBrain(flow=Flow.parse(document), variables={}, language="de-DE")
    brain.open(None, None).commit()
    silent = [part async for part in brain.consider(Heard(source="silence")).parts()]
    assert str(silent[0]).startswith("Entschuldigung, ich habe Sie nicht gehört.")
    deaf = [part async for part in brain.consider(Heard("", is_understood=False)).parts()]
    assert "Bitte drücken Sie 1 für yes, 2 für no." in str(deaf[0])
    brain.consider(Heard("Ja.")).commit()
    brain.consider(Heard("Stimmt genau.")).commit()
    assert brain.report().slots == {"coming": "yes"}


def test_the_sample_flow_runs_to_its_end() -> None:
    walk = Walk(flows.sample_flow(), first_name="Ana")
    walk.hear("yes I will")
    assert walk.hear("yes") == "How many people will come?"
    assert walk.hear("two") == "I heard 2. Is that right?"
    assert "Goodbye" in walk.hear("yes")
    assert walk.step.state.slots == {"coming": "yes", "people": "2"}


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("two", "partial"), ("twelve", "complete"), ("banana", "partial"), ("one two three", "partial")],
)
def test_digits_are_complete_at_their_maximum(text: str, verdict: str) -> None:
    walk = Walk(changed("nodes/ask", {"say": "?", "listen": {"kind": "digits", "min": 1, "max": 2}, "next": "bye"}))
    assert walk.steps.judge(walk.step.state, text) == verdict
