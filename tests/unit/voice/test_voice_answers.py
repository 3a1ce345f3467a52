"""What answers mean."""

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ringdown.voice import answers


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("yes", "yes"), ("Yeah.", "yes"), ("yep", "yes"), ("sure thing", "yes"), ("that's correct", "yes"),
        ("right", "yes"), ("Okay!", "yes"), ("of course", "yes"), ("I do", "yes"), ("no problem", "yes"),
        ("why not", "yes"), ("uh huh", "yes"), ("I'll be there", "yes"), ("no yes", "yes"),
        ("no", "no"), ("Nope", "no"), ("not", "no"), ("no thanks", "no"), ("I can’t", "no"), ("I cannot come", "no"),
        ("that is not right", "no"), ("not correct", "no"), ("no thank you", "no"), ("uh uh", "no"),
        ("yes no I can't", "no"), ("I don't think so", "no"), ("no way", "no"),
        ("I'm not sure", None), ("maybe", None), ("I don't know", None), ("banana", None), ("", None),
    ],
)  # fmt: skip
def test_yes_and_no(text: str, meaning: str | None) -> None:
    assert answers.understand_yes_no(text) == meaning


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("one two three", "123"), ("oh zero o", "000"), ("double oh seven", "007"), ("triple five", "555"),
        ("twelve", "12"), ("twenty five", "25"), ("twenty", "20"), ("twenty twenty", "2020"), ("thirty-one", "31"),
        ("it is 4 2 please", "42"), ("four one five, five five five", "415555"), ("double 4", "44"),
        ("twenty oh one", "2001"), ("nothing", ""), ("", ""),
    ],
)  # fmt: skip
def test_digits(text: str, digits: str) -> None:
    assert answers.understand_digits(text) == digits


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("tomorrow please", "tomorrow"), ("on Monday", "monday"), ("May third", "may 3"), ("the third of May", "may 3"),
        ("Friday the twenty first of June", "friday june 21"), ("March 31st", "march 31"), ("the fifth", "the 5th"),
        ("the twenty second", "the 22nd"), ("in May", None), ("soon", None), ("", None), ("the thirtieth", "the 30th"),
    ],
)  # fmt: skip
def test_dates(text: str, date: str | None) -> None:
    assert answers.understand_date(text) == date


def test_a_choice_is_one_option() -> None:
    options = {"sales": ("sales", "buy something"), "tech_support": ("help",)}
    assert answers.understand_choice("I want to buy something", options) == "sales"
    assert answers.understand_choice("tech support", options) == "tech_support"
    assert answers.understand_choice("sales or help", options) is None
    assert answers.understand_choice("salesman", options) is None


@hypothesis_settings(max_examples=150)
@given(st.text(max_size=60))
def test_nothing_that_is_said_is_an_error(text: str) -> None:
    assert answers.understand_yes_no(text) in ("yes", "no", None)
    digits = answers.understand_digits(text)
    assert digits == "" or digits.isdigit()
    answers.understand_date(text)
    answers.understand_choice(text, {"a": ("b",)})


@pytest.mark.parametrize(
    ("language", "text", "meaning"),
    [
        ("de", "Ja, gerne.", "yes"), ("de", "Nein, das stimmt nicht.", "no"), ("de", "Das stimmt.", "yes"),
        ("de", "Das weiß ich nicht.", None), ("de", "Auf keinen Fall!", "no"), ("de", "Banane", None),
        ("es", "Sí, claro.", "yes"), ("es", "No, no puedo.", "no"), ("es", "No lo sé.", None),
        ("fr", "Oui, c’est ça.", "yes"), ("fr", "Ce n'est pas ça.", "no"), ("fr", "Peut-être.", None),
        ("fr", "D'accord.", "yes"), ("fr", "Pas d'accord.", "no"),
    ],
)  # fmt: skip
def test_yes_and_no_are_understood_in_other_languages(language: str, text: str, meaning: str | None) -> None:
    assert answers.understand_yes_no(text, language=language) == meaning


@pytest.mark.parametrize(
    ("language", "text", "digits"),
    [
        ("de", "vier zwo 17", "4217"), ("de", "zwölf", "12"), ("de", "viele", ""), ("es", "uno dos tres", "123"),
        ("es", "quince", "15"), ("fr", "zéro six douze", "0612"), ("en", "double oh seven", "007"),
    ],
)  # fmt: skip
def test_digits_are_understood_in_other_languages(language: str, text: str, digits: str) -> None:
    assert answers.understand_digits(text, language=language) == digits


@pytest.mark.parametrize(
    ("language", "text", "date"),
    [
        ("de", "Übermorgen bitte", "übermorgen"), ("de", "am Montag, dem 3. Mai", "montag 3. mai"),
        ("de", "im Mai", None), ("de", "irgendwann", None), ("es", "el primero de enero", "1 de enero"),
        ("es", "el viernes", "viernes"), ("fr", "aujourd’hui", "aujourd'hui"), ("fr", "le 14 juillet", "14 juillet"),
        ("fr", "le 99 juillet", None),
    ],
)  # fmt: skip
def test_days_are_understood_in_other_languages(language: str, text: str, date: str | None) -> None:
    assert answers.understand_date(text, language=language) == date
