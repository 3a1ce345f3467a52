"""Templates, sentences, what was heard of them, and where a voice begins."""

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ringdown.voice import sentences
from ringdown.voice.activity import VoiceTracker
from ringdown.voice.ports import Word


def test_templates_take_what_they_know_and_drop_the_rest() -> None:
    assert (
        sentences.render_template("Hi {{ name }}, {{gone}}bye {{name}} {x}", {"name": "Ana"}) == "Hi Ana, bye Ana {x}"
    )


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("Hello {{name}}, this is Ann.", "Hello, this is Ann."),
        ("Hi {{name}} there", "Hi there"),
        ("Thanks {{name}}.", "Thanks."),
        ("{{name}} one {{name}}", "one"),
    ],
)
def test_a_missing_value_leaves_no_gap_in_the_sentence(text: str, rendered: str) -> None:
    assert sentences.render_template(text, {"name": ""}) == rendered


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Dr. No lives at 3.5 Main St. now. Yes.", ["Dr. No lives at 3.5 Main St. now.", "Yes."]),
        ("It is 10 a.m. in Rome.", ["It is 10 a.m. in Rome."]),
        ("He said \"go.\" Then left.", ['He said "go."', "Then left."]),
        ("no end", ["no end"]),
        ("line\n\nline two", ["line", "line two"]),
        ("  ", []),
    ],
)  # fmt: skip
def test_text_is_cut_into_sentences(text: str, expected: list[str]) -> None:
    assert sentences.split_sentences(text) == expected


def test_a_long_first_sentence_leaves_at_its_comma() -> None:
    text = "If you would like to come to our office in the old town, then you should call us before nine, please."
    first, *rest = sentences.split_sentences(text)
    assert first == "If you would like to come to our office in the old town,"
    assert rest == ["then you should call us before nine, please."]


@hypothesis_settings(max_examples=150)
@given(st.lists(st.text(alphabet="ab .!?,\n", max_size=8), max_size=12))
def test_sentences_lose_no_word_however_the_text_arrives(pieces: list[str]) -> None:
    splitter = sentences.SentenceSplitter()
    cut = [sentence for piece in pieces for sentence in splitter.push(piece)] + splitter.flush()
    assert " ".join(cut).split() == "".join(pieces).split()


def test_heard_words_follow_word_times() -> None:
    words = [Word("one", 0, 300), Word("two", 300, 600), Word("three", 600, 1000)]
    heard = [
        sentences.cut_to_heard("one two three", heard_ms=ms, words=words, audio_ms=None) for ms in (0, 200, 500, 799)
    ]
    assert heard == ["", "one", "one two", "one two"]
    assert sentences.cut_to_heard("one two three", heard_ms=1000, words=words, audio_ms=1000) == "one two three"


def test_heard_words_are_spread_over_the_audio_without_times() -> None:
    assert sentences.cut_to_heard("aaaa bbbb cccc dddd", heard_ms=1000, words=(), audio_ms=2000) == "aaaa bbbb"
    assert (
        sentences.cut_to_heard("aaaa bbbb cccc dddd", heard_ms=2000, words=(), audio_ms=2000) == "aaaa bbbb cccc dddd"
    )


def test_voice_begins_with_two_windows_and_pauses_do_not_end_it() -> None:
    tracker = VoiceTracker(0.5)
    opinions = [0.9, 0.1, 0.9, 0.9, 0.4, 0.2, 0.1, 0.9, 0.1, 0.9, 0.9]
    for index, probability in enumerate(opinions):
        tracker.feed(probability, end_ms=(index + 1) * 32, window_ms=32)
    assert tracker.started_ms == 64
    assert tracker.last_voiced_ms == 11 * 32
    assert tracker.voiced_ms == 5 * 32
    tracker.reset()
    assert tracker.started_ms is None


@pytest.mark.parametrize(
    "text", ["{{" + " " * 200_000, " " * 500_000 + "x", "{{" * 200_000, "{{a}} " * 50_000, "\0 " * 9]
)
def test_a_template_takes_no_longer_than_its_length(text: str) -> None:
    assert len(sentences.render_template(text, {})) <= len(text)
    assert len(sentences.find_variables(text)) <= 50_000


def test_words_without_an_end_are_cut_and_none_is_lost() -> None:
    words = ["mr." if number % 3 else "endless" for number in range(20_000)]
    for pieces in ([" ".join(words)], [f"{word} " for word in words]):
        splitter = sentences.SentenceSplitter()
        found = [sentence for piece in pieces for sentence in splitter.push(piece)] + splitter.flush()
        assert " ".join(found).split() == words
        assert max(map(len, found)) <= 500
    assert "".join(sentences.split_sentences("x" * 10_000)) == "x" * 10_000
