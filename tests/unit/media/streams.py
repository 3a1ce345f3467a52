"""A far party on virtual time: makes the packets of a tone and plays them to a receiver tick by tick."""

from collections.abc import Iterable, Sequence

from ringdown.media import payloads
from ringdown.media.receiver import Receiver
from ringdown.media.rtp import RtpPacket
from tests.unit.media import tones

CODEC = payloads.get_codec("PCMU")


def make_receiver(encoding: str = "PCMU", payload_type: int = 0) -> Receiver:
    return Receiver(codec=payloads.get_codec(encoding), payload_type=payload_type, dtmf_payload_type=101)


def make_packets(
    pcm: bytes,
    *,
    ptime_ms: int = 20,
    sequence_number: int = 1000,
    timestamp: int = 160_000,
    ssrc: int = 7,
    payload_type: int = 0,
    codec: payloads.AudioCodec = CODEC,
) -> list[RtpPacket]:
    samples = 8 * ptime_ms
    return [
        RtpPacket(
            payload_type=payload_type,
            marker=index == 0,
            sequence_number=(sequence_number + index) & 0xFFFF,
            timestamp=(timestamp + index * samples) & 0xFFFFFFFF,
            ssrc=ssrc,
            payload=codec.encode(piece),
        )
        for index, piece in enumerate(tones.frames(pcm, 2 * samples))
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
