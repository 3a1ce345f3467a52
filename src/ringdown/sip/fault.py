"""Why a connection failed, in a few words for an operator; knows errors, no sockets."""

import errno
import socket
import ssl

REFUSED = "connection refused"
TIMED_OUT = "timed out"
NOT_TLS = "not TLS"
IS_TLS = "the peer speaks TLS here"
CLOSED = "connection closed"

_WORDS = {
    errno.EHOSTUNREACH: "host unreachable",
    errno.ENETUNREACH: "network unreachable",
    errno.EADDRNOTAVAIL: "address not available",
    errno.EAFNOSUPPORT: "address family not supported",
    errno.EMSGSIZE: "message too large for the network",
}


def describe(error: BaseException, *, is_handshake: bool = False) -> str:
    """The fault as `connection refused`, `certificate: …`, `not TLS`, `timed out`, `host unknown` and the like.

    `is_handshake` tells that the connection stood already and TLS was being agreed on it.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate: {error.verify_message or error.reason or 'not trusted'}"
    if isinstance(error, ssl.SSLError):
        return _describe_tls(error)
    if isinstance(error, socket.gaierror):
        return "host unknown"
    if isinstance(error, ValueError):
        return f"certificate: {error}"
    if is_handshake and isinstance(error, (TimeoutError, ConnectionError)):
        return NOT_TLS
    if isinstance(error, TimeoutError):
        return TIMED_OUT
    if isinstance(error, ConnectionRefusedError):
        return REFUSED
    if isinstance(error, ConnectionError):
        return CLOSED
    if isinstance(error, OSError):
        return _WORDS.get(error.errno or 0) or error.strerror or str(error) or "transport failed"
    return str(error) or "transport failed"


def _describe_tls(error: ssl.SSLError) -> str:
    reason = (error.reason or "").upper()
    if "ALERT" in reason:
        return f"certificate: the peer refuses ours ({reason.partition('ALERT_')[2].replace('_', ' ').lower()})"
    if "EOF" in reason or "WRONG_VERSION" in reason or "RECORD" in reason or "HTTP" in reason:
        return NOT_TLS
    return f"certificate: {reason.replace('_', ' ').lower() or error}"
