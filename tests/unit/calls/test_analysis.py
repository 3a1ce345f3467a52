"""What came of a call: the flow's report, the ending and a model's verdict made one."""

import dataclasses
from typing import Any

import pytest

from ringdown.agents.models import Agent
from ringdown.calls import analysis
from ringdown.calls.analysis import Verdict
from ringdown.calls.models import Call, CallSettings, EndedReason, Outcome, TranscriptTurn

SCHEMA = {
    "type": "object",
    "properties": {"coming": {"type": "boolean"}, "people": {"type": "integer"}, "price": {"type": "number"}},
    "required": ["coming"],
}


def make_call(**fields: Any) -> Call:
    known: dict[str, Any] = {
        "organization_id": "org_1",
        "id": "call_1",
        "seq": 1,
        "status": "completed",
        "direction": "outbound",
        "agent_id": "agt_1",
        "to_number": "+12025550100",
        "from_number": None,
        "settings": CallSettings(),
        "variables": {},
        "metadata": {},
        "created_at": 1,
        "updated_at": 5,
        "started_at": 2,
        "ended_at": 5,
        "ended_reason": "user_hangup",
        "outcome": "contacted",
    }
    return Call(**(known | fields))


def make_agent(**fields: Any) -> Agent:
    known: dict[str, Any] = {
        "organization_id": "org_1",
        "id": "agt_1",
        "name": "Front desk",
        "status": "active",
        "voice_id": "espeak:en-us",
        "system_prompt": "",
        "created_at": 1,
        "updated_at": 1,
    }
    return Agent(**(known | fields))


def say(speaker: Any, text: str, position: int = 0) -> TranscriptTurn:
    return TranscriptTurn(position=position, speaker=speaker, text=text, start_ms=0, end_ms=1)


def conclude(call: Call, agent: Agent | None = None, reported: Outcome | None = None, **how: Any) -> dict[str, Any]:
    return analysis.conclude(call, agent=agent, reported=reported, now_ms=1_700_000_000_000, **how)


def test_a_call_that_nobody_answered_has_nothing_to_analyse() -> None:
    assert conclude(make_call(started_at=None, status="failed", ended_reason="busy", outcome="busy")) == {}


def test_without_a_model_the_flow_tells_what_came_of_it() -> None:
    call = make_call(summary="Coming: yes.", outcome="interested", analysis={"structured_data": {"coming": "yes"}})
    changes = conclude(call, make_agent(), "interested")
    assert (changes["summary"], changes["outcome"], changes["sentiment"]) == ("Coming: yes.", "interested", None)
    assert changes["analysis"] == {
        "structured_data": {"coming": "yes"},
        "answers": {"coming": "yes"},
        "extraction_error": None,
        "is_success": None,
        "success_reason": None,
        "source": "flow",
        "model": None,
        "error": None,
        "analyzed_at": "2023-11-14T22:13:20Z",
    }
    assert analysis.is_analysed(dataclasses.replace(call, **changes))
    assert not analysis.is_analysed(call)
    assert conclude(call, make_agent(success_criteria="They come."))["analysis"]["success_reason"] is not None


def test_a_model_tells_what_the_flow_has_not() -> None:
    verdict = Verdict(
        summary="They come.",
        outcome="interested",
        sentiment="positive",
        is_success=True,
        success_reason="They said yes.",
        structured_data={"coming": True},
    )
    changes = conclude(make_call(), make_agent(extraction_schema=SCHEMA), verdict=verdict, model="fast")
    assert (changes["summary"], changes["outcome"], changes["sentiment"]) == ("They come.", "interested", "positive")
    found = changes["analysis"]
    assert (found["is_success"], found["success_reason"]) == (True, "They said yes.")
    assert (found["structured_data"], found["source"], found["model"]) == ({"coming": True}, "model", "fast")


def test_what_the_flow_has_reported_goes_before_the_model() -> None:
    call = make_call(summary="Coming: no.", analysis={"structured_data": {"coming": "no"}})
    verdict = Verdict(summary="They come.", outcome="interested", structured_data={"coming": True})
    changes = conclude(call, make_agent(extraction_schema=SCHEMA), "contacted", verdict=verdict)
    assert (changes["summary"], changes["outcome"]) == ("Coming: no.", "contacted")
    assert changes["analysis"]["structured_data"] == {"coming": True}
    assert changes["analysis"]["answers"] == {"coming": "no"}


@pytest.mark.parametrize(
    ("ended_reason", "outcome"), [("transferred", "escalated"), ("voicemail", "voicemail"), ("max_duration", "failed")]
)
def test_an_ending_that_says_enough_goes_before_the_model(ended_reason: EndedReason, outcome: Outcome) -> None:
    assert conclude(make_call(ended_reason=ended_reason), verdict=Verdict(outcome="failed"))["outcome"] == outcome


def test_answers_become_what_the_schema_wants() -> None:
    agent = make_agent(extraction_schema=SCHEMA)
    answers = {"coming": "yes", "people": "2", "price": "2.50", "unknown": "x"}
    found = conclude(make_call(analysis={"structured_data": answers}), agent)["analysis"]
    assert found["structured_data"] == {"coming": True, "people": 2, "price": 2.5}
    assert (found["answers"], found["extraction_error"]) == (answers, None)


@pytest.mark.parametrize(
    ("answers", "fault"),
    [
        ({"coming": "perhaps"}, "structured_data.coming: 'perhaps' is not of type 'boolean'"),
        ({"coming": "no", "people": "many"}, "structured_data.people: 'many' is not of type 'integer'"),
        ({"people": "2"}, "'coming' is a required property"),
    ],
)
def test_answers_that_do_not_fit_the_schema_stay_as_they_are(answers: dict[str, str], fault: str) -> None:
    found = conclude(make_call(analysis={"structured_data": answers}), make_agent(extraction_schema=SCHEMA))["analysis"]
    assert found["structured_data"] == answers
    assert fault in found["extraction_error"]


def test_a_schema_from_before_it_was_checked_is_a_fault_and_no_crash() -> None:
    for schema in ({"type": "strin"}, {"$ref": "#/x"}, {"properties": 7}, {"patternProperties": {"(": {}}}):
        found = conclude(make_call(analysis={"structured_data": {"a": "b"}}), make_agent(extraction_schema=schema))
        assert found["analysis"]["extraction_error"].startswith("extraction_schema must")


def test_numbers_that_no_validator_bears_are_no_crash() -> None:
    agent = make_agent(extraction_schema={"properties": {"people": {"type": "integer", "multipleOf": 0.1}}})
    for answer in ("9" * 400, "9" * 5_000, "1e999", "-", "NaN"):
        found = conclude(make_call(analysis={"structured_data": {"people": answer}}), agent)["analysis"]
        assert found["structured_data"] == {"people": answer}
        assert found["extraction_error"].startswith(f"structured_data.people: '{answer[:9]}")


@pytest.mark.parametrize(
    ("fields", "turns", "is_worth"),
    [
        ({}, [say("agent", "Hello?"), say("contact", "Hi.")], True),
        ({}, [say("agent", "Hello?")], False),
        ({}, [say("contact", "  ")], False),
        ({"ended_reason": "voicemail"}, [say("contact", "Leave a message.")], False),
        ({"started_at": None}, [say("contact", "Hi.")], False),
    ],
)
def test_a_model_reads_only_what_somebody_said(
    fields: dict[str, Any], turns: list[TranscriptTurn], is_worth: bool
) -> None:
    assert analysis.is_worth_reading(make_call(**fields), turns) is is_worth
