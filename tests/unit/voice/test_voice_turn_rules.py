"""The rules of turns one by one: waits, interruptions, signs of listening, full stops, pauses, echoes. Pure."""

import pytest

from ringdown.voice import turns
from ringdown.voice.activity import VoiceTracker
from ringdown.voice.echo import EchoGuard
from ringdown.voice.manner import Manner
from ringdown.voice.settings import VadSettings
from ringdown.voice.vocabulary import find_vocabulary

ENGLISH = find_vocabulary("en-US")
VAD = VadSettings()


def find_wait(
    text: str,
    completeness: turns.Completeness = "unknown",
    *,
    manner: Manner | None = None,
    language: str = "en",
    vad: VadSettings = VAD,
) -> int:
    vocabulary = find_vocabulary(language)
    return turns.release_silence_ms(
        text, completeness=completeness, vad=vad, vocabulary=vocabulary, manner=manner or Manner()
    )


@pytest.mark.parametrize(
    ("text", "completeness", "wait_ms"),
    [
        ("yes", "complete", 200), ("I want tea.", "unknown", 200), ("i want tea", "unknown", 700),
        ("banana", "partial", 900), ("one two", "partial", 1500), ("well,", "unknown", 1500),
        ("tea and", "unknown", 1500), ("my number is", "unknown", 1500), ("so…", "unknown", 1500),
        ("", "unknown", 700), ("hello", "unknown", 400), ("no thank you", "unknown", 400),
    ],
)  # fmt: skip
def test_how_long_an_answer_waits(text: str, completeness: turns.Completeness, wait_ms: int) -> None:
    assert find_wait(text, completeness) == wait_ms


def test_the_configured_delay_is_the_least_wait() -> None:
    assert find_wait("I want tea.", vad=VadSettings(turn_endpoint_delay_ms=600)) == 600
    assert find_wait("tea and", vad=VadSettings(turn_endpoint_delay_ms=600)) == 1500


@pytest.mark.parametrize("text", ["Put it on the.", "I came because.", "Give me a."])
def test_a_full_stop_after_a_word_that_ends_no_sentence_means_nothing(text: str) -> None:
    assert find_wait(text) == 1500


@pytest.mark.parametrize("text", ["Who should I talk to?", "It is on.", "Thank you.", "Is it his or her?"])
def test_a_full_stop_after_other_words_ends_the_sentence(text: str) -> None:
    assert find_wait(text) == 200


def test_a_sentence_without_its_full_stop_waits_where_the_recognizer_writes_them() -> None:
    assert find_wait("We moved last month") == 1500
    assert find_wait("we moved last month") == 700
    assert find_wait("WE MOVED LAST MONTH") == 700


def test_the_capital_of_the_first_person_tells_nothing_of_the_recognizer() -> None:
    assert find_wait("I moved last month") == find_wait("I'm at home now") == 700
    manner = Manner()
    manner.note_turn("Hello.")
    assert find_wait("I moved last month", manner=manner) == 1500


def test_a_recognizer_that_leaves_full_stops_out_is_not_waited_for_twice_again() -> None:
    manner = Manner()
    waits = []
    for _ in range(3):
        waits.append(find_wait("We moved last month", manner=manner))
        manner.note_turn("We moved last month")
    assert waits == [1500, 1500, 700]
    manner.note_turn("Yes.")
    assert find_wait("We moved last month", manner=manner) == 1500


def test_full_stops_that_do_not_hold_are_trusted_less_until_others_hold() -> None:
    manner = Manner()
    manner.note_broken(600)
    assert find_wait("I want tea.", manner=manner) == 450
    for _ in range(9):
        manner.note_broken(600)
    assert find_wait("I want tea.", manner=manner) == 950
    for _ in range(8):
        manner.note_turn("I want tea.")
    assert find_wait("I want tea.", manner=manner) == 200


def test_a_second_sentence_without_a_pause_is_no_broken_full_stop() -> None:
    manner = Manner()
    manner.note_broken(120)
    assert manner.doubt_ms == 0


def test_the_wait_for_undecided_words_follows_the_caller_s_own_pauses() -> None:
    manner = Manner()
    manner.note_pause(900)
    assert find_wait("i want tea", manner=manner) == 700
    manner.note_pause(1000)
    assert find_wait("i want tea", manner=manner) == 1080
    for _ in range(6):
        manner.note_pause(300)
    assert find_wait("i want tea", manner=manner) == 700
    for _ in range(6):
        manner.note_pause(1900)
    assert find_wait("i want tea", manner=manner) == 1500


