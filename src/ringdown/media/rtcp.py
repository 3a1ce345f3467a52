"""Knows RTCP compound packets on the wire: SR, RR, SDES CNAME and BYE (RFC 3550 §6); sends nothing."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SENDER_REPORT, RECEIVER_REPORT, SOURCE_DESCRIPTION, GOODBYE = 200, 201, 202, 203
_HEADER = struct.Struct("!BBH")
_SENDER = struct.Struct("!QIII")
_BLOCK = struct.Struct("!IIIIII")
_NTP_EPOCH_OFFSET_S = 2_208_988_800  # 1900 to 1970
_CNAME_ITEM = 1


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What one receiver says of one source.

    `fraction_lost` is in 1/256 since the last report, `jitter` in timestamp units, `last_sender_report` the middle 32
    bits of that report's NTP time, `delay_since_last` in 1/65536 s.
    """

    ssrc: int
    fraction_lost: int
    packets_lost: int
    highest_sequence: int
    jitter: int
    last_sender_report: int
    delay_since_last: int


@dataclass(frozen=True, slots=True)
class SenderReport:
    """What a sender has sent so far; `ntp_time` is 64-bit NTP."""

    ssrc: int
    ntp_time: int
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    reports: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """What somebody that sends no media has received."""

    ssrc: int
    reports: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """The canonical name of a source."""

    ssrc: int
    cname: str


@dataclass(frozen=True, slots=True)
class Goodbye:
    """Sources that leave."""

    ssrcs: tuple[int, ...]


RtcpPacket = SenderReport | ReceiverReport | SourceDescription | Goodbye


def to_ntp(unix_time_ns: int) -> int:
    """64-bit NTP time of a wall clock in nanoseconds since 1970."""
    seconds, nanoseconds = divmod(unix_time_ns, 1_000_000_000)
    return ((seconds + _NTP_EPOCH_OFFSET_S) & 0xFFFFFFFF) << 32 | (nanoseconds << 32) // 1_000_000_000


def to_middle(ntp_time: int) -> int:
    """The middle 32 bits of an NTP time: units of 1/65536 s."""
    return ntp_time >> 16 & 0xFFFFFFFF


def serialize(packets: Sequence[RtcpPacket]) -> bytes:
    """One compound datagram; a report must come first (RFC 3550 §6.1)."""
    return b"".join(map(_serialize_one, packets))


def parse(datagram: bytes) -> list[RtcpPacket]:
    """The packets of a compound that we know, others left out. Raises `ValueError`."""
    packets: list[RtcpPacket] = []
    for count, packet_type, body in _split(datagram):
        if packet_type == SENDER_REPORT:
            packets.append(_parse_sender_report(body, count))
        elif packet_type == RECEIVER_REPORT:
            packets.append(ReceiverReport(_parse_ssrcs(body, 1)[0], _parse_blocks(body[4:], count)))
        elif packet_type == SOURCE_DESCRIPTION:
            packets.extend(_parse_descriptions(body, count))
        elif packet_type == GOODBYE:
            packets.append(Goodbye(_parse_ssrcs(body, count)))
    return packets


def _split(datagram: bytes) -> Iterator[tuple[int, int, bytes]]:
    position = 0
    while position < len(datagram):
        if len(datagram) - position < 4:
            raise ValueError("RTCP header is cut off")
        first, packet_type, words = _HEADER.unpack_from(datagram, position)
        if first & 0xC0 != 0x80:
            raise ValueError("RTCP version is not 2")
        start, position = position + 4, position + 4 + 4 * words
        if position > len(datagram):
            raise ValueError("RTCP packet is cut off")
        body = datagram[start:position]
        if first & 0x20:
            if not body or not 0 < body[-1] <= len(body):
                raise ValueError("RTCP padding is wrong")
            body = body[: -body[-1]]
        yield first & 0x1F, packet_type, body
    if position == 0:
        raise ValueError("RTCP datagram is empty")


