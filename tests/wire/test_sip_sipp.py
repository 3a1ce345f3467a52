"""Calls with SIPp in both directions over real sockets."""

import asyncio
from pathlib import Path

import pytest

from ringdown.sip.call import IncomingCall
from ringdown.sip.digest import Credentials
from ringdown.sip.events import Answered, Ended, Provisional, Rejected
from ringdown.sip.sdp import answer_offer, read_answer
from tests.wire.sip_owner import collect, run_owner, wait_for
from tests.wire.sip_peers import run_sipp

SCENARIOS = Path(__file__).parent.parent / "data" / "sip"
PCAPS = Path("/usr/share/sip-tester")


async def answer_and_follow(call: IncomingCall) -> list[object]:
    await call.ring()
    answer, _ = answer_offer(call.body, "127.0.0.1", 30_000)
    await call.answer(answer)
    return list(await collect(call))


@pytest.mark.parametrize("flag", ["u1", "t1"])
async def test_the_standard_caller_is_content(tmp_path: Path, flag: str) -> None:
    async with run_owner() as owner:
        target = f"127.0.0.1:{owner.endpoint.port}"
        async with run_sipp(tmp_path, "-sn", "uac", "-s", "agent", "-d", "50", "-t", flag, target) as sipp:
            incoming = await owner.next_call()
            events = await answer_and_follow(incoming)
            assert events == [Answered(b""), Ended("bye")]
            assert incoming.request_uri == f"sip:agent@{target}"
            assert await sipp.wait() == 0


async def test_the_caller_with_audio_is_content(tmp_path: Path) -> None:
    (tmp_path / "pcap").symlink_to(PCAPS)
    async with run_owner() as owner:
        target = f"127.0.0.1:{owner.endpoint.port}"
        async with run_sipp(tmp_path, "-sn", "uac_pcap", "-s", "agent", target) as sipp:
            events = await answer_and_follow(await owner.next_call())
            assert events == [Answered(b""), Ended("bye")]
            assert await sipp.wait() == 0


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_the_standard_callee_is_content(tmp_path: Path, transport: str) -> None:
    flag = "t1" if transport == "tcp" else "u1"
    async with run_sipp(tmp_path, "-sn", "uas", "-t", flag) as sipp, run_owner() as owner:
        call = await owner.dial(f"sip:service@127.0.0.1:{sipp.port};transport={transport}")
        answered = await wait_for(call, Answered)
        assert read_answer(answered.body).encoding == "PCMU"
        await call.bye()
        assert await collect(call) == [Ended("local")]
        assert await sipp.wait() == 0


async def test_a_callee_that_wants_digest_is_content(tmp_path: Path) -> None:
    scenario = str(SCENARIOS / "callee_with_digest.xml")
    async with run_sipp(tmp_path, "-sf", scenario) as sipp, run_owner() as owner:
        call = await owner.dial(f"sip:service@127.0.0.1:{sipp.port}", credentials=Credentials("alice", "secret"))
        early = await wait_for(call, Provisional)
        assert early.status == 183
        assert read_answer(early.body).dtmf_payload_type == 101
        await wait_for(call, Answered)
        await call.bye()
        assert await collect(call) == [Ended("local")]
        assert await sipp.wait() == 0


async def test_a_wrong_password_is_refused(tmp_path: Path) -> None:
    scenario = str(SCENARIOS / "callee_with_digest.xml")
    async with run_sipp(tmp_path, "-sf", scenario) as sipp, run_owner() as owner:
        call = await owner.dial(f"sip:service@127.0.0.1:{sipp.port}", credentials=Credentials("alice", "wrong"))
        assert await collect(call) == [Rejected(403, "Forbidden")]
        assert await sipp.wait() == 0


@pytest.mark.parametrize(("refusal", "expected"), [
    ("603 Decline", Rejected(603, "Decline", 30)),
    ("486 Busy Here", Rejected(486, "Busy Here", 30)),
    ("503 Service Unavailable", Rejected(503, "Service Unavailable", 30)),
])  # fmt: skip
async def test_a_refusal_is_acknowledged_and_told(tmp_path: Path, refusal: str, expected: Rejected) -> None:
    scenario = tmp_path / "callee_refuses.xml"
    scenario.write_text((SCENARIOS / "callee_refuses.xml").read_text().replace("@REFUSAL@", refusal))
    async with run_sipp(tmp_path, "-sf", str(scenario)) as sipp, run_owner() as owner:
        call = await owner.dial(f"sip:service@127.0.0.1:{sipp.port}")
        events = await collect(call)
        assert events[-1] == expected
        assert await sipp.wait() == 0


async def test_no_answer_is_cancelled(tmp_path: Path) -> None:
    scenario = str(SCENARIOS / "callee_is_cancelled.xml")
    async with run_sipp(tmp_path, "-sf", scenario) as sipp, run_owner() as owner:
        call = await owner.dial(f"sip:service@127.0.0.1:{sipp.port}")
        await wait_for(call, Provisional)
        await call.cancel()
        assert await collect(call) == [Ended("cancelled")]
        assert await sipp.wait() == 0


async def test_a_stale_invite_is_cancelled_by_another_process_on_the_same_port(tmp_path: Path) -> None:
    scenario = str(SCENARIOS / "callee_is_cancelled.xml")
    async with run_sipp(tmp_path, "-sf", scenario) as sipp:
        async with run_owner() as dead:
            call = await dead.dial(f"sip:service@127.0.0.1:{sipp.port}")
            await wait_for(call, Provisional)
            state = call.dialog_state
            port = dead.endpoint.port
        async with run_owner(port=port) as heir:
            assert await heir.endpoint.end_stale_dialog(state) == "cancel"
            assert await sipp.wait() == 0


async def test_a_burst_of_callers_is_served(tmp_path: Path) -> None:
    async with run_owner() as owner:
        target = f"127.0.0.1:{owner.endpoint.port}"
        async with run_sipp(tmp_path, "-sn", "uac", "-s", "agent", "-d", "50", "-r", "50", "-m", "50", target) as sipp:
            tasks = [asyncio.create_task(answer_and_follow(await owner.next_call())) for _ in range(50)]
            for events in await asyncio.gather(*tasks):
                assert events == [Answered(b""), Ended("bye")]
            assert await sipp.wait() == 0
