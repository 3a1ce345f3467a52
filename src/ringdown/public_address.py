"""Which IP addresses are public: pure tables and one question."""

import ipaddress


def _parse_networks(networks: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(network) for network in networks.split()]


# What is not a public unicast address, by the registries of special-purpose addresses (RFC 6890 and its updates), and
# the public address under which a cloud serves its machines (168.63.129.16, Azure).
_SPECIAL_IPV4 = _parse_networks(
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 "
    "192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 "
    "203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 168.63.129.16/32"
)
# Global unicast is 2000::/3 (RFC 4291 §2.4), without Teredo and the protocol assignments, documentation and 6bone.
_UNICAST_IPV6 = ipaddress.IPv6Network("2000::/3")
_SPECIAL_IPV6 = _parse_networks("2001::/23 2001:db8::/32 2620:4f:8000::/48 3ffe::/16 3fff::/20")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052; the last 32 bits are an IPv4 address


def is_public(address: str) -> bool:
    """Whether an IP address is a public unicast one, also by the IPv4 address that it embeds. Raises `ValueError`."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        embedded = parsed.ipv4_mapped or parsed.sixtofour
        if embedded is None and parsed in _NAT64:
            embedded = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if embedded is None:
            return parsed in _UNICAST_IPV6 and not any(parsed in network for network in _SPECIAL_IPV6)
        parsed = embedded
    return not any(parsed in network for network in _SPECIAL_IPV4)
