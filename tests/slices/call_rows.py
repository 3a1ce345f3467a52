"""Calls of chance for the tests of counters, put into the database at once; and what brute force says of them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from ringdown import values
from ringdown.accounts import store as account_store
from ringdown.calls import tables
from ringdown.calls.models import Call, CallSettings
from ringdown.calls.store import calls as call_store
from ringdown.calls.store.counted import CountedFilter
from ringdown.db.engine import Database

AGENTS = ("agt_a", "agt_b", "agt_c")
DIRECTIONS = ("inbound", "outbound", "webrtc")
BATCHES = ("batch_1", "batch_2")
ENDED = (("completed", "user_hangup"), ("completed", "cancelled"), ("failed", "cancelled"), ("failed", "busy"))
LIVE = (("queued", None), ("in_progress", None))


@dataclass(slots=True)
class CallRows:
    """The calls of an organization as they must be in the database."""

    database: Database
    organization_id: str
    chance: random.Random
    calls: dict[int, Call]

    async def add(self, number: int, *, live: float = 0.0) -> Sequence[Call]:
        """Place calls; so many of them, of 1, are live."""
        added = []
        async with self.database.write() as connection:
            now_ms = max((call.created_at for call in self.calls.values()), default=0)
            for _ in range(number):
                now_ms += self.chance.choice((0, 0, 1, 5))
                place = await account_store.take_call_seq(connection, self.organization_id, now_ms)
                added.append(self.make(*place, is_live=self.chance.random() < live))
            await connection.execute(tables.calls.insert(), [msgspec.to_builtins(call) for call in added])
        self.calls |= {call.seq: call for call in added}
        return added

    def make(self, seq: int, created_at: int, *, is_live: bool) -> Call:
        """A call of chance."""
        status, ended_reason = self.chance.choice(LIVE if is_live else ENDED)
        batch = self.chance.choice((None, None, *BATCHES))
        known: dict[str, Any] = {"settings": CallSettings(), "variables": {}, "metadata": {}}
        return Call(
            organization_id=self.organization_id,
            id=values.new_id("call"),
            seq=seq,
            status=status,  # type: ignore[arg-type]
            ended_reason=ended_reason,  # type: ignore[arg-type]
            direction="outbound" if batch else self.chance.choice(DIRECTIONS),  # type: ignore[arg-type]
            agent_id=self.chance.choice(AGENTS),
            batch_call_id=batch,
            to_number=None,
            from_number=None,
            created_at=created_at,
            updated_at=created_at,
            **known,
        )

    async def end(self, calls: Sequence[Call]) -> None:
        """End calls, in one transaction."""
        async with self.database.write() as connection:
            for call in calls:
                locked = await call_store.get_call(connection, self.organization_id, call.id, lock=True)
                status, ended_reason = self.chance.choice(ENDED)
                ended = await call_store.update_call(connection, locked, status=status, ended_reason=ended_reason)
                self.calls[call.seq] = replace(
                    self.calls[call.seq], status=ended.status, ended_reason=ended.ended_reason
                )

    async def delete(self, calls: Sequence[Call]) -> None:
        """Delete calls, in one transaction."""
        async with self.database.write() as connection:
            await call_store.delete_calls(connection, self.organization_id, [call.id for call in calls])
        for call in calls:
            del self.calls[call.seq]

    def choose_filter(self) -> CountedFilter:
        """A filter of chance; most match something."""
        choose = self.chance.choice
        times = [call.created_at for call in self.calls.values()] or [0]
        after = choose((None, None, choose(times), choose(times) + 1, min(times) - 1, max(times) + 1))
        before = choose((None, None, choose(times), choose(times) + 1, min(times), max(times) + 1))
        return CountedFilter(
            organization_id=self.organization_id,
            agent_id=choose((None, None, *AGENTS, "agt_z")),
            direction=choose((None, None, None, *DIRECTIONS)),
            status=choose((None, None, None, "queued", "completed", "failed")),
            ended_reason=choose((None, None, None, "user_hangup", "cancelled")),
            batch_call_id=choose((None, None, None, *BATCHES)),
            created_after=after,
            created_before=before,
        )

    def list_matching(self, wanted: CountedFilter, *, newest_first: bool = True) -> list[int]:
        """The `seq` of each call that matches, in order."""
        names = ("agent_id", "direction", "status", "ended_reason", "batch_call_id")
        return sorted(
            (
                seq
                for seq, call in self.calls.items()
                if all(getattr(wanted, name) in (None, getattr(call, name)) for name in names)
                and (wanted.created_after is None or call.created_at >= wanted.created_after)
                and (wanted.created_before is None or call.created_at < wanted.created_before)
            ),
            reverse=newest_first,
        )
