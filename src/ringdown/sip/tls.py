"""TLS contexts of both sides, and whom a peer's certificate names (RFC 3261 §26.3, RFC 5922); opens no socket."""

import contextlib
import functools
import ipaddress
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ringdown.sip.address import Uri
from ringdown.sip.destination import TlsClient


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsServer:
    """Where TLS is listened for, and with what; port 0 takes any free one.

    With `client_ca` every peer must show a certificate that these authorities signed.
    """

    port: int
    certificate: Path
    private_key: Path
    client_ca: Path | None = None


def build_server_context(server: TlsServer) -> ssl.SSLContext:
    """The context of a listener; raises `OSError` when a file is missing or the key does not fit."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.certificate, server.private_key)
    if server.client_ca is not None:
        context.load_verify_locations(server.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@functools.lru_cache(maxsize=64)
def build_client_context(client: TlsClient) -> ssl.SSLContext:
    """The context of a connection we make; reads the system's authorities, so it may block for some 20 ms.

    It verifies the chain, not the name: that is `check_name`. Raises `OSError` or `ValueError` for unusable PEM.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if not client.is_verified:
        context.verify_mode = ssl.CERT_NONE
    elif client.ca is not None:
        context.load_verify_locations(cadata=client.ca)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a server's own certificate may be pinned
    else:
        context.load_default_certs()
    if client.certificate is not None:
        _load_certificate(context, client.certificate, client.private_key)
    return context


def check_name(certificate: Mapping[str, Any], name: str) -> None:
    """Raise `ValueError` unless a verified certificate is that of `name`, a domain or an address (RFC 5922 §7).

    `certificate` is what `SSLSocket.getpeercert` gives. A leading `*` stands for one label, against §7.2: carriers
    have such certificates. The common name counts when there is no alternative name.
    """
    names = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"]
    addresses = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "IP Address"]
    for kind, value in certificate.get("subjectAltName", ()):
        with contextlib.suppress(ValueError):
            if kind == "URI" and Uri.parse(value).user is None:
                names.append(Uri.parse(value).host)
    if not certificate.get("subjectAltName"):
        names += [value for part in certificate.get("subject", ()) for kind, value in part if kind == "commonName"]
    if not _names(names, addresses, name):
        raise ValueError(f"it is for {', '.join([*names, *addresses]) or 'nobody'}, not for {name}")


def _names(names: list[str], addresses: list[str], wanted: str) -> bool:
    try:
        address = ipaddress.ip_address(wanted.partition("%")[0])
    except ValueError:
        return any(_matches(pattern.lower().rstrip("."), wanted.lower().rstrip(".")) for pattern in names)
    return any(_is_address(text, address) for text in [*addresses, *names])


def _matches(pattern: str, name: str) -> bool:
    if not pattern.startswith("*."):
        return pattern == name
    _, _, domain = name.partition(".")
    return "." in domain and pattern[2:] == domain


def _is_address(text: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return ipaddress.ip_address(text.strip()) == address
    except ValueError:
        return False


def _load_certificate(context: ssl.SSLContext, certificate: str, private_key: str | None) -> None:
    # OpenSSL reads both from files only; this one is readable by us alone and gone at once.
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(f"{certificate}\n{private_key or ''}\n")
        file.flush()
        context.load_cert_chain(file.name)
