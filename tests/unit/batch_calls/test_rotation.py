"""How the numbers of a batch call take turns."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringdown.batch_calls.models import RotationStrategy
from ringdown.batch_calls.rotation import Uses, choose_numbers

IDS = ["num_a", "num_b", "num_c"]


def choose(
    strategy: RotationStrategy, ids: list[str], positions: list[int], uses: Uses | None = None
) -> tuple[list[str], Uses]:
    return choose_numbers(strategy, ids, positions=positions, uses=uses or {}, rng=random.Random(1))


@pytest.mark.parametrize(("strategy", "positions", "uses", "chosen"), [
    ("sequential", [0, 1, 2, 3], {}, ["num_a", "num_b", "num_c", "num_a"]),
    # A retry shows the number that the contact knows.
    ("sequential", [4, 0, 4], {}, ["num_b", "num_a", "num_b"]),
    ("round_robin", [0, 1, 2, 3], {}, ["num_a", "num_b", "num_c", "num_a"]),
    ("round_robin", [9, 9], {"num_a": 5, "num_b": 4, "num_c": 6}, ["num_b", "num_a"]),
    # One that was added is used first, one that was taken away not at all.
    ("round_robin", [0, 1], {"num_a": 1, "num_b": 2, "num_x": 0}, ["num_c", "num_a"]),
])  # fmt: skip
def test_numbers_take_turns(strategy: RotationStrategy, positions: list[int], uses: Uses, chosen: list[str]) -> None:
    assert choose(strategy, IDS, positions, uses)[0] == chosen


def test_any_number_is_chosen_at_random() -> None:
    chosen, uses = choose("random", IDS, list(range(3000)))
    assert uses == {}
    assert all(900 < count < 1100 for count in Counter(chosen).values()) and set(chosen) == set(IDS)


def test_the_turns_go_on_where_they_ended() -> None:
    first, uses = choose("round_robin", IDS, [0, 1])
    second, uses = choose("round_robin", IDS, [2, 3], uses)
    assert first + second == ["num_a", "num_b", "num_c", "num_a"]
    assert uses == {"num_b": 2, "num_c": 3, "num_a": 4}


@given(st.lists(st.tuples(st.sets(st.sampled_from("abcdef"), min_size=1), st.integers(0, 7)), max_size=30))
def test_the_least_recently_used_number_is_always_next(steps: list[tuple[set[str], int]]) -> None:
    uses: Uses = {}
    for ids, count in steps:
        listed, before = sorted(ids), dict(uses)
        chosen, uses = choose("round_robin", listed, [0] * count, uses)
        for place, number_id in enumerate(chosen):
            others = [before.get(other, 0) for other in listed]
            assert before.get(number_id, 0) == min(others)
            before[number_id] = max([0, *before.values(), *uses.values()]) + place + 1
        spread = Counter(chosen)
        assert max(spread.values(), default=0) - min((spread[each] for each in listed), default=0) <= 1
