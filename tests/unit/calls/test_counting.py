"""What is counted of calls adds up, whatever range, filter and page is asked for."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringdown.calls import counting
from ringdown.calls.counting import Counted, Facts, Scheme, Stretch

_SCHEMES = [Scheme(4, 3), Scheme(1, 2), Scheme(7, 5)]
_AGENTS, _DIRECTIONS = ("agt_a", "agt_b"), ("inbound", "outbound", "webrtc")
_STATES = (("queued", None), ("completed", "user_hangup"), ("failed", "cancelled"), ("completed", "cancelled"))


@pytest.fixture(params=_SCHEMES, ids=str, autouse=True, scope="module")
def scheme(request: pytest.FixtureRequest) -> Iterator[Scheme]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "SCHEME", request.param)
        yield request.param


def _facts() -> st.SearchStrategy[Facts]:
    def build(agent_id: str, direction: str, state: tuple[str, str | None], batch: str | None) -> Facts:
        return Facts(agent_id, "outbound" if batch else direction, *state, batch)

    return st.builds(
        build,
        st.sampled_from(_AGENTS),
        st.sampled_from(_DIRECTIONS),
        st.sampled_from(_STATES),
        st.sampled_from([None, "batch_1", "batch_2"]),
    )


@given(
    calls=st.lists(_facts(), max_size=20),
    wanted=st.fixed_dictionaries(
        {
            "agent_id": st.sampled_from([None, *_AGENTS, "agt_c"]),
            "direction": st.sampled_from([None, *_DIRECTIONS]),
            "status": st.sampled_from([None, "queued", "completed", "failed"]),
            "ended_reason": st.sampled_from([None, "user_hangup", "cancelled"]),
            "batch_call_id": st.sampled_from([None, "batch_1", "batch_3"]),
        }
    ),
)
def test_the_counts_of_the_keys_of_a_filter_add_up_to_the_calls_that_match(
    calls: list[Facts], wanted: dict[str, str | None]
) -> None:
    counts = Counter(key for facts in calls for key in counting.list_keys(facts))
    matching = [
        facts for facts in calls if all(value in (None, getattr(facts, name)) for name, value in wanted.items())
    ]
    assert sum(counts[key] for key in counting.find_keys(**wanted)) == len(matching)


@given(facts=_facts())
def test_a_call_counts_once_under_each_of_its_keys(facts: Facts) -> None:
    keys = counting.list_keys(facts)
    assert len(keys) == len(set(keys)) <= 18


def test_an_agent_whose_name_looks_like_a_key_finds_the_counts_of_nobody_else() -> None:
    facts = Facts("agt_a", "inbound", "queued", None, None)
    assert counting.find_keys(agent_id="agt_a|inbound")[0] not in counting.list_keys(facts)


def _leaves(stretch: Stretch, sealed_blocks: int) -> list[Stretch]:
    if counting.is_block(stretch):
        return [stretch]
    return [leaf for part in counting.split(stretch) for leaf in _leaves(part, sealed_blocks)]


@given(first=st.integers(1, 800), length=st.integers(0, 800), sealed_blocks=st.integers(0, 200))
def test_a_range_is_made_of_neighbouring_stretches_that_cover_it_once(
    scheme: Scheme, first: int, length: int, sealed_blocks: int
) -> None:
    last = first + length - 1
    stretches = counting.decompose(first, last, sealed_blocks=sealed_blocks)
    covered = [seq for part in stretches for seq in range(part.first, part.last + 1)]
    assert covered == list(range(first, last + 1))
    live = [part for part in stretches if part.node is None]
    assert len(live) <= 2
    for part in live:
        is_edge = part.last - part.first + 1 < 2 * scheme.block_size
        assert is_edge or part.last > sealed_blocks * scheme.block_size
    nodes = [part.node for part in stretches if part.node is not None]
    assert len(nodes) <= 1 + (counting.ROOT_LEVEL - 1) * 2 * scheme.fan_out + sealed_blocks // scheme.fan_out**2


@given(first=st.integers(1, 800), length=st.integers(1, 800), sealed_blocks=st.integers(1, 200))
def test_the_nodes_of_a_range_have_the_counts_of_its_sealed_blocks_and_no_others(
    scheme: Scheme, first: int, length: int, sealed_blocks: int
) -> None:
    counts = counting.roll_up((block, "key", 1) for block in range(sealed_blocks))
    for part in counting.decompose(first, first + length - 1, sealed_blocks=sealed_blocks):
        if part.node is None:
            continue
        blocks = (part.last - part.first + 1) / scheme.block_size
        assert counts[part.node, "key"] == blocks
        leaves = _leaves(part, sealed_blocks)
        assert [leaf.first for leaf in leaves] == [leaf.last + 1 - scheme.block_size for leaf in leaves]
        assert (leaves[0].first, leaves[-1].last, len(leaves)) == (part.first, part.last, blocks)
        assert all(counts[leaf.node, "key"] == 1 for leaf in leaves if leaf.node is not None)


@given(sealed_blocks=st.integers(1, 200))
def test_a_node_is_split_into_more_than_one_unless_it_is_one_block(scheme: Scheme, sealed_blocks: int) -> None:
    [root, _] = counting.decompose(1, counting.LAST_SEQ, sealed_blocks=sealed_blocks)
    waiting = [root]
    while waiting:
        parts = counting.split(waiting.pop())
        assert len(parts) > 1 or parts[0].last - parts[0].first + 1 == scheme.block_size
        waiting += [part for part in parts if not counting.is_block(part)]


@given(
    sizes=st.lists(st.integers(0, 5), max_size=12),
    gaps=st.lists(st.booleans(), min_size=12, max_size=12),
    skipped=st.integers(0, 40),
    limit=st.integers(1, 20),
    newest_first=st.booleans(),
)
def test_a_page_of_counted_stretches_is_read_whole_and_skips_what_stands_before_it(
    *, sizes: list[int], gaps: list[bool], skipped: int, limit: int, newest_first: bool
) -> None:
    counted, start = [], 1
    for size, has_gap in zip(sizes, gaps, strict=False):
        start += 10 * has_gap
        counted.append(Counted(Stretch(start, start + 9), size))
        start += 10
    if newest_first:
        counted.reverse()
    rows = [one.stretch.first + number for one in counted for number in range(one.calls)]
    rows.sort(reverse=newest_first)
    needed, rest = counting.trim(counted, skipped=skipped, limit=limit)
    page: list[int] = []
    for first, last, offset in counting.list_walks(needed, rest):
        page += [seq for seq in rows if first <= seq <= last][offset : offset + limit - len(page)]
    assert page == rows[skipped : skipped + limit]
    assert sum(1 for one in needed if not one.calls) == 0


def test_no_more_than_what_a_page_needs_is_opened() -> None:
    counted = [Counted(Stretch(10 * n + 1, 10 * n + 10), 10) for n in range(10)]
    needed, skipped = counting.trim(counted, skipped=35, limit=10)
    assert [one.stretch.first for one in needed] == [31, 41]
    assert skipped == 5


@given(nodes=st.lists(st.integers(0, 30), max_size=20))
def test_nodes_that_follow_each_other_are_one_run(nodes: list[int]) -> None:
    runs = counting.list_runs(nodes)
    assert [node for first, last in runs for node in range(first, last + 1)] == sorted(set(nodes))
    assert all(before[1] + 1 < after[0] for before, after in pairwise(runs))
