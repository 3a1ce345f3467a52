"""What a hostile or broken peer on this machine can send to the running gateway's SIP port, and what it gets."""

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from ringdown.cli.preflight import find_free_port
from ringdown.sip.events import Answered, Ended, Rejected
from ringdown.sip.sdp import read_answer
from tests.acceptance.running import run_phone, steps
from tests.wire.gateway_product import Product, count_descriptors, run_product
from tests.wire.sip_owner import Owner, run_owner, wait_for

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOST = "127.0.0.1"
CAPACITY = 6
PORT_PAIRS = 4


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    folder = tmp_path_factory.mktemp("product")
    first = find_free_port(HOST) & ~1
    ports = {"rtp_port_min": first, "rtp_port_max": first + 2 * PORT_PAIRS - 1}
    async with run_product(folder, max_calls=CAPACITY, **ports) as running:
        pid = running.gateway_pid
        yield running
        assert running.gateway_pid == pid, "the gateway was restarted"
        await running.newest_ended()
        assert running.rows("SELECT id, status FROM calls WHERE status NOT IN ('completed', 'failed')") == []


class Wire:
    """A raw UDP socket that speaks to the gateway."""

    def __init__(self, port: int) -> None:
        self._gateway = (HOST, port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self.name = f"{random.getrandbits(48):x}"

    def close(self) -> None:
        self._socket.close()

    def send(self, message: bytes | str) -> None:
        self._socket.sendto(message.encode() if isinstance(message, str) else message, self._gateway)

    def request(self, method: str, *, user: str = "agent", cseq: int = 1, body: str = "", to_tag: str = "") -> str:
        content = "Content-Type: application/sdp\r\n" if body else ""
        branch = f"z9hG4bK{self.name}{cseq}{'' if method in ('INVITE', 'CANCEL') else method}"
        return (
            f"{method} sip:{user}@{HOST}:{self._gateway[1]} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {HOST}:{self.port};branch={branch}\r\n"
            f"From: <sip:mallory@{HOST}:{self.port}>;tag=f{self.name}\r\n"
            f"To: <sip:{user}@{HOST}>{f';tag={to_tag}' if to_tag else ''}\r\nCall-ID: {self.name}\r\n"
            f"CSeq: {cseq} {method}\r\nMax-Forwards: 70\r\nContact: <sip:mallory@{HOST}:{self.port}>\r\n"
            f"{content}Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def offer(self, formats: str = "0 101", *, direction: str = "sendrecv") -> str:
        return (
            f"v=0\r\no=- 1 1 IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\n"
            f"m=audio {self.port + 1} RTP/AVP {formats}\r\na={direction}\r\n"
        )

    async def final(self, method: str = "INVITE", timeout_s: float = 10) -> str:
        """The next final response to a request of this method."""
        async with asyncio.timeout(timeout_s):
            while True:
                message = await self.next()
                if message.startswith("SIP/2.0 ") and message[8] != "1" and f" {method}\r\n" in message:
                    return message

    async def next_request(self, method: str, timeout_s: float = 10) -> str:
        """The next request of this method."""
        async with asyncio.timeout(timeout_s):
            while not (message := await self.next()).startswith(f"{method} "):
                pass
            return message

    def accept(self, request: str) -> str:
        """A 200 to a request."""
        names = ("Via:", "From:", "To:", "Call-ID:", "CSeq:")
        echoed = [line for line in request.split("\r\n") if line.startswith(names)]
        return "\r\n".join(["SIP/2.0 200 OK", *echoed, "Content-Length: 0", "", ""])

    async def next(self) -> str:
        data: bytes = await asyncio.get_running_loop().sock_recv(self._socket, 65536)
        return data.decode()


@contextlib.contextmanager
def open_wire(product: Product) -> Iterator[Wire]:
    wire = Wire(product.ports["SIP_PORT"])
    try:
        yield wire
    finally:
        wire.close()


def tag_of(response: str) -> str:
    to = next(line for line in response.split("\r\n") if line.startswith("To:"))
    return to.rpartition("tag=")[2]


def origin_of(response: str) -> tuple[str, str, int]:
    """User name, session and version of its SDP (RFC 8866 §5.2)."""
    user, session, version, *_ = response.partition("\r\no=")[2].split()
    return user, session, int(version)


@contextlib.asynccontextmanager
async def dialling(product: Product) -> AsyncIterator[Owner]:
    async with run_owner() as owner:
        yield owner


async def assert_it_still_takes_calls(product: Product) -> None:
    async with run_phone(0, "--dial", product.agent_uri, *steps("digits 1", "wait 30")) as phone:
        await phone.wait_for("ended")
    assert (await product.newest_ended())["summary"] == "Deliver today: yes."


async def test_garbage_and_torn_messages_are_survived(product: Product) -> None:
    noise = random.Random(7)
    with open_wire(product) as wire:
        whole = wire.request("INVITE", body=wire.offer())
        for cut in range(0, len(whole) - 120, 40):
            wire.send(whole[:cut])
        for _ in range(300):
            wire.send(noise.randbytes(noise.randrange(1, 1400)))
        wire.send(whole.replace("CSeq: 1", "CSeq: 99999999999999999999"))
        wire.send(whole.replace("Content-Length:", "Content-Length: -"))
        wire.send(b"\0" * 60_000)
    _, writer = await asyncio.open_connection(HOST, product.ports["SIP_PORT"])
    writer.write(b"INVITE sip:agent@x SIP/2.0\r\nContent-Length: 99999999\r\n\r\n" + noise.randbytes(5000))
    await writer.drain()
    writer.close()


async def test_an_unknown_user_is_not_found(product: Product) -> None:
    with open_wire(product) as wire:
        wire.send(wire.request("INVITE", user="nobody", body=wire.offer()))
        assert (await wire.final()).startswith("SIP/2.0 404")
        wire.send(wire.request("ACK", user="nobody"))


@pytest.mark.parametrize("body", ["g729", "nonsense", "srtp", "video", "name"])
async def test_an_offer_that_cannot_be_answered_is_refused(product: Product, body: str) -> None:
    with open_wire(product) as wire:
        offers = {
            "g729": wire.offer("18 4"),
            "nonsense": "hello, is anybody there?",
            "srtp": wire.offer().replace("RTP/AVP", "RTP/SAVP"),
            "name": wire.offer().replace("c=IN IP4 127.0.0.1", "c=IN IP4 phone.invalid"),
            "video": wire.offer().replace("m=audio", "m=video"),
        }
        wire.send(wire.request("INVITE", body=offers[body]))
        response = await wire.final()
        assert response.startswith("SIP/2.0 488")
        wire.send(wire.request("ACK", to_tag=tag_of(response)))
    call = await product.newest_ended()
    assert (call["status"], call["ended_reason"], call["cost_credits"]) == ("failed", "carrier_error", 0)


@pytest.mark.parametrize("answer", ["", "nonsense"])
async def test_our_own_offer_without_an_answer_ends_the_call(product: Product, answer: str) -> None:
    with open_wire(product) as wire:
        wire.send(wire.request("INVITE"))
        response = await wire.final()
        assert read_answer(response.partition("\r\n\r\n")[2].encode()).encoding == "PCMU"
        wire.send(wire.request("ACK", to_tag=tag_of(response), body=answer))
        bye = await wire.next_request("BYE")
        wire.send(wire.accept(bye))
    call = await product.newest_ended()
    assert (call["status"], call["ended_reason"], call["cost_credits"]) == ("failed", "carrier_error", 0)


@pytest.mark.parametrize(("method", "status"), [
    ("BYE", 481), ("UPDATE", 481), ("INFO", 481), ("PRACK", 481), ("NOTIFY", 481), ("CANCEL", 481), ("OPTIONS", 200),
    ("REFER", 481), ("SUBSCRIBE", 489), ("PUBLISH", 489), ("MESSAGE", 405), ("REGISTER", 405), ("FROBNICATE", 501),
])  # fmt: skip
async def test_a_request_outside_of_any_call_is_answered_politely(product: Product, method: str, status: int) -> None:
    with open_wire(product) as wire:
        wire.send(wire.request(method))
        assert (await wire.final(method)).startswith(f"SIP/2.0 {status}")


async def test_two_hundred_invites_at_once_meet_the_capacity_and_the_end_of_the_ports(product: Product) -> None:
    async with dialling(product) as owner:
        calls = [await owner.dial(product.agent_uri) for _ in range(200)]

        async def follow(call: object) -> str:
            async with asyncio.timeout(30):
                async for event in call.events():  # type: ignore[attr-defined]
                    if isinstance(event, Rejected):
                        return str(event.status)
                    if isinstance(event, Answered):
                        await asyncio.sleep(2)
                        await call.bye()  # type: ignore[attr-defined]
                        return "answered"
            return "ended"

        results = await asyncio.gather(*map(follow, calls))
    # Up to two more are let in and find no port.
    assert results.count("answered") == PORT_PAIRS
    assert results.count("503") == 200 - PORT_PAIRS
    await product.newest_ended()
    await assert_it_still_takes_calls(product)


async def test_a_held_call_hears_silence_and_is_taken_back(product: Product) -> None:
    with open_wire(product) as wire, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as audio:
        audio.bind((HOST, wire.port + 1))
        audio.setblocking(False)
        wire.send(wire.request("INVITE", body=wire.offer()))
        answered = await wire.final()
        tag = tag_of(answered)
        wire.send(wire.request("ACK", to_tag=tag))
        assert await count_packets(audio, 0.5) > 15
        wire.send(wire.request("INVITE", cseq=2, to_tag=tag, body=wire.offer(direction="inactive")))
        held = await wire.final()
        wire.send(wire.request("ACK", cseq=2, to_tag=tag))
        assert held.startswith("SIP/2.0 200")
        assert "a=inactive" in held
        assert origin_of(held) == (*origin_of(answered)[:2], origin_of(answered)[2] + 1)
        await count_packets(audio, 0.2)
        assert await count_packets(audio, 0.5) == 0
        wire.send(wire.request("INVITE", cseq=3, to_tag=tag, body=wire.offer("8 101")))
        taken_back = await wire.final()
        wire.send(wire.request("ACK", cseq=3, to_tag=tag))
        assert read_answer(taken_back.partition("\r\n\r\n")[2].encode()).encoding == "PCMA"
        assert await count_packets(audio, 0.5) > 15
        wire.send(wire.request("BYE", cseq=4, to_tag=tag))
        assert (await wire.final("BYE")).startswith("SIP/2.0 200")
    assert (await product.newest_ended())["ended_reason"] == "user_hangup"


async def count_packets(audio: socket.socket, seconds: float) -> int:
    count, loop = 0, asyncio.get_running_loop()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while await loop.sock_recv(audio, 2048):
                count += 1
    return count


async def test_a_cancel_at_any_moment_ends_the_call(product: Product) -> None:
    for delay_s in (0.0, 0.002, 0.005, 0.01, 0.02, 0.05):
        async with dialling(product) as owner:
            call = await owner.dial(product.agent_uri)
            await asyncio.sleep(delay_s)
            await call.cancel()
            assert isinstance(await wait_for(call, Ended), Ended)
        assert (await product.newest_ended())["status"] in ("failed", "completed")


async def test_a_bye_before_the_ack_ends_the_call(product: Product) -> None:
    with open_wire(product) as wire:
        wire.send(wire.request("INVITE", body=wire.offer()))
        tag = tag_of(await wire.final())
        wire.send(wire.request("BYE", cseq=2, to_tag=tag))
        assert (await wire.final("BYE")).startswith("SIP/2.0 200")
    call = await product.newest_ended()
    assert (call["ended_reason"], call["duration_seconds"]) == ("user_hangup", 0)


async def test_thirty_short_calls_leave_nothing_open(product: Product) -> None:
    pid = product.gateway_pid

    async def ring() -> None:
        async with dialling(product) as owner:
            call = await owner.dial(product.agent_uri)
            await wait_for(call, Answered)
            await asyncio.sleep(0.3)
            await call.bye()
            await wait_for(call, Ended)

    async def until_idle() -> None:
        async with asyncio.timeout(20):
            while await product.calls(status="in_progress") or await product.calls(status="ringing"):
                await asyncio.sleep(0.05)

    for _ in range(3):
        await ring()
        await until_idle()
    before = count_descriptors(pid)
    for _ in range(10):
        await asyncio.gather(*(ring() for _ in range(3)))
        await until_idle()  # three more would meet the capacity while their predecessors are stored
    async with asyncio.timeout(30):
        while count_descriptors(pid) > before:
            await asyncio.sleep(0.2)
