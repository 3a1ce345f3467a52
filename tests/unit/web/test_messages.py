"""Sentences for refused values."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ringdown.web import messages


def _refuse(value: int) -> int:
    raise ValueError("must be prime")


class Inner(BaseModel):
    kind: Literal["one"]


class Other(BaseModel):
    kind: Literal["two"]
    number: int


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str = Field("x", min_length=1, max_length=3, pattern="^[a-z]*$")
    number: int = Field(1, ge=0, lt=10)
    share: float = Field(0.5, gt=0, le=1)
    flag: bool = False
    mode: Literal["slow", "fast"] = "slow"
    prime: Annotated[int, AfterValidator(_refuse)] = 2
    duration: Annotated[int | str, BeforeValidator(lambda value: value)] = 1
    one: Inner | Other | None = None
    many: list[Inner] = Field([], max_length=2)


def _explain(body: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        Model.model_validate(body)
    located = [{**error, "loc": ("body", *error["loc"])} for error in caught.value.errors()]
    found = messages.explain(located, body=body)
    return [(error.field, error.reason) for error in found]


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        ({"text": 1}, "text", "must be a string"),
        ({"text": ""}, "text", "must have at least 1 characters"),
        ({"text": "abcd"}, "text", "must have at most 3 characters"),
        ({"text": "A"}, "text", "must match the pattern ^[a-z]*$"),
        ({"number": "x"}, "number", "must be a whole number"),
        ({"number": 1.5}, "number", "must be a whole number"),
        ({"number": -1}, "number", "must be at least 0"),
        ({"number": 10}, "number", "must be less than 10"),
        ({"share": 0}, "share", "must be greater than 0.0"),
        ({"share": "x"}, "share", "must be a number"),
        ({"flag": "maybe"}, "flag", "must be true or false"),
        ({"mode": "medium"}, "mode", "must be one of: slow, fast"),
        ({"prime": 4}, "prime", "must be prime"),
        ({"duration": []}, "duration", "must be a whole number or a string"),
        ({"many": {}}, "many", "must be a list"),
        ({"many": [1]}, "many.0", "must be an object"),
        ({"many": [{"kind": "one"}, {}]}, "many.1.kind", "is required"),
        ({"many": [{"kind": "one"}] * 3}, "many", "must have at most 2 entries"),
        ({"typo": 1}, "typo", "is not a known field"),
    ],
)
def test_a_refused_value_is_explained(body: dict[str, object], field: str, reason: str) -> None:
    assert _explain(body) == [(field, reason)]


def test_the_members_of_a_union_are_not_part_of_the_path() -> None:
    assert _explain({"one": {"kind": "three"}}) == [
        ("one.kind", "must be one of: one or one of: two"),
        ("one.number", "is required"),
    ]


def test_a_query_parameter_is_named_alone() -> None:
    error = {"type": "missing", "loc": ("query", "limit"), "msg": "Field required", "input": None}
    [found] = messages.explain([error])
    assert (found.field, found.reason) == ("limit", "is required")


def test_an_unforeseen_kind_of_error_still_reads_as_a_sentence() -> None:
    error = {"type": "uuid_parsing", "loc": ("query", "id"), "msg": "Input should be a valid UUID", "input": ""}
    [found] = messages.explain([error])
    assert found.reason == "input should be a valid UUID"
