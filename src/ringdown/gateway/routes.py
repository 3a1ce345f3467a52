"""Where a number is dialled, and with whose credentials: the test phone or the outbound peer."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from ringdown.config import Settings
from ringdown.sip.address import join_host_port
from ringdown.sip.digest import Credentials

_PEER = re.compile(
    r"(?P<scheme>sips?):(?:(?P<user>[^:@;]+)(?::(?P<password>[^@;]*))?@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:;@\[\]]+)(?::(?P<port>\d+))?(?P<parameters>(?:;[^;]+)*)"
)


@dataclass(frozen=True, slots=True)
class Peer:
    """The SIP peer that carries calls out: `sip:user:password@host[:port][;transport=udp|tcp]`."""

    host: str
    port: int | None
    transport: str
    username: str | None
    password: str | None

    def uri(self, user: str) -> str:
        """The request URI of a number at this peer."""
        port = f":{self.port}" if self.port is not None else ""
        parameters = f";transport={self.transport}" if self.transport != "udp" else ""
        return f"sip:{user}@{self.host}{port}{parameters}"


@dataclass(frozen=True, slots=True)
class Route:
    """Where one number is dialled, and with whose credentials."""

    target: str
    username: str | None = None
    password: str | None = None

    @property
    def credentials(self) -> Credentials | None:
        """What answers a digest challenge on this way."""
        return Credentials(self.username, self.password or "") if self.username else None


def find_test_phone_host(settings: Settings) -> str:
    """The loopback address of the test phone: of the family that the gateway speaks."""
    return "::1" if ":" in settings.sip_host and settings.sip_host != "::" else "127.0.0.1"


def parse_peer(text: str) -> Peer:
    """The peer named by a setting. Raises `ValueError` that says what is allowed, without the password."""
    allowed = "must look like sip:user:password@host[:port][;transport=udp|tcp]"
    match = _PEER.fullmatch(text.strip())
    if match is None or match["scheme"] == "sips":
        raise ValueError(f"RINGDOWN_OUTBOUND_PEER {allowed}")
    parameters = dict(part.partition("=")[::2] for part in match["parameters"].lower().split(";") if part)
    transport = parameters.pop("transport", "udp")
    if parameters or transport not in ("udp", "tcp"):
        raise ValueError(f"RINGDOWN_OUTBOUND_PEER {allowed}; the only parameter is transport, udp or tcp")
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 0 < port < 65536:
        raise ValueError("RINGDOWN_OUTBOUND_PEER names a port that is not in 1 to 65535")
    username, password = match["user"], match["password"]
    return Peer(
        host=match["host"],
        port=port,
        transport=transport,
        username=unquote(username) if username else None,
        password=unquote(password) if password else None,
    )


class Routes:
    """The dial plan: one number is the test phone, all others go to the outbound peer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.peer = parse_peer(settings.outbound_peer.get_secret_value()) if settings.outbound_peer else None

    def find(self, number: str) -> Route | None:
        """Where `number` (E.164) is dialled; `None` when there is no way."""
        if self._settings.test_phone_enabled and number == self._settings.test_phone_number:
            where = join_host_port(find_test_phone_host(self._settings), self._settings.test_phone_port)
            return Route(f"sip:{number}@{where}")
        if self.peer is None:
            return None
        return Route(self.peer.uri(number), self.peer.username, self.peer.password)
