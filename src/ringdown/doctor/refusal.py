"""Why a test call was refused: who calls, how the number is written, what is offered, or how many calls; pure."""

import re

from ringdown.doctor import login
from ringdown.doctor.finding import Finding
from ringdown.doctor.observation import Attempt, Observations, Outcome
from ringdown.doctor.variation import SDP_REFUSALS

_NOBODY_THERE = (404, 408, 410, 480)
_BUSY = (486, 600)  # the called party is busy; says nothing of the trunk
_LIMIT = re.compile(r"limit|capacity|channel|concurren|maximum|too many|congest|busy here.*trunk", re.IGNORECASE)
_CALLER = re.compile(r"caller|from|identity|\bcli\b|calling|originat|verified", re.IGNORECASE)
_NUMBER = re.compile(r"number|e\.?164|format|address incomplete|unallocated|no route|dial", re.IGNORECASE)


def find_faults(seen: Observations) -> list[Finding]:
    """At most one finding about the signalling of the test call."""
    if seen.call is None or not seen.call.outcome.is_heard:
        return []
    if seen.answer_fault is not None:
        return [_explain_answer(seen)]
    if seen.call.outcome.is_accepted:
        return _judge_second_call(seen)
    return _judge_refusal(seen, seen.call.outcome)


def _judge_refusal(seen: Observations, outcome: Outcome) -> list[Finding]:
    if login.is_to_blame(seen):
        return []
    if seen.repeated is not None and seen.repeated.is_accepted:
        return [_explain_limit(f"the test call was refused with {outcome}, and taken unchanged a moment later")]
    taken = next((attempt for attempt in seen.variations if attempt.outcome.is_accepted), None)
    if taken is not None:
        return [_explain_variation(seen, taken, outcome)]
    if outcome.status in SDP_REFUSALS:
        return [_explain_codecs(seen, f"The peer refuses what we offer with {outcome}")]
    if seen.is_loop and outcome.status in _NOBODY_THERE:
        return [_explain_loop(outcome)]
    return [_read_words(outcome)]


def _judge_second_call(seen: Observations) -> list[Finding]:
    """A peer that takes one call and refuses the same one beside it counts."""
    outcome = seen.second_call
    if outcome is None or not outcome.is_heard or outcome.is_accepted:
        return []
    if outcome.status in _BUSY and not _LIMIT.search(outcome.reason):
        return []
    return [_explain_limit(f"a second call beside the first was refused with {outcome}")]


def _read_words(outcome: Outcome) -> Finding:
    """Nothing else was taken either: what is left is what the peer says."""
    status = outcome.status or 0
    if status == 503 or (status >= 500 and outcome.retry_after is not None) or _LIMIT.search(outcome.reason):
        return _explain_limit(f"the test call was refused with {outcome}, however it was placed")
    if status in _BUSY:
        return Finding("call_refused", f"The called number is busy: {outcome}.", "Name another one with `--number`.")
    tried = "whatever caller was shown and however the number was written"
    if _CALLER.search(outcome.reason):
        return Finding(
            "caller_id_refused",
            f"The peer refuses the caller id with {outcome}.",
            "Have the peer verify the number that the agent shows, or show another one.",
        )
    if status in (404, 484, 604) or _NUMBER.search(outcome.reason):
        return Finding(
            "number_form_refused",
            f"The peer does not know the dialled number: {outcome}, in each of our number forms.",
            "Check the number, set `number_format` and `number_prefix` to what the peer's manual asks for.",
        )
    return Finding(
        "call_refused",
        f"The peer refuses the test call with {outcome}, {tried}.",
        "Ask the peer for the reason: the account may lack credit, permission for this destination, or a verified "
        "caller id.",
    )


def _explain_loop(outcome: Outcome) -> Finding:
    return Finding(
        "call_refused",
        f"The peer does not bring a call to the trunk's own number back to us: {outcome}.",
        "Start the gateway and have the peer send the number's calls to this machine, or name another number to call "
        "with `--number`.",
    )


def _explain_variation(seen: Observations, taken: Attempt, outcome: Outcome) -> Finding:
    variation = taken.variation
    assert variation is not None
    if variation.aspect == "srtp":
        return _explain_srtp(variation.value, outcome)
    if variation.aspect == "codecs":
        spoken = taken.encoding or variation.value
        return _explain_codecs(seen, f"The peer refuses {', '.join(seen.trunk.codecs)} with {outcome}", spoken)
    if variation.aspect == "number":
        return Finding(
            "number_form_refused",
            f"The peer refuses numbers in the form {seen.trunk.number_format!r} with {outcome} and takes them in the "
            f"form {variation.value!r}.",
            f"Set `number_format` to `{variation.value}`.",
        )
    if variation.setting == "caller":
        return Finding(
            "caller_id_refused",
            f"The peer refuses the caller id of the trunk with {outcome} and takes the same call from "
            f"{variation.value}.",
            f"Have the peer verify the number, or let the agent call from {variation.value}.",
        )
    return Finding(
        "caller_id_refused",
        f"The peer refuses the caller id in the form {seen.trunk.caller_id_form!r} with {outcome} and takes it in the "
        f"form {variation.value!r}.",
        f"Set `caller_id_form` to `{variation.value}`.",
    )


def _explain_answer(seen: Observations) -> Finding:
    why = seen.answer_fault or ""
    if "SRTP" in why:
        return _explain_srtp("off" if seen.trunk.srtp == "required" else "required", None)
    return _explain_codecs(seen, f"The peer takes the call, but its answer cannot be used ({why})")


def _explain_srtp(value: str, outcome: Outcome | None) -> Finding:
    refused = f" and refuses the call with {outcome}" if outcome is not None else ""
    if value == "required":
        sentence = f"The peer requires SRTP{refused}, while the trunk does not use it."
    else:
        sentence = f"The peer does not speak SRTP{refused}, while the trunk requires it."
    return Finding("srtp_mismatch", sentence, f"Set `srtp` to `{value}`.")


def _explain_codecs(seen: Observations, what: str, spoken: str | None = None) -> Finding:
    if spoken is not None:
        return Finding(
            "no_common_codec",
            f"{what} and speaks {spoken}: there is no common codec.",
            f"Add {spoken} to `codecs`.",
        )
    return Finding(
        "no_common_codec",
        f"{what}: there is no common codec.",
        f"Have the peer allow one of {', '.join(seen.trunk.codecs)}, or add to `codecs` one that it allows.",
    )


def _explain_limit(what: str) -> Finding:
    return Finding(
        "concurrency_limit",
        f"The peer's limit of calls at the same time is reached: {what}.",
        "Set `max_concurrent_calls` (or `max_calls_per_second`) to what the peer allows, or have it raise the limit.",
    )
