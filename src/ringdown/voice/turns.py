"""The rules of taking turns: when a turn is over, when the caller interrupts, what is only a sign of listening.

Pure: every function decides from words and durations alone.
"""

import re
from collections.abc import Sequence
from typing import Literal

from ringdown.voice import manner as manner_module
from ringdown.voice import settings as settings_module
from ringdown.voice.vocabulary import Vocabulary

# Silence after which answering begins, on the chance that the turn is over.
SPECULATION_SILENCE_MS = 200
# The words are a finished sentence: answering begins as soon as the voice falls silent.
EARLY_SILENCE_MS = 60
# An answer that does not fit the question yet.
PARTIAL_SILENCE_MS = 900
# A number that is still growing: it is told in groups.
NUMBER_SILENCE_MS = 1500
# The recognizer writes full stops, and there is none.
UNFINISHED_SILENCE_MS = 1500
# "Yes", "no", "hello": often all, without punctuation.
SHORT_ANSWER_SILENCE_MS = 400
# Free speech without punctuation: neither finished nor trailing.
UNDECIDED_SILENCE_MS = 700
# A number that is as long as numbers are, without punctuation.
LONG_NUMBER_SILENCE_MS = 900
# "I would like to come and…": the longest we wait for the rest.
MAX_SILENCE_MS = 1500
# Voiced time over the agent that is more than a sign of listening; a long "mhm" is 350 ms.
BACKCHANNEL_MS = 400
# The same while it is not known whether the recognizer would tell words by now.
UNSURE_MS = 700
# Voice that goes on for so long after a sign of listening is about to say more ("okay, stop").
UNTOLD_MS = 300
# Silence after nothing but signs of listening: the agent that they have stopped goes on.
RESUME_SILENCE_MS = 150
# Voice without words, from a recognizer that tells them: a cough, music, people in the background.
WORDLESS_SPEECH_MS = 3000
# Signs of listening at the end of a question are answers: the caller heard it.
NEARLY_FINISHED_MS = 1000
# Longer than any cough: somebody speaks, even when no word was understood.
CERTAIN_SPEECH_MS = 1500
# A caller, or a television, that never pauses: then the agent says something.
MAX_TURN_MS = 60_000
# So many digits in a row are a number that is being told, so many its usual length (telephone numbers).
GROWING_DIGITS = 2
USUAL_DIGITS = 9

Completeness = Literal["complete", "partial", "unknown"]

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_CONTINUES = (",", "…", "...", "-", ":")


def split_words(text: str) -> list[str]:
    """The words of a sentence in lower case, without punctuation."""
    return _WORD.findall(text.lower())


def is_finished(text: str) -> bool:
    """Whether the recognizer's punctuation says that the sentence is over."""
    return manner_module.has_full_stop(text)


def is_trailing(text: str, vocabulary: Vocabulary) -> bool:
    """Whether the words so far ask for more: "and", "my", a comma; after "the" a full stop means nothing."""
    stripped = text.rstrip()
    if stripped.endswith(_CONTINUES):
        return True
    words = split_words(stripped)
    if not words:
        return False
    if is_finished(stripped):
        return words[-1] in vocabulary.binding and len(words) > 1 and stripped.endswith(".")
    return words[-1] in vocabulary.trailing or " ".join(words[-2:]) in vocabulary.trailing_pairs


def count_last_digits(text: str, vocabulary: Vocabulary) -> int:
    """How many digits (or spoken numbers) the text ends with."""
    count = 0
    for word in reversed(split_words(text.replace("-", " "))):
        if word.isdigit():
            count += len(word)
        elif word in vocabulary.numerals:
            count += 1
        else:
            break
    return count


def release_silence_ms(
    text: str,
    *,
    completeness: Completeness,
    vad: settings_module.VadSettings,
    vocabulary: Vocabulary,
    manner: manner_module.Manner,
) -> int:
    """How long the caller must have been silent before the answer to `text` may be heard."""
    digits = count_last_digits(text, vocabulary)
    if completeness == "complete":
        wait = SPECULATION_SILENCE_MS
    elif is_trailing(text, vocabulary):
        wait = MAX_SILENCE_MS
    elif completeness == "partial":
        wait = NUMBER_SILENCE_MS if digits else PARTIAL_SILENCE_MS
    elif is_finished(text):
        wait = SPECULATION_SILENCE_MS + manner.doubt_ms
    elif manner.is_punctuated(text):
        wait = UNFINISHED_SILENCE_MS
    elif digits >= GROWING_DIGITS:
        wait = LONG_NUMBER_SILENCE_MS if digits >= USUAL_DIGITS else NUMBER_SILENCE_MS
    elif is_short_answer(text, vocabulary):
        wait = SHORT_ANSWER_SILENCE_MS
    else:
        wait = min(max(UNDECIDED_SILENCE_MS, manner.pause_ms), UNFINISHED_SILENCE_MS)
    return max(wait, vad.turn_endpoint_delay_ms or 0)


