"""Where a number is dialled and how: the test phone, a trunk, or the outbound peer of the settings."""

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

from ringdown.config import Settings
from ringdown.gateway.media_terms import MediaTerms
from ringdown.sip.address import Uri, join_host_port
from ringdown.sip.destination import Destination, TlsClient, Transport
from ringdown.sip.digest import Credentials
from ringdown.sip.endpoint import Endpoint
from ringdown.sip.location import LocationFailed
from ringdown.sip.refresh import SessionTimer
from ringdown.telephony.models import Trunk, TrunkHost

_PEER = re.compile(
    r"(?P<scheme>sips?):(?:(?P<user>[^:@;]+)(?::(?P<password>[^@;]*))?@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:;@\[\]]+)(?::(?P<port>\d+))?(?P<parameters>(?:;[^;]+)*)"
)
_TRANSPORTS: dict[str, Transport] = {"udp": "udp", "tcp": "tcp", "tls": "tls"}
#: The name of the trunk that `RINGDOWN_OUTBOUND_PEER` describes; it stands in no table.
PEER_TRUNK_ID = "trunk_outbound_peer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How one number is dialled: who is asked for, in whose name, over which hosts, with which media."""

    target: str
    """The Request-URI."""
    from_uri: str
    hosts: tuple[str, ...]
    """SIP URIs to locate, in the order in which they are tried."""
    headers: tuple[tuple[str, str], ...] = ()
    credentials: Credentials | None = field(default=None, repr=False)
    terms: MediaTerms = field(default_factory=MediaTerms)
    session_timer: SessionTimer | None = None
    security: TlsClient | None = None
    trunk: Trunk | None = None

    async def locate(self, endpoint: Endpoint) -> list[Destination]:
        """The addresses to try, in order. Raises `LocationFailed` when no host has one."""
        return await _locate(endpoint, self.hosts, self.security)


async def locate(trunk: Trunk, endpoint: Endpoint) -> list[Destination]:
    """The addresses of a trunk, in the order in which they are tried. Raises `LocationFailed`."""
    return await _locate(endpoint, list_places(trunk), build_security(trunk))


async def _locate(endpoint: Endpoint, hosts: Iterable[str], security: TlsClient | None) -> list[Destination]:
    found: list[Destination] = []
    failure: LocationFailed | None = None
    for host in hosts:
        try:
            found += await endpoint.locate(host, security=security)
        except LocationFailed as error:
            failure = error
    if not found and failure is not None:
        raise failure
    return found


def with_headers(route: Route, headers: tuple[tuple[str, str], ...]) -> Route:
    """The same way with more header fields in the INVITE."""
    return replace(route, headers=(*route.headers, *headers))


def list_places(trunk: Trunk) -> tuple[str, ...]:
    """The SIP URIs to locate for requests to the trunk, in the order in which they are tried."""
    if trunk.outbound_proxy:
        return (_to_proxy_uri(trunk),)
    suffix = _describe_transport(trunk)
    return tuple(f"sip:{join_host_port(host.host, host.port)}{suffix}" for host in order_hosts(trunk.hosts))


def find_proxy_host(trunk: Trunk) -> str:
    """The host of the trunk's outbound proxy."""
    return Uri.parse(_to_proxy_uri(trunk)).host


def find_test_phone_host(settings: Settings) -> str:
    """The loopback address of the test phone: of the family that the gateway speaks."""
    return "::1" if ":" in settings.sip_host and settings.sip_host != "::" else "127.0.0.1"


def is_test_phone(settings: Settings, number: str) -> bool:
    """Whether the built-in phone has this number."""
    return settings.test_phone_enabled and number == settings.test_phone_number


def find_test_phone(settings: Settings, endpoint: Endpoint, *, number: str, from_number: str | None) -> Route:
    """The way to the built-in phone."""
    where = join_host_port(find_test_phone_host(settings), settings.test_phone_port)
    target = f"sip:{number}@{where}"
    return Route(target=target, from_uri=endpoint.local_uri(from_number or "anonymous"), hosts=(target,))


def build_route(trunk: Trunk, endpoint: Endpoint, *, number: str, from_number: str | None) -> Route:
    """The way to an E.164 number over a trunk, in the trunk's spelling."""
    domain = join_host_port(trunk.hosts[0].host, trunk.hosts[0].port)
    from_uri, headers = _show_caller(trunk, endpoint, domain, from_number)
    if trunk.outbound_proxy:
        headers = (("Route", f"<{_to_proxy_uri(trunk)};lr>"), *headers)
    return Route(
        target=f"sip:{trunk.format_number(number)}@{domain}{_describe_transport(trunk)}",
        from_uri=from_uri,
        hosts=list_places(trunk),
        headers=headers,
        credentials=find_credentials(trunk),
        terms=build_terms(trunk),
        session_timer=build_session_timer(trunk),
        security=build_security(trunk),
        trunk=trunk,
    )


