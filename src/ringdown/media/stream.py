"""Says what a negotiation agreed on for one call's audio: addresses, codec, direction and keys; does nothing itself."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """Keys of both directions by SDES (RFC 4568): master key and salt together, 30 bytes each.

    `suite` is the SDP name, `AES_CM_128_HMAC_SHA1_80` or `AES_CM_128_HMAC_SHA1_32`.
    """

    suite: str
    local_key: bytes = field(repr=False)
    remote_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """One agreed audio stream, as a session sends and hears it.

    `remote` is an address of numbers, `remote_rtcp` the same for reports (None: the port after it); RTP is heard from
    both and from `trusted_hosts`. `ptime_ms` is the length of the packets we send. Not sending or not receiving is
    hold. `is_dtmf_inband` says that digits travel as tones in the audio, in both directions.
    """

    remote: tuple[str, int]
    encoding: str
    payload_type: int
    dtmf_payload_type: int | None = None
    dtmf_clock_hz: int = 8000
    comfort_noise_payload_type: int | None = None
    ptime_ms: int = 20
    is_sending: bool = True
    is_receiving: bool = True
    trusted_hosts: frozenset[str] = frozenset()
    remote_rtcp: tuple[str, int] | None = None
    srtp: SrtpKeys | None = None
    is_dtmf_inband: bool = False
