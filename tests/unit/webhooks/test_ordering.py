"""Which deliveries may be sent: in the order of their subject, and none that stands behind another one."""

from ringdown.webhooks import ordering
from ringdown.webhooks.ordering import Deferral, Pending

_NOW = 1_000_000


def _pending(
    name: str, due_in: int = 0, *, subject: str = "call_1", leased: bool = False, since: int | None = None
) -> Pending:
    return Pending(name, subject, _NOW + due_in, leased, since)


def test_what_is_due_of_a_subject_is_one_chain() -> None:
    choice = ordering.choose([_pending("a"), _pending("b"), _pending("c")], now_ms=_NOW)
    assert (choice.chains, choice.deferrals) == ([["a", "b", "c"]], [])


def test_each_subject_has_a_chain() -> None:
    choice = ordering.choose([_pending("a"), _pending("b", subject="call_2")], now_ms=_NOW)
    assert choice.chains == [["a"], ["b"]]


def test_what_stands_behind_one_that_is_sent_looks_again_soon() -> None:
    choice = ordering.choose([_pending("a", 40_000, leased=True), _pending("b"), _pending("c", 7)], now_ms=_NOW)
    assert choice.chains == []
    assert choice.deferrals == [Deferral("b", _NOW + 1_000, None)]


def test_what_stands_behind_one_that_waits_waits_as_long_and_fails_with_it() -> None:
    first = _pending("a", 40_000, since=5)
    choice = ordering.choose([first, _pending("b"), _pending("c", since=7)], now_ms=_NOW)
    assert choice.chains == []
    assert choice.deferrals == [Deferral("b", _NOW + 40_000, _NOW), Deferral("c", _NOW + 40_000, 7)]


def test_a_chain_ends_before_one_that_waits() -> None:
    choice = ordering.choose([_pending("a"), _pending("b", 10), _pending("c")], now_ms=_NOW)
    assert (choice.chains, choice.deferrals) == ([["a"]], [])


def test_a_lease_that_ran_out_holds_nothing() -> None:
    choice = ordering.choose([_pending("a", -1, leased=True), _pending("b")], now_ms=_NOW)
    assert choice.chains == [["a", "b"]]


def test_a_chain_is_bounded() -> None:
    choice = ordering.choose([_pending(str(number)) for number in range(30)], now_ms=_NOW)
    assert choice.chains == [[str(number) for number in range(ordering.MAX_CHAIN)]]
