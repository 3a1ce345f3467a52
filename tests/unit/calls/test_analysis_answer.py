"""Reading what a model has answered: whatever it writes, nothing breaks and nothing unknown comes through."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringdown.calls.analysis import Verdict
from ringdown.calls.analysis_answer import ReadAnswer, read_answer
from ringdown.calls.analysis_request import AnalysisRequest, make_request
from tests.unit.calls.test_analysis import SCHEMA, make_agent, make_call, say

GOOD: dict[str, Any] = {
    "summary": "They come.",
    "outcome": "interested",
    "sentiment": "positive",
    "success": "yes",
    "success_reason": "They said yes.",
    "structured_data": {"coming": True, "people": 2},
}
VERDICT = Verdict(
    summary="They come.",
    outcome="interested",
    sentiment="positive",
    is_success=True,
    success_reason="They said yes.",
    structured_data={"coming": True, "people": 2},
)


def ask(**fields: Any) -> AnalysisRequest:
    agent = make_agent(success_criteria="They come.", extraction_schema=SCHEMA)
    return make_request(make_call(**fields), agent, [say("contact", "Yes.")])


def read(given: dict[str, Any]) -> ReadAnswer:
    return read_answer(json.dumps(given), ask())


@pytest.mark.parametrize(
    "frame",
    [
        "{}",
        "Here it is:\n```json\n{}\n```\nAnything else?",
        '<think>{{"outcome": "failed"}} or not?</think>{}',
        'I set {{x}} aside. {{"name": "record_analysis", "arguments": {}}}',
        "{} {{}}",
    ],
)
def test_the_object_is_found_wherever_it_stands(frame: str) -> None:
    assert read_answer(frame.format(json.dumps(GOOD)), ask()) == ReadAnswer(VERDICT)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "They come.",
        "[1]",
        '"outcome"',
        json.dumps(GOOD)[:60],
        '{"unknown": 1}',
        "{" * 100_000,
        '{"summary": NaN}',
        '{"a": {"outcome": 1e999}}',
    ],
)
def test_an_answer_without_the_object_is_told_to_be_none(answer: str) -> None:
    found = read_answer(answer, ask())
    assert found.verdict is None
    assert found.problem is not None


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"sentiment": "mixed"}, "sentiment must be one of positive, neutral, negative."),
        ({"outcome": "no_answer"}, "outcome must be one of interested, not_interested,"),
        ({"outcome": ["interested"]}, "outcome must be one of"),
        ({"structured_data": {"people": 2}}, "'coming' is a required property"),
        ({"structured_data": {"coming": True, "people": "two"}}, "structured_data.people: 'two' is not of type"),
        ({"structured_data": [1]}, "structured_data is no object."),
        (
            {"structured_data": {"coming": True, "note": json.loads("[" * 40 + "]" * 40)}},
            "structured_data is no object.",
        ),
    ],
)
def test_what_does_not_fit_is_left_out_and_told(change: dict[str, Any], problem: str) -> None:
    found = read(GOOD | change)
    assert found.problem is not None
    assert problem in found.problem
    assert found.verdict is not None
    [name] = change
    assert getattr(found.verdict, name) is None
    assert found.verdict.summary == "They come."
    assert (found.verdict.extraction_error is not None) == (name == "structured_data")


def test_what_is_missing_is_told() -> None:
    found = read({"outcome": "interested"})
    assert found.problem is not None
    assert found.problem.startswith("sentiment is missing. structured_data is missing. success is missing.")
    assert found.verdict is not None
    assert found.verdict.is_success is None


@pytest.mark.parametrize(
    ("success", "is_success"),
    [("yes", True), ("No", False), (True, True), (False, False), ("unknown", None), (7, None)],
)
def test_success_is_true_false_or_not_known(success: object, is_success: bool | None) -> None:
    found = read(GOOD | {"success": success})
    assert found.verdict is not None
    assert found.verdict.is_success is is_success


def test_what_was_not_asked_for_is_passed_over() -> None:
    request = make_request(make_call(summary="Coming: no."), make_agent(), [say("contact", "Yes.")])
    extras = {"status": "failed", "cost_credits": 0, "analysis": {"source": "me"}}
    found = read_answer(json.dumps(GOOD | extras), request)
    assert found == ReadAnswer(Verdict(outcome="interested", sentiment="positive"))


def test_texts_are_bounded_and_storable() -> None:
    given = GOOD | {
        "summary": "a\x00\ud800b" + "c" * 9_000,
        "success_reason": "d" * 9_000,
        "structured_data": {"coming": True, "note\x00": "e\x00"},
    }
    found = read(given).verdict
    assert found is not None
    assert found.summary is not None
    assert found.summary.startswith("abc")
    assert len(found.summary) == 2_000
    assert len(found.success_reason or "") == 500
    assert found.structured_data == {"coming": True, "note": "e"}
    huge = read(GOOD | {"structured_data": {"coming": True, "note": "e" * 70_000}})
    assert huge.verdict is not None
    assert "longer than" in (huge.verdict.extraction_error or "")


_names = st.sampled_from(list(GOOD)) | st.text()
_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(), lambda of: st.lists(of) | st.dictionaries(_names, of)
)


@given(st.text() | _values.map(json.dumps))
def test_no_answer_breaks_the_reader(answer: str) -> None:
    found = read_answer(answer, ask())
    assert (found.verdict is None) <= (found.problem is not None)
