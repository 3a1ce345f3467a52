"""DTLS with one browser by aiortc, and the SRTP keys that it agrees on; imported late, as aiortc takes a while."""

import asyncio
from collections.abc import Callable, Sequence

from aiortc import rtcdtlstransport as dtls
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport

from ringdown.gateway.webrtc_ice import IceLink
from ringdown.gateway.webrtc_loading import HandshakeFailed
from ringdown.media.stream import SrtpKeys

# RFC 5764 §4.1.2: AES_CM_128 has keys of 16 and salts of 14 bytes; both keys come before both salts.
_KEY, _SALT = 16, 14
_LABEL = b"EXTRACTOR-dtls_srtp"
_SUITE = "AES_CM_128_HMAC_SHA1_80"
# One that browsers take; they know the others too.
_ALGORITHM = "sha-256"


class DtlsSession:
    """DTLS over an `IceLink`, as the client; `on_closed` is called when the browser says goodbye."""

    def __init__(self, link: IceLink, *, on_closed: Callable[[], None]) -> None:
        self._certificate = RTCCertificate.generateCertificate()
        self._transport = _Transport(_Carrier(link), self._certificate)
        self._on_closed = on_closed
        self._transport.on("statechange", self._note_state)

    @property
    def fingerprints(self) -> list[tuple[str, str]]:
        """Algorithm and value of our certificate's."""
        return [
            (each.algorithm, each.value) for each in self._certificate.getFingerprints() if each.algorithm == _ALGORITHM
        ]

    async def shake_hands(self, fingerprints: Sequence[tuple[str, str]], *, timeout_s: float) -> SrtpKeys:
        """Prove who both are, and agree on keys. Raises `HandshakeFailed`."""
        theirs = RTCDtlsParameters([RTCDtlsFingerprint(algorithm, value) for algorithm, value in fingerprints])
        try:
            async with asyncio.timeout(timeout_s):
                await self._transport.start(theirs)
        except TimeoutError:
            raise HandshakeFailed("the DTLS handshake took too long") from None
        if self._transport.keys is None:
            raise HandshakeFailed("the DTLS handshake failed")
        return self._transport.keys

    async def close(self) -> None:
        """Say goodbye. Safe twice."""
        self._transport.remove_all_listeners()
        await self._transport.stop()

    def _note_state(self) -> None:
        if self._transport.state == "closed":
            self._on_closed()


class _Carrier:
    """What a DTLS transport needs of an ICE transport."""

    # The offerer controls (RFC 8445 §6.1.1), and the other one is the DTLS client.
    role = "controlled"

    def __init__(self, link: IceLink) -> None:
        self._recv = link.recv
        self._send = link.send


class _Transport(RTCDtlsTransport):
    """Gives the keys away instead of using them: the media session does that."""

    def __init__(self, carrier: _Carrier, certificate: RTCCertificate) -> None:
        super().__init__(carrier, [certificate])  # type: ignore[arg-type]
        self._srtp_profiles = [dtls.SRTP_AES128_CM_SHA1_80]
        self.keys: SrtpKeys | None = None

    def _setup_srtp(self) -> None:
        super()._setup_srtp()
        if self._ssl is None or self.state == "failed":
            return
        material = self._ssl.export_keying_material(_LABEL, 2 * (_KEY + _SALT))
        client, server = (
            material[place * _KEY : (place + 1) * _KEY]
            + material[2 * _KEY + place * _SALT : 2 * _KEY + (place + 1) * _SALT]
            for place in (0, 1)
        )
        self.keys = SrtpKeys(_SUITE, local_key=client, remote_key=server)
