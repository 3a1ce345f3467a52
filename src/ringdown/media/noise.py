"""Makes comfort noise from the description that the far end sends in its pauses (RFC 3389)."""

import audioop
from typing import Any

import av

RATE_HZ = 8000
# libavcodec stays 6 dB below the level that RFC 3389 §3.1 defines.
_GAIN = 2.0
_SETTLE_PACKETS = 8  # it approaches a new level slowly


class ComfortNoise:
    """Noise of one description: its level and, where the far end tells it, its spectrum."""

    def __init__(self, payload: bytes, *, sample_rate_hz: int) -> None:
        """Raises `ValueError` when the payload is empty."""
        if not payload:
            raise ValueError("comfort noise has no level")
        self.payload = payload
        context = av.CodecContext.create("comfortnoise", "r")
        assert isinstance(context, av.AudioCodecContext)
        context.sample_rate = RATE_HZ
        context.layout = "mono"
        context.open()
        self._context = context
        self._packet = av.Packet(bytes((payload[0] & 0x7F,)) + payload[1:11])
        self._sample_rate_hz = sample_rate_hz
        self._state: Any = None
        self._waiting = b""
        for _ in range(_SETTLE_PACKETS):
            context.decode(self._packet)

    def next(self, size: int) -> bytes:
        """The next `size` bytes of 16-bit PCM."""
        while len(self._waiting) < size:
            for frame in self._context.decode(self._packet):
                pcm = audioop.mul(bytes(memoryview(frame.planes[0])[: 2 * frame.samples]), 2, _GAIN)
                if self._sample_rate_hz != RATE_HZ:
                    pcm, self._state = audioop.ratecv(pcm, 2, 1, RATE_HZ, self._sample_rate_hz, self._state)
                self._waiting += pcm
        noise, self._waiting = self._waiting[:size], self._waiting[size:]
        return noise
