"""The wheel on virtual time: deadlines, stalls, members that break."""

import pytest

from ringdown.media.wheel import Wheel


class Member:
    """Notes its ticks."""

    def __init__(self, wheel: Wheel | None = None, *, breaks_at: int | None = None) -> None:
        self.overdue: list[int] = []
        self.skipped = 0
        self._breaks_at = breaks_at
        self._wheel = wheel

    @property
    def ticks(self) -> int:
        return len(self.overdue) + self.skipped

    def tick(self, overdue_ms: int) -> None:
        self.overdue.append(overdue_ms)
        if len(self.overdue) == self._breaks_at:
            raise ZeroDivisionError

    def skip(self, ticks: int) -> None:
        self.skipped += ticks


def test_each_member_is_ticked_every_20_ms() -> None:
    wheel = Wheel(1000)
    members = [Member() for _ in range(90)]
    for member in members:
        wheel.add(member, 1000)
    for now_ms in range(1001, 3001):
        wheel.advance(now_ms)
    assert {member.ticks for member in members} == {100}
    assert {overdue for member in members for overdue in member.overdue} == {0}
    assert wheel.statistics.ticks == 9000


def test_few_members_share_few_slots_and_many_are_spread_evenly() -> None:
    wheel = Wheel(0)
    for _ in range(40):
        wheel.add(Member(), 0)
    assert _count_ticks(wheel) == {5: 10, 10: 10, 15: 10, 20: 10}
    for _ in range(260):
        wheel.add(Member(), 0)
    assert wheel.occupied_slots == 4
    wheel.add(Member(), 0)
    assert wheel.occupied_slots == 5
    for _ in range(1299):
        wheel.add(Member(), 0)
    assert _count_ticks(wheel) == dict.fromkeys(range(1, 21), 80)


def _count_ticks(wheel: Wheel) -> dict[int, int]:
    """The ticks of each millisecond of the next round that has any."""
    began_ms, ticked = wheel.position_ms, {}
    for offset_ms in range(1, 21):
        before = wheel.statistics.ticks
        wheel.advance(began_ms + offset_ms)
        if wheel.statistics.ticks > before:
            ticked[offset_ms] = wheel.statistics.ticks - before
    return ticked


def test_waking_late_moves_no_deadline() -> None:
    wheel, member = Wheel(0), Member()
    wheel.add(member, 0)
    first_ms = wheel.next_deadline_ms()
    assert first_ms is not None
    for tick in range(100):
        deadline_ms = wheel.next_deadline_ms()
        assert deadline_ms == first_ms + 20 * tick
        wheel.advance(deadline_ms + tick % 7)
    assert member.overdue == [tick % 7 for tick in range(100)]
    assert wheel.statistics.worst_overdue_ms == 6


def test_missed_ticks_are_run_at_once_after_a_stall() -> None:
    wheel, member = Wheel(0), Member()
    wheel.add(member, 0)
    wheel.advance(20)
    wheel.advance(320)
    assert member.ticks == 16
    assert member.skipped == 0
    assert max(member.overdue) == 280 + member.overdue[-1]
    assert wheel.statistics.ticks_late == sum(overdue > 40 for overdue in member.overdue)


def test_of_a_long_stall_only_the_last_second_is_run_but_time_stays_true() -> None:
    wheel, members = Wheel(0), [Member() for _ in range(30)]
    for member in members:
        wheel.add(member, 0)
    wheel.advance(60_000)
    assert {member.ticks for member in members} == {3000}
    assert all(50 <= len(member.overdue) <= 52 for member in members)
    assert wheel.statistics.ticks_skipped == sum(member.skipped for member in members)


def test_a_member_that_breaks_is_taken_off_and_the_others_go_on() -> None:
    wheel = Wheel(0)
    # Every fourth shares its slot, so the one that breaks is between two others.
    members = [Member(breaks_at=3 if index == 4 else None) for index in range(12)]
    for member in members:
        wheel.add(member, 0)
    now_ms, errors = 0, 0
    while now_ms < 200:
        now_ms += 1
        try:
            wheel.advance(now_ms)
        except ZeroDivisionError:
            errors += 1
    assert errors == 1
    assert [member.ticks for member in members] == [10] * 4 + [3] + [10] * 7
    assert len(wheel) == 11


def test_a_member_that_leaves_during_a_tick_is_not_ticked_again() -> None:
    wheel = Wheel(0)
    others, second = [Member() for _ in range(3)], Member()

    class Leaver(Member):
        def tick(self, overdue_ms: int) -> None:
            super().tick(overdue_ms)
            wheel.remove(self)
            wheel.remove(second)

    first = Leaver()
    for member in (first, *others, second):  # the last shares its slot with the first
        wheel.add(member, 0)
    wheel.advance(100)
    assert (first.ticks, second.ticks, len(wheel)) == (1, 0, 3)
    assert {member.ticks for member in others} == {5}


@pytest.mark.parametrize("joined_at_ms", [0, 7, 19, 20, 1234])
def test_the_first_tick_comes_within_one_frame(joined_at_ms: int) -> None:
    wheel = Wheel(0)
    wheel.add(Member(), joined_at_ms)
    deadline_ms = wheel.next_deadline_ms()
    assert deadline_ms is not None
    assert 0 < deadline_ms - joined_at_ms <= 20
