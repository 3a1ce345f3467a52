"""Extensions against SIPp as the other side: 100rel, session timers, INFO, UPDATE, late offers, glare, transfers."""

import asyncio
from pathlib import Path

from ringdown.sip.events import Answered, DigitPressed, Ended, Provisional, Referred, ReferResult
from ringdown.sip.refresh import SessionTimer
from ringdown.sip.sdp import build_offer
from tests.wire.sip_owner import run_owner, wait_for
from tests.wire.sip_peers import run_sipp

SCENARIOS = Path(__file__).parent.parent / "data" / "sip"
SDP = build_offer("127.0.0.1", 30_000)


async def test_a_caller_with_every_extension_is_content(tmp_path: Path) -> None:
    async with run_owner() as owner:
        target = f"127.0.0.1:{owner.endpoint.port}"
        scenario = str(SCENARIOS / "caller_with_extensions.xml")
        async with run_sipp(tmp_path, "-sf", scenario, target) as sipp:
            call = await owner.next_call()
            answers: list[bytes] = []
            call.make_offer = lambda: SDP
            call.on_answer = answers.append
            await call.progress(183, SDP)
            await call.answer(SDP)
            assert await wait_for(call, Answered) == Answered(b"")
            assert await wait_for(call, DigitPressed) == DigitPressed("5")
            referred = await wait_for(call, Referred)
            assert referred.target == "sip:carol@127.0.0.1:9"
            await referred.referral.accept()
            await asyncio.sleep(0.05)
            await referred.referral.notify(200, "OK")
            assert await wait_for(call, Ended) == Ended("bye")
            assert await sipp.wait() == 0
            assert len(answers) == 1


async def test_a_callee_with_every_extension_is_content(tmp_path: Path) -> None:
    scenario = str(SCENARIOS / "callee_with_extensions.xml")
    async with run_sipp(tmp_path, "-sf", scenario) as sipp, run_owner() as owner:
        target = f"sip:service@127.0.0.1:{sipp.port}"
        call = await owner.dial(target, session_timer=SessionTimer(mode="request"))
        early = await wait_for(call, Provisional)
        answered = await wait_for(call, Answered)
        assert early.body == answered.body
        assert b"m=audio 6000" in await call.reoffer(SDP)
        assert await call.refer("sip:carol@127.0.0.1") == ReferResult(200, "OK")
        await call.bye()
        assert await wait_for(call, Ended) == Ended("local")
        assert await sipp.wait() == 0
