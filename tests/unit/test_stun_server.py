"""The STUN server of the tests answers as the standard says, and ignores what is no question."""

import asyncio
import socket

from aioice import stun

from tests.fakes.stun_server import FakeStunServer


async def test_it_tells_the_address_the_question_came_from_after_those_it_was_to_lose() -> None:
    served, asking = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    for opened in (served, asking):
        opened.bind(("127.0.0.1", 0))
        opened.setblocking(False)
    server = FakeStunServer(served, lost=1)
    question = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    for datagram in (b"no question", bytes(question), bytes(question)):
        asking.sendto(datagram, served.getsockname())
    async with asyncio.timeout(20):
        answer = stun.parse_message(await asyncio.get_running_loop().sock_recv(asking, 2048))
    assert answer.transaction_id == question.transaction_id
    assert answer.attributes["XOR-MAPPED-ADDRESS"] == asking.getsockname()
    assert server.asked == 2
    server.close()
    asking.close()
