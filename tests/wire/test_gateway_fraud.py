"""What fraudsters try at the running gateway's doors, and that nobody stays on a dead line when they do."""

import asyncio
import contextlib
import os
import signal
import socket
import struct
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from ringdown.sip.call import Call, IncomingCall, OutgoingCall
from ringdown.sip.events import Answered, Ended, Referred, Rejected
from ringdown.sip.sdp import build_offer, read_answer
from tests.wire.gateway_product import Product, count_descriptors, run_product
from tests.wire.sip_owner import Owner, collect, run_owner, wait_for

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOST = "127.0.0.1"
NUMBER, COSTLY = "+4930901820", "+19005551234"
NO_MEDIA_S = 4


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    async with run_product(tmp_path_factory.mktemp("product"), no_media_seconds=NO_MEDIA_S) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def phone() -> AsyncIterator[Owner]:
    """A phone on this machine."""
    async with run_owner() as owner:
        yield owner


@pytest_asyncio.fixture(loop_scope="module")
async def carrier(product: Product) -> AsyncIterator[Owner]:
    """The far end of the outbound peer."""
    async with run_owner(port=product.ports["PEER_PORT"]) as owner:
        yield owner


class Voice:
    """Sends RTP, and counts what comes."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.socket.setblocking(False)
        self.port: int = self.socket.getsockname()[1]
        self._sending: asyncio.Task[None] | None = None

    def offer(self, direction: Any = "sendrecv") -> bytes:
        return build_offer(HOST, self.port, direction=direction)

    def talk_to(self, described: bytes) -> None:
        self._sending = asyncio.create_task(self._send(read_answer(described).port))

    async def _send(self, port: int) -> None:
        for number in range(10_000):
            self.socket.sendto(struct.pack(">BBHII", 0x80, 0, number, number * 160, 7) + b"\xff" * 160, (HOST, port))
            await asyncio.sleep(0.02)

    def count(self) -> int:
        count = 0
        with contextlib.suppress(BlockingIOError):
            while self.socket.recv(2048):
                count += 1
        return count

    def be_silent(self) -> None:
        if self._sending is not None:
            self._sending.cancel()


@contextlib.contextmanager
def speaking() -> Iterator[Voice]:
    voice = Voice()
    try:
        yield voice
    finally:
        voice.be_silent()
        voice.socket.close()


async def ring(product: Product, phone: Owner, voice: Voice) -> tuple[OutgoingCall, str]:
    """A call that the agent has taken, and its id."""
    call = phone.endpoint.prepare_invite(
        target=product.agent_uri, from_uri=phone.endpoint.local_uri("mallory"), body=voice.offer()
    )
    call.on_reoffer = lambda offer: voice.offer("recvonly" if b"a=sendonly" in offer else "sendrecv")
    await call.send()
    voice.talk_to((await wait_for(call, Answered)).body)
    [newest, *_] = await product.calls(direction="inbound")
    await product.reach(newest["id"], "in_progress")
    call_id: str = newest["id"]
    return call, call_id


async def hang_up(product: Product, call: Call, call_id: str) -> dict[str, Any]:
    await call.bye()
    ended: dict[str, Any] = await product.end_of(call_id)
    return ended


async def transfer(product: Product, call_id: str, **body: Any) -> int:
    async with product.client() as client:
        return (await client.post(f"/calls/{call_id}/transfer", json={"phone_number": NUMBER, **body})).status_code


async def decline_referrals(call: Call, seen: list[Ended]) -> None:
    """Follow a call to its end, and call nobody for it."""
    async for event in call.events():
        if isinstance(event, Referred):
            await event.referral.reject(603)
        elif isinstance(event, Ended):
            seen.append(event)


@pytest.mark.parametrize("user", [COSTLY, "0019005551234", "%2B19005551234", "911", "11833"])
async def test_a_redirect_to_a_number_that_must_not_be_called_is_not_followed(
    product: Product, carrier: Owner, user: str
) -> None:
    call_id = await product.place(NUMBER)
    incoming = await carrier.next_call()
    await incoming.reject(302, headers={"Contact": f"<sip:{user}@{HOST}:{carrier.endpoint.port}>"})
    assert (await product.end_of(call_id))["status"] == "failed"
    assert carrier.incoming.empty()


async def test_a_phone_on_this_machine_cannot_have_a_trunk_dialled(
    product: Product, phone: Owner, carrier: Owner
) -> None:
    """By no name of the trunk's machine, no detour and no spelling of a number."""
    peer = carrier.endpoint.port
    elsewhere = f"{HOST}:{phone.endpoint.port}"
    with speaking() as voice:
        call, call_id = await ring(product, phone, voice)
        for target in (
            f"sip:{COSTLY}@{HOST}:{peer}",
            f"sip:ana@{HOST}:{peer}",
            f"sip:{NUMBER}@127.0.0.2:{peer}",
            f"sip:{NUMBER}@0.0.0.0:{peer}",
            f"sip:{NUMBER}@192.0.2.1",
            f"sip:ana@{elsewhere};maddr=192.0.2.1",
            f"sip:{COSTLY}@{elsewhere}",
            f"sip:%39%31%31@{elsewhere}",
            "tel:+19005551234",
        ):
            result = await call.refer(target, timeout_s=5)
            assert result.status == 603, target
        result = await call.refer(f"sip:ana@{elsewhere}?Replaces=a%0d%0aRoute%3A%20b%3Bto-tag%3D1%3Bfrom-tag%3D2")
        assert result.status == 400
        assert (await hang_up(product, call, call_id))["ended_reason"] == "user_hangup"
    assert carrier.incoming.empty() and phone.incoming.empty()


