"""What a call has taught about its caller's pauses and about its recognizer's full stops. Pure."""

from collections import deque

# Shorter gaps are part of a word; longer ones were no pause, the caller had been done.
_PAUSE_MS = (250, 2000)
_KEPT_PAUSES = 6
# A pause that is a little longer than those before it is still a pause.
_MARGIN = 1.2
# What a full stop that did not hold adds to the next waits, what one that held takes away again, and the most.
_BROKEN_MS, _KEPT_MS, _MAX_DOUBT_MS = 250, 100, 750
# So many turns that ended without punctuation: this recognizer only writes some.
_BARE_TURNS = 2
_ENDS = (".", "?", "!", "。", "？", "！")
_PUNCTUATION = (*_ENDS, ",")


def has_full_stop(text: str) -> bool:
    """Whether the text ends like a sentence."""
    return text.rstrip().endswith(_ENDS) and not text.rstrip().endswith("...")


class Manner:
    """How this caller pauses and how this recognizer writes; learns in the call."""

    def __init__(self) -> None:
        self._pauses: deque[int] = deque(maxlen=_KEPT_PAUSES)
        self._bare_turns = 0
        # A full stop was seen.
        self._is_seen = False
        # What is waited for a sentence that seems finished, beyond the usual.
        self.doubt_ms = 0

    @property
    def pause_ms(self) -> int:
        """How long to wait for this caller to go on; 0 while nothing is known of his pauses."""
        if len(self._pauses) < 2:
            return 0
        return int(sorted(self._pauses)[-2] * _MARGIN)

    def is_punctuated(self, text: str) -> bool:
        """Whether the recognizer writes punctuation, so that a sentence without a full stop is unfinished."""
        if self._bare_turns >= _BARE_TURNS:
            return False
        bare = text.strip()
        if self._is_seen or any(mark in bare for mark in _PUNCTUATION):
            return True
        # "I" is a capital in any case.
        return len(bare.split(" ")[0].split("'")[0]) > 1 and bare[0].isupper() and not bare.isupper()

    def note_pause(self, pause_ms: int) -> None:
        """The caller went on after so much silence."""
        if _PAUSE_MS[0] <= pause_ms <= _PAUSE_MS[1]:
            self._pauses.append(pause_ms)

    def note_broken(self, pause_ms: int) -> None:
        """A sentence that seemed finished went on after a pause; after none it was only followed by the next."""
        if pause_ms >= _PAUSE_MS[0]:
            self.doubt_ms = min(self.doubt_ms + _BROKEN_MS, _MAX_DOUBT_MS)

    def note_turn(self, text: str) -> None:
        """A turn was answered, and the caller did not go on."""
        self.doubt_ms = max(self.doubt_ms - _KEPT_MS, 0)
        if has_full_stop(text):
            self._is_seen, self._bare_turns = True, 0
        else:
            self._bare_turns += 1
