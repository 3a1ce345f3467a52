"""Address discovery against a tiny STUN server in the test."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import cast

import pytest
from aioice import stun as messages

from ringdown.media import stun
from ringdown.media.session import MediaSession
from tests.unit.media.sessions import Call, HandClock, make_stream, open_session

Answer = Callable[[messages.Message, tuple[str, int]], list[bytes]]


class Server(asyncio.DatagramProtocol):
    """Answers each request by `answer`; counts them."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.answer: Answer = lambda request, source: [respond(request, source)]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.requests.append(data)
        for datagram in self.answer(messages.parse_message(data), addr[:2]):
            self.transport.sendto(datagram, addr)

    @property
    def address(self) -> tuple[str, int]:
        address: tuple[str, int] = self.transport.get_extra_info("sockname")[:2]
        return address


def respond(
    request: messages.Message, address: tuple[str, int], *, name: str = "XOR-MAPPED-ADDRESS", code: int = 0
) -> bytes:
    kind = messages.Class.ERROR if code else messages.Class.RESPONSE
    attributes = {"ERROR-CODE": (code, "no")} if code else {name: address}
    return bytes(messages.Message(messages.Method.BINDING, kind, request.transaction_id, attributes))


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    await asyncio.get_running_loop().create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", 0))
    yield server
    server.transport.close()


@pytest.mark.parametrize("name", ["XOR-MAPPED-ADDRESS", "MAPPED-ADDRESS"])
async def test_a_session_learns_where_its_rtp_port_is_seen(
    clock: HandClock, opened: list[MediaSession], server: Server, name: str
) -> None:
    session = await open_session(clock, opened)
    seen: list[int] = []

    def answer(request: messages.Message, source: tuple[str, int]) -> list[bytes]:
        seen.append(source[1])
        return [respond(request, ("198.51.100.7", 40_000), name=name)]

    server.answer = answer
    assert await session.discover_address(server.address) == ("198.51.100.7", 40_000)
    assert seen == [session.local_port]
    Call(session).start(("127.0.0.1", 9))
    with pytest.raises(RuntimeError, match="before"):
        await session.discover_address(server.address)


async def test_without_a_socket_the_machine_itself_is_asked_for(server: Server) -> None:
    assert (await stun.discover(None, server=server.address))[0] == "127.0.0.1"


async def test_a_socket_of_both_families_asks_a_server_that_has_only_one(
    clock: HandClock, opened: list[MediaSession], server: Server
) -> None:
    session = await open_session(clock, opened, "::")
    assert await session.discover_address(server.address) == ("127.0.0.1", session.local_port)


async def test_a_lost_request_is_sent_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stun, "_FIRST_RETRY_S", 0.01)
    server.answer = lambda request, source: [respond(request, source)] if len(server.requests) == 3 else []
    await stun.discover(None, server=server.address)
    assert len(server.requests) == 3
    assert len(set(server.requests)) == 1  # the same transaction each time


async def test_silence_is_told_in_time(server: Server) -> None:
    server.answer = lambda _request, _source: []
    with pytest.raises(stun.NotDiscovered, match=r"127\.0\.0\.1 .*did not answer"):
        await stun.discover(None, server=server.address, timeout_s=0.05)


async def test_a_refusal_is_told_with_its_number(server: Server) -> None:
    server.answer = lambda request, source: [respond(request, source, code=420)]
    with pytest.raises(stun.NotDiscovered, match="420"):
        await stun.discover(None, server=server.address)


async def test_rubbish_forgeries_and_answers_to_other_questions_are_ignored(server: Server) -> None:
    def answer(request: messages.Message, source: tuple[str, int]) -> list[bytes]:
        other = messages.Message(messages.Method.BINDING, messages.Class.REQUEST)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.2", 0))
            stranger.sendto(respond(request, ("192.0.2.66", 1)), source)
        cut_off = respond(request, source)[:-6]
        short = bytes(request)[:2] + b"\x00\x08" + bytes(request)[4:] + b"\x80\x28\x00\x01\x00\x00\x00\x00"
        return [
            b"",
            b"hello",
            respond(other, ("192.0.2.66", 2)),
            bytes(request),
            cut_off,
            short,
            respond(request, source),
        ]

    server.answer = answer
    assert (await stun.discover(None, server=server.address))[0] == "127.0.0.1"


async def test_a_server_whose_name_is_unknown_is_told() -> None:
    with pytest.raises(stun.NotDiscovered, match=r"stun\.invalid cannot be asked"):
        await stun.discover(None, server=("stun.invalid", 3478), timeout_s=5)


async def test_a_stream_still_starts_after_nobody_answered(
    clock: HandClock, opened: list[MediaSession], server: Server
) -> None:
    server.answer = lambda _request, _source: []
    session = await open_session(clock, opened)
    with pytest.raises(stun.NotDiscovered):
        await session.discover_address(server.address, timeout_s=0.05)
    session.start(make_stream(("127.0.0.1", 9)), exchange=lambda pcm, _at_ms: pcm)
    clock.run(40)
    assert session.media_ms == 40
