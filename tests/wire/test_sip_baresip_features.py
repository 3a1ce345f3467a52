"""Hold and transfer with baresip, from its side and from ours, over real sockets."""

import asyncio
from pathlib import Path

from ringdown.sip.call import Call
from ringdown.sip.events import Answered, Ended, Referred, ReferResult
from ringdown.sip.sdp import answer_offer, build_offer, read_answer
from tests.wire.sip_owner import connect, run_owner, wait_for
from tests.wire.sip_peers import run_baresip

SDP = build_offer("127.0.0.1", 30_000)
HOLD = build_offer("127.0.0.1", 30_000, version=2, direction="sendonly")


def answer_offers(call: Call) -> list[bytes]:
    """Answers each offer of the peer; the offers."""
    offers: list[bytes] = []

    def answer(offer: bytes) -> bytes:
        offers.append(offer)
        return answer_offer(offer, "127.0.0.1", 30_000)[0]

    call.on_reoffer = answer
    return offers


async def test_we_hold_baresip_and_resume(tmp_path: Path) -> None:
    async with run_baresip(tmp_path, answer_mode="auto") as baresip, run_owner() as owner:
        call = await owner.dial(baresip.uri)
        await wait_for(call, Answered)
        await baresip.wait_for("CALL_ESTABLISHED")
        assert b"a=recvonly" in await call.reoffer(HOLD)
        resumed = read_answer(await call.reoffer(build_offer("127.0.0.1", 30_000, version=3)))
        assert resumed.direction == "sendrecv"
        await call.bye()
        await baresip.wait_for("CALL_CLOSED")


async def test_baresip_holds_us_and_resumes(tmp_path: Path) -> None:
    async with run_baresip(tmp_path, answer_mode="auto") as baresip, run_owner() as owner:
        call = await owner.dial(baresip.uri)
        offers = answer_offers(call)
        await wait_for(call, Answered)
        await baresip.wait_for("CALL_ESTABLISHED")
        for command, direction in (("hold", b"a=sendonly"), ("resume", b"a=sendrecv")):
            await baresip.command(command)
            async with asyncio.timeout(30):
                while not (offers and direction in offers[-1]):
                    await asyncio.sleep(0.02)
        await call.bye()
        await baresip.wait_for("CALL_CLOSED")


async def test_we_transfer_baresip_and_hear_that_it_went_well(tmp_path: Path) -> None:
    async with run_baresip(tmp_path, answer_mode="auto") as baresip, run_owner() as owner, run_owner() as colleague:
        call = await owner.dial(baresip.uri)
        await wait_for(call, Answered)
        await baresip.wait_for("CALL_ESTABLISHED")
        transfer = asyncio.create_task(call.refer(colleague.endpoint.local_uri("carol")))
        incoming = await colleague.next_call()
        await incoming.answer(answer_offer(incoming.body, "127.0.0.1", 30_002)[0])
        assert await transfer == ReferResult(200, "OK")
        await wait_for(incoming, Answered)
        await call.bye()
        await incoming.bye()


async def test_baresip_transfers_us_and_hears_that_it_went_well(tmp_path: Path) -> None:
    async with run_baresip(tmp_path, answer_mode="auto") as baresip, run_owner() as owner:
        call = await owner.dial(baresip.uri)
        await wait_for(call, Answered)
        await baresip.wait_for("CALL_ESTABLISHED")
        await baresip.command("transfer", "sip:carol@127.0.0.1:9")
        referred = await wait_for(call, Referred)
        assert referred.target.startswith("sip:carol@127.0.0.1:9")
        await referred.referral.accept()
        await referred.referral.notify(200, "OK")
        assert await wait_for(call, Ended) == Ended("bye")  # it hangs up once the transfer has succeeded


async def test_a_baresip_that_cannot_replace_a_call_says_so_and_fails_without_harm(tmp_path: Path) -> None:
    async with run_baresip(tmp_path, answer_mode="auto") as baresip, run_owner() as owner, run_owner() as colleague:
        call = await owner.dial(baresip.uri)
        await wait_for(call, Answered)
        await baresip.wait_for("CALL_ESTABLISHED")
        assert (call.allows("REFER"), call.supports("replaces")) == (True, False)
        consultation, at_colleague = await connect(owner, colleague)
        assert consultation.supports("replaces")
        result = await call.refer(colleague.endpoint.local_uri("carol"), replaces=consultation.replaces)
        assert result.status >= 400
        for each in (call, at_colleague):
            await each.bye()
        assert await wait_for(call, Ended) == Ended("local")
        assert await wait_for(consultation, Ended) == Ended("bye")
