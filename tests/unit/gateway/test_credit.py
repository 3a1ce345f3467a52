"""Credits of calls that go on, on a virtual clock: more is held in time, and a call ends before it costs too much."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ringdown.billing import ledger
from ringdown.calls import credit as calls_credit
from ringdown.calls.credit import NeededTalk
from ringdown.config import Settings
from ringdown.gateway import credit
from ringdown.gateway.credit import CallCredit
from ringdown.voice.conversation import Conversation
from ringdown.voice.settings import ConversationSettings, GreetingSettings
from tests.fakes import virtual_time
from tests.unit.voice.brains import model
from tests.unit.voice.script import play

TARIFF: dict[str, Any] = {"credits_enforced": True, "credit_increment_seconds": 6, "credits_hold_seconds": 60}


@dataclass
class Ledger:
    """A balance, and what calls hold of it; `away_s` is how long the database does not answer at first."""

    settings: Settings
    balance: int
    held: dict[str, int] = field(default_factory=dict)
    asked: int = 0

    async def extend(self, _database: object, *, settings: Settings, needed: Sequence[NeededTalk]) -> dict[str, int]:
        self.asked += 1
        for each in needed:
            held = self.held[each.call_id]
            more = ledger.compute_extension(each.seconds, held=held, available=self.balance, tariff=settings)
            self.balance -= more
            self.held[each.call_id] = held + more
        return {each.call_id: self.held[each.call_id] for each in needed}


class Line:
    """A call whose media clock begins when it is made."""

    def __init__(self, book: Ledger, call_id: str = "call_1", *, is_on_hold: bool = False) -> None:
        self.call = SimpleNamespace(id=call_id, organization_id="org_1")
        self.credit = CallCredit(book.settings)
        self.dismissed: list[int] = []
        self.cut_ms = 0
        self.is_on_hold = is_on_hold
        self.conversation: Conversation | None = None
        book.held[call_id] = ledger.compute_hold(book.settings)
        book.balance -= book.held[call_id]
        self._began = asyncio.get_running_loop().time()

    @property
    def media_ms(self) -> int:
        return round((asyncio.get_running_loop().time() - self._began) * 1000)

    def dismiss(self) -> bool:
        self.dismissed.append(self.media_ms)
        return not self.is_on_hold

    def cut(self) -> None:
        self.cut_ms = self.media_ms

    async def watch(self) -> None:
        await self.credit.watch(lambda: self.media_ms, self.dismiss, self.cut)


def _settings(**changes: Any) -> Settings:
    return Settings(**(TARIFF | changes))


async def _extend(book: Ledger, lines: Sequence[Line]) -> None:
    services = cast("Any", SimpleNamespace(database=None, settings=book.settings))
    while True:
        await credit.extend_holds(services, cast("Any", lines))
        await asyncio.sleep(1)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cast("Any", tmp_path))


async def _until(seconds: float, *work: Any) -> None:
    tasks = [asyncio.create_task(each) for each in work]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize(
    ("balance", "changes", "cut_ms"),
    [
        (10, {}, 60_000),  # no more than the first hold
        (13, {}, 78_000),  # three increments more
        (100, {}, 600_000),
        (103, {"credits_per_increment": 5}, 120_000),
        (10, {"credits_hold_seconds": 6}, 60_000),
        (3, {"credits_hold_seconds": 0}, 18_000),
        (20, {"credits_minimum": 15}, 120_000),
        (7, {"credit_increment_seconds": 1, "credits_hold_seconds": 2}, 7_000),
    ],
)
def test_a_call_is_dismissed_and_cut_where_its_credits_end(
    balance: int, changes: dict[str, Any], cut_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def talk() -> None:
        book = Ledger(_settings(**changes), balance)
        monkeypatch.setattr(calls_credit, "extend_holds", book.extend)
        line = Line(book)
        await _until(700, _extend(book, [line]), line.watch())
        assert line.credit.is_spent
        assert cut_ms <= line.cut_ms <= cut_ms + 100
        [dismissed_ms] = line.dismissed
        assert max(0, cut_ms - credit.CLOSING_MS) <= dismissed_ms <= max(2000, cut_ms - credit.CLOSING_MS + 1000)
        cost = ledger.compute_cost(line.cut_ms // 1000, book.settings)
        assert cost <= book.held["call_1"] <= balance
        assert balance - cost < book.settings.credits_per_increment  # all was used that there was

    virtual_time.run(talk())


def test_calls_that_share_a_balance_never_cost_more_than_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk() -> None:
        book = Ledger(_settings(), 237)
        monkeypatch.setattr(calls_credit, "extend_holds", book.extend)
        lines = [Line(book, f"call_{number}") for number in range(20)]
        await _until(300, _extend(book, lines), *(line.watch() for line in lines))
        assert all(line.credit.is_spent for line in lines)
        costs = [ledger.compute_cost(line.cut_ms // 1000, book.settings) for line in lines]
        assert (book.balance, sum(costs)) == (0, 237)

    virtual_time.run(talk())


def test_who_cannot_be_spoken_to_is_asked_again_and_cut_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk() -> None:
        book = Ledger(_settings(), 10)
        monkeypatch.setattr(calls_credit, "extend_holds", book.extend)
        line = Line(book, is_on_hold=True)
        await _until(100, _extend(book, [line]), line.watch())
        assert len(line.dismissed) > 5
        assert 60_000 <= line.cut_ms <= 60_100

    virtual_time.run(talk())


def test_credits_that_come_before_the_last_words_let_the_call_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk() -> None:
        book = Ledger(_settings(), 10)
        monkeypatch.setattr(calls_credit, "extend_holds", book.extend)
        line = Line(book)

        async def grant() -> None:
            await asyncio.sleep(48)
            book.balance += 100

        await _until(100, _extend(book, [line]), line.watch(), grant())
        assert not line.dismissed
        assert not line.credit.is_spent

    virtual_time.run(talk())


@pytest.mark.parametrize("changes", [{"credits_enforced": False}, {"credits_per_increment": 0}])
def test_calls_that_need_no_credits_ask_for_none(changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk() -> None:
        book = Ledger(_settings(**changes), 0)
        monkeypatch.setattr(calls_credit, "extend_holds", book.extend)
        line = Line(book)
        watching = asyncio.create_task(line.watch())
        await _until(500, _extend(book, [line]))
        assert watching.done()
        assert (book.asked, line.dismissed, line.cut_ms) == (0, [], 0)

    virtual_time.run(talk())


def test_while_the_database_is_away_nobody_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk() -> None:
        line = Line(Ledger(_settings(), 100))
        await _until(500, line.watch())
        assert not line.dismissed
        assert not line.credit.is_spent

    virtual_time.run(talk())


def test_the_agent_says_its_last_words_before_the_credits_end(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _settings()
    book = Ledger(settings, 10)
    monkeypatch.setattr(calls_credit, "extend_holds", book.extend)
    tasks: list[asyncio.Task[None]] = []

    def begin(conversation: Conversation) -> None:
        line = Line(book)
        line.dismiss = conversation.dismiss  # type: ignore[method-assign]
        tasks.extend(asyncio.create_task(each) for each in (line.watch(), _extend(book, [line])))

    story = " ".join(f"word{number}" for number in range(500))
    wanted = ConversationSettings(greeting=GreetingSettings(text=story), time_exceeded_message="Our time is over.")
    played = play(model()[0], [], settings=wanted, hang_up_ms=100_000, on_begin=begin)
    assert played.end.reason == "dismissed"
    assert played.lines[-1] == ("agent", "Our time is over.")
    assert 50_000 <= played.turns[-1].start_ms <= 51_100
    assert played.ended_ms < 60_000
    assert len(tasks) == 2
