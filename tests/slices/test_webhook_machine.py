"""Deliveries as a state machine: whatever senders, receivers and clocks do, nothing is lost and nothing overtakes."""

import asyncio
import tempfile
from collections import defaultdict
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ringdown.accounts import service as accounts
from ringdown.config import Settings
from ringdown.db import engine
from ringdown.webhooks import delivering, delivery_store
from tests.slices.webhook_sending import START, VirtualSender, add_endpoint, list_rows, record

_SENDERS = st.integers(0, 1)
_SUBJECTS = st.sampled_from(["call_1", "call_2"])
_HOUR = 3_600_000
_MARGIN_MS = 15_000


class Deliveries(RuleBasedStateMachine):
    """Two senders on one database, and a receiver that keeps what it accepted in the order in which it came."""

    @initialize()
    def begin(self) -> None:
        self._runner = asyncio.Runner()
        self._folder = tempfile.TemporaryDirectory()
        self._now = START
        self._events: dict[str, list[str]] = defaultdict(list)
        self._accepted: list[str] = []
        self._was_parked: set[str] = set()
        self._runner.run(self._open())

    async def _open(self) -> None:
        folder = Path(self._folder.name)
        self._database = engine.open_database(f"sqlite+aiosqlite:///{folder / 'a.db'}")
        async with self._database.write() as connection:
            await connection.run_sync(engine.metadata.create_all)
        self._owner = (await accounts.create_organization(self._database, name="Ours")).id
        self._endpoint = await add_endpoint(self._database, Settings(data_dir=folder), self._owner)
        self._senders = [VirtualSender(self._database) for _ in range(2)]

    def teardown(self) -> None:
        if not hasattr(self, "_runner"):
            return
        self._runner.run(self._heal())
        self._runner.run(self._database.close())
        self._runner.close()
        self._folder.cleanup()

    @rule(subject=_SUBJECTS, count=st.integers(1, 3))
    def something_happens(self, subject: str, count: int) -> None:
        names = ["call.started", "call.joined", "call.ended"][:count]
        self._events[subject] += self._runner.run(
            record(self._database, self._owner, subject, *names, at=self._now)  # type: ignore[arg-type]
        )

    @rule(ms=st.sampled_from([1, 1_000, 5_000, delivering.LEASE_MS, 73 * _HOUR]))
    def time_passes(self, ms: int) -> None:
        self._now += ms

    @rule(number=_SENDERS, room=st.integers(1, 3))
    def a_sender_claims(self, number: int, room: int) -> None:
        sender = self._senders[number]
        sender.now, sender.room = self._now, room
        self._runner.run(sender.claim())

    @rule(subject=_SUBJECTS, number=_SENDERS, ms=st.sampled_from([1, 1_000]))
    def something_happens_and_is_claimed(self, subject: str, number: int, ms: int) -> None:
        self.something_happens(subject, 1)
        self.time_passes(ms)
        self.a_sender_claims(number, 3)

    @rule(
        number=_SENDERS,
        status=st.sampled_from([204, 204, 500, None, 410]),
        dies=st.sampled_from([False, False, True]),
    )
    def a_sender_sends(self, number: int, status: int | None, dies: bool) -> None:
        sender = self._senders[number]
        sender.now = self._now
        # it begins nothing that might outlast its lease
        late = {lease_id for lease_id, until in sender.leased_until.items() if self._now + _MARGIN_MS >= until}
        sender.chains = [(claim, rest) for claim, rest in sender.chains if claim.lease_id not in late]
        if not sender.chains:
            return
        event_id = sender.chains[0][1][0].delivery.event_id
        if status == 204:
            self._accepted.append(event_id)
        if dies:
            sender.chains.clear()  # kill -9 between sending and storing
            return
        self._runner.run(sender.send(status))

    @rule(number=_SENDERS)
    def a_sender_is_killed(self, number: int) -> None:
        self._senders[number].chains.clear()

    @rule()
    def what_is_parked_is_replayed(self) -> None:
        self._runner.run(self._replay())

    @invariant()
    def nothing_overtakes(self) -> None:
        if not hasattr(self, "_runner"):
            return
        rows = self._runner.run(list_rows(self._database))
        self._was_parked |= {row.event_id for row in rows if row.status == "parked"}
        first = {event_id: place for place, event_id in reversed(list(enumerate(self._accepted)))}
        for ids in self._events.values():
            places = [first.get(event_id) for event_id in ids if event_id not in self._was_parked]
            known = [place for place in places if place is not None]
            assert places[: len(known)] == sorted(known), "an event came although an earlier one had not"
        by_event = {row.event_id: row for row in rows}
        assert set(by_event) == {event_id for ids in self._events.values() for event_id in ids}
        delivered = {event_id for event_id, row in by_event.items() if row.status == "delivered"}
        assert delivered <= set(self._accepted)

    async def _replay(self) -> None:
        parked = delivery_store.Again(status="parked", unchanged_since=self._now + 1)
        async with self._database.write() as connection:
            await delivery_store.make_many_due(
                connection, self._owner, self._endpoint.id, which=parked, limit=1_000, now_ms=self._now
            )

    async def _heal(self) -> None:
        """Everything is delivered in the end by a sender that finds what the others have left."""
        await self._replay()
        sender = VirtualSender(self._database)
        for _ in range(200):
            if not await list_rows(self._database, status="pending"):
                break
            self._now += delivering.LEASE_MS
            sender.now = self._now
            await sender.deliver_all()
        assert {row.status for row in await list_rows(self._database)} <= {"delivered"}


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(
    max_examples=15,
    stateful_step_count=30,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],  # making a failure smaller takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
