"""Text on its way to a voice: templates, sentences, and which words of a text were heard. Pure."""

import re
from collections.abc import Mapping, Sequence

from ringdown.voice import ports

# Speech without word times: about 15 characters a second.
MS_PER_CHARACTER = 65

# Each of these takes time in proportion to the text, whatever somebody writes into a prompt.
_VARIABLE = re.compile(r"\{\{([^{}]*)\}\}")
# Stands where a value is missing: "Hello {{name}}, this is" becomes "Hello, this is".
_GAP = "\0"
_GAP_WITH_SPACE = re.compile(r"(?<![ \t])[ \t]*\0(?=[ \t]*(?:[,.;:!?]|$|\n))|\0[ \t]?")
_BOUNDARY = re.compile(r"(?<=[.!?…])[\"'”’)]*\s+|\n+")
_ABBREVIATIONS = frozenset(
    ("mr.", "mrs.", "ms.", "dr.", "prof.", "st.", "vs.", "e.g.", "i.e.", "approx.", "inc.", "ltd.", "a.m.", "p.m.")
)
# The first words may leave before the sentence is complete once they are this long and end in a comma.
_FIRST_CLAUSE_CHARACTERS = 60
# Half a minute of speech: what has no end by then is cut between words.
_MAX_SENTENCE_CHARACTERS = 500
# Longer than every abbreviation.
_LAST_WORD_CHARACTERS = 20


def render_template(text: str, variables: Mapping[str, str]) -> str:
    """`text` with every `{{name}}` replaced; a name without a value becomes nothing, and leaves no gap."""
    filled = _VARIABLE.sub(lambda match: variables.get(match[1].strip()) or _GAP, text)
    return _GAP_WITH_SPACE.sub("", filled)


def find_variables(text: str) -> list[str]:
    """The names that a template uses."""
    return [name.strip() for name in _VARIABLE.findall(text)]


class SentenceSplitter:
    """Cuts text that arrives in pieces into sentences, each as soon as it is certain to be whole."""

    def __init__(self) -> None:
        self._pending = ""
        self._is_first = True

    def push(self, text: str) -> list[str]:
        """Take a piece of text; the sentences that it completes."""
        self._pending += text
        sentences, start = [], 0
        while (end := self._find_end(start)) is not None:
            sentence, start = self._pending[start:end].strip(), end
            if sentence:
                sentences.append(sentence)
                self._is_first = False
        self._pending = self._pending[start:].lstrip()
        return sentences

    def flush(self) -> list[str]:
        """What is left at the end of the text."""
        rest, self._pending = self._pending.strip(), ""
        return [rest] if rest else []

    def _find_end(self, start: int) -> int | None:
        """Where the sentence that begins at `start` ends."""
        text, limit = self._pending, start + _MAX_SENTENCE_CHARACTERS
        for match in _BOUNDARY.finditer(text, start):
            if match.start() > limit:
                break
            words = text[max(start, match.start() - _LAST_WORD_CHARACTERS) : match.start()].split()
            if words and (words[-1].lower() not in _ABBREVIATIONS or "\n" in match[0]):
                return match.end()
        if self._is_first and len(text) - start > _FIRST_CLAUSE_CHARACTERS:
            comma = text.find(", ", start + _FIRST_CLAUSE_CHARACTERS // 2, limit)
            if comma >= 0:
                return comma + 2
        if len(text) <= limit:
            return None
        space = text.rfind(" ", start + 1, limit)
        return limit if space < 0 else space


def split_sentences(text: str) -> list[str]:
    """The sentences of a whole text."""
    splitter = SentenceSplitter()
    return splitter.push(text) + splitter.flush()


def cut_to_heard(text: str, *, heard_ms: int, words: Sequence[ports.Word], audio_ms: int | None) -> str:
    """The words of `text` that were heard when `heard_ms` of its audio had been played.

    `words` are the times so far, on that audio's clock; without them the text is spread over the audio, whose
    length is estimated while `audio_ms` is unknown (None). A word counts from the middle of its time on.
    """
    tokens = text.split()
    if not tokens or heard_ms <= 0:
        return ""
    if len(words) == len(tokens):
        heard = sum(1 for word in words if (word.start_ms + word.end_ms) / 2 <= heard_ms)
        return " ".join(tokens[:heard])
    # Spoken words and written tokens differ ("12" is "twelve"): map by the place in the text instead.
    length_ms = audio_ms or max(MS_PER_CHARACTER * len(text), heard_ms)
    if words and audio_ms:
        length_ms = min(audio_ms, words[-1].end_ms)
    share, position, kept = heard_ms / max(length_ms, 1) * len(text), 0, []
    for token in tokens:
        if position + len(token) / 2 > share:
            break
        kept.append(token)
        position += len(token) + 1
    return " ".join(kept)
