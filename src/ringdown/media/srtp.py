"""Encrypts and authenticates the packets of one call by SRTP and SRTCP (RFC 3711); negotiates no keys."""

import pylibsrtp

from ringdown.media.stream import SrtpKeys

# RFC 4568 §6.2: with the 32-bit suite the reports keep an 80-bit tag; libsrtp's profile does so.
_PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}
_KEY_BYTES = 30  # 16 of the master key, 14 of the master salt
_WINDOW_PACKETS = 128  # the smallest that libsrtp takes: two and a half seconds of 20 ms packets

# What `unprotect` raises for a packet that is forged, repeated or not encrypted at all.
Unauthenticated = pylibsrtp.Error


class Srtp:
    """Both directions of one call under its keys.

    `protect` and `protect_report` take a plain packet; `unprotect` and `unprotect_report` give it back, and raise
    `Unauthenticated`, or `ValueError` for one that is longer than 1,500 bytes.
    """

    def __init__(self, keys: SrtpKeys) -> None:
        """Raises `ValueError` for a suite that is not spoken or a key of the wrong length."""
        outbound = _open_session(keys.suite, keys.local_key, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        inbound = _open_session(keys.suite, keys.remote_key, pylibsrtp.Policy.SSRC_ANY_INBOUND)
        # The bound methods themselves: one of them runs for each packet of each call.
        self.protect = outbound.protect
        self.protect_report = outbound.protect_rtcp
        self.unprotect = inbound.unprotect
        self.unprotect_report = inbound.unprotect_rtcp


def _open_session(suite: str, key: bytes, ssrc_type: int) -> pylibsrtp.Session:
    profile = _PROFILES.get(suite)
    if profile is None:
        raise ValueError(f"SRTP suite {suite} is not supported")
    if len(key) != _KEY_BYTES:
        raise ValueError(f"an SRTP key has {_KEY_BYTES} bytes, not {len(key)}")
    policy = pylibsrtp.Policy(key=key, ssrc_type=ssrc_type, srtp_profile=profile)
    policy.window_size = _WINDOW_PACKETS
    return pylibsrtp.Session(policy)
