"""What a gateway takes of the queued calls: those with a place on all their lines that may be dialled now.

Locks are taken in one order: calls, paces of trunks, then what the admission locks.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.agents import store as agent_store
from ringdown.calls import lines
from ringdown.calls.lines import Line
from ringdown.calls.models import Call, ClaimedCall
from ringdown.calls.pacing import Pacer
from ringdown.calls.store import attempts
from ringdown.calls.store import calls as store
from ringdown.telephony import pace_store, trunk_store


class Admission(Protocol):
    """Decides what calls knows nothing of; asked in the transaction that dials, in this order."""

    async def look_up(self, connection: AsyncConnection, queued: Sequence[Call], *, now_ms: int) -> None:
        """Learn all that is to know of these calls, whose rows are locked."""

    def find_line(self, call: Call) -> Line | None:
        """What the call needs a place on besides its trunk."""

    def may_dial(self, call: Call, *, at_ms: float) -> bool:
        """Whether the call may be dialled then; one that may not is remembered, and is ended after this transaction."""

    async def hold(self, connection: AsyncConnection, wanted: Sequence[Call]) -> Sequence[Call]:
        """Those of the calls that credits were held for, in their order; the others wait or are remembered, too."""

    async def keep(self, connection: AsyncConnection, dialled: Sequence[Call], *, now_ms: int) -> None:
        """Store what these dials change besides the calls, and all that was given away since `look_up`."""

    async def lock_line(self, connection: AsyncConnection, call: Call) -> Line | None:
        """`find_line` of a call that waits for its turn, locked."""

    async def keep_line(self, connection: AsyncConnection, call: Call, line: Line) -> None:
        """Store who keeps that line."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The calls that a process has taken, and the lines that it keeps for them once that is stored."""

    claimed: list[ClaimedCall] = field(default_factory=list)
    kept: list[Line] = field(default_factory=list)


@dataclass(slots=True)
class Full:
    """The trunks and batch calls that have turned a call away, by id."""

    trunks: set[str] = field(default_factory=set)
    batches: set[str] = field(default_factory=set)

    @property
    def count(self) -> int:
        """How many are known to be full."""
        return len(self.trunks) + len(self.batches)


async def claim(
    connection: AsyncConnection,
    *,
    gateway_id: str,
    limit: int,
    admit: Admission | None,
    pacer: Pacer,
    full: Full,
    now_ms: int,
) -> Claim:
    """Take at most `limit` queued calls, oldest first, and add to what is full; calls on that are passed over."""
    queued = await store.list_queued(connection, limit, except_trunks=full.trunks, except_batches=full.batches)
    # Whoever locks what belongs to several organizations and batch calls does it in this order.
    queued.sort(key=lambda call: (call.organization_id, call.batch_call_id or "", call.seq))
    needs = await _look_up(connection, queued, admit=admit, pacer=pacer, now_ms=now_ms)
    dialled: Sequence[Call] = [
        call for call in queued if needs.take(call, process=pacer.process, full=full, now_ms=now_ms)
    ]
    if not dialled:
        return Claim()
    await needs.keep(connection, dialled)
    if admit is not None:
        dialled = await admit.hold(connection, dialled)
        await admit.keep(connection, dialled, now_ms=now_ms)
    claimed = await _dial(connection, dialled, needs, gateway_id=gateway_id, now_ms=now_ms) if dialled else []
    return Claim(claimed, needs.list_paced(dialled))


async def keep_lines(
    connection: AsyncConnection, call: Call, *, admit: Admission | None, pacer: Pacer, now_ms: int
) -> list[Line]:
    """Keep the lines of a claimed call for longer, if nobody else keeps them; returns those that are kept."""
    needs = _Needs(await _look_up_trunks(connection, [call], pacer=pacer, now_ms=now_ms), admit)
    own = None if admit is None else await admit.lock_line(connection, call)
    kept = [line for line in (*needs.list_trunks(call), own) if line is not None and line.per_second is not None]
    kept = [line for line in kept if line.may_keep(pacer.process, now_ms)]
    for line in kept:
        line.keep(pacer.process, now_ms)
    await needs.keep(connection, [call])
    if admit is not None and own is not None and own.is_used:
        await admit.keep_line(connection, call, own)
    return kept


