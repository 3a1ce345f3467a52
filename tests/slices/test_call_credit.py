"""More is held for calls that go on, and for none that has ended; on both databases."""

import asyncio

from ringdown.billing import service as billing
from ringdown.billing import store as ledger_store
from ringdown.billing import verification_store
from ringdown.calls import credit
from ringdown.calls.credit import NeededTalk
from ringdown.calls.models import Call
from ringdown.calls.store import settlement
from tests.slices.conftest import Tenant

NUMBER = "+12025550100"


def _enforce(tenant: Tenant) -> None:
    tenant.settings = tenant.settings.model_copy(update={"credits_enforced": True})


async def _grant(tenant: Tenant, amount: int) -> None:
    async with tenant.database.write() as connection:
        await billing.grant(connection, organization_id=tenant.organization_id, amount=amount)


async def _extend(tenant: Tenant, calls: list[Call], seconds: int) -> dict[str, int]:
    needed = [NeededTalk(call.organization_id, call.id, seconds) for call in calls]
    return await credit.extend_holds(tenant.database, settings=tenant.settings, needed=needed)


async def _list_entries(tenant: Tenant, call: Call) -> list[tuple[str, int, int]]:
    async with tenant.database.read() as connection:
        found = await ledger_store.list_call_entries(connection, tenant.organization_id, call.id)
    return [(entry.kind, entry.part, entry.amount) for entry in found]


async def _check(tenant: Tenant, balance: int) -> None:
    async with tenant.database.read() as connection:
        verified = await verification_store.verify_balance(connection, tenant.organization_id)
        unsettled = await settlement.count_unsettled(connection, tenant.organization_id)
    assert (verified.balance, verified.differences, unsettled) == (balance, 0, 0)


async def test_a_hold_grows_in_parts_as_far_as_the_balance_reaches_and_is_released_whole(tenant: Tenant) -> None:
    _enforce(tenant)
    await _grant(tenant, 33)
    agent = await tenant.add_agent(outbound_number=NUMBER)
    call = await tenant.place_call(agent)
    await tenant.answer_call(call)
    for _ in range(2):  # the same need again holds nothing more
        assert await _extend(tenant, [call], 120) == {call.id: 20}
    assert await _extend(tenant, [call], 300) == {call.id: 33}
    assert await _extend(tenant, [call], 300) == {call.id: 33}
    await _check(tenant, 0)
    await tenant.finish_call(call, media_ms=150_000)
    assert await _extend(tenant, [call], 600) == {}
    assert await _list_entries(tenant, call) == [
        ("hold", 0, -10), ("hold", 1, -10), ("hold", 2, -13), ("release", 0, 33), ("charge", 0, -25),
    ]  # fmt: skip
    await _check(tenant, 8)


async def test_the_calls_of_several_organizations_are_extended_together(tenant: Tenant, stranger: Tenant) -> None:
    calls = []
    for each, amount in ((tenant, 25), (stranger, 100)):
        _enforce(each)
        await _grant(each, amount)
        agent = await each.add_agent(outbound_number=f"+1202555{amount:04}")
        for _ in range(2):
            calls.append(await each.place_call(agent))
    assert await _extend(tenant, calls, 120) == {
        calls[0].id: 15, calls[1].id: 10, calls[2].id: 20, calls[3].id: 20,
    }  # fmt: skip
    await _check(tenant, 0)
    await _check(stranger, 60)


async def test_a_call_that_ends_while_more_is_held_keeps_nothing_held(tenant: Tenant) -> None:
    _enforce(tenant)
    await _grant(tenant, 1000)
    agent = await tenant.add_agent(outbound_number=NUMBER)
    calls = [await tenant.place_call(agent) for _ in range(8)]
    extensions = [_extend(tenant, calls, seconds) for seconds in (120, 180, 240)]
    finishes = [tenant.finish_call(call, media_ms=0) for call in calls]
    await asyncio.gather(*extensions, *finishes)
    await _check(tenant, 1000)
    for call in calls:
        assert sum(amount for _, _, amount in await _list_entries(tenant, call)) == 0