def test_gaps_within_words_and_silences_between_turns_are_no_pauses() -> None:
    manner = Manner()
    for gap_ms in (60, 200, 2500, 9000):
        manner.note_pause(gap_ms)
    assert manner.pause_ms == 0


@pytest.mark.parametrize(
    ("text", "digits", "wait_ms"),
    [
        ("five five five", 3, 1500), ("555", 3, 1500), ("it's 55 01", 4, 1500), ("for four", 1, 700),
        ("zero one seven four two three nine one one", 9, 900), ("555-017-4239", 10, 900), ("table 12 please", 0, 700),
    ],
)  # fmt: skip
def test_a_number_that_is_growing_waits_for_its_next_group(text: str, digits: int, wait_ms: int) -> None:
    assert turns.count_last_digits(text, ENGLISH) == digits
    assert find_wait(text) == wait_ms


@pytest.mark.parametrize(
    ("language", "trailing", "listening", "number"),
    [
        ("de-DE", "ich komme weil", "ja genau", "null eins sieben"),
        ("es-MX", "quiero cambiar mi", "sí claro", "seis uno"),
        ("fr-FR", "je voudrais", "d'accord", "zéro six"), ("it", "ho bisogno di", "va bene", "tre quattro"),
        ("pt_BR", "eu gostaria de", "tá bom", "dois três"), ("nl", "ik wil graag", "ja klopt", "nul zes"),
        ("en-GB", "she said that", "right I see", "double oh seven"),
    ],
)  # fmt: skip
def test_the_small_words_are_known_in_several_languages(
    language: str, trailing: str, listening: str, number: str
) -> None:
    vocabulary = find_vocabulary(language)
    assert turns.is_trailing(trailing, vocabulary)
    assert turns.is_backchannel(listening, vocabulary)
    assert not turns.is_backchannel(trailing, vocabulary)
    assert turns.count_last_digits(number, vocabulary) == len(number.split())


def test_a_language_without_words_knows_the_sounds_that_all_share() -> None:
    vocabulary = find_vocabulary("fi-FI")
    assert turns.is_backchannel("mhm okay", vocabulary)
    assert turns.is_trailing("hmm öh", vocabulary)
    assert not turns.is_backchannel("joo", vocabulary)


def test_that_asks_for_more_only_after_words_that_introduce_it() -> None:
    assert turns.is_trailing("the problem is that", ENGLISH)
    assert not turns.is_trailing("i already paid that", ENGLISH)


def interrupts(
    voiced_ms: int, partial: str, *, tells_words: bool | None, untold_ms: int = 0, vad: VadSettings = VAD
) -> bool:
    return turns.interrupts(
        voiced_ms=voiced_ms, partial=partial, tells_words=tells_words, untold_ms=untold_ms, vad=vad, vocabulary=ENGLISH
    )


def test_words_that_say_something_interrupt_at_once() -> None:
    assert not interrupts(64, "stop", tells_words=True)
    assert interrupts(96, "stop", tells_words=True)
    assert interrupts(96, "yeah but", tells_words=True)
    patient = VadSettings(minimum_interruption_duration_ms=1000)
    assert not interrupts(900, "stop it now", tells_words=True, vad=patient)


def test_signs_of_listening_interrupt_only_when_they_do_not_end() -> None:
    assert not interrupts(1400, "yeah okay", tells_words=True)
    assert interrupts(1500, "yeah okay", tells_words=True)


def test_voice_that_goes_on_after_a_sign_of_listening_is_about_to_say_more() -> None:
    assert not interrupts(700, "okay", tells_words=True, untold_ms=280)
    assert interrupts(700, "okay", tells_words=True, untold_ms=300)


@pytest.mark.parametrize(("tells_words", "least_ms"), [(False, 400), (None, 700), (True, 3000)])
def test_voice_without_words_counts_by_what_the_recognizer_can_do(tells_words: bool | None, least_ms: int) -> None:
    assert not interrupts(least_ms - 20, "", tells_words=tells_words)
    assert interrupts(least_ms, "", tells_words=tells_words)


def stops(text: str, *, remaining_ms: int = 5000, is_question: bool = False, voiced_ms: int = 300) -> bool:
    return turns.stops_agent(
        text,
        is_understood=True,
        voiced_ms=voiced_ms,
        remaining_ms=remaining_ms,
        tells_words=True,
        is_answer=False,
        is_question=is_question,
        is_farewell_heard=False,
        vocabulary=ENGLISH,
    )


def test_a_sign_of_listening_takes_the_turn_only_at_the_end_of_a_question() -> None:
    assert stops("yeah", remaining_ms=500, is_question=True)
    assert not stops("yeah", remaining_ms=500)
    assert not stops("yeah", remaining_ms=3000, is_question=True)
    assert stops("yeah tuesday")


