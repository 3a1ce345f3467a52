"""A far party on virtual time: makes the packets of a tone and plays them to a receiver tick by tick."""

from collections.abc import Iterable, Sequence

from ringdown.media import codecs
from ringdown.media.receiver import Receiver
from ringdown.media.rtp import RtpPacket
from ringdown.media.stream import StreamSettings
from tests.unit.media import tones

CODEC = codecs.get_codec("PCMU")
PAYLOAD_TYPES = {"PCMU": 0, "PCMA": 8, "G722": 9, "OPUS": 111}


def make_stream(
    encoding: str = "PCMU",
    *,
    dtmf_payload_type: int | None = 101,
    dtmf_clock_hz: int = 8000,
    ptime_ms: int = 20,
    is_dtmf_inband: bool = False,
) -> StreamSettings:
    return StreamSettings(
        remote=("192.0.2.1", 9),
        encoding=encoding,
        payload_type=PAYLOAD_TYPES[encoding],
        dtmf_payload_type=dtmf_payload_type,
        dtmf_clock_hz=dtmf_clock_hz,
        ptime_ms=ptime_ms,
        is_dtmf_inband=is_dtmf_inband,
    )


def make_receiver(encoding: str = "PCMU") -> Receiver:
    return Receiver(make_stream(encoding))


def make_packets(
    pcm: bytes,
    *,
    ptime_ms: int = 20,
    sequence_number: int = 1000,
    timestamp: int = 160_000,
    ssrc: int = 7,
    payload_type: int = 0,
    codec: codecs.Codec = CODEC,
) -> list[RtpPacket]:
    units = codec.clock_rate_hz * ptime_ms // 1000
    encode = codec.new_encoder(ptime_ms)
    return [
        RtpPacket(
            payload_type=payload_type,
            marker=index == 0,
            sequence_number=(sequence_number + index) & 0xFFFF,
            timestamp=(timestamp + index * units) & 0xFFFFFFFF,
            ssrc=ssrc,
            payload=encode(piece),
        )
        for index, piece in enumerate(tones.frames(pcm, codec.pcm_rate_hz * ptime_ms // 500))
    ]


def schedule(
    packets: Sequence[RtpPacket], *, ptime_ms: float = 20, start_ms: float = 5
) -> list[tuple[float, RtpPacket]]:
    """Packets with the instants at which they arrive over a perfect network."""
    return [(start_ms + index * ptime_ms, packet) for index, packet in enumerate(packets)]


def play(receiver: Receiver, arrivals: Iterable[tuple[float, RtpPacket]], *, ticks: int, start_ms: int = 0) -> bytes:
    """Runs `ticks` ticks of 20 ms over packets and their arrival instants; everything that was pulled."""
    waiting = sorted(arrivals, key=lambda arrival: arrival[0])
    pulled = []
    for tick in range(1, ticks + 1):
        now_ms = start_ms + 20 * tick
        while waiting and waiting[0][0] <= now_ms:
            at_ms, packet = waiting.pop(0)
            receiver.receive(packet, at_ms / 1000)
        pulled.append(receiver.pull())
    return b"".join(pulled)
