"""Words of texts and queries, and the expressions that search for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringdown.knowledge import words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Öffnungszeiten, Café!", ["offnungszeiten", "cafe"]),
        ("ＡＢＣ ½ İstanbul ß", ["abc", "1", "2", "istanbul", "ss"]),
        ("a_b@example.com", ["a", "b", "example", "com"]),
        ("東京タワー", ["東京", "京タ", "タワ", "ワー"]),
        ("iPhone을 買", ["iphone", "을", "買"]),
        ("खुलती है", ["खुलती", "है"]),
        ("…?!", []),
    ],
)
def test_words_are_plain_and_unspaced_scripts_are_paired(text: str, expected: list[str]) -> None:
    assert words.list_words(text) == expected


def test_a_query_is_its_telling_words_once_each() -> None:
    assert words.list_terms("What are your opening hours, and the HOURS on Sunday?") == ["opening", "hours", "sunday"]
    assert words.list_terms("Who are you?") == ["who", "are", "you"]
    assert len(words.list_terms(" ".join(f"w{number}" for number in range(100)))) == 24


def test_beginnings_are_searched_for_long_words_without_digits() -> None:
    forms = words.list_forms(["hour", "hours", "openings", "ab12345"])
    assert [(form.word, form.beginning) for form in forms] == [
        ("hour", None), ("hours", "hour"), ("openings", "openin"), ("ab12345", None),
    ]  # fmt: skip


def test_expressions_hold_the_bases_and_the_form() -> None:
    whole, beginning = words.list_forms(["hour", "hours"])
    assert words.make_fts5_query(whole, ["kb_1", "kb_2"]) == 'base : ("kb1" OR "kb2") AND words : ("hour")'
    assert words.make_fts5_query(beginning, ["kb_1"]) == 'base : ("kb1") AND words : ("hour" *)'
    assert words.make_tsquery(whole, ["kb_1", "kb_2"]) == "('kb1' | 'kb2') & 'hour'"
    assert words.make_tsquery(beginning, ["kb_1"]) == "('kb1') & 'hour':*"


@given(st.text())
def test_no_text_can_break_out_of_an_expression(text: str) -> None:
    for word in words.list_words(text):
        assert word
        assert not set(word) & set("'\"\\:*&|!()<> \t\n\0")
