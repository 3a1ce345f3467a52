"""One SIP call with its media: what was offered, what was agreed, who holds whom; knows no conversation."""

import random
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from ringdown.gateway.media_terms import MediaTerms
from ringdown.media import codecs
from ringdown.media.session import Exchange, MediaSession, OnDigit
from ringdown.media.stream import SrtpKeys, StreamSettings
from ringdown.sip import network, sdp
from ringdown.sip.call import Call
from ringdown.sip.events import Event, ReferResult

_SENDING = ("sendrecv", "sendonly")
_RECEIVING = ("sendrecv", "recvonly")


class FarEnd(Protocol):
    """Whom the media goes to, as far as a talk needs to know: a SIP `Call`, whose words these are, or a browser."""

    @property
    def signalling_host(self) -> str:
        """The address that it signals from."""

    def events(self) -> AsyncIterator[Event]:
        """What it does, until `Ended`."""

    def allows(self, method: str) -> bool:
        """Whether it takes such requests."""

    async def refer(self, target: str, *, timeout_s: float) -> ReferResult:
        """Have it call somebody else."""

    async def reoffer(self, sdp: bytes) -> bytes:
        """Its answer to another offer. Raises `ReofferFailed`."""

    async def bye(self) -> None:
        """Hang up. Safe twice."""


class Leg:
    """The media side of one dialog. `address` is where the peer reaches our RTP.

    `media` may be shared by two legs that follow each other: the call goes on with another peer.
    """

    def __init__(self, media: MediaSession, *, terms: MediaTerms, address: tuple[str, int]) -> None:
        self.media = media
        self.call: FarEnd | None = None
        self.agreed: sdp.NegotiatedAudio | None = None
        self.is_holding = False
        """Whether we have put the far end on hold."""
        self.terms = terms
        self._address = address
        # RFC 3264 §8: one session, whose version grows with each description of ours.
        self._session_id = random.randrange(1, 2**31)
        self._version = 0
        self._keys = sdp.new_keys() if terms.srtp != "off" else ()
        self._is_started = False

    def bind(self, call: Call) -> None:
        """This is the call whose re-offers concern the leg."""
        self.call = call
        call.on_reoffer = self.make_answer
        call.make_offer = self.make_offer
        call.on_answer = self.take_answer

    def make_offer(self) -> bytes:
        """Our offer; what is agreed already stays in force until the answer."""
        self._version += 1
        return sdp.build_offer(
            *self._address,
            encodings=self.terms.encodings,
            session_id=self._session_id,
            version=self._version,
            direction="sendonly" if self.is_holding else "sendrecv",
            srtp=self.terms.srtp,
            keys=self._keys,
            has_dtmf=self.terms.dtmf != "inband",
        )

    def make_answer(self, offer: bytes) -> bytes:
        """Our answer; takes effect at once. Raises `ValueError` when there is nothing to agree on."""
        self._version += 1
        body, agreed = sdp.answer_offer(
            offer,
            *self._address,
            encodings=self.terms.encodings,
            session_id=self._session_id,
            version=self._version,
            srtp=self.terms.srtp,
            keys=self._keys,
            direction="sendonly" if self.is_holding else None,
            has_dtmf=self.terms.dtmf != "inband",
        )
        self._agree(agreed)
        return body

    def take_answer(self, answer: bytes) -> None:
        """The far end's answer to our last offer. Raises `ValueError` when it cannot be used."""
        agreed = sdp.read_answer(
            answer,
            encodings=self.terms.encodings,
            keys=self._keys,
            srtp=self.terms.srtp,
            direction="sendonly" if self.is_holding else "sendrecv",
            has_dtmf=self.terms.dtmf != "inband",
        )
        self._agree(agreed)

    @property
    def sample_rate_hz(self) -> int:
        """The rate of the PCM that fits what was agreed."""
        assert self.agreed is not None
        return codecs.pcm_rate_hz(self.agreed.encoding)

    @property
    def is_held(self) -> bool:
        """Whether the far end has put us on hold: nobody there listens."""
        return self.agreed is not None and self.agreed.direction not in _SENDING

    def listen(self, far: Callable[[bytes, int], None]) -> None:
        """Hear early media; nothing is said."""
        self.media.listen(self._describe_stream(), far=far)

    def start(self, exchange: Exchange, on_digit: OnDigit) -> None:
        """The call is up: media time begins."""
        self._is_started = True
        self.media.start(self._describe_stream(), exchange=exchange, on_digit=on_digit)

    def take_over(self) -> None:
        """Go on with the media of the leg before, towards this one's peer."""
        self._is_started = True
        self.media.redirect(self._describe_stream(), is_new_peer=True)

    async def hold(self, is_holding: bool) -> None:
        """Put the far end on hold, or take it back. Raises `ReofferFailed`, and `ValueError` for its answer."""
        assert self.call is not None
        if is_holding == self.is_holding:
            return
        before, self.is_holding = self.is_holding, is_holding
        try:
            self.take_answer(await self.call.reoffer(self.make_offer()))
        except BaseException:
            self.is_holding = before
            raise

    def _agree(self, agreed: sdp.NegotiatedAudio) -> None:
        if not network.is_unicast(agreed.host):
            # Nobody sends names for media, and a lookup would hold up the answer.
            raise ValueError("the address of the audio is not that of one machine")
        self.agreed = agreed
        if self._is_started:
            self.media.redirect(self._describe_stream())

    def _describe_stream(self) -> StreamSettings:
        agreed, crypto = self.agreed, self.agreed.crypto if self.agreed is not None else None
        assert agreed is not None
        return StreamSettings(
            remote=(agreed.host, agreed.port),
            remote_rtcp=(
                agreed.rtcp_host if network.is_unicast(agreed.rtcp_host) else agreed.host,
                agreed.rtcp_port,
            ),
            encoding=agreed.encoding,
            payload_type=agreed.payload_type,
            dtmf_payload_type=agreed.dtmf_payload_type if self.terms.dtmf != "inband" else None,
            comfort_noise_payload_type=agreed.comfort_noise_payload_type,
            dtmf_clock_hz=agreed.dtmf_clock_hz,
            ptime_ms=agreed.ptime_ms,
            is_sending=agreed.direction in _SENDING,
            is_receiving=agreed.direction in _RECEIVING,
            trusted_hosts=self._find_trusted(agreed.host),
            srtp=None if crypto is None else SrtpKeys(crypto.suite, crypto.local_key, crypto.remote_key),
            is_dtmf_inband=self._is_inband(agreed),
        )

    def _is_inband(self, agreed: sdp.NegotiatedAudio) -> bool:
        return self.terms.dtmf == "inband" or (self.terms.dtmf == "auto" and agreed.dtmf_payload_type is None)

    def _find_trusted(self, host: str) -> frozenset[str]:
        """The address that signals, when the far end named one that it can only have behind its NAT."""
        if self.call is None or not self.terms.is_nat_expected:
            return frozenset()
        signalling = self.call.signalling_host
        if not network.is_literal(signalling) or signalling == host or not network.is_private(host):
            return frozenset()
        return frozenset({signalling})
