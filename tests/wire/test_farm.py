"""The phone farm of the benchmarks, asked over real sockets: it answers by the number and writes down what it saw."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from benchmarks import farm_log, farm_message, farm_plans, farm_process
from benchmarks.farm_log import Dialled
from benchmarks.farm_message import Message

pytestmark = pytest.mark.asyncio

_PATIENCE_S = 20.0


class Caller:
    """A SIP caller that sends what it is told; it repeats nothing by itself."""

    def __init__(self, farm: farm_process.FarmProcess) -> None:
        self.farm = farm
        self.sip, self.rtp = _open(), _open()
        self.address = ("127.0.0.1", farm.port)

    def send(self, method: str, number: str, *, to_tag: str = "", branch: str = "z9hG4bKone", cseq: int = 1) -> None:
        """A request of the one call to this number."""
        port, tag = self.sip.getsockname()[1], f";tag={to_tag}" if to_tag else ""
        body = ""
        if method == "INVITE":
            lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0"]
            body = "\r\n".join([*lines, f"m=audio {self.audio_port} RTP/AVP 0", ""])
        head = [f"{method} sip:{number}@127.0.0.1 SIP/2.0", f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch={branch}"]
        head += ["From: <sip:us@127.0.0.1>;tag=us", f"To: <sip:{number}@127.0.0.1>{tag}", f"Call-ID: call-{number}"]
        head += [f"CSeq: {cseq} {method}", f"Contact: <sip:us@127.0.0.1:{port}>", f"Content-Length: {len(body)}"]
        self.sip.sendto(("\r\n".join(head) + "\r\n\r\n" + body).encode(), self.address)

    @property
    def audio_port(self) -> int:
        port: int = self.rtp.getsockname()[1]
        return port

    async def receive(self, wanted: int | str) -> Message:
        """The next response with this status, or request of this method."""
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                data = await asyncio.get_running_loop().sock_recv(self.sip, 65535)
                message = farm_message.read(data)
                if wanted in (message.status, message.method if not message.status else None):
                    return message

    async def seen(self, number: str, is_there: Callable[[Dialled], object]) -> Dialled:
        """What the farm has written of the call to this number, when that is there."""
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                for dialled in farm_log.read_log(self.farm.log).dialled:
                    if dialled.number == number and is_there(dialled):
                        return dialled
                await asyncio.sleep(0.05)


def _open() -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setblocking(False)
    opened.bind(("127.0.0.1", 0))
    return opened


@contextlib.asynccontextmanager
async def call_farm(log: Path, *, drop: int) -> AsyncIterator[Caller]:
    with farm_process.run_farm(log, drop=drop) as farm:
        caller = Caller(farm)
        try:
            yield caller
        finally:
            caller.sip.close()
            caller.rtp.close()


@pytest_asyncio.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with call_farm(tmp_path / "log", drop=0) as calling:
        yield calling


def find_number(way: farm_plans.Way) -> str:
    return next(number for number in map(farm_plans.make_number, range(100)) if farm_plans.find_way(number) == way)


async def test_a_phone_that_waits_hears_our_audio_and_is_told_by_our_bye(caller: Caller) -> None:
    number = find_number("waits")
    caller.send("INVITE", number)
    caller.send("INVITE", number)
    answer = await caller.receive(200)
    caller.send("ACK", number, to_tag=answer.to_tag)
    farm_audio = ("127.0.0.1", farm_message.read_audio_port(answer.body))
    async with asyncio.timeout(_PATIENCE_S):
        assert len(await asyncio.get_running_loop().sock_recv(caller.rtp, 2048)) == 172
    caller.rtp.sendto(struct.pack("!BBHII", 0x80, 0, 1, 160, 7) + bytes(160), farm_audio)
    await asyncio.sleep(0.1)
    caller.send("BYE", number, to_tag=answer.to_tag, branch="z9hG4bKtwo", cseq=2)
    assert (await caller.receive(200)).method == "BYE"
    seen = await caller.seen(number, lambda dialled: dialled.how)
    assert (seen.how, seen.repeated, seen.packets) == ("bye_received", 1, 1)
    assert seen.answered_at is not None and seen.ended_at is not None
    assert seen.invited_at <= seen.answered_at <= (seen.last_rtp_at or 0) <= seen.ended_at
    assert not seen.is_hanging


async def test_a_phone_that_talks_hangs_up(caller: Caller) -> None:
    number = find_number("talks")
    caller.send("INVITE", number)
    answer = await caller.receive(200)
    caller.send("ACK", number, to_tag=answer.to_tag)
    bye = await caller.receive("BYE")
    assert bye.headers["from"].endswith(f"tag={answer.to_tag}")
    assert (await caller.seen(number, lambda dialled: dialled.how)).how == "bye_sent"


async def test_a_phone_that_nobody_answers_rings_until_it_is_cancelled(caller: Caller) -> None:
    number = find_number("no_answer")
    caller.send("INVITE", number)
    await caller.receive(180)
    caller.send("CANCEL", number)
    assert (await caller.receive(487)).method == "INVITE"
    seen = await caller.seen(number, lambda dialled: dialled.how)
    assert (seen.how, seen.status, seen.answered_at) == ("refused", 487, None)
    assert seen.cancelled_at is not None


async def test_a_second_invite_is_told_apart_from_a_repeated_one(caller: Caller) -> None:
    number = find_number("busy")
    caller.send("INVITE", number)
    await caller.receive(486)
    caller.send("INVITE", number)
    await caller.receive(486)
    caller.send("INVITE", number, branch="z9hG4bKnew", cseq=2)
    await caller.receive(486)
    await caller.seen(number, lambda dialled: dialled.cseq == 2 and dialled.how)
    both = farm_log.read_log(caller.farm.log).by_number()[number]
    assert [(dialled.cseq, dialled.repeated) for dialled in both] == [(1, 1), (2, 0)]


async def test_a_dropped_refusal_comes_when_the_invite_is_repeated(tmp_path: Path) -> None:
    number = find_number("busy")
    async with call_farm(tmp_path / "log", drop=1) as caller:
        caller.send("INVITE", number)
        await caller.seen(number, lambda dialled: dialled.how)
        assert farm_log.read_log(caller.farm.log).events["dropped"] == 1
        caller.send("INVITE", number)
        await caller.receive(486)


async def test_whoever_is_never_told_stays_hanging(tmp_path: Path) -> None:
    number = find_number("machine")
    async with call_farm(tmp_path / "log", drop=0) as caller:
        caller.send("INVITE", number)
        await caller.receive(200)
    (seen,) = farm_log.read_log(tmp_path / "log").dialled
    assert (seen.how, seen.is_hanging) == ("farm_stopped", True)


async def test_of_a_hundred_numbers_each_way_has_its_share() -> None:
    numbers = [farm_plans.make_number(position) for position in range(100, 300)]
    assert len(set(numbers)) == 200
    ways = [farm_plans.find_way(number) for number in numbers]
    assert {way: ways.count(way) for way in farm_plans.WAYS} == {
        "talks": 68, "waits": 64, "busy": 16, "no_answer": 8, "declined": 12, "unreachable": 16, "machine": 16
    }  # fmt: skip


async def test_the_fullest_second_slides() -> None:
    assert farm_log.find_most_in_a_second([0, 900, 1000, 1899, 1900, 5000]) == 3
