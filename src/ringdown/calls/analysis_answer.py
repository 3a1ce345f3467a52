"""Reads what a model has answered about a call: JSON, perhaps within a text; pure, trusts nothing."""

import contextlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ringdown import values
from ringdown.agents import extraction
from ringdown.calls.analysis import SENTIMENTS, Verdict
from ringdown.calls.analysis_request import OUTCOMES, AnalysisRequest

#: What a model may write; one that has lost itself fills no memory.
MAX_ANSWER_CHARACTERS = 200_000
_MAX_SUMMARY, _MAX_REASON = 2_000, 500
_MAX_EXTRACTED_CHARACTERS, _MAX_DEPTH = 64_000, 30
# How many braces of a text are tried as the beginning of the object.
_MAX_BEGINNINGS = 50
_THOUGHTS = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_SUCCESS = {"yes": True, "true": True, "no": False, "false": False}
_NO_OBJECT = "it holds no JSON object with the wanted fields."


def _read_number(text: str) -> float:
    """Raises `ValueError` for what is no JSON, or becomes none: no database keeps infinity."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


_decoder = json.JSONDecoder(parse_float=_read_number, parse_constant=_read_number)


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """What could be read; `problem` is what the model should mend, `verdict` None where nothing could be read."""

    verdict: Verdict | None
    problem: str | None = None


def read_answer(answer: str, request: AnalysisRequest) -> ReadAnswer:
    """The verdict in an answer. What was not asked for is passed over, what does not fit is left out and told."""
    given = _find_object(answer, request.wanted)
    if given is None:
        return ReadAnswer(None, _NO_OBJECT)
    problems = [f"{name} is missing." for name in sorted(request.wanted - {"success_reason"}) if name not in given]
    chosen = {name: _read_choice(given, name, allowed, problems) for name, allowed in _CHOICES.items()}
    structured_data, extraction_error = _read_extraction(given, request, problems)
    success = given.get("success") if "success" in request.wanted else None
    verdict = Verdict(
        summary=_read_text(given, "summary", _MAX_SUMMARY) if "summary" in request.wanted else None,
        outcome=next((outcome for outcome in OUTCOMES if outcome == chosen["outcome"]), None),
        sentiment=next((sentiment for sentiment in SENTIMENTS if sentiment == chosen["sentiment"]), None),
        is_success=_SUCCESS.get(str(success).strip().lower()),
        success_reason=_read_text(given, "success_reason", _MAX_REASON) if "success" in request.wanted else None,
        structured_data=structured_data,
        extraction_error=extraction_error,
    )
    return ReadAnswer(verdict, " ".join(problems) or None)


_CHOICES: Mapping[str, tuple[str, ...]] = {"outcome": tuple(OUTCOMES), "sentiment": SENTIMENTS}


def _find_object(answer: str, wanted: frozenset[str]) -> dict[str, Any] | None:
    """The first JSON object that has one of the wanted fields."""
    text = _THOUGHTS.sub("", answer[:MAX_ANSWER_CHARACTERS])
    return next((found for found in _list_objects(text) if wanted & found.keys()), None)


def _list_objects(text: str) -> Iterator[dict[str, Any]]:
    begin = text.find("{")
    for _ in range(_MAX_BEGINNINGS):
        if begin < 0:
            return
        found = None
        with contextlib.suppress(ValueError, RecursionError):
            found, _ = _decoder.raw_decode(text, begin)
        if found is not None:
            yield found
        begin = text.find("{", begin + 1)


def _read_choice(given: Mapping[str, Any], name: str, allowed: tuple[str, ...], problems: list[str]) -> str | None:
    if name not in given:
        return None
    value = str(given[name]).strip().lower()
    if value in allowed:
        return value
    problems.append(f"{name} must be one of {', '.join(allowed)}.")
    return None


def _read_text(given: Mapping[str, Any], name: str, limit: int) -> str | None:
    value = given.get(name)
    if not isinstance(value, str):
        return None
    text = values.clean_text(value).strip()
    return (text if len(text) <= limit else f"{text[: limit - 1]}…") or None


def _read_extraction(
    given: Mapping[str, Any], request: AnalysisRequest, problems: list[str]
) -> tuple[Mapping[str, Any] | None, str | None]:
    """What fits the agent's schema, else why nothing does."""
    if request.schema is None:
        return None, None
    found = given.get(extraction.FIELD)
    extracted = None if _is_deep(found) else values.clean_json(found)
    fault = extraction.find_fault(request.schema, extracted)
    if fault is None and len(json.dumps(extracted)) > _MAX_EXTRACTED_CHARACTERS:
        fault = f"{extraction.FIELD} is longer than {_MAX_EXTRACTED_CHARACTERS} characters."
    if fault is None and isinstance(extracted, dict):
        return extracted, None
    if extraction.FIELD in given and fault is not None:
        problems.append(fault)
    return None, fault


def _is_deep(value: object) -> bool:
    """Whether a value is nested deeper than anybody means it, and than others can follow."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [child for node in level for child in _list_children(node)]
        if not level:
            return False
    return True


def _list_children(node: object) -> list[object]:
    if isinstance(node, Mapping):
        return list(node.values())
    return node if isinstance(node, list) else []
