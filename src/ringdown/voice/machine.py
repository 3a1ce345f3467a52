"""Who or what has answered our call: the verdict on words, cadence and tones. Pure."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from ringdown.voice import cadence, phrases, settings

Verdict = Literal["human", "machine", "screening", "menu", "fax", "unknown"]
Hint = Literal["human", "machine", "screening", "menu", "waiting"]

# A recorded greeting that has gone on for seconds has at least so many words.
_GREETING_WORDS = 6
# The words of what is hardly louder than the line are waited for so long.
_WORDS_WAIT_MS = 500
_NO_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict, and what it rests on: words, cadence, a tone, silence, time."""

    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was heard of the far party so far.

    `text` is None while nobody knows the words, and `is_deaf` tells that nobody will. `quiet_ms` is the silence of a
    line on which nobody has spoken; `has_voice` is False for a line on which nothing was louder than its noise.
    """

    spoken_ms: int
    silence_ms: int
    quiet_ms: int
    text: str | None = None
    is_deaf: bool = False
    has_voice: bool = True


def read_words(text: str, *, is_first: bool) -> Hint | None:
    """What `text` tells about who says it; `is_first`: these are the first words of the call."""
    words = normalize(text)
    if not words:
        return None
    if _has(words, _SCREENING):
        return "screening"
    if _has(words, _VOICEMAIL):
        return "machine"
    if _has(words, _MENU):
        return "menu"
    if not is_first:
        return None
    if _has(words, _PERSON):
        return "human"
    if _has(words, _VOICEMAIL_FIRST):
        return "machine"
    return "waiting" if _has(words, _WAITING) else None


def judge(evidence: Evidence, *, limits: settings.MachineSettings) -> Finding | None:
    """The verdict on the first words of a call; None while it is open."""
    hint = read_words(evidence.text, is_first=True) if evidence.text else None
    if hint in ("machine", "screening", "menu"):
        return Finding(hint, "words")
    spoken_ms, silence_ms = evidence.spoken_ms, evidence.silence_ms
    if not spoken_ms:
        return Finding("unknown", "silence") if evidence.quiet_ms >= limits.max_silence_ms else None
    if _is_noise(evidence, max_silence_ms=limits.max_silence_ms):
        return Finding("unknown", "silence")
    if hint == "human":
        return Finding("human", "words") if silence_ms >= cadence.PAUSE_MS else None
    if hint == "waiting":
        return None
    if cadence.judge_cadence(spoken_ms=spoken_ms, silence_ms=silence_ms) == "human":
        return Finding("human", "cadence")
    if spoken_ms <= cadence.LONG_MS:
        # Clicks and coughs do not keep anybody waiting.
        return Finding("unknown", "silence") if silence_ms >= limits.max_silence_ms else None
    if evidence.is_deaf:
        return Finding("machine", "cadence")
    if evidence.text and silence_ms >= cadence.PAUSE_MS:
        # The words are known, and are not a machine's: businesses answer at length.
        return Finding("human", "words")
    if spoken_ms >= limits.max_detection_ms or silence_ms >= cadence.PAUSE_MS:
        # Voices in the background have no words, music neither.
        is_sparse = evidence.text is not None and len(evidence.text.split()) < _GREETING_WORDS
        return Finding("unknown", "time") if is_sparse else Finding("machine", "cadence")
    return None


def _is_noise(evidence: Evidence, *, max_silence_ms: int) -> bool:
    """Whether what was heard for so long has no words, or no voice where nobody can tell words: a street, a room."""
    if evidence.text == "" and not evidence.is_deaf:
        return evidence.quiet_ms >= max_silence_ms
    if evidence.text or evidence.has_voice:
        return False
    return evidence.quiet_ms >= max_silence_ms + (0 if evidence.is_deaf else _WORDS_WAIT_MS)


def normalize(text: str) -> str:
    """Lower-case words without accents, separated by single spaces."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return _NO_WORD.sub(" ", plain).strip()


def _compile(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


def _has(words: str, pattern: re.Pattern[str]) -> bool:
    return pattern.search(words) is not None


_VOICEMAIL = _compile(phrases.VOICEMAIL)
_VOICEMAIL_FIRST = _compile(phrases.VOICEMAIL_FIRST)
_SCREENING = _compile(phrases.SCREENING)
_MENU = _compile(phrases.MENU)
_PERSON = _compile(phrases.PERSON)
_WAITING = _compile(phrases.WAITING)
