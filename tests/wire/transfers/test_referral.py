"""Transfers by REFER and INVITE with Replaces, ours and those of the far end."""

import asyncio

import pytest

from ringdown.sip.events import Rejected
from tests.wire.telephone import Line
from tests.wire.transfers.site import ACCEPTING, REFUSING, Site

pytestmark = pytest.mark.asyncio(loop_scope="package")
YES = ("agent_hangup", "Deliver today: yes.")


async def answer_yes(site: Site, line: Line, call_id: str, *, is_back: bool = False) -> None:
    """The agent is talked to on this line: its question is answered there, and it hangs up."""
    if not is_back:
        await line.hears_something()
    line.media.send_digits("1")
    await line.is_over()
    call = await site.product.end_of(call_id)
    assert (call["ended_reason"], call["summary"]) == YES


# --- ours ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [405, 603])
async def test_a_far_end_that_refuses_refer_is_joined_with_the_person(site: Site, status: int) -> None:
    caller, call_id = await site.call_agent()
    number = site.new_number()
    await site.transfer(call_id, number)
    async with asyncio.timeout(30):
        referred = await caller.referred.get()
    assert number in referred.target
    await referred.referral.reject(status)
    person = await (await site.persons.rings(number)).accept()
    caller.play(440)
    await person.hears_tone(440)
    await person.hang_up()
    await caller.is_over()
    assert (await site.product.end_of(call_id))["ended_reason"] == "transferred"


async def test_a_trunk_that_wants_refer_gets_no_second_call(site: Site) -> None:
    line, call_id = await site.be_called(ACCEPTING)
    number = site.new_number()
    await site.transfer(call_id, number)
    async with asyncio.timeout(30):
        await (await line.referred.get()).referral.reject(603)
    transfer = await site.reaches(call_id, "failed")
    assert transfer["reason"] == "the far end answered 603 Decline"
    await site.says(call_id, "could not connect you")
    assert not site.persons.has_rung(number)
    await answer_yes(site, line, call_id, is_back=True)


async def test_a_far_end_that_found_the_number_busy_is_back_with_the_agent(site: Site) -> None:
    caller, call_id = await site.call_agent()
    number = site.new_number()
    await site.transfer(call_id, number)
    async with asyncio.timeout(30):
        referral = (await caller.referred.get()).referral
    assert await referral.accept()
    await referral.notify(486, "Busy Here")
    assert (await site.reaches(call_id, "failed"))["reason"] == "the number was busy"
    assert not site.persons.has_rung(number)
    await answer_yes(site, caller, call_id, is_back=True)


async def test_a_far_end_that_accepts_refer_and_does_nothing_is_joined_with_the_person(site: Site) -> None:
    caller, call_id = await site.call_agent()
    number = site.new_number()
    await site.transfer(call_id, number, timeout="1s")
    async with asyncio.timeout(30):
        assert await (await caller.referred.get()).referral.accept()
    person = await (await site.persons.rings(number)).accept()
    caller.play(440)
    await person.hears_tone(440)
    await caller.hang_up()


@pytest.mark.parametrize(("is_accepted", "ended"), [(True, "transferred"), (False, "user_hangup")])
async def test_a_far_end_that_hangs_up_after_refer_has_left_for_the_person_only_if_it_accepted(
    site: Site, is_accepted: bool, ended: str
) -> None:
    caller, call_id = await site.call_agent()
    await site.transfer(call_id, site.new_number())
    async with asyncio.timeout(30):
        referred = await caller.referred.get()
    if is_accepted:
        assert await referred.referral.accept()
    await caller.hang_up()
    call = await site.product.end_of(call_id)
    assert call["ended_reason"] == ended
    assert call["transfer"]["status"] == ("connected" if is_accepted else "failed")


# --- the far end's ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hangs_up", ["at the end", "at once"])
async def test_a_caller_may_hand_the_agent_over_and_goes_on_sending_for_a_while(site: Site, hangs_up: str) -> None:
    """What the old phone still sends, from the same host, keeps nobody from hearing the new one."""
    caller, call_id = await site.call_agent()
    number = site.new_number()
    target = f"sip:{number}@127.0.0.1:{site.callers.port}"
    caller.play(440)
    asking = asyncio.create_task(caller.call.refer(target))
    person = await site.callers.rings(number)
    if hangs_up == "at once":
        await caller.hang_up()
        await asyncio.sleep(0.3)
    await person.accept()
    await answer_yes(site, person, call_id)
    result = await asking
    assert result.status == (200 if hangs_up == "at the end" else 202)


