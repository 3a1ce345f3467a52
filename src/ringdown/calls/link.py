"""Signed, expiring links to recordings: how they are written and when they are good; pure."""

import hashlib
import hmac
from dataclasses import dataclass
from functools import lru_cache

from ringdown import errors


@dataclass(frozen=True, slots=True)
class LinkSigner:
    """Writes and checks links with one secret. Times are seconds since 1970 UTC."""

    secret: str
    base_url: str
    valid_seconds: int

    def sign(self, organization_id: str, call_id: str, *, now_seconds: int) -> str:
        """The link to a call's recording, good for `valid_seconds`."""
        expires = now_seconds + self.valid_seconds
        signature = self._compute_signature(organization_id, call_id, str(expires))
        query = f"organization={organization_id}&expires={expires}&signature={signature}"
        return f"{self.base_url}/recordings/{call_id}.mp3?{query}"

    def verify(self, *, organization_id: str, call_id: str, expires: str, signature: str, now_seconds: int) -> None:
        """Raises `Forbidden` unless the link was written here, as it is, and has not expired."""
        expected = self._compute_signature(organization_id, call_id, expires)
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise errors.Forbidden("The signature of this recording link is not valid.")
        if int(expires) < now_seconds:
            raise errors.Forbidden("This recording link has expired; get the call again for a new one.")

    def _compute_signature(self, organization_id: str, call_id: str, expires: str) -> str:
        signed = f"{organization_id}\n{call_id}\n{expires}"
        # A keyed BLAKE2 is a MAC by itself (RFC 7693) and costs a third of an HMAC: a page of calls has fifty links.
        mac = _begin_mac(self.secret).copy()
        mac.update(signed.encode())
        return mac.hexdigest()


@lru_cache(maxsize=8)
def _begin_mac(secret: str) -> "hashlib.blake2b":
    return hashlib.blake2b(key=secret.encode(), digest_size=32)
