"""API keys as text: how one is made, recognised, stored and bound to addresses; no I/O."""

import hashlib
import ipaddress
import re
import secrets
import string
from collections.abc import Iterable, Sequence

PREFIX = "truedy_"
_LENGTH = 32
_ALPHABET = string.ascii_letters + string.digits
_FORM = re.compile(rf"{PREFIX}[A-Za-z0-9]{{{_LENGTH}}}")
#: How much of a key may be shown later, to tell keys apart.
_SHOWN = len(PREFIX) + 4


def generate() -> str:
    """A new key: `truedy_` and 32 random alphanumerics (190 bits)."""
    return PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def is_well_formed(key: str) -> bool:
    """Whether `key` looks like one of ours."""
    return _FORM.fullmatch(key) is not None


def hash_key(key: str) -> str:
    """What is stored of a key. A key has full entropy, so that a fast hash without salt is enough."""
    return hashlib.sha256(key.encode()).hexdigest()


def get_hint(key: str) -> str:
    """The first characters of a key, as shown in lists."""
    return key[:_SHOWN]


def parse_allow_list(entries: Iterable[str]) -> tuple[str, ...]:
    """Addresses and networks in their normal form (`10.0.0.0/8`, `::1/128`). Raises `ValueError` naming the entry."""
    parsed = []
    for entry in entries:
        try:
            parsed.append(str(ipaddress.ip_network(entry.strip(), strict=False)))
        except ValueError:
            raise ValueError(f"{entry!r} is not an IP address or network such as 203.0.113.7 or 10.0.0.0/8") from None
    return tuple(dict.fromkeys(parsed))


def is_address_allowed(address: str | None, allow_list: Sequence[str]) -> bool:
    """Whether a client at `address` may use a key; an empty list allows all, an unknown address none."""
    if not allow_list:
        return True
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped  # an IPv4 client of a dual-stack socket
    return any(parsed in ipaddress.ip_network(network) for network in allow_list)
