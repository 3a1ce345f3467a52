"""Calls with SIPp in both directions over real sockets."""

import asyncio
from pathlib import Path

import pytest

from ringdown.sip.call import IncomingCall
from ringdown.sip.digest import Credentials
from ringdown.sip.events import Answered, Ended, Provisional, Rejected
from ringdown.sip.registration import Registrar, RegistrationStatus
from ringdown.sip.sdp import answer_offer, read_answer
from tests.wire.sip_owner import collect, run_owner, wait_for
from tests.wire.sip_peers import run_sipp

SCENARIOS = Path(__file__).parent.parent / "data" / "sip"
PCAPS = Path("/usr/share/sip-tester")


async def answer_and_follow(call: IncomingCall, timeout_s: float = 10) -> list[object]:
    await call.ring()
    answer, _ = answer_offer(call.body, "127.0.0.1", 30_000)
    await call.answer(answer)
    return list(await collect(call, timeout_s))


def read_messages(folder: Path) -> str:
    """What a SIPp with `-trace_msg` sent and received."""
    (log,) = folder.glob("*_messages.log")
    return log.read_text()


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


async def test_sipp_answers_what_belongs_to_no_call_of_its_own(tmp_path: Path) -> None:
    async with run_owner() as owner:
        target = f"127.0.0.1:{owner.endpoint.port}"
        arguments = ("-sn", "uac", "-s", "agent", "-d", "500", "-oocsn", "ooc_default", target)
        async with run_sipp(tmp_path, *arguments) as sipp:
            incoming = await owner.next_call()
            following = asyncio.create_task(answer_and_follow(incoming))
            there, own = f"sip:sipp@127.0.0.1:{sipp.port}", owner.endpoint.local_uri("agent")
            for method in ("OPTIONS", "MESSAGE"):
                assert (await owner.endpoint.ask(method, there, from_uri=own)).status == 200
            assert await following == [Answered(b""), Ended("bye")]
            assert await sipp.wait() == 0


async def test_a_caller_that_registers_first_is_told_that_this_is_no_registrar(tmp_path: Path) -> None:
    async with run_owner() as owner:
        arguments = ("-sn", "branchc", f"127.0.0.1:{owner.endpoint.port}")
        async with run_sipp(tmp_path, *arguments, "-trace_msg") as sipp:
            assert await sipp.wait() == 1
        assert owner.incoming.empty()
    assert "SIP/2.0 405 Method Not Allowed" in read_messages(tmp_path)


async def test_the_registrar_of_a_standard_scenario_takes_us(tmp_path: Path) -> None:
    async with run_owner() as owner, run_sipp(tmp_path, "-sn", "branchs") as sipp:
        told: asyncio.Queue[RegistrationStatus] = asyncio.Queue()
        registrar = Registrar(uri=f"sip:127.0.0.1:{sipp.port}", address_of_record=owner.endpoint.local_uri("ua1"))
        owner.endpoint.register(registrar, on_change=told.put_nowait)
        async with asyncio.timeout(30):
            while (await told.get()).state != "registered":
                pass


@pytest.mark.parametrize("flag", ["u1", "t1"])
async def test_the_caller_of_the_regexp_scenario_finds_what_it_looks_for(tmp_path: Path, flag: str) -> None:
    async with run_owner() as owner:
        target = f"127.0.0.1:{owner.endpoint.port}"
        async with run_sipp(tmp_path, "-sn", "regexp", "-s", "agent", "-t", flag, target) as sipp:
            assert await answer_and_follow(await owner.next_call()) == [Answered(b""), Ended("bye")]
            assert await sipp.wait() == 0


async def test_callers_whose_packets_get_lost_are_served(tmp_path: Path) -> None:
    async with run_owner() as owner:
        target = f"127.0.0.1:{owner.endpoint.port}"
        # Long enough for an ACK that gets lost time and again: our 200 is repeated after 0.5, 1.5, 3.5 and 7.5 s.
        arguments = ("-sn", "uac", "-s", "agent", "-d", "8000", "-m", "10", "-lost", "10", target)
        async with run_sipp(tmp_path, *arguments, timeout_s=60) as sipp:
            tasks = [asyncio.create_task(answer_and_follow(await owner.next_call(), 60)) for _ in range(10)]
            assert await sipp.wait(65) == 0
            for events in await asyncio.gather(*tasks):
                assert events == [Answered(b""), Ended("bye")]
            assert owner.incoming.empty()
