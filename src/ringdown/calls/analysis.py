"""What came of a call: the flow's report, the ending and a model's verdict made one; pure rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ringdown import values
from ringdown.agents import extraction
from ringdown.agents.models import Agent
from ringdown.calls import models
from ringdown.calls.models import Call, Outcome, TranscriptTurn

Sentiment = Literal["positive", "neutral", "negative"]

SENTIMENTS: tuple[Sentiment, ...] = get_args(Sentiment)
_ANALYZED_AT = "analyzed_at"
_NOBODY_JUDGES = "No model has judged the call."


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a model makes of a call; None is what it was not asked, or could not tell."""

    summary: str | None = None
    outcome: Outcome | None = None
    sentiment: Sentiment | None = None
    is_success: bool | None = None
    success_reason: str | None = None
    structured_data: Mapping[str, Any] | None = None
    extraction_error: str | None = None


def is_analysed(call: Call) -> bool:
    """Whether the results of an answered call stand in it, or must not any more."""
    return call.forgotten_at is not None or (call.analysis is not None and _ANALYZED_AT in call.analysis)


def is_worth_reading(ended: Call, turns: Sequence[TranscriptTurn]) -> bool:
    """Whether a model could tell more than the ending: somebody was there and said something."""
    is_talk = ended.started_at is not None and ended.ended_reason != "voicemail"
    return is_talk and any(turn.speaker == "contact" and turn.text.strip() for turn in turns)


def conclude(
    ended: Call,
    *,
    agent: Agent | None,
    reported: Outcome | None,
    now_ms: int,
    verdict: Verdict | None = None,
    model: str | None = None,
    error: str | None = None,
) -> dict[str, object]:
    """The columns that the analysis of an ended call sets; none for a call that was never answered.

    What the flow has `reported` and what it has collected goes before the `verdict` of the `model`; `error` says why
    there is no verdict though a model was to be asked.
    """
    if ended.started_at is None or ended.ended_reason is None:
        return {}
    told = verdict or Verdict()
    answers = _find_answers(ended)
    structured_data, extraction_error = _extract(agent, answers, verdict)
    of_ending = models.find_outcome(ended.ended_reason, is_answered=True)
    return {
        "summary": ended.summary or told.summary,
        "outcome": reported or (of_ending if of_ending != "contacted" else told.outcome or of_ending),
        "sentiment": told.sentiment,
        "analysis": {
            "structured_data": structured_data,
            "answers": answers,
            "extraction_error": extraction_error,
            "is_success": told.is_success,
            "success_reason": told.success_reason if verdict is not None else _explain_no_judgement(agent),
            "source": "flow" if verdict is None else "model",
            "model": None if verdict is None else model,
            "error": error,
            _ANALYZED_AT: values.to_wire_time(now_ms),
        },
    }


def _find_answers(ended: Call) -> Mapping[str, str] | None:
    """What the flow has collected, as the end of the call has left it."""
    collected = (ended.analysis or {}).get("structured_data")
    return collected if isinstance(collected, Mapping) else None


def _explain_no_judgement(agent: Agent | None) -> str | None:
    return _NOBODY_JUDGES if agent is not None and agent.success_criteria else None


def _extract(
    agent: Agent | None, answers: Mapping[str, str] | None, verdict: Verdict | None
) -> tuple[Mapping[str, Any] | None, str | None]:
    """The extraction into the agent's schema, or the answers as they are and why they do not fit it."""
    schema = None if agent is None else agent.extraction_schema
    if not schema:
        return answers, None
    if verdict is not None:
        return (verdict.structured_data or answers), verdict.extraction_error
    extracted = extraction.extract_from_answers(schema, answers or {})
    fault = extraction.find_fault(schema, extracted)
    return (extracted or None, None) if fault is None else (answers, fault)
