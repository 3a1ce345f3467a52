"""Addresses of this machine and of peers, as the sockets and the messages need them."""

import contextlib
import functools
import ipaddress
import socket
import sys
import time

_BUFFER_BYTES = 1_048_576  # a burst of several hundred INVITEs while the loop is busy
_PEER_TIMEOUT = 10  # seconds that a TCP peer may leave bytes unacknowledged, e.g. after a power cut
_KEEP_ALIVE_IDLE = 30
_KEEP_ALIVE_INTERVAL = 5
_ROUTE_FRESH = 10  # seconds that a route is believed: a network may come up, or change, after the start
_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"),
        *("fc00::/7", "fe80::/10", "::1/128"),
    )
)
DEFAULT_ROUTE = "192.0.2.1"  # a documentation address (RFC 5737): reached by the default route


@functools.lru_cache(maxsize=1024)
def is_literal(host: str) -> bool:
    """Whether the host is an IP address and not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_private(host: str) -> bool:
    """Whether an address is of a private, shared, link-local or loopback network: never seen on the internet."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in private for private in _PRIVATE if private.version == address.version)


def is_unicast(host: str) -> bool:
    """Whether the host is the address of one machine; not a name, and no group that would all be sent to."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    own = getattr(address, "ipv4_mapped", None) or address
    return not own.is_multicast and str(own) != "255.255.255.255"


def name_site(host: str) -> str:
    """Who is counted: an IPv4 address, or the IPv6 network of one site, which has 2^64 addresses to come from."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    return host if address.version == 4 else str(ipaddress.ip_network((int(address), 64), strict=False))


def needs_public_address(peer: str) -> bool:
    """Whether a peer sees us by our public address: one on this machine or in a private network does not."""
    return not is_private(peer) and local_address(peer) != peer


def is_wildcard(host: str) -> bool:
    """Whether the host means every address of this machine."""
    return host in ("0.0.0.0", "::")


def normalize(host: str) -> str:
    """A peer's address as messages show it: no zone, IPv4 not mapped into IPv6; zones are kept by the sockets."""
    host = host.partition("%")[0]
    return host[7:] if host.startswith("::ffff:") and "." in host else host


def map_to_family(host: str, family: socket.AddressFamily, *, is_dual: bool) -> str:
    """The address as a socket of this family takes it; raises `OSError` when it cannot reach it."""
    is_v6 = ":" in host
    if is_v6 == (family == socket.AF_INET6):
        return host
    if is_dual and not is_v6:
        return f"::ffff:{host}"
    raise OSError("address family not supported by this endpoint")


def local_address(peer: str) -> str:
    """Our address on the route to a peer, to a name on the default route; loopback where there is no route."""
    found = _find_local_address(peer if is_literal(peer) else DEFAULT_ROUTE, int(time.monotonic() // _ROUTE_FRESH))
    return found or ("::1" if ":" in peer else "127.0.0.1")


def has_route(peer: str) -> bool:
    """Whether this machine knows a way to an address."""
    return _find_local_address(peer, int(time.monotonic() // _ROUTE_FRESH)) is not None


@functools.lru_cache(maxsize=1024)
def _find_local_address(peer: str, _period: int) -> str | None:
    family = socket.AF_INET6 if ":" in peer else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((peer, 9))  # connecting a datagram socket sends nothing
        except OSError:
            return None
        host: str = probe.getsockname()[0]
        return normalize(host)


def bind_pair(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """A UDP and a listening TCP socket on the same port; port 0 takes any that is free for both. Raises `OSError`."""
    attempts = 50 if port == 0 else 1
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        attempts -= 1
        datagram = socket.socket(family, socket.SOCK_DGRAM)
        stream = socket.socket(family, socket.SOCK_STREAM)
        try:
            if host == "::":
                datagram.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            datagram.setblocking(False)
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                datagram.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
            datagram.bind((host, port))
            _listen(stream, host, datagram.getsockname()[1])
        except OSError:
            datagram.close()
            stream.close()
            if attempts == 0:
                raise
        else:
            return datagram, stream


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; raises `OSError`."""
    stream = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        _listen(stream, host, port)
    except OSError:
        stream.close()
        raise
    return stream


def _listen(stream: socket.socket, host: str, port: int) -> None:
    if host == "::":
        stream.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    stream.setblocking(False)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    stream.bind((host, port))
    stream.listen(128)


def watch_peer(stream: socket.socket) -> None:
    """Have the system break a TCP connection whose peer vanished without a word; elsewhere than on Linux it may not."""
    with contextlib.suppress(OSError):  # it may be broken already
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if sys.platform == "linux":
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEP_ALIVE_IDLE)
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEP_ALIVE_INTERVAL)
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _PEER_TIMEOUT * 1000)
