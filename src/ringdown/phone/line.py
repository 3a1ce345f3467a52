"""One call of the test phone as its SDP and media see it: what is offered, agreed and held; plays no script."""

from collections.abc import Callable

from ringdown.media.session import MediaSession
from ringdown.media.stream import SrtpKeys, StreamSettings
from ringdown.sip import sdp
from ringdown.sip.call import Call


class Line:
    """The media of one call; every description of ours grows its version (RFC 3264 §8).

    `on_agreed` hears what each negotiation came to, in words.
    """

    def __init__(self, media: MediaSession, *, host: str, srtp: sdp.Srtp, on_agreed: Callable[[str], None]) -> None:
        self.media = media
        self._host = host
        self._srtp = srtp
        self._on_agreed = on_agreed
        self._keys = sdp.new_keys() if srtp != "off" else ()
        self._version = 0
        self._is_holding = False
        self._is_talking = False
        self._agreed: sdp.NegotiatedAudio | None = None

    def bind(self, call: Call) -> None:
        """Lets the call's re-INVITEs change the media."""
        call.on_reoffer = self.answer
        call.make_offer = self.offer
        call.on_answer = self.take_answer

    def offer(self) -> bytes:
        """Our offer now."""
        self._version += 1
        return sdp.build_offer(
            self._host,
            self.media.local_port,
            version=self._version,
            direction="sendonly" if self._is_holding else "sendrecv",
            srtp=self._srtp,
            keys=self._keys,
        )

    def answer(self, offer: bytes) -> bytes:
        """Our answer, which takes effect at once. Raises `ValueError`."""
        self._version += 1
        body, agreed = sdp.answer_offer(
            offer,
            self._host,
            self.media.local_port,
            version=self._version,
            srtp=self._srtp,
            keys=self._keys,
            direction="sendonly" if self._is_holding else None,
        )
        self._agree(agreed)
        return body

    def take_answer(self, answer: bytes) -> None:
        """The peer's answer to our last offer. Raises `ValueError`."""
        direction: sdp.Direction = "sendonly" if self._is_holding else "sendrecv"
        self._agree(sdp.read_answer(answer, keys=self._keys, srtp=self._srtp, direction=direction))

    @property
    def stream(self) -> StreamSettings:
        """What was agreed last, for the media session."""
        agreed = self._agreed
        assert agreed is not None
        crypto = agreed.crypto
        return StreamSettings(
            remote=(agreed.host, agreed.port),
            remote_rtcp=(agreed.rtcp_host, agreed.rtcp_port),
            encoding=agreed.encoding,
            payload_type=agreed.payload_type,
            dtmf_payload_type=agreed.dtmf_payload_type,
            dtmf_clock_hz=agreed.dtmf_clock_hz,
            comfort_noise_payload_type=agreed.comfort_noise_payload_type,
            ptime_ms=agreed.ptime_ms,
            is_sending=agreed.direction in ("sendrecv", "sendonly"),
            is_receiving=agreed.direction in ("sendrecv", "recvonly"),
            srtp=None if crypto is None else SrtpKeys(crypto.suite, crypto.local_key, crypto.remote_key),
            is_dtmf_inband=agreed.dtmf_payload_type is None,
        )

    def start_talking(self) -> StreamSettings:
        """What to start the media with; from now on a new agreement redirects it."""
        self._is_talking = True
        return self.stream

    async def hold(self, call: Call, *, is_holding: bool) -> None:
        """Puts the peer on hold or takes it back. Raises `ReofferFailed`, or `ValueError` for its answer."""
        self._is_holding = is_holding
        self.take_answer(await call.reoffer(self.offer()))

    def _agree(self, agreed: sdp.NegotiatedAudio) -> None:
        self._agreed = agreed
        if self._is_talking:
            self.media.redirect(self.stream)
        protection = "plain" if agreed.crypto is None else "SRTP"
        self._on_agreed(f"{agreed.encoding} {agreed.direction} {protection} {agreed.host}:{agreed.port}")
