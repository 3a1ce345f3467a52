"""What an answer means: yes or no, one of several choices, digits, a date; in English, and what is cheap elsewhere."""

from collections.abc import Mapping, Sequence

from ringdown.voice import turns
from ringdown.voice.answer_words import WORDS, AnswerWords

#: The languages of the functions below, as the first part of BCP-47 tags.
LANGUAGES = frozenset(("en", *WORDS))

_YES = (
    "yes", "yeah", "yep", "yup", "ya", "sure", "correct", "right", "okay", "ok", "of course", "certainly",
    "absolutely",
    "definitely", "affirmative", "indeed", "exactly", "fine", "alright", "all right", "true", "please do", "i do",
    "i will", "i'll be there", "i can", "that's it", "sounds good", "no problem", "why not", "not a problem", "perfect",
    "mhm", "uh huh", "you bet", "i am", "i'm coming",
)  # fmt: skip
_NO = (
    "no", "nope", "nah", "not", "never", "no thanks", "no thank you", "i can't", "i cannot", "can't", "cannot",
    "i won't", "won't",
    "don't", "do not", "didn't", "isn't", "wrong", "negative", "incorrect", "not right", "not correct",
    "not really", "not okay", "not sure i can", "not able", "unable", "nay", "cancel", "no way", "i'm not", "uh uh",
    "don't think so", "not fine", "not true",
)  # fmt: skip
_UNDECIDED = ("not sure", "don't know", "do not know", "maybe", "perhaps", "no idea", "i'm not sure")
_MEANINGS = dict.fromkeys(_YES, "yes") | dict.fromkeys(_NO, "no") | dict.fromkeys(_UNDECIDED, "")

_MEANINGS_ABROAD = {
    language: dict.fromkeys(words.yes, "yes") | dict.fromkeys(words.no, "no") | dict.fromkeys(words.undecided, "")
    for language, words in WORDS.items()
}

_DIGITS = {
    "oh": "0", "o": "0", "zero": "0", "nought": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5",
    "six": "6", "seven": "7", "eight": "8", "nine": "9",
}  # fmt: skip
_TEENS = {
    "ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13", "fourteen": "14", "fifteen": "15", "sixteen": "16",
    "seventeen": "17", "eighteen": "18", "nineteen": "19",
}  # fmt: skip
_TENS = {
    "twenty": "2", "thirty": "3", "forty": "4", "fifty": "5", "sixty": "6", "seventy": "7", "eighty": "8",
    "ninety": "9",
}  # fmt: skip
_REPEATS = {"double": 2, "triple": 3}

_WORDS_AROUND = 2

_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_RELATIVE_DAYS = ("today", "tomorrow", "tonight")
_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14, "fifteenth": 15, "sixteenth": 16,
    "seventeenth": 17, "eighteenth": 18, "nineteenth": 19, "twentieth": 20, "thirtieth": 30,
}  # fmt: skip


def understand_yes_no(text: str, *, language: str = "en") -> str | None:
    """`"yes"`, `"no"`, or None. The last word on the matter wins: "yes… no, I can't" is no."""
    meanings = _MEANINGS_ABROAD.get(language, _MEANINGS)
    found = _last_phrase(turns.split_words(text.replace("’", "'")), meanings)
    return found or None


def is_phrase(text: str, phrases: Sequence[str]) -> bool:
    """Whether `text` is one of `phrases` with hardly a word around it ("operator, please")."""
    words = turns.split_words(text)
    return any(
        _contains(words, phrase.split()) and len(words) <= len(phrase.split()) + _WORDS_AROUND for phrase in phrases
    )


def understand_choice(text: str, options: Mapping[str, Sequence[str]]) -> str | None:
    """The option of which a phrase was said; None when none was, or more than one."""
    words = turns.split_words(text)
    named = {
        option
        for option, phrases in options.items()
        if any(_contains(words, turns.split_words(phrase)) for phrase in (*phrases, option.replace("_", " ")))
    }
    return named.pop() if len(named) == 1 else None


