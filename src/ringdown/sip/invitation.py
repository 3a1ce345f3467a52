"""What to dial, as the owner states it; knows no transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ringdown.sip.address import NameAddr, Uri, split_list
from ringdown.sip.destination import Destination
from ringdown.sip.digest import Credentials
from ringdown.sip.refresh import SessionTimer


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What to dial. `target` is the Request-URI; a `Route` header decides the next hop instead of it."""

    target: str
    from_uri: str
    from_display: str | None = None
    to_uri: str | None = None
    body: bytes = b""
    credentials: Credentials | None = None
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = ()
    hop: Destination | None = None
    """Where the INVITE really goes, and how TLS connections to that peer are made."""
    session_timer: SessionTimer | None = None

    def header_fields(self) -> list[tuple[str, str]]:
        """The extra headers as pairs; a name may repeat."""
        return list(self.headers.items() if isinstance(self.headers, Mapping) else self.headers)

    def routes(self) -> list[str]:
        """The Route headers as written."""
        return [value for name, value in self.header_fields() if name.lower() == "route"]

    def destination(self) -> Destination:
        """Where the INVITE goes; raises `ValueError` for what we cannot reach."""
        if self.hop is not None:
            return self.hop
        routes = self.routes()
        return Destination.from_uri(Uri.parse(NameAddr.parse(split_list(routes[0])[0]).uri if routes else self.target))
