"""Calls with baresip in both directions over real sockets."""

import json
from pathlib import Path

import pytest

from ringdown.sip.events import Answered, Ended, Provisional, Rejected
from ringdown.sip.sdp import answer_offer, read_answer
from tests.wire.sip_owner import collect, run_owner, wait_for
from tests.wire.sip_peers import run_baresip

TRANSPORTS = pytest.mark.parametrize("transport", ["udp", "tcp"])


@TRANSPORTS
async def test_baresip_answers_and_we_hang_up(tmp_path: Path, transport: str) -> None:
    async with run_baresip(tmp_path, answer_mode="auto") as baresip, run_owner() as owner:
        call = await owner.dial(f"{baresip.uri};transport={transport}")
        answered = await wait_for(call, Answered)
        await baresip.wait_for("CALL_ESTABLISHED")
        await call.bye()
        assert await collect(call) == [Ended("local")]
        await baresip.wait_for("CALL_CLOSED")
        audio = read_answer(answered.body)
        assert (audio.host, audio.encoding, audio.payload_type, audio.dtmf_payload_type) == (
            "127.0.0.1",
            "PCMU",
            0,
            101,
        )


async def test_baresip_answers_and_hangs_up(tmp_path: Path) -> None:
    async with run_baresip(tmp_path) as baresip, run_owner() as owner:
        call = await owner.dial(baresip.uri)
        await baresip.wait_for("CALL_INCOMING")
        await baresip.command("accept")
        await wait_for(call, Answered)
        await baresip.command("hangup")
        assert isinstance((await collect(call))[-1], Ended)


async def test_baresip_is_busy(tmp_path: Path) -> None:
    async with run_baresip(tmp_path) as baresip, run_owner() as owner:
        call = await owner.dial(baresip.uri)
        await baresip.wait_for("CALL_INCOMING")
        await baresip.command("hangup")
        events = await collect(call)
        assert isinstance(events[0], Provisional)
        assert events[0].status == 180
        assert isinstance(events[-1], Rejected)
        assert events[-1].status == 486
        assert not events[-1].is_local


@TRANSPORTS
async def test_baresip_does_not_answer_and_we_cancel(tmp_path: Path, transport: str) -> None:
    async with run_baresip(tmp_path) as baresip, run_owner() as owner:
        call = await owner.dial(f"{baresip.uri};transport={transport}")
        await baresip.wait_for("CALL_INCOMING")
        await call.cancel()
        assert (await collect(call))[-1] == Ended("cancelled")
        await baresip.wait_for("CALL_CLOSED")


@TRANSPORTS
async def test_baresip_dials_us_and_hangs_up(tmp_path: Path, transport: str) -> None:
    async with run_baresip(tmp_path, transport=transport) as baresip, run_owner() as owner:
        await baresip.command("dial", f"{owner.endpoint.local_uri('agent')};transport={transport}")
        incoming = await owner.next_call()
        await incoming.ring()
        await baresip.wait_for("CALL_RINGING")
        answer, audio = answer_offer(incoming.body, "127.0.0.1", 30_000)
        await incoming.answer(answer)
        await wait_for(incoming, Answered)
        await baresip.wait_for("CALL_ESTABLISHED")
        await baresip.command("hangup")
        assert isinstance((await collect(incoming))[-1], Ended)
        assert audio.encoding == "PCMU"
        assert incoming.from_uri.startswith("sip:bob@")


@TRANSPORTS
async def test_baresip_dials_us_and_we_hang_up(tmp_path: Path, transport: str) -> None:
    async with run_baresip(tmp_path, transport=transport) as baresip, run_owner() as owner:
        await baresip.command("dial", f"{owner.endpoint.local_uri('agent')};transport={transport}")
        incoming = await owner.next_call()
        answer, _ = answer_offer(incoming.body, "127.0.0.1", 30_000)
        await incoming.answer(answer)
        await wait_for(incoming, Answered)
        await incoming.bye()
        assert await collect(incoming) == [Ended("local")]
        await baresip.wait_for("CALL_CLOSED")


async def test_baresip_gives_up_before_we_answer(tmp_path: Path) -> None:
    async with run_baresip(tmp_path) as baresip, run_owner() as owner:
        await baresip.command("dial", owner.endpoint.local_uri("agent"))
        incoming = await owner.next_call()
        await incoming.ring()
        await baresip.wait_for("CALL_RINGING")
        await baresip.command("hangup")
        assert await collect(incoming) == [Ended("cancelled")]


@pytest.mark.parametrize("status", [404, 486, 603])
async def test_we_refuse_baresip(tmp_path: Path, status: int) -> None:
    async with run_baresip(tmp_path) as baresip, run_owner() as owner:
        await baresip.command("dial", owner.endpoint.local_uri("nobody"))
        incoming = await owner.next_call()
        await incoming.reject(status)
        closed = await baresip.wait_for("CALL_CLOSED")
        assert str(status) in closed["param"]


@pytest.mark.parametrize("phase", ["ringing", "answered"])
async def test_baresip_is_freed_by_another_process_after_a_crash(tmp_path: Path, phase: str) -> None:
    async with run_baresip(tmp_path) as baresip:
        async with run_owner() as dead:
            port = dead.endpoint.port
            call = await dead.dial(baresip.uri)
            await baresip.wait_for("CALL_INCOMING")
            if phase == "answered":
                await baresip.command("accept")
            await wait_for(call, Answered if phase == "answered" else Provisional)
            state = json.loads(json.dumps(call.dialog_state))
        async with run_owner(port=port) as heir:
            method = await heir.endpoint.end_stale_dialog(state)
            assert method == ("bye" if phase == "answered" else "cancel")
            await baresip.wait_for("CALL_CLOSED")


async def test_baresip_the_caller_is_freed_by_another_process_after_a_crash(tmp_path: Path) -> None:
    async with run_baresip(tmp_path) as baresip, run_owner() as dead, run_owner() as heir:
        await baresip.command("dial", dead.endpoint.local_uri("agent"))
        incoming = await dead.next_call()
        answer, _ = answer_offer(incoming.body, "127.0.0.1", 30_000)
        await incoming.answer(answer)
        await wait_for(incoming, Answered)
        assert await heir.endpoint.end_stale_dialog(incoming.dialog_state) == "bye"
        await baresip.wait_for("CALL_CLOSED")
