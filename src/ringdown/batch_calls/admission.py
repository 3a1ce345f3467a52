"""Whether a queued call may be dialled now, asked by the gateway in the transaction that stores the dial.

Plain calls are asked about the do-not-call list. A call of a batch call must also be wanted still: its batch call is
active, its agent too, its number is still one to call from, its contact waits for this very call, has an attempt left,
is within its window, was not dialled by another batch call a moment ago, and there is room in the day, the budget, the
concurrency and the pace. What is refused is remembered here, and ended by `refuse` after that transaction, so that its
locks are taken in one order.
"""

import itertools
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import values
from ringdown.agents import store as agent_store
from ringdown.batch_calls import dialling_store, pace_store, refusal, retrying, scheduling, store, windows, zones
from ringdown.batch_calls.gaps import Gaps
from ringdown.batch_calls.models import BatchCall, BatchContact
from ringdown.batch_calls.pace_store import Pace
from ringdown.batch_calls.refusal import Refusal
from ringdown.billing import service as billing
from ringdown.calls.lines import Line
from ringdown.calls.models import Call, EndedReason
from ringdown.calls.store import calls as call_store
from ringdown.config import Settings
from ringdown.contacts import dnc_store
from ringdown.db.engine import Database
from ringdown.errors import PaymentRequired

#: A dial that is late for its time is still inside the window.
WINDOW_MARGIN_MS = 5_000
#: When the credits of a day are used up, a batch call looks again so much later: the limit may have been raised.
REST_MS = 60_000
_DAY_IS_SPENT = "The organization's credits of this day are used up."