def is_short_answer(text: str, vocabulary: Vocabulary) -> bool:
    """Whether `text` is nothing but "yes", "no thanks", "hello"."""
    words = split_words(text)
    return bool(words) and all(word in vocabulary.answers for word in words)


def is_backchannel(text: str, vocabulary: Vocabulary, *, is_farewell_heard: bool = False) -> bool:
    """Whether `text` is nothing but signs of listening; after our farewell a farewell is one too."""
    known = vocabulary.listening | vocabulary.farewells if is_farewell_heard else vocabulary.listening
    return all(word in known for word in split_words(text))


def remove_echo(text: str, said: Sequence[str]) -> str:
    """`text` without the words of ours that came back in it: runs of two and more in the order that we said them."""
    words, kept, start = split_words(text), list[str](), 0
    while start < len(words):
        length = _count_common(words[start:], said)
        # The last word of the text may be the beginning of such a run.
        is_echo = length >= 2 or (length == 1 and start == len(words) - 1)
        kept += [] if is_echo else words[start : start + max(length, 1)]
        start += max(length, 1)
    return " ".join(kept)


def _count_common(words: Sequence[str], said: Sequence[str]) -> int:
    """How many words from the first on were said by us in a row, at most."""
    longest = 0
    for start in range(len(said)):
        length = 0
        while length < min(len(words), len(said) - start) and words[length] == said[start + length]:
            length += 1
        longest = max(longest, length)
    return longest


def interrupts(
    *,
    voiced_ms: int,
    partial: str,
    tells_words: bool | None,
    untold_ms: int,
    vad: settings_module.VadSettings,
    vocabulary: Vocabulary,
) -> bool:
    """Whether the caller, speaking over the agent, now stops it.

    Speech shorter than the configured minimum never does; beyond it, words that say something do at once.
    `untold_ms` is the voice since the last of them, `tells_words` whether the recognizer tells words while they are
    spoken (None: not known yet): if it does, voice without words is most likely none, else anything longer than a sign
    of listening stops the agent.
    """
    if voiced_ms < max(vad.minimum_interruption_duration_ms, vad.minimum_turn_duration_ms):
        return False
    if partial:
        if not is_backchannel(partial, vocabulary):
            return True
        return untold_ms >= UNTOLD_MS or voiced_ms >= CERTAIN_SPEECH_MS
    if tells_words:
        return voiced_ms >= WORDLESS_SPEECH_MS
    return voiced_ms >= (UNSURE_MS if tells_words is None else BACKCHANNEL_MS)


def is_turn(
    text: str,
    *,
    is_understood: bool,
    voiced_ms: int,
    vad: settings_module.VadSettings,
    tells_words: bool | None = False,
) -> bool:
    """Whether an utterance in the agent's silence is a turn, rather than a cough or too short."""
    if voiced_ms < vad.minimum_turn_duration_ms:
        return False
    if text or not is_understood:
        return True
    if tells_words:
        return voiced_ms >= WORDLESS_SPEECH_MS
    return voiced_ms >= (CERTAIN_SPEECH_MS if tells_words is None else BACKCHANNEL_MS)


def stops_agent(
    text: str,
    *,
    is_understood: bool,
    voiced_ms: int,
    remaining_ms: int,
    tells_words: bool | None,
    is_answer: bool,
    is_question: bool,
    is_farewell_heard: bool,
    vocabulary: Vocabulary,
) -> bool:
    """Whether a finished utterance over the agent takes the turn; otherwise the agent's sentence goes on.

    `remaining_ms` is what the agent has yet to say, `is_question` that it asks something, `is_answer` that the words
    fit a question it has asked.
    """
    if not text:
        certain_ms = WORDLESS_SPEECH_MS if tells_words else CERTAIN_SPEECH_MS
        return voiced_ms >= (certain_ms if is_understood else BACKCHANNEL_MS)
    if is_answer:
        return True
    return not is_backchannel(text, vocabulary, is_farewell_heard=is_farewell_heard) or (
        is_question and remaining_ms < NEARLY_FINISHED_MS and not is_farewell_heard
    )
