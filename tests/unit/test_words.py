"""The words benchmark on a few seeds: what was said last, what was heard of an interrupted turn, and drift."""

import pytest

from benchmarks import words, words_drift


@pytest.mark.parametrize("seed", range(5000, 5015))
def test_the_last_words_before_a_hang_up_are_in_the_transcript(seed: int) -> None:
    _, missing = words.count_last_words(seed)
    assert missing == []


@pytest.mark.parametrize("has_times", [True, False])
@pytest.mark.parametrize("seed", range(5000, 5008))
def test_an_interrupted_turn_holds_what_was_played_within_a_word(seed: int, has_times: bool) -> None:
    error = words.measure_interruption(seed, has_times=has_times)
    assert error is None or abs(error) <= 1


def test_recording_and_transcript_do_not_drift_with_loss() -> None:
    missed = [figure for figure in words_drift.run(minutes=3) if figure.met is False]
    assert missed == []
