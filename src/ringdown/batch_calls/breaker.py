"""When a batch call pauses by itself: too many of its last calls failed, or too few were answered; pure rules.

The memory is a text of one letter to a call that was dialled and has ended, the newest last.
"""

from ringdown.batch_calls.models import BatchCall
from ringdown.calls.models import Fault

#: So many calls are remembered, and fewer than `ENOUGH` prove nothing.
REMEMBERED = 50
ENOUGH = 20

_ANSWERED, _MISSED, _FAILED, _BROKEN = "amfb"
# Nobody who was called has anything to do with these.
_FAULTS: frozenset[Fault] = frozenset(("carrier", "provider", "ours"))
_LETTERS = {
    (False, True): _ANSWERED,
    (False, False): _MISSED,
    (True, False): _FAILED,
    (True, True): _BROKEN,
}


def remember(memory: str, *, fault: Fault, is_answered: bool) -> str:
    """The memory with one more call: whose doing its end was, and whether somebody had answered."""
    letter = _LETTERS[fault in _FAULTS, is_answered]
    return (memory + letter)[-REMEMBERED:]


def find_trip(batch: BatchCall) -> str | None:
    """Why the batch call must pause, as a sentence; None when it may go on."""
    memory = batch.recent_endings
    if len(memory) < ENOUGH:
        return None
    failed = sum(memory.count(letter) for letter in (_FAILED, _BROKEN))
    if failed > batch.max_failure_rate * len(memory):
        return (
            f"paused by itself: {failed} of the last {len(memory)} calls failed at the carrier, at a provider or "
            f"here, more than max_failure_rate {batch.max_failure_rate:g} allows"
        )
    answered = sum(memory.count(letter) for letter in (_ANSWERED, _BROKEN))
    if batch.min_answer_rate is not None and answered < batch.min_answer_rate * len(memory):
        return (
            f"paused by itself: {answered} of the last {len(memory)} calls were answered, fewer than "
            f"min_answer_rate {batch.min_answer_rate:g} asks for"
        )
    return None
