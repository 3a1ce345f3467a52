"""A STUN server for tests: tells each asker the address its question came from (RFC 8489), on a socket it is given."""

import asyncio
import socket

from aioice import stun


class FakeStunServer:
    """Answers binding requests until `close`; `lost` questions are dropped first, `asked` counts all."""

    def __init__(self, opened: socket.socket, *, lost: int = 0) -> None:
        self.asked = 0
        self._lost = lost
        self._socket = opened
        opened.setblocking(False)
        asyncio.get_running_loop().add_reader(opened, self._receive)

    def close(self) -> None:
        """Answer nobody any more."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _receive(self) -> None:
        try:
            datagram, source = self._socket.recvfrom(2048)
            question = stun.parse_message(datagram)
        except (OSError, ValueError):
            return
        self.asked += 1
        if self.asked <= self._lost:
            return
        answer = stun.Message(
            message_method=question.message_method,
            message_class=stun.Class.RESPONSE,
            transaction_id=question.transaction_id,
        )
        answer.attributes["XOR-MAPPED-ADDRESS"] = source
        self._socket.sendto(bytes(answer), source)
