"""Where SIP messages go to and come from: transport, host, port, and how TLS is made; does no I/O."""

from dataclasses import dataclass, field
from typing import Literal

from ringdown.sip.address import Uri

Transport = Literal["udp", "tcp", "tls"]
DEFAULT_PORTS: dict[Transport, int] = {"udp": 5060, "tcp": 5060, "tls": 5061}
_TRANSPORTS: dict[str, Transport] = {"udp": "udp", "tcp": "tcp", "tls": "tls"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsClient:
    """How we make a TLS connection to one peer; PEM texts, not paths.

    `server_name` is the name that its certificate must show (RFC 5922), by default the host of the destination.
    """

    server_name: str | None = None
    ca: str | None = None
    """Certificates to trust instead of the system's."""
    certificate: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)
    is_verified: bool = True


@dataclass(frozen=True, slots=True)
class Destination:
    """Where bytes go to or came from; `host` may be a name, `connection` is the edge's number of a stream."""

    transport: Transport
    host: str
    port: int
    connection: int | None = field(default=None, compare=False)
    security: TlsClient | None = None
    """How a TLS connection to it is made; None means our own defaults, with the host's name verified."""

    @property
    def is_reliable(self) -> bool:
        """Whether the transport retransmits, so that we must not."""
        return self.transport != "udp"

    @classmethod
    def from_uri(cls, uri: Uri) -> "Destination":
        """The next hop of a `sip:` or `sips:` URI; raises `ValueError` for a transport that is not spoken."""
        name = "tls" if uri.scheme == "sips" else uri.transport
        transport = _TRANSPORTS.get(name)
        if uri.scheme not in ("sip", "sips") or transport is None:
            raise ValueError("unsupported transport")
        return cls(transport, uri.params.get("maddr") or uri.host, uri.port or DEFAULT_PORTS[transport])
