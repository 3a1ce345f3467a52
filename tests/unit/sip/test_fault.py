"""Errors of connections in an operator's words."""

import errno
import socket
import ssl

import pytest

from ringdown.sip import fault


def make_tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


@pytest.mark.parametrize(("error", "words"), [
    (ConnectionRefusedError(), "connection refused"),
    (TimeoutError(), "timed out"),
    (ConnectionResetError(), "connection closed"),
    (socket.gaierror(-2, "Name or service not known"), "host unknown"),
    (OSError(errno.EHOSTUNREACH, "x"), "host unreachable"),
    (OSError(errno.ENETUNREACH, "x"), "network unreachable"),
    (OSError(errno.EPERM, "Operation not permitted"), "Operation not permitted"),
    (OSError("address family not supported by this endpoint"), "address family not supported by this endpoint"),
    (ValueError("it is for a, not for b"), "certificate: it is for a, not for b"),
    (make_tls_error("WRONG_VERSION_NUMBER"), "not TLS"),
    (make_tls_error("UNEXPECTED_EOF_WHILE_READING"), "not TLS"),
    (make_tls_error("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "certificate: the peer refuses ours (certificate required)"),
    (make_tls_error("KEY_VALUES_MISMATCH"), "certificate: key values mismatch"),
])  # fmt: skip
def test_an_error_is_told_in_a_few_words(error: Exception, words: str) -> None:
    assert fault.describe(error) == words


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionResetError(), ConnectionAbortedError()])
def test_silence_or_a_hang_up_in_the_middle_of_a_handshake_means_that_the_peer_speaks_no_tls(error: Exception) -> None:
    assert fault.describe(error, is_handshake=True) == "not TLS"
