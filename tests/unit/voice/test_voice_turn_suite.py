"""The turn-taking suite itself: its scenes, its stage, and its scores of what was heard."""

import numpy as np
import pytest

from benchmarks import turns, turns_audio, turns_scenes, turns_score, turns_texts
from benchmarks.turns_scenes import Scene, Step
from benchmarks.turns_stage import Happening, Played
from ringdown.voice.events import Turn
from ringdown.voice.ports import Word

TINY = turns_texts.Texts(
    sentences=(("en-us", "I would like to ~ book a table / for four people."),),
    numbers=(("en-us", "five one six ~ zero one seven."),),
    interruptions=("Wait a moment please.",),
    back_channels=("okay",),
    answers=turns_texts.TUNED.answers[:2],
    voices=("+f2",),
)


def played(audible_ms: list[tuple[int, int]], *happenings: Happening, turns_heard: list[Turn] | None = None) -> Played:
    """A scene of ten seconds in which the agent was heard in these times."""
    audible = bytearray(500)
    for begin, end in audible_ms:
        audible[begin // 20 : end // 20] = b"\1" * ((end - begin) // 20)
    scene = Scene("kind", 1, "en-us", "plain", ("a",), (step("turn"),), np.zeros(0, np.float32), 10_000)
    return Played(scene, list(happenings), audible, turns_heard or [])


def step(kind: turns_scenes.StepKind, when: turns_scenes.When = "after") -> Step:
    return Step(kind, when, 0, np.zeros(0, np.float32))


def happening(kind: turns_scenes.StepKind, start_ms: int, end_ms: int, when: turns_scenes.When = "after") -> Happening:
    return Happening(step(kind, when), start_ms, end_ms, (Word("word", start_ms, end_ms),))


def test_an_agent_who_begins_before_the_last_word_cuts_the_caller_off() -> None:
    score = turns_score.score_all([played([(2500, 4000)], happening("turn", 1000, 3000))])
    assert (score.turns, score.cut_off, score.waits_ms) == (1, 1, [])


def test_the_wait_counts_from_the_last_sample_of_the_turn() -> None:
    score = turns_score.score_all([played([(0, 800), (3320, 4000)], happening("turn", 1000, 3000))])
    assert (score.cut_off, score.waits_ms) == (0, [320])


def test_a_turn_without_an_answer_counts_as_five_seconds() -> None:
    score = turns_score.score_all([played([(0, 800)], happening("turn", 1000, 3000))])
    assert (score.unanswered, score.waits_ms) == (1, [5000])


@pytest.mark.parametrize(
    ("audible_ms", "false_stops", "hesitations"),
    [([(0, 9000)], 0, 0), ([(0, 2200), (2480, 9000)], 0, 1), ([(0, 2200), (2500, 9000)], 1, 0)],
)
def test_silences_of_300_ms_are_stops_and_shorter_ones_hesitations(
    audible_ms: list[tuple[int, int]], false_stops: int, hesitations: int
) -> None:
    reply = Turn("agent", "all", 0, 9000)
    one = played(audible_ms, happening("noise", 2000, 2400, "over"), turns_heard=[reply])
    score = turns_score.score_all([one])
    assert (score.innocents, score.false_stops, score.hesitations) == (1, false_stops, hesitations)


def test_words_that_a_noise_has_cost_are_a_false_stop() -> None:
    reply = Turn("agent", "some", 0, 2300, interrupted=True)
    score = turns_score.score_all([played([(0, 2300)], happening("noise", 2000, 2400, "over"), turns_heard=[reply])])
    assert score.false_stops == 1


def test_an_agent_who_talks_on_for_more_than_a_second_missed_the_interruption() -> None:
    for stop_ms, missed in ((2900, 0), (3100, 1)):
        one = played([(0, stop_ms), (5000, 6000)], happening("interruption", 2000, 4000, "over"))
        score = turns_score.score_all([one])
        assert (score.interruptions, score.missed) == (1, missed)


def test_marks_cut_a_sentence_where_a_caller_may_pause() -> None:
    assert turns_scenes.split_fragments("I want ~ tea / now.") == [("I want", "~"), ("tea", "/"), ("now.", "")]
    assert turns_scenes.split_fragments("Yes.") == [("Yes.", "")]


def test_held_out_texts_and_voices_are_none_of_those_that_rules_were_tuned_on() -> None:
    tuned, held_out = turns_texts.TUNED, turns_texts.HELD_OUT
    for name in ("sentences", "numbers", "interruptions", "answers", "voices"):
        assert not set(getattr(tuned, name)) & set(getattr(held_out, name))


def test_noise_lies_as_far_below_the_caller_as_it_is_asked_to() -> None:
    speech = turns_audio.scale_speech(np.sin(np.arange(16_000) / 4).astype(np.float32))
    noise = turns_audio.make_noise("line", 2.0, snr_db=15, voices=[], seed=1)
    levels = [float(np.sqrt((samples**2).mean())) for samples in (speech, noise)]
    assert 20 * np.log10(levels[0] / levels[1]) == pytest.approx(15, abs=0.5)


def test_a_scene_of_each_kind_is_played_without_a_fault_in_a_quiet_room() -> None:
    kinds = ["finished sentences", "numbers in groups", "back-channels", "two interruptions", "says nothing"]
    result = turns.run(TINY, name="tiny", first_seed=3, divisor=1000, kinds=kinds)
    score = result.total
    assert (score.turns, score.innocents, score.interruptions, score.silences) == (4 + 3 + 2 + 2, 6, 2, 1)
    assert (score.cut_off, score.false_stops, score.missed, score.false_answers) == (0, 0, 0, 0)
    figures = turns.to_figures(result)
    assert [figure.met for figure in figures[:5]] == [True, True, True, True, True]
    assert "two interruptions" in turns.render_kinds(result)
