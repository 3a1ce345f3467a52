"""Digest authentication of peers that call us: makes challenges and checks answers (RFC 7616, RFC 8760)."""

import base64
import binascii
import hashlib
import hmac
import secrets
import struct
from collections.abc import Callable, Iterable
from typing import Literal

from ringdown.sip.address import Uri, quote
from ringdown.sip.digest import Challenge, Credentials, compute_digest, parse_digest
from ringdown.sip.message import Request

Verdict = Literal["ok", "missing", "stale", "wrong"]
Algorithm = Literal["MD5", "SHA-256"]

_STAMP = struct.Struct(">d8s")  # when it was made, and what makes it unique
_SIGNATURE_BYTES = 16
_WINDOW = 64  # nonce counts that may still come after a higher one: UDP reorders
_MAX_NONCES = 10_000


class Challenger:
    """The challenges of one realm; `now` is seconds of one clock that never runs backwards.

    A nonce carries its time and our signature, so nothing is kept for a challenge that nobody answers. Of a nonce
    that was answered rightly the counts are kept until it expires: the same answer is never taken twice.
    """

    def __init__(self, realm: str, secret: bytes, nonce_lifetime_s: float = 300) -> None:
        self._realm = realm
        self._secret = secret
        self._lifetime_s = nonce_lifetime_s
        # By nonce: when it was made, the highest count, and a bit for it and each one below it that came.
        self._used: dict[str, tuple[float, int, int]] = {}
        self._valid_from = float("-inf")

    def challenge(
        self, now: float, is_stale: bool = False, algorithm: Algorithm = "MD5", *, source: str = ""
    ) -> tuple[str, str]:
        """The header field for a 401; `is_stale` when the verdict was "stale". Only `source` may answer it.

        Peers older than RFC 8760 know MD5 alone and fail at a first field of another algorithm.
        """
        stamp = _STAMP.pack(now, secrets.token_bytes(8))
        nonce = base64.urlsafe_b64encode(stamp + self._sign(stamp, source)).decode()
        stale = ", stale=true" if is_stale else ""
        return (
            "WWW-Authenticate",
            f'Digest realm={quote(self._realm)}, nonce="{nonce}", algorithm={algorithm}, qop="auth"{stale}',
        )

    def verify(
        self, request: Request, find_password: Callable[[str], str | None], now: float, *, source: str = ""
    ) -> Verdict:
        """What the request's Authorization is worth; `find_password` gives that of a username.

        "missing": none for this realm. "stale": right, but for a nonce that is not ours, expired, or used before. An
        answer without quality of protection (RFC 2069) is good for one request.
        """
        params = find_answer(request.headers.get_lines("Authorization"), self._realm)
        if params is None:
            return "missing"
        if not self._is_right(params, request, find_password):
            return "wrong"
        made_at = self._read_nonce(params["nonce"], now, source)
        count = _parse_count(params["nc"]) if "qop" in params else 1
        if made_at is None or not self._take(params["nonce"], made_at=made_at, count=count):
            return "stale"
        return "ok"

    def is_answer(self, request: Request, now: float, *, source: str = "") -> bool:
        """Whether the request answers a challenge made for its source, so that nobody else can have sent it."""
        params = find_answer(request.headers.get_lines("Authorization"), self._realm)
        return params is not None and self._read_nonce(params.get("nonce", ""), now, source) is not None

    def _is_right(self, params: dict[str, str], request: Request, find_password: Callable[[str], str | None]) -> bool:
        algorithm = params.get("algorithm", "MD5").upper()
        qop = params.get("qop")
        if (
            algorithm not in ("MD5", "SHA-256")
            or qop not in (None, "auth")
            or not {"nonce", "username"} <= params.keys()
        ):
            return False
        if not _is_same_target(params.get("uri", ""), request.uri) or (qop and not _parse_count(params.get("nc", ""))):
            return False
        password = find_password(params["username"])
        expected = compute_digest(
            Challenge(self._realm, params["nonce"], algorithm, has_qop=qop is not None),
            # Somebody without a password takes as long to refuse as somebody with a wrong one.
            credentials=Credentials(params["username"], password or secrets.token_hex()),
            method=request.method,
            uri=params["uri"],
            nonce_count=params.get("nc", ""),
            cnonce=params.get("cnonce", ""),
        )
        is_equal = hmac.compare_digest(expected.encode(), params.get("response", "").lower().encode())
        return is_equal and bool(password)

    def _read_nonce(self, nonce: str, now: float, source: str) -> float | None:
        """When we made it for this source; `None` when we did not, or too long ago."""
        try:
            data = base64.urlsafe_b64decode(nonce)
        except (binascii.Error, ValueError):
            return None
        stamp, signature = data[: _STAMP.size], data[_STAMP.size :]
        if len(stamp) < _STAMP.size or not hmac.compare_digest(signature, self._sign(stamp, source)):
            return None
        made_at: float = _STAMP.unpack(stamp)[0]
        return made_at if 0 <= now - made_at <= self._lifetime_s and made_at > self._valid_from else None

    def _take(self, nonce: str, *, made_at: float, count: int) -> bool:
        """Note that this count of the nonce came; false when it came before, or may have."""
        _, highest, seen = self._used.get(nonce, (made_at, 0, 0))
        if count > highest:
            highest, seen, is_new = count, seen << (count - highest) | 1 if count - highest < _WINDOW else 1, True
        else:
            bit = 1 << (highest - count)
            is_new = highest - count < _WINDOW and not seen & bit
            seen |= bit if is_new else 0
        self._used[nonce] = (made_at, highest, seen & (1 << _WINDOW) - 1)
        if len(self._used) > _MAX_NONCES:
            self._forget_oldest()
        return is_new

    def _forget_oldest(self) -> None:
        """Forget the older half; whoever still has such a nonce gets a fresh one."""
        self._valid_from = sorted(made_at for made_at, _, _ in self._used.values())[_MAX_NONCES // 2]
        self._used = {nonce: use for nonce, use in self._used.items() if use[0] > self._valid_from}

    def _sign(self, stamp: bytes, source: str) -> bytes:
        signed = stamp + f"{self._realm} {source}".encode()
        return hmac.digest(self._secret, signed, hashlib.sha256)[:_SIGNATURE_BYTES]


def find_answer(values: Iterable[str], realm: str) -> dict[str, str] | None:
    """The parameters of the first Authorization value of this realm: the one that `Challenger.verify` judges."""
    for value in values:
        try:
            params = parse_digest(value)
        except ValueError:
            continue
        if params.get("realm") == realm:
            return params
    return None


def _parse_count(text: str) -> int:
    """A nonce count, up to eight hexadecimal digits; 0 when malformed."""
    is_hex = 0 < len(text) <= 8 and all(character in "0123456789abcdefABCDEF" for character in text)
    return int(text, 16) if is_hex else 0


def _is_same_target(answered: str, requested: str) -> bool:
    """Whether the answer was made for this request; proxies on the way may rewrite all but the user."""
    if answered == requested:
        return True
    try:
        return Uri.parse(answered).user == Uri.parse(requested).user
    except ValueError:
        return False
