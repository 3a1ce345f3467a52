"""Keys that the caller presses, collected into an answer. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from ringdown.voice.turns import Completeness

# The pause after which the digits so far are the answer.
INTER_DIGIT_MS = 3000
FINISH_KEY = "#"
# A key press is reported at its start; this is about how long one lasts.
_KEY_MS = 100


@dataclass(frozen=True, slots=True)
class KeyedAnswer:
    """An answer by keys."""

    digits: str
    start_ms: int
    end_ms: int


class Keypad:
    """Collects keys until `judge` says complete, `#` is pressed or a pause follows."""

    def __init__(self, judge: Callable[[str], Completeness]) -> None:
        self._judge = judge
        self._digits = ""
        self._start_ms = 0
        self._last_ms = 0
        self._is_complete = False

    @property
    def is_active(self) -> bool:
        """Whether keys were pressed that are no answer yet."""
        return bool(self._digits) or self._is_complete

    def press(self, key: str, at_ms: int) -> None:
        """Take a key."""
        if not self.is_active:
            self._start_ms = at_ms
        self._last_ms = at_ms
        if key == FINISH_KEY:
            self._is_complete = True
            return
        self._digits += key
        # "partial" fits no answer, and more keys do not help: better say so at once.
        self._is_complete = self._is_complete or self._judge(self._digits) != "unknown"

    def take(self, now_ms: int, *, at_once: bool = False) -> KeyedAnswer | None:
        """The answer once it is one; `at_once` takes what there is."""
        if not self.is_active:
            return None
        if not (at_once or self._is_complete or now_ms - self._last_ms >= INTER_DIGIT_MS):
            return None
        answer = KeyedAnswer(self._digits or FINISH_KEY, self._start_ms, self._last_ms + _KEY_MS)
        self._digits, self._is_complete = "", False
        return answer
