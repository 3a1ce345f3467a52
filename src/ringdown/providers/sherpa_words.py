"""From sherpa's tokens to words with times. Pure."""

import itertools
from collections.abc import Sequence

from ringdown.voice.ports import Word

# A model tells when a token begins; the last one of a word lasts about this long.
_TOKEN_MS = 200


def join_words(tokens: Sequence[str], starts_s: Sequence[float], *, text: str, offset_ms: int = 0) -> tuple[Word, ...]:
    """The words of `text`, whose tokens began at `starts_s`; none where tokens and text do not agree.

    A token that begins with a space begins a word.
    """
    if not tokens or len(tokens) != len(starts_s):
        return ()
    words: list[list[object]] = []
    for token, start_s in zip(tokens, starts_s, strict=True):
        token, start_ms = token.replace("▁", " "), round(start_s * 1000)
        if token.startswith(" ") or not words:
            words.append(["", start_ms, start_ms])
        words[-1][0] = f"{words[-1][0]}{token.strip()}"
        words[-1][2] = start_ms + _TOKEN_MS
    timed = [Word(str(word), int(str(start)) + offset_ms, int(str(end)) + offset_ms) for word, start, end in words]
    timed = [word for word in timed if word.text]
    if " ".join(word.text for word in timed) != " ".join(text.split()):
        return ()
    ends = [min(word.end_ms, follower.start_ms) for word, follower in itertools.pairwise(timed)]
    ends.append(timed[-1].end_ms)
    return tuple(Word(word.text, word.start_ms, max(word.start_ms, end)) for word, end in zip(timed, ends, strict=True))