async def test_a_new_phone_that_does_not_answer_leaves_the_caller_where_it_was(site: Site) -> None:
    caller, call_id = await site.call_agent()
    number = site.new_number()
    asking = asyncio.create_task(caller.call.refer(f"sip:{number}@127.0.0.1:{site.callers.port}"))
    await (await site.callers.rings(number)).refuse(486)
    assert (await asking).status >= 300
    await answer_yes(site, caller, call_id)


async def test_a_caller_who_leaves_while_the_new_phone_fails_has_hung_up(site: Site) -> None:
    caller, call_id = await site.call_agent()
    number = site.new_number()
    asking = asyncio.create_task(caller.call.refer(f"sip:{number}@127.0.0.1:{site.callers.port}"))
    person = await site.callers.rings(number)
    await caller.hang_up()
    await person.refuse(486)
    await asking
    assert (await site.product.end_of(call_id))["ended_reason"] == "user_hangup"


async def test_a_call_that_is_hung_up_while_the_new_phone_rings_lets_it_ring_no_longer(site: Site) -> None:
    caller, call_id = await site.call_agent()
    number = site.new_number()
    asking = asyncio.create_task(caller.call.refer(f"sip:{number}@127.0.0.1:{site.callers.port}"))
    person = await site.callers.rings(number)
    await site.product.hang_up(call_id)
    await asyncio.gather(person.is_over(), caller.is_over(), asking)
    assert (await site.product.end_of(call_id))["ended_reason"] == "agent_hangup"


@pytest.mark.parametrize(
    "target", ["sip:a@127.0.0.1:9;transport=ws", "sips:a@127.0.0.1:9", "sip:a@192.0.2.1", "sip:@127.0.0.1"]
)
async def test_a_caller_may_name_what_cannot_be_called_and_stays_where_it_was(site: Site, target: str) -> None:
    caller, call_id = await site.call_agent()
    assert (await caller.call.refer(target)).status >= 300
    await answer_yes(site, caller, call_id)


async def test_a_trunk_may_hand_us_over_where_that_is_allowed(site: Site) -> None:
    line, call_id = await site.be_called(ACCEPTING)
    number = site.new_number()
    asking = asyncio.create_task(line.call.refer(f"sip:{number}@127.0.0.1"))
    person = await (await site.persons.rings(number)).accept()
    assert (await asking).status == 200
    await line.is_over()
    await answer_yes(site, person, call_id)


async def test_a_trunk_that_may_not_hand_us_over_is_refused(site: Site) -> None:
    line, call_id = await site.be_called(REFUSING)
    result = await line.call.refer(f"sip:{site.new_number()}@127.0.0.1")
    assert (result.status, result.is_refused) == (603, True)
    await answer_yes(site, line, call_id)


async def test_an_invite_with_replaces_takes_the_call_over(site: Site) -> None:
    caller, call_id = await site.call_agent()
    other = await site.callers.dial(site.product.agent_uri, headers={"Replaces": caller.call.replaces})
    await caller.is_over()
    await answer_yes(site, other, call_id)


async def test_a_caller_may_hand_the_bridge_over_to_another_phone(site: Site) -> None:
    caller, call_id = await site.call_agent()
    person = await site.join(caller, call_id)
    other = await site.callers.dial(site.product.agent_uri, headers={"Replaces": caller.call.replaces})
    await caller.is_over()
    other.play(523)
    person.play(880)
    await asyncio.gather(person.hears_tone(523), other.hears_tone(880))
    await other.hang_up()
    await person.is_over()
    assert (await site.product.end_of(call_id))["ended_reason"] == "transferred"


async def test_what_would_replace_a_call_that_is_over_is_refused(site: Site) -> None:
    caller, _ = await site.call_agent()
    replaces = caller.call.replaces
    await caller.hang_up()
    late = await (await site.callers.begin(site.product.agent_uri, headers={"Replaces": replaces})).is_over()
    assert isinstance(late, Rejected)
    assert late.status == 481
