"""Dialogs: identity, route set and sequence numbers of a call (RFC 3261 §12); knows no transaction and no socket."""

import ipaddress
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from ringdown.sip.address import NameAddr, Uri
from ringdown.sip.destination import DEFAULT_PORTS, Destination, TlsClient
from ringdown.sip.message import Request, Response

# RFC 1918, 6598 (carriers' NAT), 3927 and 4291 (link-local), 4193, loopback.
_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"),
        *("fe80::/10", "fc00::/7", "::1/128"),
    )
)


@dataclass(slots=True)
class Dialog:
    """Both ends of one dialog; `local_party` and `remote_party` are whole From/To values with their tags."""

    call_id: str
    local_party: str
    remote_party: str
    local_tag: str
    remote_tag: str
    remote_target: str
    contact: str
    local_cseq: int
    remote_cseq: int | None = None
    route_set: list[str] = field(default_factory=list)
    source: Destination | None = None
    """Where the peer's last message came from."""
    is_rewritten: bool = False
    """Whether the peer wrote another address than that into its Via, so that a NAT is on the way."""
    security: TlsClient | None = None
    """How TLS connections to the peer are made; not written down."""

    @classmethod
    def from_response(cls, invite: Request, response: Response) -> "Dialog":
        """The caller's dialog, early or confirmed (§12.1.2).

        Raises `ValueError` on a Contact or route that cannot be used.
        """
        contact = response.headers.get_all("Contact")
        dialog = cls(
            call_id=invite.call_id,
            local_party=invite.headers.get("From") or "",
            remote_party=response.headers.get("To") or "",
            local_tag=invite.from_.tag or "",
            remote_tag=response.to.tag or "",
            remote_target=NameAddr.parse(contact[0]).uri if contact else invite.uri,
            contact=invite.headers.get("Contact") or "",
            local_cseq=invite.cseq,
            route_set=_parse_routes(reversed(response.headers.get_all("Record-Route"))),
        )
        dialog._check_usable()
        return dialog

    @classmethod
    def from_answer(cls, invite: Request, response: Response) -> "Dialog":
        """`from_response`, but a Contact or route that cannot be used gives way to the INVITE's own target.

        A peer that sends such a thing must still get its ACK and BYE.
        """
        try:
            return cls.from_response(invite, response)
        except ValueError:
            return cls.from_response(invite, Response.build(invite, response.status, tag=response.to.tag))

    @classmethod
    def from_invite(cls, invite: Request, *, local_tag: str, contact: str) -> "Dialog":
        """The callee's dialog (§12.1.1); raises `ValueError` on a Contact or route that cannot be used."""
        remote = invite.headers.get_all("Contact")
        if not remote:
            raise ValueError("INVITE without Contact")
        dialog = cls(
            call_id=invite.call_id,
            local_party=invite.to.with_tag(local_tag).serialize(),
            remote_party=invite.headers.get("From") or "",
            local_tag=local_tag,
            remote_tag=invite.from_.tag or "",
            remote_target=NameAddr.parse(remote[0]).uri,
            contact=contact,
            local_cseq=0,
            remote_cseq=invite.cseq,
            route_set=_parse_routes(invite.headers.get_all("Record-Route")),
        )
        dialog._check_usable()
        return dialog

    def refresh_target(self, message: Request | Response) -> None:
        """Take the peer's new Contact from a target refresh (§12.2); raises `ValueError` when it cannot be used."""
        contact = message.headers.get_all("Contact")
        if contact:
            target = NameAddr.parse(contact[0]).uri
            replace(self, remote_target=target)._check_usable()
            self.remote_target = target

    def note_source(self, source: Destination, via_host: str | None = None) -> None:
        """A message of the peer came from there; `via_host` is what the top Via of a request says."""
        self.source = source
        if via_host is not None:
            self.is_rewritten = _is_literal(via_host) and via_host != source.host

    def next_hop(self) -> Destination:
        """Where a request of this dialog goes; raises `ValueError` for a transport that is not spoken.

        A private address that the peer's messages do not come from cannot be reached, so they decide (RFC 5626's
        reason, without its outbound). Over TLS the connection that the peer made is used again (RFC 5923).
        """
        uri = Uri.parse(self._first_route() or self.remote_target)
        hop, source = Destination.from_uri(uri), self.source
        if source is None:
            return hop if self.security is None else replace(hop, security=self.security)
        if hop.host != source.host:
            if not (is_private(hop.host) and (self.is_rewritten or not is_private(source.host))):
                return hop if hop.transport != "tls" else replace(hop, security=self.security)
            hop = source
        elif source.is_reliable and "transport" not in uri.params and uri.scheme == "sip":
            port = uri.port or DEFAULT_PORTS[source.transport]
            hop = Destination(source.transport, hop.host, port, source.connection)
        if hop.transport == "tls":
            connection = source.connection if source.transport == "tls" else None
            hop = replace(hop, connection=connection, security=self.security)
        return hop

    def build_request(
        self, method: str, *, via: str, cseq: int, fields: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> Request:
        """A request within the dialog with its route set, loose or strict (§12.2.1.1)."""
        uri, routes = self.remote_target, self.route_set
        first = self._first_route()
        if first is not None and "lr" not in Uri.parse(first).params:
            uri, routes = first, [*self.route_set[1:], f"<{self.remote_target}>"]
        head = [("Via", via)]
        head += [("Route", route) for route in routes]
        head += [
            ("Max-Forwards", "70"),
            ("From", self.local_party),
            ("To", self.remote_party),
            ("Call-ID", self.call_id),
            ("CSeq", f"{cseq} {method}"),
        ]
        return Request.build(method, uri, [*head, *fields], body)

    def to_dict(self) -> dict[str, Any]:
        """The dialog as JSON-serializable values, without secrets."""
        values = {name: getattr(self, name) for name in _WRITTEN}
        values["route_set"] = list(self.route_set)
        if self.source is not None:
            values["source"] = [self.source.transport, self.source.host, self.source.port]
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Dialog":
        """The dialog that `to_dict` wrote, also a former release's."""
        source = values.get("source")
        return cls(**{**values, "source": None if source is None else Destination(*source)})

    def _check_usable(self) -> None:
        self.next_hop()
        Uri.parse(self.remote_target)

    def _first_route(self) -> str | None:
        return NameAddr.parse(self.route_set[0]).uri if self.route_set else None


_WRITTEN = tuple(name for name in Dialog.__slots__ if name != "security")


@lru_cache(maxsize=1024)
def is_private(host: str) -> bool:
    """Whether this is the literal of an address that is not reachable from everywhere."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in _PRIVATE if network.version == address.version)


@lru_cache(maxsize=1024)
def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def new_tag() -> str:
    """A random From or To tag (§19.3)."""
    return secrets.token_hex(8)


def _parse_routes(values: Iterable[str]) -> list[str]:
    routes = list(values)
    for route in routes:
        NameAddr.parse(route)
    return routes
