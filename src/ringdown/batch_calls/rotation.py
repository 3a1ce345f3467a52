"""Which of a batch call's numbers shows in each of its calls; pure rules."""

import heapq
import random
from collections.abc import Mapping, Sequence

from ringdown.batch_calls.models import RotationStrategy

#: By number id, when it was used last, counted in calls; a number that is not there was never used.
Uses = Mapping[str, int]


def choose_numbers(
    strategy: RotationStrategy,
    number_ids: Sequence[str],
    *,
    positions: Sequence[int],
    uses: Uses,
    rng: random.Random,
) -> tuple[list[str], Uses]:
    """The number of each call, by its contact's position in the batch call, and the uses with these calls.

    `random`: any. `sequential`: contact after contact takes the next number of the list, and keeps it in its retries.
    `round_robin`: always the number that was used least recently; a new one comes first.
    """
    if strategy == "random":
        return [rng.choice(number_ids) for _ in positions], uses
    if strategy == "sequential":
        return [number_ids[position % len(number_ids)] for position in positions], uses
    return _take_turns(number_ids, count=len(positions), uses=uses)


def _take_turns(number_ids: Sequence[str], *, count: int, uses: Uses) -> tuple[list[str], Uses]:
    clock = max(uses.values(), default=0)
    waiting = [(uses.get(number_id, 0), place, number_id) for place, number_id in enumerate(number_ids)]
    heapq.heapify(waiting)
    chosen = []
    for use in range(clock + 1, clock + 1 + count):
        _, place, number_id = waiting[0]
        heapq.heapreplace(waiting, (use, place, number_id))
        chosen.append(number_id)
    return chosen, {number_id: used_at for used_at, _, number_id in waiting if used_at}
