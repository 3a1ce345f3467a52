"""Encrypts and authenticates the packets of one call by SRTP and SRTCP (RFC 3711); negotiates no keys."""

import threading
from collections.abc import Callable
from typing import Any

import pylibsrtp
from pylibsrtp._binding import ffi, lib  # type: ignore[import-not-found]

from ringdown.media.stream import SrtpKeys

# RFC 4568 §6.2: with the 32-bit suite the reports keep an 80-bit tag; libsrtp's profile does so.
_PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}
_KEY_BYTES = 30  # 16 of the master key, 14 of the master salt
_BUFFER_BYTES = 1500
_TRAILER_BYTES = pylibsrtp.SRTP_MAX_TRAILER_LEN
_WINDOW_PACKETS = 128  # the smallest that libsrtp takes: two and a half seconds of 20 ms packets

# What `unprotect` raises for a packet that is forged, repeated or not encrypted at all.
Unauthenticated = pylibsrtp.Error


class Srtp:
    """Both directions of one call under its keys.

    `protect` and `protect_report` take a plain packet; `unprotect` and `unprotect_report` give it back, and raise
    `Unauthenticated`, or `ValueError` for one that is longer than 1,500 bytes.
    """

    __slots__ = ("protect", "protect_report", "unprotect", "unprotect_report")

    def __init__(self, keys: SrtpKeys) -> None:
        """Raises `ValueError` for a suite that is not spoken or a key of the wrong length."""
        outbound = _open_session(keys.suite, keys.local_key, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        inbound = _open_session(keys.suite, keys.remote_key, pylibsrtp.Policy.SSRC_ANY_INBOUND)
        self.protect = _shorten(outbound, lib.srtp_protect, longest=_BUFFER_BYTES - _TRAILER_BYTES)
        self.protect_report = outbound.protect_rtcp
        self.unprotect = _shorten(inbound, lib.srtp_unprotect, longest=_BUFFER_BYTES)
        self.unprotect_report = inbound.unprotect_rtcp


def _shorten(session: pylibsrtp.Session, transform: Callable[..., int], *, longest: int) -> Callable[[bytes], bytes]:
    """What the session's `protect` or `unprotect` does, in half the time around libsrtp.

    Those check, copy and allocate for each packet of each call. There is no public way around them, so this is the one
    place that knows the binding and the session's inside. It serves the thread that made it.
    """
    owner = session._srtp  # it frees what it points to when nobody refers to it any more
    context, scratch = owner[0], _Scratch.of_thread()
    buffer, content, length = scratch.buffer, scratch.content, scratch.length

    def run(packet: bytes, _owner: Any = owner) -> bytes:
        size = len(packet)
        if size > longest:
            raise ValueError("packet is too long")
        length[0] = size
        content[0:size] = packet
        status = transform(context, buffer, length)
        if status:
            raise Unauthenticated(pylibsrtp.ERRORS[status])
        transformed: bytes = content[0 : length[0]]
        return transformed

    return run


class _Scratch:
    """Where packets are transformed: one place for all calls of a thread, which so stays in the core's cache."""

    _threads = threading.local()

    def __init__(self) -> None:
        self.buffer = ffi.new("char[]", _BUFFER_BYTES)
        self.content = ffi.buffer(self.buffer)
        self.length = ffi.new("int *")

    @classmethod
    def of_thread(cls) -> "_Scratch":
        """The one of the calling thread."""
        found: _Scratch | None = getattr(cls._threads, "scratch", None)
        if found is None:
            found = cls._threads.scratch = cls()
        return found


def _open_session(suite: str, key: bytes, ssrc_type: int) -> pylibsrtp.Session:
    profile = _PROFILES.get(suite)
    if profile is None:
        raise ValueError(f"SRTP suite {suite} is not supported")
    if len(key) != _KEY_BYTES:
        raise ValueError(f"an SRTP key has {_KEY_BYTES} bytes, not {len(key)}")
    policy = pylibsrtp.Policy(key=key, ssrc_type=ssrc_type, srtp_profile=profile)
    policy.window_size = _WINDOW_PACKETS
    return pylibsrtp.Session(policy)