def understand_digits(text: str, *, language: str = "en") -> str:
    """The digits said or written in `text`: "double oh seven" is 007, "twenty five" is 25."""
    if (abroad := WORDS.get(language)) is not None:
        return "".join(
            word if word.isascii() and word.isdigit() else abroad.numbers.get(word, "")
            for word in turns.split_words(text.replace("-", " "))
        )
    digits, repeat, open_tens = "", 1, ""
    for word in turns.split_words(text.replace("-", " ")):
        digit = _DIGITS.get(word)
        if open_tens:
            # "twenty five" is one number, "twenty" alone is 20, and so is it before anything else.
            is_unit = digit is not None and digit != "0"
            digits += open_tens if is_unit else open_tens + "0"
            open_tens = ""
        if word in _REPEATS:
            repeat = _REPEATS[word]
            continue
        if word in _TENS:
            open_tens = _TENS[word]
        elif word.isascii() and word.isdigit():
            digits += word * repeat
        else:
            digits += (digit or _TEENS.get(word, "")) * repeat
        repeat = 1
    return digits + (open_tens + "0" if open_tens else "")


def understand_date(text: str, *, language: str = "en") -> str | None:
    """A date as it was said, in one spelling: "tomorrow", "monday", "may 3", "monday may 3"."""
    words = turns.split_words(text.replace("’", "'"))
    if (abroad := WORDS.get(language)) is not None:
        return _understand_date_abroad(words, abroad)
    for word in words:
        if word in _RELATIVE_DAYS:
            return word
    weekday = next((word for word in words if word in _WEEKDAYS), None)
    month = next((word for word in words if word in _MONTHS), None)
    day = _find_day([word for word in words if word not in _WEEKDAYS and word not in _MONTHS])
    if month is not None and day is None and weekday is None:
        return None
    parts = [weekday, month if day is not None else None, str(day) if month is not None and day is not None else None]
    if month is None and weekday is None:
        return f"the {day}{_ordinal_suffix(day)}" if day is not None else None
    return " ".join(part for part in parts if part)


def _understand_date_abroad(words: Sequence[str], known: AnswerWords) -> str | None:
    for word in words:
        if word in known.relative_days:
            return word
    weekday = next((word for word in words if word in known.weekdays), None)
    month = next((word for word in words if word in known.months), None)
    numbers = [word if word.isascii() and word.isdigit() else known.numbers.get(word, "") for word in words]
    day = next((number.lstrip("0") for number in numbers if number and 1 <= int(number) <= 31), None)
    date = known.date.format(day=day, month=month) if month is not None and day is not None else None
    if month is not None and date is None:
        return None
    return " ".join(part for part in (weekday, date) if part) or None


def _find_day(words: Sequence[str]) -> int | None:
    tens = 0
    for word in words:
        if word in ("twenty", "thirty"):
            tens = int(_TENS[word]) * 10
            continue
        number = _ORDINALS.get(word) or int(_DIGITS.get(word) or _TEENS.get(word) or "0")
        written = word.removesuffix("st").removesuffix("nd").removesuffix("rd").removesuffix("th")
        if written.isascii() and written.isdigit():
            number = int(written)
        if number and 1 <= tens + number <= 31:
            return tens + number
    return tens or None


def _ordinal_suffix(day: int) -> str:
    if 11 <= day <= 13:
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _contains(words: Sequence[str], phrase: Sequence[str]) -> bool:
    length = len(phrase)
    return length > 0 and any(
        list(words[start : start + length]) == list(phrase) for start in range(len(words) - length + 1)
    )


def _last_phrase(words: Sequence[str], meanings: Mapping[str, str]) -> str | None:
    """The meaning of the last phrase in `words`; at each place the longest phrase counts."""
    longest = max(len(phrase.split()) for phrase in meanings)
    found, start = None, 0
    while start < len(words):
        for length in range(longest, 0, -1):
            phrase = " ".join(words[start : start + length])
            if start + length <= len(words) and phrase in meanings:
                found = meanings[phrase]
                start += length
                break
        else:
            start += 1
    return found
