"""Circuit breakers: when a batch call pauses by itself, and what it says then."""

import pytest

from ringdown.batch_calls import breaker
from ringdown.batch_calls.models import BatchCall
from ringdown.calls.models import FAULTS, Fault


def remember(*endings: tuple[str, bool]) -> str:
    memory, faults = "", {str(reason): fault for reason, fault in FAULTS.items()}
    for reason, is_answered in endings:
        memory = breaker.remember(memory, fault=faults[reason], is_answered=is_answered)
    return memory


def trip(memory: str, **fields: float) -> str | None:
    batch = BatchCall(
        organization_id="org_1",
        id="batch_1",
        name="B",
        agent_id="agt_1",
        created_at=0,
        updated_at=0,
        recent_endings=memory,
        **fields,  # type: ignore[arg-type]
    )
    return breaker.find_trip(batch)


@pytest.mark.parametrize("fault", sorted(set(FAULTS.values())))
@pytest.mark.parametrize("is_answered", [False, True])
def test_only_calls_that_failed_through_nobodys_doing_count_as_failed(fault: Fault, is_answered: bool) -> None:
    memory = ""
    for _ in range(breaker.ENOUGH):
        memory = breaker.remember(memory, fault=fault, is_answered=is_answered)
    assert (trip(memory) is not None) is (fault in ("carrier", "provider", "ours"))
    assert (trip(memory, max_failure_rate=1.0, min_answer_rate=0.5) is not None) is not is_answered


def test_more_than_half_of_the_last_calls_must_have_failed_by_default() -> None:
    half = remember(*[("carrier_error", False)] * 25, *[("no_answer", False)] * 25)
    assert trip(half) is None
    reason = trip(remember(*[("no_answer", False)] * 24, *[("carrier_error", False)] * 26))
    assert reason is not None
    assert "26 of the last 50 calls failed" in reason
    assert "0.5" in reason


def test_few_calls_prove_nothing() -> None:
    assert trip(remember(*[("internal_error", False)] * (breaker.ENOUGH - 1))) is None
    assert trip(remember(*[("internal_error", False)] * breaker.ENOUGH)) is not None


def test_calls_of_long_ago_are_forgotten() -> None:
    memory = remember(*[("provider_error", True)] * 50, *[("user_hangup", True)] * 25)
    assert len(memory) == breaker.REMEMBERED
    assert trip(memory) is None


def test_a_rate_of_one_never_pauses() -> None:
    assert trip(remember(*[("carrier_error", False)] * 50), max_failure_rate=1.0) is None


def test_too_few_answers_pause_only_where_somebody_asked_for_it() -> None:
    memory = remember(*[("user_hangup", True)] * 4, *[("busy", False)] * 46)
    assert trip(memory) is None
    assert trip(memory, min_answer_rate=0.08) is None
    reason = trip(memory, min_answer_rate=0.1)
    assert reason is not None
    assert "4 of the last 50 calls were answered" in reason
