"""A call between gateways: claimed once, answered, heard, finished once, found again after a crash."""

import asyncio
import dataclasses

import pytest
import sqlalchemy as sa

from ringdown import errors, values
from ringdown.billing import service as billing
from ringdown.billing import store as ledger_store
from ringdown.calls import service, tables
from ringdown.calls.lines import LineFull
from ringdown.calls.models import ClaimedCall, TranscriptTurn, TurnLatency
from ringdown.db import engine
from ringdown.telephony.models import Trunk, TrunkHost
from tests.slices.conftest import Tenant

NUMBER = "+12025550100"


def _turn(position: int, latency_ms: int | None = None) -> TranscriptTurn:
    return TranscriptTurn(
        position=position,
        speaker="agent",
        text=f"turn {position}",
        start_ms=position * 1000,
        end_ms=position * 1000 + 500,
        latency=None if latency_ms is None else TurnLatency(latency_ms, endpoint_ms=latency_ms),
    )


async def test_calls_are_claimed_oldest_first_and_not_beyond_the_limit(tenant: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    placed = [(await tenant.place_call(agent)).id for _ in range(3)]
    first = await service.claim_calls(tenant.database, gateway_id="gateway-1", limit=2)
    rest = await service.claim_calls(tenant.database, gateway_id="gateway-2", limit=2)
    assert [claimed.call.id for claimed in first] == placed[:2]
    assert [claimed.call.id for claimed in rest] == placed[2:]
    assert {claimed.call.status for claimed in [*first, *rest]} == {"ringing"}
    assert first[0].agent == agent
    assert await service.claim_calls(tenant.database, gateway_id="gateway-1", limit=0) == []


async def test_gateways_that_claim_at_the_same_time_never_get_the_same_call(tenant: Tenant, database_url: str) -> None:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    placed = {(await tenant.place_call(agent)).id for _ in range(24)}
    # Each gateway is a process with connections of its own.
    databases = [engine.open_database(database_url) for _ in range(4)]

    async def claim_all(number: int) -> list[str]:
        mine: list[str] = []
        while found := await service.claim_calls(databases[number], gateway_id=f"gateway-{number}", limit=2):
            mine += [claimed.call.id for claimed in found]
        return mine

    claimed = [call_id for ids in await asyncio.gather(*map(claim_all, range(4))) for call_id in ids]
    # A claimer that saw only rows which others had locked stops early; whatever is left goes to the next one.
    claimed += await claim_all(0)
    for database in databases:
        await database.close()
    assert len(claimed) == len(set(claimed)) == 24
    assert set(claimed) == placed


async def test_a_claim_that_crashed_after_its_commit_is_ambiguous_and_never_claimed_again(tenant: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    call = await tenant.place_call(agent)
    [claimed] = await service.claim_calls(tenant.database, gateway_id="gateway-1", limit=5)
    # Here the first gateway died: nothing but the committed rows is left of it.
    assert await service.claim_calls(tenant.database, gateway_id="gateway-1", limit=5) == []
    assert await service.claim_calls(tenant.database, gateway_id="gateway-2", limit=5) == []
    [left] = await service.list_unfinished(tenant.database, gateway_id="gateway-1")
    assert (left.call.id, left.attempt_id, left.call.started_at is not None) == (call.id, claimed.attempt_id, False)


async def test_a_claim_that_crashed_before_its_commit_leaves_the_call_queued(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    call = await tenant.place_call(agent)

    async def crash(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched, pytest.raises(RuntimeError):
        patched.setattr(service.agent_store, "get_agent", crash)
        await service.claim_calls(tenant.database, gateway_id="gateway-1", limit=5)
    assert (await tenant.get_call(call.id)).status == "queued"
    [claimed] = await service.claim_calls(tenant.database, gateway_id="gateway-2", limit=5)
    assert claimed.call.id == call.id


async def test_a_second_attempt_of_a_call_cannot_be_stored(tenant: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    call = await tenant.place_call(agent)
    await service.claim_calls(tenant.database, gateway_id="gateway-1", limit=5)
    with pytest.raises(sa.exc.IntegrityError):
        async with tenant.database.write() as connection:
            await service.attempts.insert_attempt(connection, call, gateway_id="gateway-2", now_ms=1)


async def test_finishing_settles_everything_once(tenant: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    call = await tenant.place_call(agent)
    async with tenant.database.read() as connection:
        held = await billing.get_balance(connection, tenant.organization_id)
    assert held < 0
    await tenant.answer_call(call)
    for position, latency in enumerate([400, 100, 300]):
        await service.append_turn(
            tenant.database,
            organization_id=tenant.organization_id,
            call_id=call.id,
            turn=_turn(position, latency),
        )
    finish = {"media_ms": 61_999, "turns": (_turn(2, 9999), _turn(3, 200)), "summary": "Yes."}
    assert await tenant.finish_call(call, **finish) is True
    ended = await tenant.get_call(call.id)
    assert await tenant.finish_call(call, ended_reason="internal_error", media_ms=1, summary="No.") is False
    assert await tenant.get_call(call.id) == ended
    assert (ended.status, ended.duration_seconds, ended.cost_credits) == ("completed", 61, 11)
    assert ended.started_at is not None
    assert ended.ended_at == ended.started_at + 61_000
    assert (ended.latency_p50_ms, ended.latency_p95_ms) == (200, 400)
    async with tenant.database.read() as connection:
        stored = await service.turns.list_turns(connection, tenant.organization_id, [call.id])
        entries = await ledger_store.list_call_entries(connection, tenant.organization_id, call.id)
        balance = await billing.get_balance(connection, tenant.organization_id)
    assert [turn.text for turn in stored[call.id]] == ["turn 0", "turn 1", "turn 2", "turn 3"]
    assert sorted(entry.kind for entry in entries) == ["charge", "hold", "release"]
    assert balance == -11


async def test_two_that_finish_at_the_same_time_finish_once(tenant: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    call = await tenant.place_call(agent)
    await tenant.answer_call(call)
    results = await asyncio.gather(*(tenant.finish_call(call, summary=str(number)) for number in range(5)))
    assert sorted(results) == [False, False, False, False, True]
    assert (await tenant.get_call(call.id)).summary == str(results.index(True))


async def test_a_call_that_was_never_answered_fails_and_costs_nothing(tenant: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    call = await tenant.place_call(agent)
    await service.claim_calls(tenant.database, gateway_id="gateway-1", limit=5)
    await tenant.finish_call(call, ended_reason="busy", media_ms=0)
    ended = await tenant.get_call(call.id)
    assert (ended.status, ended.ended_reason, ended.outcome) == ("failed", "busy", "busy")
    assert (ended.duration_seconds, ended.cost_credits, ended.started_at) == (0, 0, None)
    assert ended.ended_at is not None


async def test_an_answer_that_was_not_stored_is_told_by_the_end(tenant: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    call = await tenant.place_call(agent)
    await service.claim_calls(tenant.database, gateway_id="gateway-1", limit=5)
    started_at = values.now_ms()
    await tenant.finish_call(call, media_ms=6_500, started_at=started_at)
    ended = await tenant.get_call(call.id)
    assert (ended.status, ended.started_at, ended.cost_credits) == ("completed", started_at, 1)


async def test_a_gateway_thought_dead_cannot_change_a_call_that_has_ended(tenant: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    call = await tenant.place_call(agent)
    await service.claim_calls(tenant.database, gateway_id="gateway-1", limit=5)
    await tenant.finish_call(call, ended_reason="recovered_after_crash")
    where = {"organization_id": tenant.organization_id, "call_id": call.id}
    assert await service.mark_answered(tenant.database, **where, started_at=values.now_ms()) is False
    await service.append_turn(tenant.database, **where, turn=_turn(0))
    ended = await tenant.get_call(call.id)
    assert (ended.status, ended.ended_reason) == ("failed", "recovered_after_crash")
    async with tenant.database.read() as connection:
        assert await service.turns.list_turns(connection, tenant.organization_id, [call.id]) == {call.id: []}


async def test_what_a_dead_gateway_left_is_found_with_its_dialog_and_media_clock(tenant: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    dialled, answered, ended = [await tenant.place_call(agent) for _ in range(3)]
    claims = await service.claim_calls(tenant.database, gateway_id="gateway-1", limit=5)
    for claim in claims:
        await service.record_dialog(
            tenant.database,
            organization_id=tenant.organization_id,
            attempt_id=claim.attempt_id,
            dialog_state={"call_id": claim.call.id, "cseq": 1},
        )
    for call in (answered, ended):
        await service.mark_answered(
            tenant.database, organization_id=tenant.organization_id, call_id=call.id, started_at=values.now_ms()
        )
    await tenant.finish_call(ended)
    await service.renew_leases(
        tenant.database, gateway_id="gateway-1", media_ms_by_call={answered.id: 4_200, ended.id: 9_999}
    )
    left = await service.list_unfinished(tenant.database, gateway_id="gateway-1")
    assert [(item.call.id, item.call.started_at is not None, item.media_ms) for item in left] == [
        (dialled.id, False, 0),
        (answered.id, True, 4_200),
    ]
    assert left[1].dialog_state == {"call_id": answered.id, "cseq": 1}
    assert await service.list_unfinished(tenant.database, gateway_id="gateway-2") == []


async def test_the_leases_of_gateways_with_live_calls_are_listed(tenant: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    call = await tenant.place_call(agent)
    assert await service.list_leases(tenant.database) == {}
    await service.claim_calls(tenant.database, gateway_id="gateway-1", limit=5)
    claimed_at = (await service.list_leases(tenant.database))["gateway-1"]
    await asyncio.sleep(0.01)
    await service.renew_leases(tenant.database, gateway_id="gateway-1", media_ms_by_call={})
    assert (await service.list_leases(tenant.database))["gateway-1"] > claimed_at
    await tenant.finish_call(call)
    assert await service.list_leases(tenant.database) == {}


async def test_a_summary_written_after_the_end_is_added_once(tenant: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    call = await tenant.place_call(agent)
    await tenant.answer_call(call)
    where = {"organization_id": tenant.organization_id, "call_id": call.id}
    assert await service.add_summary(tenant.database, **where, summary="Too early.") is False
    await tenant.finish_call(call, summary=None)
    ended = await tenant.get_call(call.id)
    assert (ended.status, ended.summary) == ("completed", None)
    assert await service.add_summary(tenant.database, **where, summary="Yes.") is True
    assert await service.add_summary(tenant.database, **where, summary="No.") is False
    summed = await tenant.get_call(call.id)
    assert summed == dataclasses.replace(ended, summary="Yes.", updated_at=summed.updated_at)
    assert summed.updated_at >= ended.updated_at
    nowhere = {**where, "organization_id": "org_other"}
    assert await service.add_summary(tenant.database, **nowhere, summary="No.") is False


async def test_an_inbound_call_rings_at_the_gateway_that_took_it(tenant: Tenant) -> None:
    agent = await tenant.add_agent()
    claimed = await service.accept_inbound_call(
        tenant.database,
        settings=tenant.settings,
        gateway_id="gateway-1",
        organization_id=tenant.organization_id,
        agent=agent,
        from_number="+12125551234",
        to_number=NUMBER,
        trunk=None,
        dialog_state={"tag": "x"},
    )
    call = await tenant.get_call(claimed.call.id)
    assert (call.status, call.direction, call.phone_number) == ("ringing", "inbound", "+12125551234")
    [left] = await service.list_unfinished(tenant.database, gateway_id="gateway-1")
    assert left.dialog_state == {"tag": "x"}
    assert await service.claim_calls(tenant.database, gateway_id="gateway-2", limit=5) == []


async def test_of_inbound_calls_at_the_same_moment_a_trunk_takes_as_many_as_it_may(tenant: Tenant) -> None:
    agent = await tenant.add_agent()
    trunk = Trunk(
        organization_id=tenant.organization_id, id="trunk_a", name="carrier", hosts=(TrunkHost("carrier.example"),),
        created_at=0, updated_at=0, max_concurrent_calls=2,
    )  # fmt: skip

    async def accept() -> ClaimedCall | LineFull:
        try:
            return await service.accept_inbound_call(
                tenant.database, settings=tenant.settings, gateway_id="gateway-1", agent=agent, trunk=trunk,
                organization_id=tenant.organization_id, from_number=None, to_number=NUMBER, dialog_state={},
            )  # fmt: skip
        except LineFull as full:
            return full

    outcomes = await asyncio.gather(*(accept() for _ in range(5)))
    taken = [outcome for outcome in outcomes if isinstance(outcome, ClaimedCall)]
    assert len(taken) == 2
    assert len(await service.list_unfinished(tenant.database, gateway_id="gateway-1")) == 2  # nothing of the others
    await tenant.finish_call(taken[0].call)
    assert isinstance(await accept(), ClaimedCall)


async def test_seq_grows_by_one_per_call_of_an_organization(tenant: Tenant, stranger: Tenant) -> None:
    agents = [await tenant.add_agent(outbound_number=NUMBER), await stranger.add_agent(outbound_number="+12025550101")]
    await asyncio.gather(*(tenant.place_call(agents[0]) for _ in range(8)), stranger.place_call(agents[1]))
    async with tenant.database.read() as connection:
        query = sa.select(tables.calls.c.seq).where(tables.calls.c.organization_id == tenant.organization_id)
        assert sorted((await connection.execute(query)).scalars()) == list(range(1, 9))


async def test_finishing_a_call_that_is_not_there_is_not_found(tenant: Tenant, stranger: Tenant) -> None:
    call = await stranger.add_call(seq=1, status="ringing")
    with pytest.raises(errors.NotFound):
        await tenant.finish_call(call)
