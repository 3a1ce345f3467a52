"""A call whose peer sends RTP, RTCP and more to one port."""

import secrets
import socket
from dataclasses import replace
from typing import Any

import pytest

from ringdown.media import rtcp, rtp
from ringdown.media.latch import Address
from ringdown.media.muxed import MuxedTransport, is_media
from ringdown.media.session import MediaSession
from ringdown.media.srtp import Srtp, Unauthenticated
from ringdown.media.stream import SrtpKeys
from tests.unit.media import streams
from tests.unit.media.sessions import Call, HandClock

LOCAL, REMOTE = secrets.token_bytes(30), secrets.token_bytes(30)
SUITE = "AES_CM_128_HMAC_SHA1_80"
STUN = bytes([0, 1, 0, 0]) + bytes(16)
DTLS = bytes([22, 254, 253]) + bytes(20)


class Mux:
    """A session, what it passed on, and from where it hears."""

    def __init__(self) -> None:
        self.others: list[tuple[bytes, Address]] = []
        self.known: set[tuple[str, int]] = set()

    async def open(self, clock: HandClock, opened: list[MediaSession]) -> MediaSession:
        def new_transport(*pair: socket.socket) -> MuxedTransport:
            return MuxedTransport(
                *pair,
                on_other=lambda datagram, source: self.others.append((datagram, source)),
                is_known=lambda host, port: (host, port) in self.known,
            )

        session = await MediaSession.open(
            clock=clock, host="127.0.0.1", port_min=20000, port_max=29999, new_transport=new_transport
        )
        opened.append(session)
        return session


@pytest.fixture
def mux() -> Mux:
    return Mux()


def make_report() -> bytes:
    return rtcp.serialize([rtcp.ReceiverReport(7, ()), rtcp.SourceDescription(7, "browser")])


def read_all(phone: socket.socket) -> list[bytes]:
    phone.setblocking(False)
    found = []
    while True:
        try:
            found.append(phone.recv(2048))
        except BlockingIOError:
            return found


async def start(mux: Mux, clock: HandClock, opened: list[MediaSession], phone: socket.socket, **changes: Any) -> Call:
    mux.known.add(phone.getsockname())
    return Call(await mux.open(clock, opened)).start(phone.getsockname(), **changes)


@pytest.mark.parametrize(
    ("datagram", "expected"),
    [
        (STUN, False),
        (DTLS, False),
        (b"", False),
        (b"\x7f", False),
        (b"\x80\x00", True),
        (b"\xbf", True),
        (b"\xc0", False),
    ],
)
def test_media_is_told_by_its_first_byte(datagram: bytes, expected: bool) -> None:
    assert is_media(datagram) is expected


async def test_what_is_no_media_is_passed_on_with_its_source(
    mux: Mux, clock: HandClock, opened: list[MediaSession], phone: socket.socket
) -> None:
    call = await start(mux, clock, opened, phone)
    for datagram in (STUN, DTLS):
        phone.sendto(datagram, ("127.0.0.1", call.session.local_port))
    clock.run(40)
    assert mux.others == [(STUN, phone.getsockname()), (DTLS, phone.getsockname())]
    assert call.session.statistics.packets_invalid == 0


async def test_rtp_is_heard_from_every_known_source_and_answered_there(
    mux: Mux, clock: HandClock, opened: list[MediaSession], phone: socket.socket
) -> None:
    call = await start(mux, clock, opened, phone)
    packets = [rtp.serialize(packet) for packet in streams.make_packets(bytes(1600))]
    phone.sendto(packets[0], ("127.0.0.1", call.session.local_port))
    clock.run(40)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
        elsewhere.bind(("127.0.0.1", 0))
        elsewhere.sendto(packets[1], ("127.0.0.1", call.session.local_port))
        clock.run(40)
        assert call.session.statistics.packets_foreign == 1
        mux.known.add(elsewhere.getsockname())
        elsewhere.sendto(packets[2], ("127.0.0.1", call.session.local_port))
        clock.run(40)
        assert call.session.statistics.packets_received == 2
        assert read_all(elsewhere)


async def test_reports_come_and_go_by_the_port_of_the_rtp(
    mux: Mux, clock: HandClock, opened: list[MediaSession], phone: socket.socket
) -> None:
    call = await start(mux, clock, opened, phone)
    phone.sendto(make_report(), ("127.0.0.1", call.session.local_port))
    clock.run(40)
    assert call.session.statistics.reports_received == 1
    clock.run(8000)
    reports = [datagram for datagram in read_all(phone) if 192 <= datagram[1] <= 223]
    assert rtcp.parse(reports[0])


async def test_with_keys_only_what_authenticates_is_heard(
    mux: Mux, clock: HandClock, opened: list[MediaSession], phone: socket.socket
) -> None:
    call = await start(mux, clock, opened, phone, srtp=SrtpKeys(SUITE, local_key=LOCAL, remote_key=REMOTE))
    theirs = Srtp(SrtpKeys(SUITE, local_key=REMOTE, remote_key=LOCAL))
    plain = [rtp.serialize(packet) for packet in streams.make_packets(bytes(640))]
    target = ("127.0.0.1", call.session.local_port)
    for datagram in (plain[0], make_report(), theirs.protect(plain[1]), theirs.protect_report(make_report())):
        phone.sendto(datagram, target)
    clock.run(40)
    figures = call.session.statistics
    assert (figures.packets_received, figures.reports_received, figures.packets_unauthenticated) == (1, 1, 2)
    clock.run(8000)
    sent = read_all(phone)
    for datagram in sent:
        is_report = 192 <= datagram[1] <= 223
        try:
            opened_text = (theirs.unprotect_report if is_report else theirs.unprotect)(datagram)
        except Unauthenticated:
            pytest.fail("what we send does not authenticate")
        assert opened_text
    assert any(192 <= datagram[1] <= 223 for datagram in sent)


async def test_media_that_waited_before_the_answer_does_not_hide_what_else_waits(
    mux: Mux, clock: HandClock, opened: list[MediaSession], phone: socket.socket
) -> None:
    session = await mux.open(clock, opened)
    mux.known.add(phone.getsockname())
    phone.sendto(STUN, ("127.0.0.1", session.local_port))
    Call(session).start(phone.getsockname())
    clock.run(20)
    assert mux.others == [(STUN, phone.getsockname())]


async def test_a_new_negotiation_keeps_what_is_known(
    mux: Mux, clock: HandClock, opened: list[MediaSession], phone: socket.socket
) -> None:
    call = await start(mux, clock, opened, phone)
    stream = call.session._stream
    assert stream is not None
    call.session.redirect(replace(stream, remote=("127.0.0.1", 9)), is_new_peer=True)
    phone.sendto(rtp.serialize(streams.make_packets(bytes(320))[0]), ("127.0.0.1", call.session.local_port))
    clock.run(40)
    assert call.session.statistics.packets_received == 1
