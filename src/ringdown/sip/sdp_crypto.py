"""The SRTP keys that an SDP carries in `a=crypto` lines (SDES, RFC 4568); encrypts nothing."""

import base64
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

# RFC 4568 §6.2: both take a 128-bit master key and a 112-bit salt; they differ in the length of the RTP tag.
SUITES = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32")
KEY_BYTES = 30
NO_COMMON_SUITE = "no common SRTP suite"
_TAG = re.compile(r"[0-9]{1,9}")
_LIFETIME = re.compile(r"2\^[0-9]{1,2}|[0-9]{1,15}")
_WINDOW = re.compile(r"WSH=[0-9]{2,9}")  # how far the sender reorders: advice that nobody has to follow


@dataclass(frozen=True, slots=True)
class CryptoKey:
    """One `a=crypto` line: what its sender encrypts with. `key` is master key and salt, 30 bytes."""

    tag: int
    suite: str
    key: bytes = field(repr=False)

    @classmethod
    def parse(cls, value: str) -> "CryptoKey":
        """Parse the text after `a=crypto:`; raises `ValueError` also for what we do not speak (§6.3, §9.1).

        That is: another suite, a master key identifier or several keys, and session parameters that change the
        packets. A lifetime is read and dropped: the usual ones, from 2^20 packets on, outlast a call.
        """
        fields = value.split()
        if len(fields) < 3 or not _TAG.fullmatch(fields[0]) or not fields[2].lower().startswith("inline:"):
            raise ValueError("malformed crypto attribute")
        tag, suite, key_text, *params = fields
        encoded, *options = key_text.partition(":")[2].split("|")
        if suite not in SUITES:
            raise ValueError("unsupported SRTP suite")
        if len(options) > 1 or any(not _LIFETIME.fullmatch(option) for option in options):
            raise ValueError("unsupported SRTP key parameters")
        if any(not param.startswith("-") and not _WINDOW.fullmatch(param) for param in params):
            raise ValueError("unsupported SRTP session parameter")
        key = base64.b64decode(encoded, validate=True)
        if len(key) != KEY_BYTES:
            raise ValueError("malformed SRTP key")
        return cls(int(tag), suite, key)

    def serialize(self) -> str:
        """The text after `a=crypto:`."""
        return f"{self.tag} {self.suite} inline:{base64.b64encode(self.key).decode()}"


@dataclass(frozen=True, slots=True)
class NegotiatedCrypto:
    """The suite both sides use, what we encrypt with and what the peer does: 30 bytes each, key and salt."""

    suite: str
    local_key: bytes = field(repr=False)
    remote_key: bytes = field(repr=False)


def new_keys() -> tuple[CryptoKey, ...]:
    """Fresh keys to offer or to answer with, one per suite, the stronger first; keep them for the whole call."""
    return tuple(CryptoKey(tag, suite, secrets.token_bytes(KEY_BYTES)) for tag, suite in enumerate(SUITES, start=1))


def accept_crypto(values: Sequence[str], keys: Sequence[CryptoKey]) -> tuple[CryptoKey, NegotiatedCrypto]:
    """Our line for the answer and what is agreed: the first offered line that we speak (§5.1.2).

    Our key is that of the same suite in `keys`; without `keys` it is new. Raises `ValueError`.
    """
    for value in values:
        try:
            theirs = CryptoKey.parse(value)
        except ValueError:
            continue
        for ours in keys or new_keys():
            if ours.suite == theirs.suite:
                return (
                    CryptoKey(theirs.tag, ours.suite, ours.key),
                    NegotiatedCrypto(ours.suite, ours.key, theirs.key),
                )
    raise ValueError(NO_COMMON_SUITE)


def conclude_crypto(values: Sequence[str], keys: Sequence[CryptoKey]) -> NegotiatedCrypto:
    """What the answer's line takes of our offered `keys`: its tag and suite name one (§5.1.3); raises `ValueError`."""
    if len(values) != 1:
        raise ValueError("the answer must choose one SRTP key")
    theirs = CryptoKey.parse(values[0])
    for ours in keys:
        if (ours.tag, ours.suite) == (theirs.tag, theirs.suite):
            return NegotiatedCrypto(ours.suite, ours.key, theirs.key)
    raise ValueError(NO_COMMON_SUITE)
