"""Turns what may be answered into a grammar for the offline recognizer, and what it heard back into text; pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from ringdown.voice.ports import Expectation

# Without yep, yup and nope: a telephone has no S above 4 kHz, so that every "yes" was heard as "yep". Who says "yep"
# is heard as "yes" or "yeah", which means the same.
YES = (
    "yes", "yeah", "sure", "correct", "right", "okay", "ok", "of course", "yes please", "absolutely",
    "definitely", "certainly", "that's right", "that's correct", "that is right", "that is correct", "yes it is",
    "yes i am", "yes i will", "yes i do", "yes i can", "i will", "i do", "sounds good", "fine", "alright", "perfect",
    "exactly", "please do", "yes that's right", "yes that's correct", "i'll be there", "sure thing", "yes of course",
)  # fmt: skip
NO = (
    "no", "nah", "no thanks", "no thank you", "not really", "not now", "not today", "no i can't", "no i don't",
    "no i won't", "no it isn't", "no it's not", "no i'm not", "no that's wrong", "that's wrong", "that is wrong",
    "wrong", "incorrect", "not correct", "not right", "that's not right", "that's not correct", "i don't think so",
    "i can't", "i won't", "never", "no way", "absolutely not", "definitely not", "of course not", "no sorry",
    "no not really",
)  # fmt: skip
_DIGITS = ("zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth",
    "twentieth", "twenty first", "twenty second", "twenty third", "twenty fourth", "twenty fifth", "twenty sixth",
    "twenty seventh", "twenty eighth", "twenty ninth", "thirtieth", "thirty first",
)  # fmt: skip
_NOT_SPOKEN = re.compile(r"[^\w' -]+")


# Sounds of everything that is no answer: a loop over these takes off-topic speech away from the phrases. Of 73
# off-topic sentences 57 were taken for yes or no without it, 25 with it; of 157 answers 138 were
# understood without, 132 with it.
_OTHER_SOUNDS = (
    "AA", "AE", "AH", "IY", "IH", "EH", "ER", "OW", "UW", "AY", "EY", "S", "T", "K", "N", "M", "L", "R", "D", "F", "W",
    "HH", "B",
)  # fmt: skip
_OTHER_WEIGHT_YES_NO = 1e-6
_OTHER_WEIGHT_CHOICE = 1e-24  # callers were told the choices, and a lost one costs more than a wrong one is likely
OTHER_PREFIX = "_"


@dataclass(frozen=True, slots=True)
class Grammar:
    """A JSGF grammar, its words, and the words for other sounds with their phonemes.

    `phrases` are the only answers where the grammar has a list of them; a decoder may stop in the middle of one.
    """

    jsgf: str
    words: tuple[str, ...]
    phrases: frozenset[str] = frozenset()
    sounds: Mapping[str, str] = field(default_factory=dict)

    def count_answer(self, words: Sequence[str]) -> int:
        """How many of the first of `words` are an answer."""
        if not self.phrases:
            return len(words)
        return next((count for count in range(len(words), 0, -1) if " ".join(words[:count]) in self.phrases), 0)


@lru_cache(maxsize=512)
def build_grammar(expectation: Expectation) -> Grammar | None:
    """The grammar of an expectation, or None for kinds that no grammar describes."""
    match expectation.kind:
        case "yes_no":
            return _of_phrases((*YES, *NO), other_weight=_OTHER_WEIGHT_YES_NO)
        case "choice":
            phrases = [phrase for phrase in map(clean_phrase, expectation.phrases) if phrase]
            return _of_phrases(phrases, other_weight=_OTHER_WEIGHT_CHOICE) if phrases else None
        case "digits":
            return _of_rule(_digits_rule(expectation.min_digits, expectation.max_digits))
        case "date":
            return _of_rule(_date_rule())
        case _:
            return None


def clean_phrase(phrase: str) -> str:
    """A phrase as grammars have it: lower-case words without punctuation, separated by one space."""
    return " ".join(_NOT_SPOKEN.sub(" ", phrase.lower().replace("’", "'")).replace("-", " ").split())


def _of_rule(rule: str) -> Grammar:
    words = sorted(set(re.findall(r"[\w']+", rule)))
    return Grammar(f"#JSGF V1.0;\ngrammar answer;\npublic <answer> = {rule};\n", tuple(words))


def _of_phrases(phrases: Iterable[str], *, other_weight: float) -> Grammar:
    """One of the phrases, or something else."""
    unique = tuple(dict.fromkeys(phrases))
    sounds = {f"{OTHER_PREFIX}{phoneme.lower()}": phoneme for phoneme in _OTHER_SOUNDS}
    rules = f"public <answer> = /1.0/ {_any_of(unique)} | /{other_weight:g}/ <other>;\n<other> = {_any_of(sounds)}+;\n"
    words = sorted({word for phrase in unique for word in phrase.split()})
    return Grammar(f"#JSGF V1.0;\ngrammar answer;\n{rules}", tuple(words), frozenset(unique), sounds)


def _any_of(phrases: Iterable[str]) -> str:
    return "(" + " | ".join(phrases) + ")"


def _digits_rule(least: int, most: int) -> str:
    digit = _any_of(_DIGITS)
    if most > 16:
        return f"{digit}+"
    rule = ""
    for _ in range(max(0, most - max(1, least))):
        rule = f"[{digit} {rule}]" if rule else f"[{digit}]"
    return " ".join([digit] * max(1, least) + ([rule] if rule else []))


def _date_rule() -> str:
    month, day = _any_of(_MONTHS), _any_of(_ORDINALS)
    weekday = _any_of(_WEEKDAYS)
    return (
        f"(today | tomorrow | [the] day after tomorrow | [next | this | on] {weekday}"
        f" | [{weekday}] [the] {day} [of] {month} | [{weekday}] {month} [the] {day} | [{weekday}] [the] {day})"
    )
