"""The rules of taking turns: when a turn is over, when the caller interrupts, what is only a sign of listening.

Pure: every function decides from words and durations alone.
"""

import re
from typing import Literal

from ringdown.voice import settings as settings_module

# Silence after which answering begins, on the chance that the turn is over.
SPECULATION_SILENCE_MS = 200
# An answer that is still growing (digits in groups), or does not fit the question yet.
PARTIAL_SILENCE_MS = 900
# Free speech without punctuation: neither finished nor trailing.
UNDECIDED_SILENCE_MS = 500
# "I would like to come and…": the longest we wait for the rest.
MAX_SILENCE_MS = 1500
# Voiced time over the agent that is more than a sign of listening; a long "mhm" is 350 ms.
BACKCHANNEL_MS = 400
# Signs of listening at the end of a sentence are answers: the caller heard the question.
NEARLY_FINISHED_MS = 1000
# Longer than any cough: somebody speaks, even when no word was understood.
CERTAIN_SPEECH_MS = 1500
# A caller, or a television, that never pauses: then the agent says something.
MAX_TURN_MS = 60_000

Completeness = Literal["complete", "partial", "unknown"]

_TRAILING = frozenset(
    (
        "a", "about", "an", "and", "are", "as", "at", "because", "but", "by", "for", "from", "he", "i", "if",
        "in", "is", "it", "its", "just", "like", "maybe", "my", "of", "on", "or", "our", "she", "so", "that",
        "the", "their", "then", "they", "to", "uh", "uhm", "um", "until", "was", "we", "well", "when", "which",
        "with", "you", "your", "er", "erm", "hmm",
    )
)  # fmt: skip
_BACKCHANNELS = frozenset(
    (
        "ah", "aha", "alright", "cool", "fine", "good", "got", "great", "haha", "hey", "hello", "hi", "hm",
        "hmm", "huh", "i", "it", "mhm", "mm", "mmhm", "nice", "oh", "ok", "okay", "really", "right", "see",
        "sure", "true", "uh", "uhm", "uhuh", "um", "very", "well", "wow", "yeah", "yep", "yes", "yup",
    )
)  # fmt: skip
_FAREWELLS = frozenset(
    (
        "bye", "goodbye", "thank", "thanks", "you", "too", "and", "have", "a", "day", "good", "nice",
    )
)  # fmt: skip
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")


def split_words(text: str) -> list[str]:
    """The words of a sentence in lower case, without punctuation."""
    return _WORD.findall(text.lower())


def is_finished(text: str) -> bool:
    """Whether the recognizer's punctuation says that the sentence is over."""
    return text.rstrip().endswith((".", "?", "!")) and not text.rstrip().endswith("...")


def is_trailing(text: str) -> bool:
    """Whether the words so far ask for more: "and", "my", a comma."""
    stripped = text.rstrip()
    if stripped.endswith((",", "…", "...", "-", ":")):
        return True
    words = split_words(stripped)
    return bool(words) and words[-1] in _TRAILING and not is_finished(stripped)


def release_silence_ms(text: str, *, completeness: Completeness, vad: settings_module.VadSettings) -> int:
    """How long the caller must have been silent before the answer to `text` may be heard."""
    if completeness == "complete":
        wait = SPECULATION_SILENCE_MS
    elif is_trailing(text):
        wait = MAX_SILENCE_MS
    elif completeness == "partial":
        wait = PARTIAL_SILENCE_MS
    elif is_finished(text):
        wait = SPECULATION_SILENCE_MS
    else:
        wait = UNDECIDED_SILENCE_MS
    return max(wait, vad.turn_endpoint_delay_ms or 0)


def is_backchannel(text: str, *, is_farewell_heard: bool = False) -> bool:
    """Whether `text` is nothing but signs of listening; after our farewell a farewell is one too."""
    known = _BACKCHANNELS | _FAREWELLS if is_farewell_heard else _BACKCHANNELS
    return all(word in known for word in split_words(text))


def interrupts(*, voiced_ms: int, partial: str, vad: settings_module.VadSettings) -> bool:
    """Whether the caller, speaking over the agent, now stops it.

    Speech shorter than the configured minimum never does; beyond it, words that say something do at once, and
    anything longer than a sign of listening does without words.
    """
    if voiced_ms < max(vad.minimum_interruption_duration_ms, vad.minimum_turn_duration_ms):
        return False
    if partial and not is_backchannel(partial):
        return True
    return voiced_ms >= (CERTAIN_SPEECH_MS if partial else BACKCHANNEL_MS)


def is_turn(text: str, *, is_understood: bool, voiced_ms: int, vad: settings_module.VadSettings) -> bool:
    """Whether an utterance in the agent's silence is a turn, rather than a cough or too short."""
    if voiced_ms < vad.minimum_turn_duration_ms:
        return False
    return bool(text) or not is_understood or voiced_ms >= BACKCHANNEL_MS


def stops_agent(
    text: str, *, is_understood: bool, voiced_ms: int, remaining_ms: int, is_answer: bool, is_farewell_heard: bool
) -> bool:
    """Whether a finished utterance over the agent takes the turn; otherwise the agent's sentence goes on.

    `remaining_ms` is what the agent has yet to say, `is_answer` that the words fit a question it has asked.
    """
    if not text:
        return voiced_ms >= (BACKCHANNEL_MS if not is_understood else CERTAIN_SPEECH_MS)
    if is_answer:
        return True
    return not is_backchannel(text, is_farewell_heard=is_farewell_heard) or (
        remaining_ms < NEARLY_FINISHED_MS and not is_farewell_heard
    )
