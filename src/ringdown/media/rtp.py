"""Knows the RTP packet on the wire and its wrapping counters; not where packets come from or what the payload means."""

import struct
from typing import NamedTuple

_HEADER = struct.Struct("!BBHII")
_EXTENSION = struct.Struct("!HH")
_VERSION_BITS = 0x80
_PLAIN = 0x80  # version 2, no padding, no extension, no contributing sources


class RtpPacket(NamedTuple):
    """One RTP packet (RFC 3550 §5.1) without its contributing sources and header extension.

    What is made for every packet of every call is the plain tuple of the same fields, at half the cost.
    """

    payload_type: int
    marker: bool
    sequence_number: int
    timestamp: int
    ssrc: int
    payload: bytes


RtpFields = tuple[int, bool, int, int, int, bytes]


def parse(datagram: bytes) -> RtpPacket:
    """The packet in `datagram`; padding, CSRC list and header extension are taken off. Raises `ValueError`."""
    return RtpPacket(*split(datagram))


def split(datagram: bytes) -> RtpFields:
    """The fields of the `RtpPacket` in `datagram`, in its order, as `parse`. Raises `ValueError`."""
    if len(datagram) < 12:
        raise ValueError("RTP packet is shorter than its header")
    first, second, sequence_number, timestamp, ssrc = _HEADER.unpack_from(datagram)
    payload = datagram[12:] if first == _PLAIN else _strip(datagram, first)
    return second & 0x7F, second > 0x7F, sequence_number, timestamp, ssrc, payload


def _strip(datagram: bytes, first: int) -> bytes:
    if first & 0xC0 != _VERSION_BITS:
        raise ValueError("RTP version is not 2")
    start, end = 12 + 4 * (first & 0x0F), len(datagram)
    if first & 0x10:
        if end < start + 4:
            raise ValueError("RTP header extension is cut off")
        start += 4 + 4 * _EXTENSION.unpack_from(datagram, start)[1]
    if first & 0x20:
        padding = datagram[-1]
        if padding == 0:
            raise ValueError("RTP padding length is zero")
        end -= padding
    if end < start:
        raise ValueError("RTP header is longer than the packet")
    return datagram[start:end]


def serialize(packet: RtpPacket) -> bytes:
    """The packet as a datagram, without padding, extension or contributing sources."""
    second = packet.payload_type | 0x80 if packet.marker else packet.payload_type
    header = _HEADER.pack(_PLAIN, second, packet.sequence_number, packet.timestamp, packet.ssrc)
    return header + packet.payload


def sequence_distance(later: int, earlier: int) -> int:
    """How far `later` is after `earlier` in 16-bit sequence numbers, negative when it is before."""
    return ((later - earlier + 0x8000) & 0xFFFF) - 0x8000


def timestamp_distance(later: int, earlier: int) -> int:
    """How far `later` is after `earlier` in 32-bit timestamps, negative when it is before."""
    return ((later - earlier + 0x80000000) & 0xFFFFFFFF) - 0x80000000
