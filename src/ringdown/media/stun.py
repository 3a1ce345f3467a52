"""Asks a STUN server how the world sees one of our UDP ports (RFC 8489); no ICE, no TURN."""

import asyncio
import socket
import struct

from aioice import stun

_FIRST_RETRY_S = 0.5  # RFC 8489 §6.2.1: at least 500 ms, then twice as long each time, seven requests at most
_REQUESTS = 7
_DATAGRAM_BYTES = 2048


class NotDiscovered(OSError):
    """No STUN server told our address; the text is a sentence that says why."""


async def discover(asking: socket.socket | None, *, server: tuple[str, int], timeout_s: float = 2.0) -> tuple[str, int]:
    """The public host and port of the non-blocking UDP socket `asking`, or of this machine when it is None.

    Whatever else arrives at the socket meanwhile is thrown away. Raises `NotDiscovered`.
    """
    loop = asyncio.get_running_loop()
    family = asking.family if asking is not None else socket.AF_UNSPEC
    try:
        async with asyncio.timeout(timeout_s):
            found = await loop.getaddrinfo(*server, family=family, type=socket.SOCK_DGRAM, flags=_flags(family))
            host, port = str(found[0][4][0]), server[1]
            if asking is not None:
                return await _ask(asking, (host, port))
            with socket.socket(found[0][0], socket.SOCK_DGRAM) as opened:
                opened.setblocking(False)
                return await _ask(opened, (host, port))
    except NotDiscovered:
        raise
    except TimeoutError:
        raise NotDiscovered(f"STUN server {server[0]} port {server[1]} did not answer") from None
    except OSError as error:
        raise NotDiscovered(f"STUN server {server[0]} cannot be asked: {error.strerror or error}") from error


def _flags(family: int) -> int:
    return socket.AI_V4MAPPED if family == socket.AF_INET6 else 0


async def _ask(asking: socket.socket, server: tuple[str, int]) -> tuple[str, int]:
    loop = asyncio.get_running_loop()
    request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    answered: asyncio.Future[tuple[str, int]] = loop.create_future()

    def receive() -> None:
        try:
            datagram, source = asking.recvfrom(_DATAGRAM_BYTES)
        except OSError:
            return
        if source[:2] != server[:2] or answered.done():
            return
        try:
            address = _read(datagram, request.transaction_id)
        except NotDiscovered as refusal:
            answered.set_exception(refusal)
        except (ValueError, struct.error):
            return  # not an answer to our question
        else:
            answered.set_result(address)

    loop.add_reader(asking.fileno(), receive)
    try:
        retry_s = _FIRST_RETRY_S
        for _ in range(_REQUESTS):
            asking.sendto(bytes(request), server)
            await asyncio.wait([answered], timeout=retry_s)
            if answered.done():
                break
            retry_s *= 2
        return await answered
    finally:
        loop.remove_reader(asking.fileno())


def _read(datagram: bytes, transaction_id: bytes) -> tuple[str, int]:
    message = stun.parse_message(datagram)
    if message.transaction_id != transaction_id or message.message_method != stun.Method.BINDING:
        raise ValueError("an answer to another question")
    if message.message_class == stun.Class.ERROR:
        raise NotDiscovered(f"the STUN server refused with {message.error_code}")
    address: tuple[str, int] | None = message.attributes.get("XOR-MAPPED-ADDRESS") or message.attributes.get(
        "MAPPED-ADDRESS"
    )
    if message.message_class != stun.Class.RESPONSE or address is None:
        raise ValueError("an answer without an address")
    return address
