"""Digest access authentication: answers challenges (RFC 2617, RFC 7616, RFC 8760)."""

import hashlib
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ringdown.sip.address import unquote
from ringdown.sip.message import Response

_PARAMETER = re.compile(r'([A-Za-z0-9_-]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^\s,"]+)')
_HASHES: dict[str, Callable[[bytes], "hashlib._Hash"]] = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
_STRENGTH = ("SHA-256", "MD5")
_MAX_STALE = 2


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and password that answer a challenge of any realm."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One WWW-Authenticate or Proxy-Authenticate value that can be answered."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    is_algorithm_named: bool = True
    opaque: str | None = None
    has_qop: bool = False
    is_stale: bool = False

    @classmethod
    def parse(cls, value: str) -> "Challenge":
        """Parse one header value; raises `ValueError` for another scheme, algorithm or quality of protection."""
        params = parse_digest(value)
        algorithm = params.get("algorithm", "MD5").upper()
        qop = [option.strip().lower() for option in params.get("qop", "").split(",") if option.strip()]
        if "realm" not in params or "nonce" not in params:
            raise ValueError("challenge without realm or nonce")
        if algorithm not in _HASHES or (qop and "auth" not in qop):
            raise ValueError("unsupported challenge")
        return cls(
            realm=params["realm"],
            nonce=params["nonce"],
            algorithm=algorithm,
            is_algorithm_named="algorithm" in params,
            opaque=params.get("opaque"),
            has_qop=bool(qop),
            is_stale=params.get("stale", "").lower() == "true",
        )


@dataclass(slots=True)
class _Realm:
    header: str
    challenge: Challenge
    nonce_count: int = 0
    stale_count: int = 0
    is_answered: bool = True  # by the request under way


class Authenticator:
    """The credentials of one call and the realms that have challenged it."""

    def __init__(self, credentials: Credentials | None) -> None:
        self._credentials = credentials
        self._realms: dict[tuple[str, str], _Realm] = {}

    def accept_challenge(self, response: Response) -> bool:
        """Learn the challenges of a 401 or 407; true when a retry has a chance.

        A realm is answered once per request; again only when it says that the nonce was stale, at most twice more.
        """
        proxy = response.status == 407
        challenges = _strongest(response.headers.get_lines("Proxy-Authenticate" if proxy else "WWW-Authenticate"))
        if self._credentials is None or not challenges:
            return False
        header = "Proxy-Authorization" if proxy else "Authorization"
        for challenge in challenges:
            known = self._realms.get((header, challenge.realm))
            if known is None:
                self._realms[header, challenge.realm] = _Realm(header, challenge)
            elif not known.is_answered:
                known.challenge, known.nonce_count, known.is_answered = challenge, 0, True
            elif challenge.is_stale and challenge.nonce != known.challenge.nonce and known.stale_count < _MAX_STALE:
                known.challenge, known.nonce_count, known.stale_count = challenge, 0, known.stale_count + 1
            else:
                return False
        return True

    def begin_request(self) -> None:
        """Another request follows: a peer whose nonces hold for one request may challenge it anew."""
        for realm in self._realms.values():
            realm.is_answered, realm.stale_count = False, 0

    def authorize(self, method: str, uri: str) -> list[tuple[str, str]]:
        """The Authorization and Proxy-Authorization fields for the next request; empty before any challenge."""
        fields = []
        for realm in self._realms.values() if self._credentials is not None else ():
            realm.nonce_count += 1
            assert self._credentials is not None
            value = build_authorization(
                realm.challenge,
                credentials=self._credentials,
                method=method,
                uri=uri,
                nonce_count=realm.nonce_count,
                cnonce=secrets.token_hex(8),
            )
            fields.append((realm.header, value))
        return fields


def parse_digest(value: str) -> dict[str, str]:
    """The parameters of a `Digest …` header value, unquoted, names in lower case; raises `ValueError`."""
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        raise ValueError("not a digest header")
    return {name.lower(): unquote(text) for name, text in _PARAMETER.findall(rest)}


def build_authorization(
    challenge: Challenge, *, credentials: Credentials, method: str, uri: str, nonce_count: int, cnonce: str
) -> str:
    """The header value that answers a challenge (RFC 7616 §3.4)."""
    count = f"{nonce_count:08x}"
    digest = compute_digest(
        challenge, credentials=credentials, method=method, uri=uri, nonce_count=count, cnonce=cnonce
    )
    parts = [
        f"username={_quote(credentials.username)}",
        f"realm={_quote(challenge.realm)}",
        f"nonce={_quote(challenge.nonce)}",
        f'uri="{uri}"',
        f'response="{digest}"',
    ]
    if challenge.is_algorithm_named:
        parts.append(f"algorithm={challenge.algorithm}")
    if challenge.has_qop:
        parts.append(f'cnonce="{cnonce}", qop=auth, nc={count}')
    if challenge.opaque is not None:
        parts.append(f"opaque={_quote(challenge.opaque)}")
    return "Digest " + ", ".join(parts)


def compute_digest(
    challenge: Challenge, *, credentials: Credentials, method: str, uri: str, nonce_count: str, cnonce: str
) -> str:
    """The `response` value in hexadecimal (RFC 7616 §3.4.1)."""
    digest = _HASHES[challenge.algorithm]
    secret = _hex(digest, f"{credentials.username}:{challenge.realm}:{credentials.password}")
    subject = _hex(digest, f"{method}:{uri}")
    middle = f"{nonce_count}:{cnonce}:auth:" if challenge.has_qop else ""
    return _hex(digest, f"{secret}:{challenge.nonce}:{middle}{subject}")


def _strongest(values: Sequence[str]) -> list[Challenge]:
    by_realm: dict[str, Challenge] = {}
    for value in values:
        try:
            challenge = Challenge.parse(value)
        except ValueError:
            continue
        known = by_realm.get(challenge.realm)
        if known is None or _STRENGTH.index(challenge.algorithm) < _STRENGTH.index(known.algorithm):
            by_realm[challenge.realm] = challenge
    return list(by_realm.values())


def _hex(digest: "Callable[[bytes], hashlib._Hash]", text: str) -> str:
    return digest(text.encode()).hexdigest()


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
