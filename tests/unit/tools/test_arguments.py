"""What the model gives a tool: what is accepted, converted and refused."""

import time
from typing import Any

import pytest

from ringdown.tools import arguments
from ringdown.tools.arguments import UnusableArguments
from ringdown.tools.models import Parameter


def _read(schema: dict[str, Any], value: object) -> Any:
    return arguments.read_arguments([Parameter("a", "body", schema)], {"a": value})["a"]


@pytest.mark.parametrize(
    ("schema", "given", "read"),
    [
        ({"type": "integer"}, 5, 5),
        ({"type": "integer"}, "5", 5),
        ({"type": "integer"}, " 5 ", 5),
        ({"type": "number"}, "2.5", 2.5),
        ({"type": "boolean"}, "True", True),
        ({"type": "boolean"}, "false", False),
        ({"type": "string"}, 12345, "12345"),
        ({"type": "string"}, "5", "5"),
        ({"type": ["string", "null"]}, None, None),
        ({"type": "array", "items": {"type": "integer"}}, [1], [1]),
        ({"enum": ["small", "large"]}, "small", "small"),
        ({}, {"anything": [1]}, {"anything": [1]}),
    ],
)
def test_values_are_taken_and_texts_that_mean_numbers_become_such(
    schema: dict[str, Any], given: object, read: object
) -> None:
    assert _read(schema, given) == read


@pytest.mark.parametrize(
    ("schema", "given", "said"),
    [
        ({"type": "integer"}, "five", "a: 'five' is not of type 'integer'"),
        ({"type": "integer"}, 5.5, "a: 5.5 is not of type 'integer'"),
        ({"type": "string"}, True, "a: True is not of type 'string'"),
        ({"enum": ["small", "large"]}, "huge", "a: 'huge' is not one of ['small', 'large']"),
        ({"type": "array", "items": {"type": "integer"}}, [1, "x"], "a.1: 'x' is not of type 'integer'"),
        ({"type": "object", "required": ["b"]}, {}, "a: 'b' is a required property"),
        ({"type": "string", "maxLength": 2}, "abc", "a: 'abc' is too long"),
    ],
)
def test_a_value_that_does_not_fit_is_told_to_the_model(schema: dict[str, Any], given: object, said: str) -> None:
    with pytest.raises(UnusableArguments) as refused:
        _read(schema, given)
    assert str(refused.value).startswith(said)
    assert len(str(refused.value)) < 400


def test_what_is_missing_and_what_is_unknown_is_named() -> None:
    parameters = [Parameter("a", "body", {}, required=True), Parameter("b", "query", {}, required=True)]
    with pytest.raises(UnusableArguments, match=r"Missing: a, b\."):
        arguments.read_arguments(parameters, {})
    with pytest.raises(UnusableArguments, match="no parameter c; there are: a, b"):
        arguments.read_arguments(parameters, {"a": 1, "b": 2, "c": 3})
    with pytest.raises(UnusableArguments, match="there are: none"):
        arguments.read_arguments([], {"c": 3})


def test_a_default_stands_in_for_what_is_absent() -> None:
    parameters = [Parameter("a", "body", {"type": "integer", "default": 3}, required=True), Parameter("b", "body", {})]
    assert arguments.read_arguments(parameters, {}) == {"a": 3}


def test_a_pattern_that_never_ends_cannot_stop_the_gateway() -> None:
    schema = {"type": "string", "pattern": "^(a+)+$"}
    arguments.check_schema(schema)
    started = time.process_time()
    assert _read(schema, "a" * 40 + "!") == "a" * 40 + "!"
    assert time.process_time() - started < 5  # the pattern would take years


@pytest.mark.parametrize("text", ["[]", "5", '"x"', "{", "nonsense", "null", '{"a": "\\ud800"}', "[" * 100_000])
def test_arguments_that_are_no_object_are_refused(text: str) -> None:
    with pytest.raises(UnusableArguments):
        arguments.parse_arguments(text)


def test_no_arguments_are_an_empty_object() -> None:
    assert arguments.parse_arguments("") == arguments.parse_arguments("{}") == {}


def test_schemas_are_bounded_and_complete_in_themselves() -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(200):
        deep = {"type": "object", "properties": {"a": deep}}
    for schema, said in [
        (deep, "nested"),
        ({"description": "x" * 20_000}, "characters"),
        ({"properties": {"a": {"$ref": "http://127.0.0.1/x"}}}, "ref"),
        ({"type": "text"}, "JSON schema"),
    ]:
        with pytest.raises(ValueError, match=said):
            arguments.check_schema(schema)


def test_the_model_sees_one_object_schema() -> None:
    parameters = [
        Parameter("a", "path", {"type": "string"}, required=True),
        Parameter("b", "body", {"enum": [1, 2]}),
    ]
    assert arguments.make_schema(parameters) == {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"enum": [1, 2]}},
        "required": ["a"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize("text", ["[" * 100_000, "1e999", "NaN", "9" * 10_000])
def test_a_text_that_is_no_number_after_all_is_an_error_for_the_model(text: str) -> None:
    count = Parameter(name="count", location="body", schema={"type": "integer"})
    with pytest.raises(UnusableArguments, match="count: "):
        arguments.read_arguments([count], {"count": text})
