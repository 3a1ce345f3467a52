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
    assert words.make_tsqueries(["hour", "hours", "openings", "ab12345"]) == (
        "'hour' | 'hours' | 'openings' | 'ab12345'",
        "'hour':* | 'openin':*",
    )
    assert words.make_tsqueries(["hour"]) == ("'hour'", None)
    assert words.make_fts5_query(["hours"], ["kb_1", "kb_2"]) == (
        'base : ("kb1" OR "kb2") AND words : ("hours" OR "hour" *)'
    )


def test_positions_stay_within_what_postgresql_keeps() -> None:
    vector = words.make_tsvector(["a"] * 20_000 + ["b"])
    assert vector.count(",") == 254
    assert vector.endswith("'b':16383")


@given(st.text())
def test_no_text_can_break_out_of_an_expression(text: str) -> None:
    for word in words.list_words(text):
        assert word
        assert not set(word) & set("'\"\\:*&|!()<> \t\n\0")
