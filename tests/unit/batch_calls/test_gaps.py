"""The time between the dials of two batch calls to one person."""

import pytest

from ringdown.batch_calls.gaps import Gaps

NOW, GAP = 1_000_000, 60_000
ANA = "+12125551234"


def make_gaps(*dials: tuple[str, str, int, bool], gap_ms: int = GAP) -> Gaps:
    gaps = Gaps(gap_ms=gap_ms, now_ms=NOW)
    gaps.learn("org_1", dials)
    return gaps


@pytest.mark.parametrize(("dial", "free_at"), [
    ((ANA, "batch_2", NOW - 10_000, False), NOW + 50_000),
    ((ANA, "batch_2", NOW - GAP, False), None),
    # Somebody who talks is not called, however long they have talked.
    ((ANA, "batch_2", NOW - 10 * GAP, True), NOW + GAP),
    # What the batch call itself does is said by its retries.
    ((ANA, "batch_1", NOW - 10_000, False), None),
    (("+12125550000", "batch_2", NOW - 10_000, False), None),
])  # fmt: skip
def test_another_batch_call_must_wait(dial: tuple[str, str, int, bool], free_at: int | None) -> None:
    assert make_gaps(dial).find_end("org_1", ANA, "batch_1") == free_at


def test_the_last_dial_counts() -> None:
    gaps = make_gaps((ANA, "batch_2", NOW - 10_000, False), (ANA, "batch_2", NOW - 50_000, False))
    assert gaps.find_end("org_1", ANA, "batch_1") == NOW + 50_000


def test_a_dial_of_the_same_claim_counts() -> None:
    gaps = make_gaps()
    gaps.note_dial("org_1", ANA, "batch_2")
    assert gaps.find_end("org_1", ANA, "batch_1") == NOW + GAP
    assert gaps.find_end("org_2", ANA, "batch_1") is None


def test_without_a_gap_nobody_waits() -> None:
    assert make_gaps((ANA, "batch_2", NOW, True), gap_ms=0).find_end("org_1", ANA, "batch_1") is None