async def test_one_referral_is_followed_at_a_time(product: Product, phone: Owner) -> None:
    async with run_owner() as other:
        with speaking() as voice:
            call, call_id = await ring(product, phone, voice)
            target = f"sip:ana@{HOST}:{other.endpoint.port}"
            first = asyncio.create_task(call.refer(target, timeout_s=10))
            incoming = await other.next_call()
            call._session.transfer = None  # our own stack asks for one at a time, too
            assert (await call.refer(target, timeout_s=5)).status == 491
            await incoming.reject(486)
            await hang_up(product, call, call_id)
            first.cancel()
        assert other.incoming.empty()


async def test_a_call_that_replaces_what_nobody_may_hand_over_is_refused(
    product: Product, phone: Owner, carrier: Owner
) -> None:
    """The person who is asked is no caller of the agent's; the INVITE is answered all the same."""
    with speaking() as voice, speaking() as other_voice:
        call, call_id = await ring(product, phone, voice)
        assert await transfer(product, call_id, mode="attended") == 201
        person = await carrier.next_call()
        await person.answer(other_voice.offer())
        await wait_for(person, Answered)
        thief = carrier.endpoint.prepare_invite(
            target=product.agent_uri,
            from_uri=carrier.endpoint.local_uri("thief"),
            body=voice.offer(),
            headers={"Replaces": person.replaces},
        )
        await thief.send()
        assert (await wait_for(thief, Rejected)).status == 481
        await hang_up(product, call, call_id)
        await wait_for(person, Ended)


@pytest.mark.parametrize("host", ["224.0.0.1", "239.255.255.250", "255.255.255.255"])
async def test_no_group_of_machines_is_sent_audio(product: Product, phone: Owner, host: str) -> None:
    call = phone.endpoint.prepare_invite(
        target=product.agent_uri, from_uri=phone.endpoint.local_uri("mallory"), body=build_offer(host, 30_000)
    )
    await call.send()
    assert (await wait_for(call, Rejected)).status == 488


