"""The far ends of the soak: each sends every packet back to where it came from, as a stream of its own."""

import select
import socket
import time
from multiprocessing.connection import Connection

_SSRC = slice(8, 12)
_OWN_SSRC = b"echo"  # a stream that comes back under its own SSRC would be a loop (RFC 3550 §8.2)


def run(connection: Connection, calls: int) -> None:
    """Sends its ports, echoes until the end it is told, and sends how many packets it echoed."""
    peers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(calls)]
    epoll = select.epoll()
    for peer in peers:
        peer.setblocking(False)
        peer.bind(("127.0.0.1", 0))
        epoll.register(peer.fileno(), select.EPOLLIN)
    connection.send([peer.getsockname()[1] for peer in peers])
    by_descriptor = {peer.fileno(): peer for peer in peers}
    end_s, echoed = None, 0
    while end_s is None or time.monotonic() < end_s:
        if end_s is None and connection.poll():
            _, _, end_s = connection.recv()
        for descriptor, _ in epoll.poll(0.1):
            echoed += _echo(by_descriptor[descriptor])
    connection.send(echoed)


def _echo(peer: socket.socket) -> bool:
    try:
        packet = bytearray(2048)
        size, source = peer.recvfrom_into(packet)
        packet[_SSRC] = _OWN_SSRC
        peer.sendto(packet[:size], source)
    except OSError:  # nothing left to read, or nobody there any more
        return False
    return True
