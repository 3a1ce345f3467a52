"""Hosts, ports and networks as an operator writes them; pure, asks no name server."""

import ipaddress
import re

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_MAX_NAME_LENGTH = 253
_HOST_RULE = "must be a host name or an address"


def parse_host(text: str) -> str:
    """A host name or an address without brackets. Raises `ValueError` that says what is allowed."""
    host = text.strip()
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise ValueError(_HOST_RULE) from None
    labels = host.removesuffix(".").split(".")
    if len(host) > _MAX_NAME_LENGTH or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(_HOST_RULE)
    if labels[-1].isdecimal():  # no top-level domain is a number (RFC 3696 §2)
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise ValueError(_HOST_RULE) from None
    return host.lower()


def parse_host_port(text: str) -> tuple[str, int | None]:
    """`host`, `host:port`, `[address]:port` or a bare IPv6 address. Raises `ValueError`."""
    head, colon, tail = text.strip().rpartition(":")
    if not colon or (":" in head and not head.endswith("]")):
        return parse_host(text), None
    if not tail.isascii() or not tail.isdecimal() or len(tail) > 5 or not 0 < int(tail) < 65536:
        raise ValueError("must have a port from 1 to 65535 after the colon")
    return parse_host(head), int(tail)


def parse_source(text: str) -> str:
    """An address, a network (`203.0.113.0/24`) or a host name that requests may come from. Raises `ValueError`."""
    if "/" not in text:
        return parse_host(text)
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise ValueError("must be an address, a network such as 203.0.113.0/24, or a host name") from None
    if network.prefixlen == 0:
        raise ValueError("must not be the whole internet; use inbound_username and inbound_password instead")
    return str(network)
