"""Transfers that come to nothing: the agent goes on with the caller, or the call ends and nobody stays on a line."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from ringdown.sip.call import IncomingCall
from ringdown.sip.events import Ended
from tests.wire.telephone import Line
from tests.wire.transfers.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="package")


def refuse(status: int) -> Callable[[Line], Awaitable[None]]:
    async def answer(person: Line) -> None:
        assert isinstance(person.call, IncomingCall)
        await person.call.reject(status)

    return answer


async def let_ring(person: Line) -> None:
    assert isinstance(await person.is_over(), Ended)


async def hang_up_while_asked(person: Line) -> None:
    await person.accept()
    await person.hears_something()
    await person.hang_up()


async def say_no(person: Line) -> None:
    await person.accept()
    await person.hears_something()
    person.media.send_digits("2")
    await person.is_over()


FAILURES = {
    "the number was busy": refuse(486),
    "the call was declined": refuse(603),
    "the number cannot be reached": refuse(404),
    "nobody answered": let_ring,
    "the other person hung up": hang_up_while_asked,
    "the other person did not take the call": say_no,
}


async def test_the_agent_comes_back_says_why_and_goes_on(site: Site) -> None:
    async def fail(reason: str, person_does: Callable[[Line], Awaitable[None]]) -> None:
        caller, call_id = await site.call_agent()
        number = site.new_number()
        await site.transfer(call_id, number, mode="attended", timeout="3s")
        await person_does(await site.persons.rings(number))
        transfer = await site.reaches(call_id, "failed")
        assert transfer["reason"] == reason
        await site.says(call_id, f"could not connect you: {reason}.")
        caller.media.send_digits("1")
        call = await site.product.end_of(call_id)
        assert (call["ended_reason"], call["summary"]) == ("agent_hangup", "Deliver today: yes.")

    async with asyncio.TaskGroup() as group:
        for reason, person_does in FAILURES.items():
            group.create_task(fail(reason, person_does))


async def test_another_transfer_may_follow_one_that_failed(site: Site) -> None:
    caller, call_id = await site.call_agent()
    number = site.new_number()
    await site.transfer(call_id, number, mode="attended")
    async with site.product.client() as client:
        again = await client.post(f"/calls/{call_id}/transfer", json={"phone_number": number})
        assert again.status_code == 422
    await refuse(486)(await site.persons.rings(number))
    await site.reaches(call_id, "failed")
    person = await site.join(caller, call_id)
    await caller.hang_up()
    await person.is_over()
    call = await site.product.end_of(call_id)
    assert (call["ended_reason"], call["transfer"]["status"]) == ("transferred", "connected")


async def ring(site: Site, caller: Line, call_id: str) -> Line:
    number = site.new_number()
    await site.transfer(call_id, number, mode="attended")
    person = await site.persons.rings(number)
    await site.reaches(call_id, "ringing")
    return person


async def ask(site: Site, caller: Line, call_id: str) -> Line:
    person = await (await ring(site, caller, call_id)).accept()
    await site.reaches(call_id, "talking")
    return person


def stored_transfer(site: Site, call_id: str) -> dict[str, str | None]:
    [(row,)] = site.product.rows(f"SELECT transfer FROM calls WHERE id = '{call_id}'")
    found: dict[str, str | None] = json.loads(row)
    return found


async def test_whoever_ends_the_call_in_whatever_stage_frees_the_other_person(site: Site) -> None:
    async def end(stage: Callable[[Site, Line, str], Awaitable[Line]], by: str) -> None:
        caller, call_id = await site.call_agent()
        person = await stage(site, caller, call_id)
        if by == "caller":
            await caller.hang_up()
        else:
            assert (await site.product.hang_up(call_id)).status_code < 300
        await asyncio.gather(caller.is_over(), person.is_over())
        call, is_joined = await site.product.end_of(call_id), stage is Site.join
        ended = "transferred" if is_joined and by == "caller" else "user_hangup" if by == "caller" else "agent_hangup"
        assert call["ended_reason"] == ended
        reason = None if is_joined else "the caller hung up" if by == "caller" else "the call was hung up"
        assert (call["transfer"]["status"], call["transfer"]["reason"]) == (
            "connected" if is_joined else "failed",
            reason,
        )
        stored = stored_transfer(site, call_id)
        assert (stored["status"], stored["reason"]) == (call["transfer"]["status"], reason)

    async with asyncio.TaskGroup() as group:
        for stage in (ring, ask, Site.join):
            for by in ("caller", "api"):
                group.create_task(end(stage, by))