class Admission:
    """The decisions of one gateway: `calls.claiming.Admission`, with what is known of the claim at hand."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._refused: list[Refusal] = []
        self._forget()

    def _forget(self) -> None:
        self._batches: dict[str, BatchCall] = {}
        self._contacts: dict[str, BatchContact] = {}
        self._paces: dict[str, Pace] = {}
        self._lines: dict[str, Line] = {}
        self._numbers: dict[str, set[str]] = {}
        self._agents: dict[str, str | None] = {}
        self._blocked: set[tuple[str, str]] = set()
        self._holders: set[str] = set()  # organizations of calls that have got their hold
        self._gaps = Gaps(gap_ms=self._settings.contact_gap_seconds * 1000, now_ms=0)

    async def look_up(self, connection: AsyncConnection, queued: Sequence[Call], *, now_ms: int) -> None:
        """As `calls.claiming.Admission.look_up`."""
        self._forget()
        self._refused = []
        keys = {(call.organization_id, call.batch_call_id) for call in queued if call.batch_call_id is not None}
        self._paces = await pace_store.lock_paces(connection, keys)
        self._batches = {batch.id: batch for batch in await store.list_by_ids(connection, keys)}
        live = await call_store.count_live_by_batch(connection, keys)
        self._gaps = Gaps(gap_ms=self._settings.contact_gap_seconds * 1000, now_ms=now_ms)
        for owner, theirs in itertools.groupby(queued, key=lambda call: call.organization_id):
            await self._look_up_people(connection, owner, list(theirs))
        for owner, running in itertools.groupby(self._batches.values(), key=lambda batch: batch.organization_id):
            await self._look_up_callers(connection, owner, list(running))
        self._lines = {
            batch.id: Line(
                id=batch.id,
                max_calls=batch.max_concurrent_calls,
                per_second=batch.calls_per_second,
                live=sum(count for status, count in live[batch.id].items() if status != "queued"),
                keeper=self._paces[batch.id].keeper,
                kept_until=self._paces[batch.id].kept_until,
                not_before=self._paces[batch.id].not_before,
            )
            for batch in self._batches.values()
        }

    async def _look_up_people(self, connection: AsyncConnection, owner: str, queued: Sequence[Call]) -> None:
        of_batches = [call for call in queued if call.batch_call_id is not None]
        numbers = [call.to_number for call in of_batches if call.to_number is not None]
        if numbers and self._gaps.gap_ms:
            await dialling_store.lock_numbers(connection, owner, numbers)
            since = self._gaps.since
            dials = await dialling_store.list_last_dials(connection, owner, numbers, since=since)
            self._gaps.learn(owner, dials)
        self._contacts |= await dialling_store.list_called(connection, owner, [call.id for call in of_batches])
        everybody = [call.to_number for call in queued if call.to_number is not None]
        self._blocked |= {(owner, number) for number in await dnc_store.find_blocked(connection, owner, everybody)}

    async def _look_up_callers(self, connection: AsyncConnection, owner: str, batches: Sequence[BatchCall]) -> None:
        """Who calls, and from which numbers: both may have changed since the calls were queued."""
        statuses = await agent_store.list_statuses(connection, owner, {batch.agent_id for batch in batches})
        for batch in batches:
            self._agents[batch.id] = statuses.get(batch.agent_id)
            self._numbers[batch.id] = {each.phone_number for each in await store.list_callers(connection, batch)}

    def find_line(self, call: Call) -> Line | None:
        """As `calls.claiming.Admission.find_line`."""
        return self._lines.get(call.batch_call_id or "")

    def may_dial(self, call: Call, *, at_ms: float) -> bool:
        """As `calls.claiming.Admission.may_dial`."""
        found = self._find_refusal(call, round(at_ms))
        if found is not None:
            self._refused.append(found)
            return False
        if call.batch_call_id is not None:
            batch = self._batches[call.batch_call_id]
            self._paces[batch.id].add(_find_day(batch, at_ms))
            self._gaps.note_dial(call.organization_id, call.to_number or "", batch.id)
        return True

    def _find_refusal(self, call: Call, at_ms: int) -> Refusal | None:
        is_blocked = (call.organization_id, call.to_number or "") in self._blocked
        if is_blocked:
            return _refuse(call, "dnc_blocked", "dnc_blocked", "The number is on the do-not-call list.", is_final=True)
        if call.batch_call_id is None:
            return None
        batch, contact = self._batches.get(call.batch_call_id), self._contacts.get(call.id)
        if batch is None or batch.status != "active":
            return withdraw(call.organization_id, call.id, call.batch_call_id, None if batch is None else batch.status)
        if contact is None:
            return _refuse(call, "cancelled", "cancelled", "The contact does not wait for this call any more.")
        if not retrying.may_dial(batch, contact):
            return _refuse(call, "cancelled", "attempts_limit", "The contact has no attempt left.", is_final=True)
        agent = self._agents[batch.id]
        if agent != "active":
            return _refuse(call, "cancelled", "agent_not_active", describe_agent(agent), pauses=True)
        if call.from_number not in self._numbers[batch.id]:
            summary = f"The batch call does not call from {call.from_number} any more."
            return _refuse(call, "cancelled", "number_removed", summary)
        return self._find_postponement(call, batch, contact, at_ms)

    def _find_postponement(self, call: Call, batch: BatchCall, contact: BatchContact, at_ms: int) -> Refusal | None:
        slot = find_open_time(batch, contact, at_ms=at_ms)
        if slot is not None:
            summary = "The time was outside the contact's window."
            return _refuse(call, "outside_window", "outside_window", summary, not_before=slot)
        most = batch.max_calls_per_day
        if most is not None and self._paces[batch.id].count(_find_day(batch, at_ms)) >= most:
            tomorrow = windows.find_day(at_ms, zones.get_zone(batch.timezone), later=1)
            summary = f"The batch call has made its {most} calls of this day."
            return _refuse(call, "cancelled", "daily_maximum", summary, not_before=tomorrow)
        free_at = self._gaps.find_end(call.organization_id, contact.phone_number, batch.id)
        if free_at is not None:
            summary = "Another batch call has dialled the number a moment ago."
            return _refuse(call, "cancelled", "contact_gap", summary, not_before=free_at)
        return None

    async def hold(self, connection: AsyncConnection, wanted: Sequence[Call]) -> Sequence[Call]:
        """As `calls.claiming.Admission.hold`."""
        held: list[Call] = []
        for batch_call_id, group in itertools.groupby(wanted, key=lambda call: call.batch_call_id):
            theirs = list(group)
            if batch_call_id is not None:
                theirs = await self._hold_for_batch(connection, self._batches[batch_call_id], theirs)
            held += theirs
        return held

    async def _hold_for_batch(
        self, connection: AsyncConnection, batch: BatchCall, wanted: Sequence[Call]
    ) -> list[Call]:
        found = await billing.hold_for_calls(
            connection,
            settings=self._settings,
            organization_id=batch.organization_id,
            call_ids=[call.id for call in wanted],
            batch_call_id=batch.id,
            batch_limit=batch.max_credits,
        )
        if found.refusal is not None:
            line, lacking = self._lines[batch.id], wanted[found.count :]
            line.live -= len(lacking)
            line.is_full = True
            self._paces[batch.id].dials -= len(lacking)
            # What other calls hold and do not use comes back: only when there are none is this the end.
            is_last = line.live == 0 and batch.organization_id not in self._holders
            if is_last and not await call_store.has_talking(connection, batch.organization_id):
                self._refuse_for_credits(lacking, line, found.refusal)
        if found.count:
            self._holders.add(batch.organization_id)
        return list(wanted[: found.count])

    def _refuse_for_credits(self, lacking: Sequence[Call], line: Line, error: PaymentRequired) -> None:
        """Refuse these calls; the others that are queued are withdrawn, because the batch call rests or is paused."""
        reason = str(error.details["reason"])
        rests = reason == "daily_limit"
        if rests:
            line.not_before = values.now_ms() + REST_MS
        self._refused += [
            _refuse(call, "insufficient_credits", reason, error.message, pauses=not rests) for call in lacking
        ]

    async def keep(self, connection: AsyncConnection, dialled: Sequence[Call], *, now_ms: int) -> None:
        """As `calls.claiming.Admission.keep`."""
        contacts = [self._contacts[call.id] for call in dialled if call.batch_call_id is not None]
        await dialling_store.count_dials(connection, contacts, now_ms=now_ms)
        for batch_call_id, line in self._lines.items():
            if line.is_used:
                await self._set_pace(connection, self._batches[batch_call_id].organization_id, batch_call_id, line)

    async def lock_line(self, connection: AsyncConnection, call: Call) -> Line | None:
        """As `calls.claiming.Admission.lock_line`."""
        if call.batch_call_id is None:
            return None
        key = (call.organization_id, call.batch_call_id)
        found = await store.list_by_ids(connection, [key])
        if not found or found[0].calls_per_second is None:
            return None
        self._paces |= await pace_store.lock_paces(connection, [key])
        pace = self._paces[call.batch_call_id]
        rate = found[0].calls_per_second
        return Line(id=call.batch_call_id, per_second=rate, keeper=pace.keeper, kept_until=pace.kept_until)

    async def keep_line(self, connection: AsyncConnection, call: Call, line: Line) -> None:
        """As `calls.claiming.Admission.keep_line`."""
        if call.batch_call_id is not None:
            await self._set_pace(connection, call.organization_id, call.batch_call_id, line)

    async def _set_pace(self, connection: AsyncConnection, owner: str, batch_call_id: str, line: Line) -> None:
        pace = self._paces[batch_call_id]
        pace.keeper, pace.kept_until, pace.not_before = line.keeper, line.kept_until, line.not_before
        await pace_store.set_pace(connection, owner, batch_call_id, pace)

    async def refuse(self, database: Database) -> int:
        """End what the last claim has refused; returns how many calls."""
        refused, self._refused = self._refused, []
        return await refusal.refuse_calls(database, settings=self._settings, refusals=refused)


def find_open_time(batch: BatchCall, contact: BatchContact, *, at_ms: int) -> int | None:
    """When the contact may be called next if it may not at this instant, or not for long enough; else None."""
    for moment in (at_ms, at_ms + WINDOW_MARGIN_MS):
        slot = scheduling.find_slot(batch, contact, not_before=moment)
        if slot > moment:
            return slot
    return None


def describe_agent(status: str | None) -> str:
    """Why an agent of this status does not call; None: it is gone."""
    return "Its agent does not exist any more." if status is None else f"Its agent is {status}; publish it first."


def withdraw(organization_id: str, call_id: str, batch_call_id: str, status: str | None) -> Refusal:
    """The refusal of a call whose batch call is in this state and does not call; None: it is gone.

    An active one does not call when it rests for the credits of the day.
    """
    state = status or "deleted"
    rests = state == "active"
    return Refusal(
        organization_id=organization_id,
        call_id=call_id,
        batch_call_id=batch_call_id,
        ended_reason="insufficient_credits" if rests else "cancelled",
        reason="daily_limit" if rests else state,
        summary=_DAY_IS_SPENT if rests else f"The batch call was {state} before the call was placed.",
    )


def _refuse(
    call: Call,
    ended_reason: EndedReason,
    reason: str,
    summary: str,
    *,
    is_final: bool = False,
    not_before: int | None = None,
    pauses: bool = False,
) -> Refusal:
    return Refusal(
        organization_id=call.organization_id,
        call_id=call.id,
        batch_call_id=call.batch_call_id,
        ended_reason=ended_reason,
        reason=reason,
        summary=summary,
        is_final=is_final,
        not_before=not_before,
        pauses=pauses,
    )


def _find_day(batch: BatchCall, at_ms: float) -> str:
    return scheduling.to_day(round(at_ms), zones.get_zone(batch.timezone))
