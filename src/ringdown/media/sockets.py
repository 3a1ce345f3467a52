"""Opens the pair of UDP ports of a call and reads many such sockets at once; knows no packet format."""

import errno
import random
import select
import socket
from collections.abc import Callable

_EXPEDITED_FORWARDING = 46 << 2  # DSCP EF (RFC 3246), what routers take for voice


class PortsExhausted(Exception):
    """No pair of an even and the following odd UDP port is free in the range."""


def open_port_pair(host: str, *, port_min: int, port_max: int) -> tuple[socket.socket, socket.socket]:
    """Non-blocking sockets bound to an even port and the next one (RFC 3550 §11), searched from a random place.

    Raises `PortsExhausted`, or `OSError` when `host` is not an address of this machine.
    """
    ports = range(port_min + port_min % 2, port_max, 2)
    start = random.randrange(len(ports)) if ports else 0
    for index in range(len(ports)):
        port = ports[(start + index) % len(ports)]
        rtp_socket = _bind(host, port)
        if rtp_socket is None:
            continue
        rtcp_socket = _bind(host, port + 1)
        if rtcp_socket is not None:
            return rtp_socket, rtcp_socket
        rtp_socket.close()
    raise PortsExhausted(f"no free pair of UDP ports in {port_min}-{port_max} on {host}")


def _bind(host: str, port: int) -> socket.socket | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if host == "::" else 1)
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _EXPEDITED_FORWARDING)
        else:
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _EXPEDITED_FORWARDING)
        opened.bind((host, port))
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise
    return opened


class SocketReader:
    """Tells which of many sockets can be read, through one descriptor that an event loop can watch."""

    def __init__(self) -> None:
        # Not `selectors`: it makes an object for each socket that is ready, and one is for each packet of each call.
        self._epoll = select.epoll()
        self._receivers: dict[int, Callable[[float], None]] = {}

    def add(self, watched: socket.socket, receive: Callable[[float], None]) -> None:
        """Calls `receive(now_s)` when the socket has a datagram; it reads one and must not block or raise."""
        self._epoll.register(watched.fileno(), select.EPOLLIN)
        self._receivers[watched.fileno()] = receive

    def remove(self, watched: socket.socket) -> None:
        """Forgets the socket; call it before closing the socket."""
        self._epoll.unregister(watched.fileno())
        del self._receivers[watched.fileno()]

    def fileno(self) -> int:
        """The descriptor that is readable while any socket is."""
        return self._epoll.fileno()

    def poll(self, now_s: float) -> int:
        """Reads one datagram of each socket that has one; how many sockets that were."""
        receivers = self._receivers
        ready = self._epoll.poll(0, len(receivers) or 1)
        for descriptor, _ in ready:
            receive = receivers.get(descriptor)
            if receive is not None:  # else what one of the others did has closed it
                receive(now_s)
        return len(ready)

    def close(self) -> None:
        """Closes the descriptor; the sockets stay open."""
        self._epoll.close()
