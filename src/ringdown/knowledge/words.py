"""The words of texts and queries in any language, and the search expressions of both databases; pure.

Both databases get the same words, made here, and never parse text themselves.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

# Combining marks belong to the letter before them; without the marks of Latin, Greek and Cyrillic é and e are one.
_MARKS = "".join(chr(code) for code in range(0x300, 0x1E00) if unicodedata.category(chr(code)).startswith("M"))
_DIACRITICS = re.compile("[\u0300-\u036f]")
_WORD = re.compile(rf"[^\W_](?:[^\W_]|[{re.escape(_MARKS)}])*")
# Scripts that put no space between words, and Hangul, whose words grow endings: searched by pairs of characters.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f]+"
)
_MAX_WORD = 64
_MAX_TERMS = 24

# Words that questions are made of; they are left out of a query unless nothing else is in it.
_STOP_WORDS = frozenset(
    """
    a about am an and any are as at be can could did do does for from had has have he her here him his how i if in is
    it its just me my of on or our please she should so some tell than that the their them then there they this to us
    was we were what when where which who why will with would you your
    aber als am an auch auf aus bei bin bis bitte das dass dem den der des die du ein eine einem einen einer er es fur
    gibt haben hat ich ihr ihre im ist ja kann konnen man mein mich mir mit nach nicht noch oder sie sind so uber um und
    uns von vor wann warum was wie wieviel wo wer wir wird zu zum zur
    al como con cual cuando cuanto de del donde el ella en es esta este hay la las lo los me mi no o para pero por que
    quien se si sin su sus te tiene un una y yo
    au aux avec ce ces cette comment dans des du elle est et etes il ils je le les leur mais ne nous ou par pas pour
    quand que quel quelle qui sa se ses son sont sur un une vos votre vous
    ao as com da do e em eu na nas nos os ou pela pelo qual quando quanto sao seu sua um uma voce
    che chi ci cosa di dove gli il io mi non nel per piu quale quanto questo si sono sul tra una uno
    dat de deze een en er het hoe ik is met mijn naar niet of ons op te van voor wanneer wat we zijn
    """.split()  # noqa: SIM905 - a table of words reads better as words
)


@dataclass(frozen=True, slots=True)
class Form:
    """A word that is searched for, by the beginning that its inflected forms share if it has one."""

    word: str
    beginning: str | None = None


def list_words(text: str) -> list[str]:
    """The words of a text in order: lower case, without accents, unspaced scripts as pairs of characters."""
    plain = _DIACRITICS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    # Hangul and Indic letters are put together again; the accents are gone.
    found = _WORD.findall(unicodedata.normalize("NFC", plain))
    return [word for long_word in found for word in _split(long_word)]


def list_terms(query: str) -> list[str]:
    """The words of a query that are worth a search, each once, at most 24."""
    words = list(dict.fromkeys(list_words(query)))
    telling = [word for word in words if word not in _STOP_WORDS]
    return (telling or words)[:_MAX_TERMS]


def list_forms(terms: Sequence[str]) -> list[Form]:
    """What chunks are searched for."""
    return [Form(term, _find_beginning(term)) for term in terms]


def make_fts5_query(form: Form, knowledge_base_ids: Sequence[str]) -> str:
    """The FTS5 expression for chunks of the bases that hold the form."""
    bases = " OR ".join(f'"{make_base_word(identifier)}"' for identifier in knowledge_base_ids)
    wanted = f'"{form.word}"' if form.beginning is None else f'"{form.beginning}" *'
    return f"base : ({bases}) AND words : ({wanted})"


def make_tsquery(form: Form, knowledge_base_ids: Sequence[str]) -> str:
    """The same as PostgreSQL writes a `tsquery`."""
    bases = " | ".join(f"'{make_base_word(identifier)}'" for identifier in knowledge_base_ids)
    return f"({bases}) & " + (f"'{form.word}'" if form.beginning is None else f"'{form.beginning}':*")


def make_base_word(knowledge_base_id: str) -> str:
    """The id of a base as one word of the index."""
    return "".join(character for character in knowledge_base_id if character.isalnum())


def _split(word: str) -> list[str]:
    pieces: list[str] = []
    position = 0
    for match in _UNSPACED.finditer(word):
        pieces += [word[position : match.start()], *_pair(match[0])]
        position = match.end()
    return [piece[:_MAX_WORD] for piece in (*pieces, word[position:]) if piece]


def _pair(run: str) -> list[str]:
    return [run] if len(run) == 1 else [run[place : place + 2] for place in range(len(run) - 1)]


def _find_beginning(term: str) -> str | None:
    """A beginning that inflected forms share: hours and hour, opening and opened."""
    if len(term) < 5 or any(character.isdecimal() for character in term):
        return None
    return term[: len(term) - (1 if len(term) < 7 else 2)]