def _parse_sender_report(body: bytes, count: int) -> SenderReport:
    if len(body) < 24:
        raise ValueError("RTCP sender report is cut off")
    ntp_time, rtp_timestamp, packet_count, octet_count = _SENDER.unpack_from(body, 4)
    return SenderReport(
        ssrc=_parse_ssrcs(body, 1)[0],
        ntp_time=ntp_time,
        rtp_timestamp=rtp_timestamp,
        packet_count=packet_count,
        octet_count=octet_count,
        reports=_parse_blocks(body[24:], count),
    )


def _parse_blocks(body: bytes, count: int) -> tuple[ReportBlock, ...]:
    if len(body) < 24 * count:
        raise ValueError("RTCP report block is cut off")
    return tuple(_parse_block(body, 24 * index) for index in range(count))


def _parse_block(body: bytes, offset: int) -> ReportBlock:
    ssrc, loss, highest_sequence, jitter, last_sender_report, delay = _BLOCK.unpack_from(body, offset)
    lost = loss & 0xFFFFFF
    return ReportBlock(
        ssrc=ssrc,
        fraction_lost=loss >> 24,
        packets_lost=lost - 0x1000000 if lost & 0x800000 else lost,
        highest_sequence=highest_sequence,
        jitter=jitter,
        last_sender_report=last_sender_report,
        delay_since_last=delay,
    )


def _parse_ssrcs(body: bytes, count: int) -> tuple[int, ...]:
    if len(body) < 4 * count:
        raise ValueError("RTCP source is cut off")
    return struct.unpack_from(f"!{count}I", body)


def _parse_descriptions(body: bytes, count: int) -> Iterator[SourceDescription]:
    position = 0
    for _ in range(count):
        ssrc = _parse_ssrcs(body[position:], 1)[0]
        position += 4
        while True:
            if position >= len(body):
                raise ValueError("RTCP source description is cut off")
            item = body[position]
            if item == 0:
                position = (position // 4 + 1) * 4
                break
            if position + 2 > len(body) or position + 2 + body[position + 1] > len(body):
                raise ValueError("RTCP source description item is cut off")
            text = body[position + 2 : position + 2 + body[position + 1]]
            position += 2 + len(text)
            if item == _CNAME_ITEM:
                yield SourceDescription(ssrc, text.decode("utf-8", "replace"))


def _serialize_one(packet: RtcpPacket) -> bytes:
    match packet:
        case SenderReport():
            sender = _SENDER.pack(packet.ntp_time, packet.rtp_timestamp, packet.packet_count, packet.octet_count)
            body = struct.pack("!I", packet.ssrc) + sender + b"".join(map(_serialize_block, packet.reports))
            return _frame(SENDER_REPORT, len(packet.reports), body)
        case ReceiverReport():
            body = struct.pack("!I", packet.ssrc) + b"".join(map(_serialize_block, packet.reports))
            return _frame(RECEIVER_REPORT, len(packet.reports), body)
        case SourceDescription():
            name = packet.cname.encode()
            body = struct.pack("!IBB", packet.ssrc, _CNAME_ITEM, len(name)) + name
            return _frame(SOURCE_DESCRIPTION, 1, body + bytes(4 - len(body) % 4))
        case Goodbye():
            return _frame(GOODBYE, len(packet.ssrcs), struct.pack(f"!{len(packet.ssrcs)}I", *packet.ssrcs))


def _serialize_block(block: ReportBlock) -> bytes:
    lost = min(max(block.packets_lost, -0x800000), 0x7FFFFF) & 0xFFFFFF
    return _BLOCK.pack(
        block.ssrc,
        block.fraction_lost << 24 | lost,
        block.highest_sequence,
        block.jitter,
        block.last_sender_report,
        block.delay_since_last,
    )


def _frame(packet_type: int, count: int, body: bytes) -> bytes:
    return _HEADER.pack(0x80 | count, packet_type, len(body) // 4) + body
