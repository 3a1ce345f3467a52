"""What is searched of calls: words, phrases and pairs of metadata."""

from unicodedata import category

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ringdown.calls import words


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("refund please", (("refund",), ("please",))),
        ('"call me back" now', (("call", "me", "back"), ("now",))),
        ("Please PLEASE", (("please",),)),
        ("e-mail", (("e", "mail"),)),
        ("退款政策", (("退款", "款政", "政策"),)),
        ('an "open end', (("an",), ("open", "end"))),
        ("?!", ((),)),
        ('""', ((),)),
    ],
)
def test_a_query_is_words_and_phrases(text: str, phrases: tuple[words.Phrase, ...]) -> None:
    assert words.parse_query(text) == phrases


@given(st.text())
@example("\u0483")
@example("\u0e48\u0e31\u0e48\u0e31")
def test_any_text_is_a_query_of_plain_words(text: str) -> None:
    for phrase in words.parse_query(text):
        assert all(character.isalnum() or category(character)[0] == "M" for word in phrase for character in word)
        assert not set(" \"'%_") & set("".join(phrase))


def test_no_phrase_reaches_from_one_text_into_the_next() -> None:
    assert words.join_words(["Hello you", "there"]) == "hello you ¶ there ¶"


@given(st.lists(st.text(max_size=200), max_size=5))
def test_joined_words_hold_every_word_in_order(texts: list[str]) -> None:
    found = [word for word in words.join_words(texts).split() if word != "¶"]
    assert found == [word for text in texts for word in words.list_words(text)]


def test_pairs_have_paths_and_entries() -> None:
    metadata = {"a": {"b": [1, "x"]}, "c": None, "d": True, "e": [], "f": 1.5, "g": ""}
    assert words.list_pairs(metadata) == {
        ("a.b", "1"), ("a.b", "x"), ("c", "null"), ("d", "true"), ("f", "1.5"), ("g", "")
    }  # fmt: skip


def test_different_pairs_have_different_digests() -> None:
    pairs = [("a", "b"), ("ab", ""), ("a.b", ""), ("", "ab"), ("a", "b" * 10_000)]
    assert len({words.make_pair(*pair) for pair in pairs}) == len(pairs)