def find_credentials(trunk: Trunk) -> Credentials | None:
    """What answers the trunk's digest challenges."""
    return Credentials(trunk.username, trunk.password or "") if trunk.username else None


def build_terms(trunk: Trunk) -> MediaTerms:
    """What media is offered to the trunk and accepted from it."""
    return MediaTerms(encodings=trunk.codecs, srtp=trunk.srtp, dtmf=trunk.dtmf, is_nat_expected=trunk.nat == "auto")


def build_session_timer(trunk: Trunk) -> SessionTimer:
    """The trunk's preference for session timers (RFC 4028)."""
    return SessionTimer(expires_s=trunk.session_expires_seconds, mode=trunk.session_timer)


def build_security(trunk: Trunk) -> TlsClient | None:
    """How TLS connections to the trunk are made; None without TLS."""
    if trunk.transport != "tls":
        return None
    return TlsClient(
        server_name=trunk.tls_server_name,
        ca=trunk.tls_ca,
        certificate=trunk.tls_certificate,
        private_key=trunk.tls_private_key,
        is_verified=trunk.tls_verify,
    )


def order_hosts(hosts: Iterable[TrunkHost]) -> list[TrunkHost]:
    """The hosts by priority; within one by chance, in proportion to their weights (as RFC 2782)."""
    left, ordered = sorted(hosts, key=lambda host: host.priority), []
    while left:
        equal = [host for host in left if host.priority == left[0].priority]
        chosen = random.choices(equal, weights=[host.weight or 0.01 for host in equal])[0]
        ordered.append(chosen)
        left.remove(chosen)
    return ordered


def parse_peer(text: str) -> Trunk:
    """The trunk described by `RINGDOWN_OUTBOUND_PEER`. Raises `ValueError` that says what is allowed."""
    allowed = "must look like sip:user:password@host[:port][;transport=udp|tcp|tls]"
    match = _PEER.fullmatch(text.strip())
    if match is None or match["scheme"] == "sips":
        raise ValueError(f"RINGDOWN_OUTBOUND_PEER {allowed}")
    parameters = dict(part.partition("=")[::2] for part in match["parameters"].lower().split(";") if part)
    transport = _TRANSPORTS.get(parameters.pop("transport", "udp"))
    if parameters or transport is None:
        raise ValueError(f"RINGDOWN_OUTBOUND_PEER {allowed}; the only parameter is transport: udp, tcp or tls")
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 0 < port < 65536:
        raise ValueError("RINGDOWN_OUTBOUND_PEER names a port that is not in 1 to 65535")
    username, password = match["user"], match["password"]
    return Trunk(
        id=PEER_TRUNK_ID,
        organization_id="",
        name="RINGDOWN_OUTBOUND_PEER",
        created_at=0,
        updated_at=0,
        hosts=(TrunkHost(match["host"].strip("[]"), port),),
        transport=transport,
        username=unquote(username) if username else None,
        password=unquote(password) if password else None,
    )


def _describe_transport(trunk: Trunk) -> str:
    return "" if trunk.transport == "udp" else f";transport={trunk.transport}"


def _to_proxy_uri(trunk: Trunk) -> str:
    proxy = trunk.outbound_proxy or ""
    uri = proxy if proxy.startswith(("sip:", "sips:")) else f"sip:{proxy}"
    return uri if trunk.transport == "udp" or ";transport=" in uri else f"{uri};transport={trunk.transport}"


def _show_caller(
    trunk: Trunk, endpoint: Endpoint, domain: str, from_number: str | None
) -> tuple[str, tuple[tuple[str, str], ...]]:
    """From, and the header that carries the number where From names the account (RFC 3325, the expired RPID draft)."""
    number = trunk.format_number(from_number) if from_number else None
    if trunk.caller_id_form == "from" or number is None:
        user = number or trunk.username or "anonymous"
        return f"sip:{user}@{domain}" if trunk.username else endpoint.local_uri(user), ()
    from_uri = f"sip:{trunk.username or number}@{domain}"
    if trunk.caller_id_form == "p_asserted_identity":
        return from_uri, (("P-Asserted-Identity", f"<sip:{number}@{domain}>"),)
    return from_uri, (("Remote-Party-ID", f"<sip:{number}@{domain}>;party=calling;privacy=off;screen=yes"),)
