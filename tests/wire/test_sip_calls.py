"""What two endpoints do within a call over real sockets: hold, transfer, early media, and ends in the middle of it."""

import asyncio

import pytest

from ringdown.sip.events import Answered, DigitPressed, Ended, Provisional, Referred, ReferResult, ReofferFailed
from ringdown.sip.refresh import SessionTimer
from ringdown.sip.sdp import build_offer
from ringdown.sip.transaction import Timing
from tests.wire.sip_owner import connect, run_owner, wait_for

SDP = build_offer("127.0.0.1", 30_004)
HOLD = SDP.replace(b"sendrecv", b"sendonly")
HELD = SDP.replace(b"sendrecv", b"recvonly")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_call_is_held_and_resumed_by_both_sides(transport: str) -> None:
    async with run_owner() as caller, run_owner() as callee:
        call = await caller.dial(f"{callee.endpoint.local_uri('bob')};transport={transport}")
        incoming = await callee.next_call()
        await incoming.answer(SDP)
        await wait_for(call, Answered)
        await wait_for(incoming, Answered)
        incoming.on_reoffer = lambda offer: HELD if b"sendonly" in offer else SDP
        call.on_reoffer = lambda _offer: HELD
        assert await call.reoffer(HOLD) == HELD
        assert await call.reoffer(SDP) == SDP
        assert await incoming.reoffer(HOLD) == HELD
        assert call.signalling_host == incoming.signalling_host == "127.0.0.1"
        await call.bye()
        assert await wait_for(incoming, Ended) == Ended("bye")


async def test_offers_that_cross_both_succeed_in_the_end() -> None:
    async with run_owner() as caller, run_owner() as callee:
        call, incoming = await connect(caller, callee)
        call.on_reoffer = incoming.on_reoffer = lambda _offer: SDP
        async with asyncio.timeout(30):
            assert await asyncio.gather(call.reoffer(HOLD), incoming.reoffer(HOLD)) == [SDP, SDP]
        await call.bye()


async def test_an_offer_that_the_peer_cannot_meet_is_an_error_and_the_call_goes_on() -> None:
    async with run_owner() as caller, run_owner() as callee:
        call, incoming = await connect(caller, callee)

        def refuse(_offer: bytes) -> bytes:
            raise ValueError("no")

        incoming.on_reoffer = refuse
        with pytest.raises(ReofferFailed, match="488") as raised:
            await call.reoffer(HOLD)
        assert raised.value.status == 488
        await incoming.bye()
        assert await wait_for(call, Ended) == Ended("bye")


async def test_a_closing_endpoint_leaves_nobody_waiting() -> None:
    async with run_owner() as callee:
        async with run_owner() as caller:
            call, _ = await connect(caller, callee)
            await callee.endpoint.close()
            offer = asyncio.create_task(call.reoffer(HOLD))
            transfer = asyncio.create_task(call.refer("sip:carol@127.0.0.1"))
            await asyncio.sleep(0.05)
        with pytest.raises(ReofferFailed):
            await asyncio.wait_for(offer, 1)
        assert (await asyncio.wait_for(transfer, 1)).status in (481, 503)


async def test_an_attended_transfer_over_three_endpoints() -> None:
    async with run_owner() as agent, run_owner() as caller, run_owner() as colleague:
        to_agent, at_agent = await connect(caller, agent)
        consultation, at_colleague = await connect(agent, colleague)
        transfer = asyncio.create_task(
            at_agent.refer(colleague.endpoint.local_uri("carol"), replaces=consultation.replaces)
        )
        referred = await wait_for(to_agent, Referred)
        assert referred.target == colleague.endpoint.local_uri("carol")
        assert referred.replaces is not None
        await referred.referral.accept()
        new = await caller.dial(referred.target, headers=[("Replaces", referred.replaces)])
        replacing = await colleague.next_call()
        assert replacing.replaced_call is at_colleague
        await replacing.answer(SDP)
        await at_colleague.bye()
        await wait_for(new, Answered)
        await referred.referral.notify(200, "OK")
        assert await transfer == ReferResult(200, "OK")
        assert await wait_for(consultation, Ended) == Ended("bye")
        for call in (at_agent, new):
            await call.bye()


async def test_early_media_is_heard_before_the_answer() -> None:
    async with run_owner() as caller, run_owner() as callee:
        call = await caller.dial(callee.endpoint.local_uri("bob"))
        incoming = await callee.next_call()
        await incoming.progress(183, SDP)
        early = await wait_for(call, Provisional)
        assert (early.status, early.body, bool(early.tag)) == (183, SDP, True)
        await incoming.answer(SDP)
        await wait_for(call, Answered)
        await call.bye()
        assert await wait_for(incoming, Ended) == Ended("bye")


async def test_a_session_timer_is_agreed_and_the_call_goes_on() -> None:
    async with run_owner() as caller, run_owner() as callee:
        call, incoming = await connect(caller, callee, session_timer=SessionTimer(expires_s=90, mode="request"))
        incoming.on_reoffer = lambda _offer: SDP
        assert await call.reoffer(SDP) == SDP
        await call.bye()
        assert await wait_for(incoming, Ended) == Ended("bye")


async def test_a_peer_that_vanished_is_noticed_by_an_offer() -> None:
    async with run_owner(timing=Timing(t1=0.02, t2=0.1, t4=0.1)) as caller, run_owner() as callee:
        call, _ = await connect(caller, callee)
        callee.endpoint._agent.stack.sessions.clear()
        with pytest.raises(ReofferFailed, match="481"):
            await call.reoffer(HOLD)
        assert await wait_for(call, Ended) == Ended("timeout")


async def test_a_key_in_an_info_is_heard() -> None:
    async with run_owner() as caller, run_owner() as callee:
        call, incoming = await connect(caller, callee)
        dialog = call._session.dialog
        assert dialog is not None
        via = f"SIP/2.0/UDP 127.0.0.1:{caller.endpoint.port};branch=z9hG4bKinfo;rport"
        fields = [("Content-Type", "application/dtmf-relay")]
        info = dialog.build_request("INFO", via=via, cseq=9, fields=fields, body=b"Signal=#\r\nDuration=100\r\n")
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=("127.0.0.1", callee.endpoint.port)
        )
        transport.sendto(info.serialize())
        assert await wait_for(incoming, DigitPressed) == DigitPressed("#")
        transport.close()
        await incoming.bye()
