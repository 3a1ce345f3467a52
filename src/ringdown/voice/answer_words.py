"""Words of answers in other languages than English: yes and no, numbers, days. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AnswerWords:
    """One language. `numbers` are digits by word; `date` is how a day of a month is written."""

    yes: tuple[str, ...]
    no: tuple[str, ...]
    undecided: tuple[str, ...]
    numbers: Mapping[str, str]
    relative_days: tuple[str, ...]
    weekdays: tuple[str, ...]
    months: tuple[str, ...]
    date: str


def _count(words: str, *, first: int = 0) -> dict[str, str]:
    """Numbers in a row; words with `/` between them mean the same."""
    rows = enumerate(words.split(), start=first)
    return {word: str(number) for number, same in rows for word in same.split("/")}


_GERMAN = AnswerWords(
    yes=("ja", "jawohl", "jo", "gerne", "gern", "richtig", "stimmt", "genau", "korrekt", "natürlich", "klar", "sicher",
         "in ordnung", "passt", "einverstanden", "okay", "ok", "selbstverständlich", "auf jeden fall"),
    no=("nein", "nee", "nö", "nicht", "niemals", "falsch", "stimmt nicht", "nicht richtig", "kein", "keine",
        "leider nicht", "auf keinen fall", "passt nicht", "nicht genau"),
    undecided=("weiß nicht", "weiß ich nicht", "vielleicht", "keine ahnung", "nicht sicher"),
    numbers=_count(
        "null eins zwei/zwo drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn "
        "siebzehn achtzehn neunzehn zwanzig"
    ) | {"ersten": "1", "erster": "1", "zweiten": "2", "dritten": "3"},
    relative_days=("heute", "übermorgen", "morgen"),
    weekdays=("montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonnabend", "sonntag"),
    months=("januar", "februar", "märz", "april", "mai", "juni", "juli", "august", "september", "oktober", "november",
            "dezember"),
    date="{day}. {month}",
)  # fmt: skip
_SPANISH = AnswerWords(
    yes=("sí", "si", "claro", "correcto", "exacto", "por supuesto", "vale", "de acuerdo", "está bien", "bueno",
         "seguro", "así es", "perfecto", "ok"),
    no=("no", "nunca", "jamás", "incorrecto", "tampoco", "para nada", "no puedo", "no es correcto", "no está bien"),
    undecided=("no sé", "no lo sé", "quizás", "quizá", "tal vez", "no estoy seguro", "no estoy segura"),
    numbers=_count(
        "cero uno/una dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis "
        "diecisiete dieciocho diecinueve veinte"
    ) | {"primero": "1"},
    relative_days=("hoy", "mañana"),
    weekdays=("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
    months=("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre",
            "noviembre", "diciembre"),
    date="{day} de {month}",
)  # fmt: skip
_FRENCH = AnswerWords(
    yes=("oui", "ouais", "d'accord", "bien sûr", "exact", "exactement", "correct", "c'est ça", "tout à fait",
         "volontiers", "parfait", "certainement", "c'est correct", "ok"),
    no=("non", "pas", "jamais", "faux", "incorrect", "pas du tout", "ce n'est pas ça", "pas d'accord", "pas correct",
        "ce n'est pas correct", "c'est faux"),
    undecided=("je ne sais pas", "sais pas", "peut être", "pas sûr", "pas sûre", "aucune idée"),
    numbers=_count(
        "zéro un/une deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize"
    ) | {"vingt": "20", "premier": "1"},
    relative_days=("aujourd'hui", "demain"),
    weekdays=("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
    months=("janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre",
            "décembre"),
    date="{day} {month}",
)  # fmt: skip

#: By the language of a BCP-47 tag.
WORDS: Mapping[str, AnswerWords] = {"de": _GERMAN, "es": _SPANISH, "fr": _FRENCH}
