"""The use cases of a call's life: placed, claimed, answered, heard, finished, summarised; each is one transaction.

Every state a call passes is guarded by the state before it, so that a gateway that was thought dead, a second
`finish_call` or a crash after a commit changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors, values
from ringdown.accounts import store as account_store
from ringdown.agents import store as agent_store
from ringdown.agents.models import Agent
from ringdown.billing import ledger, usage_store
from ringdown.billing import service as billing
from ringdown.billing.usage_store import UsageEntry
from ringdown.calls import analysing, announcement, claiming, ending, follow_up, words
from ringdown.calls.claiming import Admission, Full
from ringdown.calls.lines import LineFull
from ringdown.calls.models import (
    Call,
    CallCommand,
    CallEvent,
    CallSettings,
    ClaimedCall,
    EndedReason,
    FinishedCall,
    PlaceCall,
    TranscriptTurn,
    Transfer,
    UnfinishedCall,
)
from ringdown.calls.pacing import Pacer
from ringdown.calls.store import attempts, commands, events, search, turns
from ringdown.calls.store import calls as store
from ringdown.config import Settings
from ringdown.contacts import dnc_store
from ringdown.contacts import store as contact_store
from ringdown.db import wakeup
from ringdown.db.engine import Database
from ringdown.telephony import permission, trunk_store
from ringdown.telephony import store as number_store
from ringdown.telephony.models import Trunk
from ringdown.telephony.store import PhoneNumber
from ringdown.web import idempotency

#: The wake-up channel of queued calls.
QUEUED_CHANNEL = "calls_queued"


async def place_call(database: Database, *, settings: Settings, organization_id: str, request: PlaceCall) -> Call:
    """Queue a call; credits for it are held.

    A number on the do-not-call list (`dnc_blocked`), or an agent that has no outbound number
    (`no_phone_number_configured`), gets a call that has `failed` already.
    Raises `NotFound` (agent), `ValidationFailed` (draft agent, somebody else's `from_number`), `PaymentRequired`.
    """
    async with database.write() as connection:
        return await insert_placed_call(connection, settings=settings, organization_id=organization_id, request=request)


async def insert_placed_call(
    connection: AsyncConnection,
    *,
    settings: Settings,
    organization_id: str,
    request: PlaceCall,
    call_id: str | None = None,
) -> Call:
    """`place_call` within a transaction that also stores something else; `call_id` by default a new one."""
    agent = await agent_store.get_agent(connection, organization_id, request.agent_id, share=True)
    if agent.status != "active":
        raise errors.invalid("agent_id", f"the agent is {agent.status}; publish it before it can call")
    numbers = await number_store.list_outbound_numbers(connection, organization_id, agent.id)
    from_number = _choose_from_number(request.from_number, [number.phone_number for number in numbers])
    trunk = await _find_trunk(connection, settings, request, numbers, from_number)
    if (refusal := permission.find_refusal(request.phone_number, settings=settings, trunk=trunk)) is not None:
        raise errors.invalid("phone_number", refusal.message)
    call = await insert_call(
        connection,
        organization_id=organization_id,
        id=call_id or values.new_id("call"),
        direction="outbound",
        status="queued",
        agent_id=agent.id,
        to_number=request.phone_number,
        from_number=from_number,
        settings=request.settings,
        variables=dict(request.variables),
        metadata=dict(request.metadata),
        trunk_id=trunk.id if trunk is not None else None,
    )
    await idempotency.bind_resource(connection, call.id)
    refused: EndedReason | None = None
    if await dnc_store.is_blocked(connection, organization_id, request.phone_number):
        refused = "dnc_blocked"
    elif from_number is None:
        refused = "no_phone_number_configured"
    if refused is not None:
        return await end_call(connection, call, FinishedCall(ended_reason=refused), settings=settings)
    await billing.hold_for_call(connection, settings=settings, organization_id=organization_id, call_id=call.id)
    await wakeup.notify(connection, QUEUED_CHANNEL)
    return call


def _choose_from_number(wanted: str | None, available: list[str]) -> str | None:
    if wanted is None:
        return available[0] if available else None
    if wanted not in available:
        allowed = ", ".join(available) or "none is assigned"
        raise errors.invalid("from_number", f"must be one of the agent's outbound numbers: {allowed}")
    return wanted


async def _find_trunk(
    connection: AsyncConnection,
    settings: Settings,
    request: PlaceCall,
    numbers: Sequence[PhoneNumber],
    from_number: str | None,
) -> Trunk | None:
    """What carries the call: the trunk of the number it comes from, else the organization's only one."""
    if settings.test_phone_enabled and request.phone_number == settings.test_phone_number:
        return None
    number = next((number for number in numbers if number.phone_number == from_number), None)
    if number is None:
        return None
    if number.trunk_id is not None:
        return await trunk_store.find_trunk(connection, number.organization_id, number.trunk_id)
    enabled = [trunk for trunk in await trunk_store.list_all(connection, number.organization_id) if trunk.is_enabled]
    return enabled[0] if len(enabled) == 1 else None


async def insert_call(connection: AsyncConnection, *, organization_id: str, **fields: Any) -> Call:
    """Store a new call, its time and place in the order of calls being taken now. Raises `ValidationFailed`."""
    words.check_metadata(fields["metadata"])
    # The row of the organization stays locked until the commit: calls become visible in the order of their `seq`.
    seq, now = await account_store.take_call_seq(connection, organization_id, values.now_ms())
    call = Call(organization_id=organization_id, seq=seq, created_at=now, updated_at=now, **fields)
    await store.insert_call(connection, call)
    await announcement.announce_start(connection, call)
    return call


async def accept_inbound_call(
    database: Database,
    *,
    settings: Settings,
    gateway_id: str,
    organization_id: str,
    agent: Agent,
    from_number: str | None,
    to_number: str | None,
    trunk: Trunk | None,
    dialog_state: Mapping[str, object],
) -> ClaimedCall:
    """Store a call that rings at this gateway, with its attempt. Raises `PaymentRequired`, `LineFull`."""
    async with database.write() as connection:
        call = await insert_call(
            connection,
            organization_id=organization_id,
            id=values.new_id("call"),
            direction="inbound",
            status="ringing",
            agent_id=agent.id,
            to_number=to_number,
            from_number=from_number,
            trunk_id=trunk.id if trunk is not None else None,
            settings=CallSettings(),
            variables={},
            metadata={},
        )
        if trunk is not None and trunk.max_concurrent_calls is not None:
            live = await store.count_live_by_trunk(connection, [trunk])  # with this one
            if live[trunk.id] > trunk.max_concurrent_calls:
                raise LineFull
        await billing.hold_for_call(connection, settings=settings, organization_id=organization_id, call_id=call.id)
        attempt_id = await attempts.insert_attempt(
            connection, call, gateway_id=gateway_id, now_ms=call.created_at, dialog_state=dialog_state
        )
    return ClaimedCall(call, agent, attempt_id)


async def claim_calls(
    database: Database,
    *,
    gateway_id: str,
    limit: int,
    admit: Admission | None = None,
    pacer: Pacer | None = None,
) -> list[ClaimedCall]:
    """Take at most `limit` queued calls, oldest first, for this gateway; call it again until it takes none.

    They are `ringing` and their attempts `dialling` when this returns, so that a crash before the INVITE leaves them
    ambiguous instead of dialled twice. `admit` says which of them may be dialled; on the lines of `pacer`, which is
    told of them, they wait for their turn.
    """
    async with database.read() as connection:
        if limit < 1 or not await store.has_queued(connection):
            return []
    full, pacer = Full(), pacer or Pacer(gateway_id)
    while True:
        known = full.count
        # Each transaction takes its locks once, in order; what it has claimed must not be lost by another's failure.
        async with database.write() as connection:
            claim = await claiming.claim(
                connection,
                gateway_id=gateway_id,
                limit=limit,
                admit=admit,
                pacer=pacer,
                full=full,
                now_ms=values.now_ms(),
            )
        for line in claim.kept:
            pacer.keep(line)
        for claimed in claim.claimed:
            pacer.add(claimed.call.id, claimed.paced_by)
        if claim.claimed or full.count == known:
            return claim.claimed


async def keep_lines(database: Database, *, call: Call, admit: Admission | None, pacer: Pacer) -> None:
    """Keep the lines of a claimed call for longer, unless another process keeps them now."""
    async with database.write() as connection:
        kept = await claiming.keep_lines(connection, call, admit=admit, pacer=pacer, now_ms=values.now_ms())
    for line in kept:
        pacer.keep(line)


async def record_dialog(
    database: Database, *, organization_id: str, attempt_id: str, dialog_state: Mapping[str, object]
) -> None:
    """Keep what is needed to end the dialog after a crash; before the INVITE leaves, and whenever it grows."""
    async with database.write() as connection:
        await attempts.set_dialog_state(connection, organization_id, attempt_id, dialog_state)


async def mark_answered(database: Database, *, organization_id: str, call_id: str, started_at: int) -> bool:
    """Set the call `in_progress`; False when it has ended meanwhile, so that the gateway must hang up."""
    async with database.write() as connection:
        call = await store.get_call(connection, organization_id, call_id, lock=True)
        if not call.is_live:
            return False
        changes = {"status": "in_progress", "started_at": started_at, "updated_at": values.now_ms()}
        answered = await store.update_call(connection, call, **changes)
        await attempts.set_state(connection, call, "answered")
        if call.started_at is None:
            await announcement.announce(connection, answered, ["call.joined"], before=call)
        return True


async def append_turn(database: Database, *, organization_id: str, call_id: str, turn: TranscriptTurn) -> None:
    """Keep a turn as soon as it is over; dropped when the call has ended or is not to be transcribed."""
    async with database.write() as connection:
        call = await store.get_call(connection, organization_id, call_id, lock=True)
        if call.is_live and call.is_transcribed:
            await turns.insert_turns(connection, organization_id, call_id, [turn])


async def append_event(database: Database, *, organization_id: str, call_id: str, event: CallEvent) -> None:
    """Keep what happened in a live call; dropped when it has ended."""
    async with database.write() as connection:
        call = await store.get_call(connection, organization_id, call_id, lock=True)
        if call.is_live:
            await events.insert_events(connection, organization_id, call_id, [event])


async def renew_leases(database: Database, *, gateway_id: str, media_ms_by_call: Mapping[str, int]) -> None:
    """Tell that the gateway lives, and where the media clock of each of its calls stands."""
    async with database.write() as connection:
        await attempts.renew_leases(connection, gateway_id, media_ms_by_call, values.now_ms())


async def set_transfer(database: Database, *, organization_id: str, call_id: str, transfer: Transfer) -> None:
    """Store how far a transfer is."""
    async with database.write() as connection:
        call = await store.get_call(connection, organization_id, call_id, lock=True)
        await store.update_call(connection, call, transfer=transfer, updated_at=values.now_ms())


async def take_commands(database: Database, *, gateway_id: str) -> list[CallCommand]:
    """What this gateway's calls are asked to do, oldest first; each is returned once."""
    async with database.read() as connection:
        if not await commands.has_commands(connection, gateway_id):
            return []
    async with database.write() as connection:
        return await commands.take_commands(connection, gateway_id)


async def list_unfinished(database: Database, *, gateway_id: str) -> list[UnfinishedCall]:
    """The calls a gateway has claimed and not finished."""
    async with database.read() as connection:
        return await attempts.list_unfinished(connection, gateway_id)


async def list_leases(database: Database) -> Mapping[str, int]:
    """The gateways that have live calls, and when each renewed its lease last, by its own clock."""
    async with database.read() as connection:
        return await attempts.list_leases(connection)


async def finish_call(
    database: Database, *, settings: Settings, organization_id: str, call_id: str, finish: FinishedCall
) -> bool:
    """Store the end of a call and all that follows from it; False when it had ended before, and nothing changes.

    `completed` if it was answered, else `failed`. Raises `NotFound`.
    """
    async with database.write() as connection:
        call = await store.get_call(connection, organization_id, call_id, lock=True)
        if not call.is_live:
            return False
        await end_call(connection, call, finish, settings=settings)
        return True


async def add_summary(database: Database, *, organization_id: str, call_id: str, summary: str) -> bool:
    """Give an ended call the summary that was written after its end.

    False when nothing changes: it has one, was deleted, or has not ended.
    """
    async with database.write() as connection:
        now = values.now_ms()
        if not await store.add_summary(connection, organization_id, call_id, summary=summary, now_ms=now):
            return False
        await _index_text(connection, await store.get_call(connection, organization_id, call_id))
        return True


async def end_call(connection: AsyncConnection, call: Call, finish: FinishedCall, *, settings: Settings) -> Call:
    """`finish_call` within a transaction that holds the live call."""
    if call.is_transcribed:
        await turns.insert_turns(connection, call.organization_id, call.id, finish.turns)
    await events.insert_events(connection, call.organization_id, call.id, finish.events)
    stored = await turns.list_turns(connection, call.organization_id, [call.id])
    cost = ledger.compute_cost(ending.compute_duration_seconds(call, finish), settings)
    said = stored[call.id] or finish.turns
    changes = ending.end_call(call, finish, turns=said, cost_credits=cost, now_ms=values.now_ms())
    analysed = await analysing.begin(
        connection, replace(call, **changes), reported=finish.outcome, turns=said, settings=settings
    )
    ended = await store.update_call(connection, call, **(changes | (analysed or {})))
    # A batch call is locked before the balance, here as in every other transaction.
    await follow_up.follow_up(connection, ended)
    if ended.batch_call_id is not None:
        await wakeup.notify(connection, QUEUED_CHANNEL)  # another one has a place now
    await billing.settle_call(
        connection,
        organization_id=call.organization_id,
        call_id=call.id,
        cost_credits=cost,
        batch_call_id=call.batch_call_id,
    )
    await _index_text(connection, ended)
    await attempts.set_state(connection, call, "ended" if finish.is_far_end_told else "untold")
    await commands.delete_commands(connection, call)
    await _record_usage(connection, ended)
    # A call that was withdrawn or refused before it was dialled was none to the contact.
    if ended.contact_id is not None and call.status != "queued":
        await contact_store.record_call(
            connection,
            ended.organization_id,
            ended.contact_id,
            called_at=ended.started_at or ended.updated_at,
            outcome=ended.outcome,
        )
    happened = announcement.list_ending(call, ended, is_analysed=analysed is not None)
    await announcement.announce(connection, ended, happened, before=call)
    return ended


async def _record_usage(connection: AsyncConnection, ended: Call) -> None:
    entry = UsageEntry(
        organization_id=ended.organization_id,
        call_id=ended.id,
        ended_at=ended.ended_at or ended.updated_at,
        agent_id=ended.agent_id,
        number=ended.to_number if ended.direction == "inbound" else ended.from_number,
        batch_call_id=ended.batch_call_id,
        is_answered=ended.started_at is not None,
        duration_seconds=ended.duration_seconds or 0,
        credits=ended.cost_credits,
    )
    await usage_store.insert_entry(connection, entry)


async def _index_text(connection: AsyncConnection, call: Call) -> None:
    spoken = await turns.list_turns(connection, call.organization_id, [call.id])
    await search.index_text(connection, call, [turn.text for turn in spoken[call.id]])