def test_sounds_without_words_take_no_turn_from_a_recognizer_that_tells_words() -> None:
    assert not stops("", voiced_ms=2900)
    silent = {"is_understood": True, "vad": VAD}
    assert not turns.is_turn("", voiced_ms=2000, tells_words=True, **silent)  # type: ignore[arg-type]
    assert turns.is_turn("", voiced_ms=2000, tells_words=None, **silent)  # type: ignore[arg-type]
    assert turns.is_turn("", voiced_ms=450, tells_words=False, **silent)  # type: ignore[arg-type]


def test_our_words_that_came_back_are_not_the_caller_s() -> None:
    said = ["the", "first", "one", "is", "at", "half", "past", "six", "near", "the", "window"]
    assert turns.remove_echo("one is at half past", said) == ""
    assert turns.remove_echo("is at half wait a moment", said) == "wait a moment"
    assert turns.remove_echo("stop it is at half", said) == "stop it"
    assert turns.remove_echo("the", said) == ""
    assert turns.remove_echo("window seats are fine", said) == "window seats are fine"


# --- echo by loudness ----------------------------------------------------------------------------------------------


def play_echo(guard: EchoGuard, *, share: float, frames: int, delay: int = 8) -> list[bool]:
    """Our voice of changing loudness, which returns `delay` frames later at `share` of its level."""
    levels = [1500 + 1000 * (index // 7 % 2) for index in range(frames)]
    opinions = []
    for index, level in enumerate(levels):
        opinions.append(guard.is_echo(round(levels[index - delay] * share) if index >= delay else 0))
        guard.send(level)
    return opinions


def test_what_returns_20_db_below_our_voice_is_echo_from_the_beginning() -> None:
    guard = EchoGuard()
    assert all(play_echo(guard, share=0.1, frames=400)[1:])
    assert guard.has_echo


def test_a_caller_over_our_voice_is_no_echo() -> None:
    guard = EchoGuard()
    play_echo(guard, share=0.1, frames=200)
    assert not guard.is_echo(1200)


def test_a_quiet_caller_is_heard_on_a_line_without_echo() -> None:
    guard = EchoGuard()
    play_echo(guard, share=0.004, frames=150)
    assert not guard.has_echo
    assert not guard.is_echo(250)


def test_nothing_is_echo_while_we_are_silent() -> None:
    guard = EchoGuard()
    assert not guard.is_echo(200)
    play_echo(guard, share=0.1, frames=100)
    for _ in range(26):
        guard.send(0)
    assert not guard.is_echo(200)


# --- voice ---------------------------------------------------------------------------------------------------------


def feed(tracker: VoiceTracker, windows: list[tuple[float, int]], *, from_ms: int = 0) -> int:
    for index, (probability, level) in enumerate(windows):
        tracker.feed(probability, end_ms=from_ms + (index + 1) * 32, window_ms=32, level=level)
    return from_ms + len(windows) * 32


def test_what_is_far_weaker_than_the_caller_s_voice_does_not_prolong_it() -> None:
    tracker = VoiceTracker(0.5)
    end_ms = feed(tracker, [(0.9, 2000)] * 10)
    feed(tracker, [(0.9, 150)] * 10, from_ms=end_ms)
    assert tracker.last_voiced_ms == end_ms
    feed(tracker, [(0.9, 500)] * 2, from_ms=end_ms + 320)
    assert tracker.last_voiced_ms == end_ms + 320 + 64


def test_a_caller_who_becomes_quiet_is_heard_again_after_half_a_minute() -> None:
    tracker = VoiceTracker(0.5)
    end_ms = feed(tracker, [(0.9, 6000)] * 3)
    end_ms = feed(tracker, [(0.0, 10)] * 1000, from_ms=end_ms)
    feed(tracker, [(0.9, 400)] * 3, from_ms=end_ms)
    assert tracker.last_voiced_ms == end_ms + 96


def test_a_pause_is_measured_when_it_ends() -> None:
    tracker = VoiceTracker(0.5)
    end_ms = feed(tracker, [(0.9, 2000)] * 5 + [(0.1, 20)] * 10)
    assert tracker.pause_ms == 0
    feed(tracker, [(0.9, 2000)], from_ms=end_ms)
    assert tracker.is_stirring
    feed(tracker, [(0.9, 2000)], from_ms=end_ms + 32)
    assert (tracker.pause_ms, tracker.resumed_ms, tracker.is_stirring) == (320, end_ms, False)
