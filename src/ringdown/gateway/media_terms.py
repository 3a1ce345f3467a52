"""What a call is offered and what is accepted, as far as its audio goes."""

from dataclasses import dataclass

from ringdown.sip import sdp


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaTerms:
    """What we offer and accept: codecs in order of preference, SRTP, the form of keypad digits, help for NAT."""

    encodings: tuple[sdp.Encoding, ...] = sdp.DEFAULT_ENCODINGS
    srtp: sdp.Srtp = "off"
    dtmf: str = "auto"
    """`auto`: events, or tones where the far end takes none; `rfc4733`: events only; `inband`: tones only."""
    is_nat_expected: bool = True
    """Whether audio may come from the address that signals, when the one in the SDP is a private one."""
