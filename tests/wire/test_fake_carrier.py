"""The fake carrier itself: what it answers by hand-written messages, healthy and with faults."""

import asyncio
import contextlib
import hashlib
import re
import socket
import struct
from collections.abc import AsyncIterator

from tests.fakes.carrier import REALM, Behaviour, Carrier
from tests.fakes.carrier_media import CarrierMedia, MediaBehaviour, read_offer

_SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio {port} {profile} 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
)


class _Peer:
    """A UDP socket that writes SIP by hand."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(("127.0.0.1", 0))
        self._target = ("127.0.0.1", port)
        self._count = 0

    async def ask(self, method: str, user: str, *fields: str, body: str = "", call: str = "c1") -> str:
        self._count += 1
        lines = [
            f"{method} sip:{user}@127.0.0.1 SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{self._socket.getsockname()[1]};branch=z9hG4bK{method}{self._count};rport",
            f"From: <sip:+12025550100@127.0.0.1>;tag=a\r\nTo: <sip:{user}@127.0.0.1>\r\nCall-ID: {call}",
            f"CSeq: {self._count} {method}",
            *fields,
            f"Content-Length: {len(body)}\r\n\r\n{body}",
        ]
        await asyncio.get_running_loop().sock_sendto(self._socket, "\r\n".join(lines).encode(), self._target)
        return await self.receive()

    async def receive(self) -> str:
        async with asyncio.timeout(20):
            return (await asyncio.get_running_loop().sock_recv(self._socket, 65535)).decode()

    def close(self) -> None:
        self._socket.close()


@contextlib.asynccontextmanager
async def _run(behaviour: Behaviour) -> AsyncIterator[tuple[Carrier, _Peer]]:
    async with Carrier(behaviour).run() as carrier:
        peer = _Peer(carrier.port)
        try:
            yield carrier, peer
        finally:
            peer.close()


def _authorize(challenge: str, *, user: str, password: str) -> str:
    nonce = re.search(r'nonce="(\w+)"', challenge)
    assert nonce is not None
    secret = hashlib.md5(f"{user}:{REALM}:{password}".encode()).hexdigest()
    subject = hashlib.md5(b"REGISTER:sip:x").hexdigest()
    response = hashlib.md5(f"{secret}:{nonce[1]}:{subject}".encode()).hexdigest()
    return (
        f'Authorization: Digest username="{user}", realm="{REALM}", nonce="{nonce[1]}", uri="sip:x", '
        f'response="{response}"'
    )


async def test_it_registers_a_user_with_the_right_password_only() -> None:
    async with _run(Behaviour()) as (carrier, peer):
        challenge = await peer.ask("REGISTER", "alice")
        assert challenge.startswith("SIP/2.0 401")
        wrong = await peer.ask("REGISTER", "alice", _authorize(challenge, user="alice", password="wrong"))
        assert wrong.startswith("SIP/2.0 401")
        unknown = await peer.ask("REGISTER", "bob", _authorize(challenge, user="bob", password="secret"))
        assert unknown.startswith("SIP/2.0 404")
        authorization = _authorize(challenge, user="alice", password="secret")
        right = await peer.ask("REGISTER", "alice", authorization, "Contact: <sip:alice@127.0.0.1:5>")
        assert right.startswith("SIP/2.0 200")
        assert carrier.bindings == {"alice": ["sip:alice@127.0.0.1:5"]}


async def test_it_rings_answers_and_hangs_up() -> None:
    async with _run(Behaviour(asks_caller=False)) as (carrier, peer):
        ringing = await peer.ask("INVITE", "+1202", body=_SDP.format(port=4000, profile="RTP/AVP"))
        assert ringing.startswith("SIP/2.0 180")
        answer = await peer.receive()
        assert answer.startswith("SIP/2.0 200")
        assert " RTP/AVP 8 101\r\n" in answer
        assert carrier.live_calls == 1
        assert (await peer.ask("BYE", "+1202")).startswith("SIP/2.0 200")
        assert carrier.live_calls == 0


async def test_a_cancelled_call_ends_with_487() -> None:
    async with _run(Behaviour(asks_caller=False)) as (_, peer):
        await peer.ask("INVITE", "+1202", body=_SDP.format(port=4000, profile="RTP/AVP"))
        answers = [await peer.ask("CANCEL", "+1202"), await peer.receive()]
        assert sorted(answer[:11] for answer in answers) == ["SIP/2.0 200", "SIP/2.0 487"]


async def test_it_refuses_calls_beyond_its_limit_and_numbers_it_does_not_read() -> None:
    async with _run(Behaviour(asks_caller=False, max_calls=1, numbers=r"\d+")) as (_, peer):
        offer = _SDP.format(port=4000, profile="RTP/AVP")
        assert (await peer.ask("INVITE", "+1202", body=offer)).startswith("SIP/2.0 403")
        assert (await peer.ask("INVITE", "1202", body=offer, call="c2")).startswith("SIP/2.0 180")
        assert (await peer.ask("INVITE", "1202", body=offer, call="c3")).startswith("SIP/2.0 403")


async def test_a_sip_alg_shows_in_the_via_that_comes_back() -> None:
    async with _run(Behaviour(rewrites_to="203.0.113.7")) as (_, peer):
        assert "Via: SIP/2.0/UDP 203.0.113.7:" in await peer.ask("OPTIONS", "alice")


def test_it_refuses_an_offer_without_a_common_codec_or_with_srtp_on_one_side() -> None:
    plain, secure = _SDP.format(port=4000, profile="RTP/AVP"), _SDP.format(port=4000, profile="RTP/SAVP")
    for behaviour, offer in (
        (MediaBehaviour(encodings=("G729",)), plain),
        (MediaBehaviour(is_srtp_required=True), plain),
        (MediaBehaviour(), secure),
    ):
        media = CarrierMedia(behaviour)
        assert media.answer(offer.encode()) is None
        asyncio.run(media.close())


async def test_it_sends_a_tone_and_reports_what_it_hears() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.setblocking(False)
        ours.bind(("127.0.0.1", 0))
        port = ours.getsockname()[1]
        media = CarrierMedia(MediaBehaviour())
        answer = media.answer(_SDP.format(port=port, profile="RTP/AVP").encode())
        assert answer is not None
        target = ("127.0.0.1", read_offer(answer).port)
        media.start()
        loop = asyncio.get_running_loop()
        digit = struct.pack("!BBHIIBBH", 0x80, 0x80 | 101, 7, 0, 99, 5, 0x8A, 160)
        async with asyncio.timeout(20):
            packets = [await loop.sock_recv(ours, 2048) for _ in range(3)]
            await loop.sock_sendto(ours, digit, target)
            while not media.heard.packets:
                await asyncio.sleep(0.01)
        await media.close()
    assert [packet[1] & 0x7F for packet in packets] == [8, 8, 8]
    assert {len(packet) for packet in packets} == {172}
    assert (media.heard.ssrc, media.heard.digits) == (99, ["5"])


async def test_a_slow_clock_sends_fewer_packets_in_the_same_time() -> None:
    counts = []
    for clock_ppm in (0.0, 500_000.0):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
            ours.setblocking(False)
            ours.bind(("127.0.0.1", 0))
            media = CarrierMedia(MediaBehaviour(clock_ppm=clock_ppm))
            media.answer(_SDP.format(port=ours.getsockname()[1], profile="RTP/AVP").encode())
            media.start()
            await asyncio.sleep(0.6)
            await media.close()
            count = 0
            with contextlib.suppress(BlockingIOError):
                while ours.recv(2048):
                    count += 1
            counts.append(count)
    assert counts[1] < counts[0] * 0.8