async def test_somebody_who_only_listens_is_not_sent_to_for_ever(product: Product, phone: Owner) -> None:
    """It may be somebody who never asked for it: the address in an offer is anybody's."""
    with speaking() as victim:
        call = phone.endpoint.prepare_invite(
            target=product.agent_uri, from_uri=phone.endpoint.local_uri("mallory"), body=victim.offer("recvonly")
        )
        await call.send()
        await wait_for(call, Answered)
        began = time.monotonic()
        await wait_for(call, Ended)
        assert time.monotonic() - began < NO_MEDIA_S + 3
        assert victim.count() < (NO_MEDIA_S + 3) * 50
    assert (await product.newest_ended())["ended_reason"] == "no_media"


async def test_a_caller_on_hold_is_taken_back_to_be_joined_once_and_not_left_with_a_silent_person(
    product: Product, phone: Owner, carrier: Owner
) -> None:
    with speaking() as voice, speaking() as other_voice:
        call, call_id = await ring(product, phone, voice)
        ends: list[Ended] = []
        following = asyncio.create_task(decline_referrals(call, ends))
        async with product.client() as client:
            assert (await client.post(f"/calls/{call_id}/hold")).status_code == 201
        asked = await asyncio.gather(*(transfer(product, call_id) for _ in range(4)))
        assert sorted(asked) == [201, 422, 422, 422]
        person = await carrier.next_call()
        await person.answer(other_voice.offer())
        other_voice.talk_to(person.body)
        await wait_for(person, Answered)
        await asyncio.sleep(0.5)
        voice.count()
        await asyncio.sleep(0.5)
        assert voice.count() > 15 and other_voice.count() > 15
        other_voice.be_silent()
        await wait_for(person, Ended)
        await asyncio.wait_for(following, 30)
        ended = await product.end_of(call_id)
    assert (ended["ended_reason"], carrier.incoming.empty()) == ("transferred", True)


@pytest.mark.parametrize("stage", ["ringing", "asked", "joined"])
@pytest.mark.parametrize("who", ["caller", "api"])
async def test_a_hang_up_in_any_stage_of_a_transfer_leaves_nobody_behind(
    product: Product, phone: Owner, carrier: Owner, stage: str, who: str
) -> None:
    before = count_descriptors(product.gateway_pid)
    with speaking() as voice, speaking() as other_voice:
        call, call_id = await ring(product, phone, voice)
        following = asyncio.create_task(decline_referrals(call, []))
        assert await transfer(product, call_id, mode="blind" if stage == "joined" else "attended") == 201
        person = await carrier.next_call()
        if stage != "ringing":
            await answer(person, other_voice)
        await asyncio.sleep(0.3)
        if who == "caller":
            await call.bye()
        else:
            await product.hang_up(call_id)
        assert await collect(person)
        await asyncio.wait_for(following, 30)
        ended = await product.end_of(call_id)
    assert ended["status"] == "completed" and ended["recording_url"]
    async with asyncio.timeout(30):
        while count_descriptors(product.gateway_pid) > before:
            await asyncio.sleep(0.1)


async def answer(person: IncomingCall, voice: Voice) -> None:
    await person.answer(voice.offer())
    voice.talk_to(person.body)
    await wait_for(person, Answered)


async def test_both_sides_of_a_bridge_are_told_when_the_gateway_is_killed(
    product: Product, phone: Owner, carrier: Owner
) -> None:
    with speaking() as voice, speaking() as other_voice:
        call, call_id = await ring(product, phone, voice)
        ends: list[Ended] = []
        following = asyncio.create_task(decline_referrals(call, ends))
        assert await transfer(product, call_id) == 201
        person = await carrier.next_call()
        await answer(person, other_voice)
        await asyncio.sleep(1)
        pid = product.gateway_pid
        os.kill(pid, signal.SIGKILL)
        await product.wait_for_new_gateway(pid)
        # A gateway starts slowly on a busy machine.
        await asyncio.wait_for(asyncio.gather(following, decline_referrals(person, ends)), 40)
        ended = await product.end_of(call_id)
    assert [event.cause for event in ends] == ["bye", "bye"]
    assert ended["ended_reason"] == "recovered_after_crash" and ended["recording_url"]
