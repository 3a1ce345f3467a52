"""How what is sent proves that it is from us: pure; secrets are plain text here.

The signature is the hexadecimal HMAC-SHA256 of timestamp, "." and the exact bytes of the body. While an old secret is
still good, receivers hold either one: then each request carries both signatures, and the one under the documented name
is made with the new secret and with the old one by turns, so that a receiver that knows only that name and only one of
the secrets accepts at the latest the second attempt.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence

TIMESTAMP, SIGNATURE, OTHER_SIGNATURE = "X-Truedy-Timestamp", "X-Truedy-Signature", "X-Truedy-Signature-Other"
#: A request that is older is not trusted: it may have been recorded and sent again.
MAX_AGE_S = 300


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The signature of a body sent at `timestamp` (Unix seconds)."""
    return hmac.digest(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hex()


def make_headers(secrets: Sequence[str], body: bytes, *, now_ms: int, attempt: int) -> dict[str, str]:
    """The headers that prove a body; `secrets` are the present one and, while it is good, the old one."""
    timestamp = str(now_ms // 1000)
    signatures = [sign(secret, timestamp, body) for secret in secrets]
    if attempt % 2 == 0:
        signatures.reverse()
    return {TIMESTAMP: timestamp, **dict(zip((SIGNATURE, OTHER_SIGNATURE), signatures, strict=False))}


def find_fault(headers: Mapping[str, str], body: bytes, *, secret: str, now_s: float) -> str | None:
    """What is wrong with a request as it came, or None; names of headers in lower case.

    This is what a receiver does; see the samples in docs/webhooks.md.
    """
    timestamp = headers.get(TIMESTAMP.lower(), "")
    given = [headers[name.lower()] for name in (SIGNATURE, OTHER_SIGNATURE) if name.lower() in headers]
    if not timestamp.isascii() or not timestamp.isdigit() or not given:
        return "it carries no signature"
    if abs(now_s - int(timestamp)) > MAX_AGE_S:
        return f"it was signed more than {MAX_AGE_S} seconds ago, or by another clock"
    expected = sign(secret, timestamp, body)
    if not any(hmac.compare_digest(expected.encode(), signature.encode()) for signature in given):
        return "its signature is wrong"
    return None
