"""Encodes and decodes G.722 at 64 kbit/s with libavcodec: one byte for two samples of 16 kHz."""

import av

PCM_RATE_HZ = 16_000


class Encoder:
    """One direction of one call; keeps the predictor's state from packet to packet."""

    def __init__(self, packet_ms: int) -> None:
        context = av.CodecContext.create("g722", "w")
        assert isinstance(context, av.AudioCodecContext)
        context.sample_rate = PCM_RATE_HZ
        context.layout = "mono"
        context.format = "s16"
        context.options = {"frame_size": str(packet_ms * PCM_RATE_HZ // 1000)}
        context.open()
        self._context = context

    def encode(self, pcm: bytes) -> bytes:
        """The payload of as much PCM as the encoder was made for."""
        frame = av.AudioFrame(format="s16", layout="mono", samples=len(pcm) // 2)
        frame.sample_rate = PCM_RATE_HZ
        frame.planes[0].update(pcm)
        return b"".join(map(bytes, self._context.encode(frame)))


class Decoder:
    """One direction of one call; a lost packet disturbs the predictor for some milliseconds only."""

    def __init__(self) -> None:
        context = av.CodecContext.create("g722", "r")
        assert isinstance(context, av.AudioCodecContext)
        context.sample_rate = PCM_RATE_HZ
        context.layout = "mono"
        context.open()
        self._context = context

    def decode(self, payload: bytes) -> bytes:
        """The PCM of a payload of any length: every byte is valid."""
        if not payload:
            return b""  # an empty packet would mean the end of the stream to libavcodec
        return b"".join(
            bytes(memoryview(frame.planes[0])[: 2 * frame.samples])
            for frame in self._context.decode(av.Packet(payload))
        )

    def conceal(self) -> bytes:
        """Nothing: G.722 leaves that to the receiver."""
        return b""