@dataclass(slots=True)
class _Needs:
    """The lines that calls need."""

    trunks: dict[str, Line]
    admit: Admission | None

    def list_trunks(self, call: Call) -> list[Line]:
        line = self.trunks.get(call.trunk_id or "")
        return [] if line is None else [line]

    def list_lines(self, call: Call) -> list[Line]:
        own = None if self.admit is None else self.admit.find_line(call)
        return self.list_trunks(call) + ([] if own is None else [own])

    def list_paced(self, taken: Iterable[Call]) -> list[Line]:
        needed = (line for call in taken for line in self.list_lines(call))
        return list({line.id: line for line in needed if line.per_second is not None}.values())

    def take(self, call: Call, *, process: str, full: Full, now_ms: int) -> bool:
        needed = self.list_lines(call)
        if not lines.has_place(needed, process=process, now_ms=now_ms):
            self._note_full(call, full)
            return False
        if self.admit is not None and not self.admit.may_dial(call, at_ms=now_ms):
            return False
        lines.take(needed, process=process, now_ms=now_ms)
        return True

    def _note_full(self, call: Call, full: Full) -> None:
        if call.trunk_id is not None and any(line.is_full for line in self.list_trunks(call)):
            full.trunks.add(call.trunk_id)
        own = None if self.admit is None else self.admit.find_line(call)
        if call.batch_call_id is not None and own is not None and own.is_full:
            full.batches.add(call.batch_call_id)

    async def keep(self, connection: AsyncConnection, dialled: Collection[Call]) -> None:
        for trunk_id, owner in {call.trunk_id: call.organization_id for call in dialled}.items():
            line = self.trunks.get(trunk_id or "")
            if trunk_id is not None and line is not None and line.per_second is not None and line.is_used:
                await pace_store.set_pace(connection, owner, trunk_id, keeper=line.keeper, kept_until=line.kept_until)


async def _look_up(
    connection: AsyncConnection, queued: Sequence[Call], *, admit: Admission | None, pacer: Pacer, now_ms: int
) -> _Needs:
    needs = _Needs(await _look_up_trunks(connection, queued, pacer=pacer, now_ms=now_ms), admit)
    if admit is not None and queued:
        await admit.look_up(connection, queued, now_ms=now_ms)
        for line in needs.list_paced(queued):
            line.may_wait = pacer.count_free(line.id, line.per_second or 0, now_ms)
    return needs


async def _look_up_trunks(
    connection: AsyncConnection, queued: Sequence[Call], *, pacer: Pacer, now_ms: int
) -> dict[str, Line]:
    wanted = {(call.organization_id, call.trunk_id) for call in queued if call.trunk_id is not None}
    if not wanted:
        return {}
    found = await trunk_store.list_by_ids(connection, wanted)
    paced = [(trunk.organization_id, trunk.id) for trunk in found if trunk.max_calls_per_second is not None]
    paces = await pace_store.lock_paces(connection, paced)
    live = await store.count_live_by_trunk(connection, [trunk for trunk in found if trunk.max_concurrent_calls])
    known = {}
    for trunk in found:
        keeper, kept_until = paces.get(trunk.id, ("", 0))
        known[trunk.id] = Line(
            id=trunk.id,
            max_calls=trunk.max_concurrent_calls,
            per_second=trunk.max_calls_per_second,
            live=live.get(trunk.id, 0),
            keeper=keeper,
            kept_until=kept_until,
            may_wait=pacer.count_free(trunk.id, trunk.max_calls_per_second or 0, now_ms),
        )
    return known


async def _dial(
    connection: AsyncConnection, dialled: Sequence[Call], needs: _Needs, *, gateway_id: str, now_ms: int
) -> list[ClaimedCall]:
    ringing = await store.start_ringing(connection, dialled, now_ms=now_ms)
    attempt_ids = await attempts.insert_attempts(connection, ringing, gateway_id=gateway_id, now_ms=now_ms)
    agents = {
        (owner, agent_id): await agent_store.get_agent(connection, owner, agent_id)
        for owner, agent_id in sorted({(call.organization_id, call.agent_id) for call in ringing})
    }
    return [
        ClaimedCall(
            call,
            agents[call.organization_id, call.agent_id],
            attempt_id,
            tuple(line.id for line in needs.list_paced([call])),
        )
        for call, attempt_id in zip(ringing, attempt_ids, strict=True)
    ]
