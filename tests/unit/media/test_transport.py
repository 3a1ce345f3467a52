"""Where packets and reports of a call go, and whose are taken."""

import socket
from dataclasses import replace

import pytest

from ringdown.media import rtcp, rtp, sockets
from ringdown.media.session import MediaSession
from ringdown.media.transport import MediaTransport
from tests.unit.media import streams
from tests.unit.media.sessions import Call, HandClock, make_stream, open_session, read_packets

PACKET = rtp.serialize(streams.make_packets(bytes(320))[0])


def read_reports(control: socket.socket) -> list[rtcp.RtcpPacket]:
    control.setblocking(False)
    packets: list[rtcp.RtcpPacket] = []
    while True:
        try:
            packets += rtcp.parse(control.recv(2048))
        except BlockingIOError:
            return packets


async def test_sources_that_are_not_heard_are_named_and_only_the_first_four(
    clock: HandClock, opened: list[MediaSession]
) -> None:
    call = Call(await open_session(clock, opened)).start(("127.0.0.1", 9))
    strangers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(6)]
    for stranger in strangers:
        stranger.bind(("127.0.0.2", 0))
        for _ in range(2):
            stranger.sendto(PACKET, ("127.0.0.1", call.session.local_port))
    clock.run(40)
    named = {f"127.0.0.2:{stranger.getsockname()[1]}" for stranger in strangers}
    sources = call.session.statistics.foreign_sources
    assert len(sources) == len(set(sources)) == 4
    assert set(sources) <= named
    assert call.session.statistics.packets_foreign == 12
    for stranger in strangers:
        stranger.close()


async def test_a_foreign_source_on_a_wildcard_socket_is_named_by_its_ipv4_address(
    clock: HandClock, opened: list[MediaSession], phone: socket.socket
) -> None:
    session = await open_session(clock, opened, "::")
    call = Call(session).start(("127.0.0.2", 9))
    phone.sendto(PACKET, ("127.0.0.1", session.local_port))
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
        other.bind(("::1", 0))
        other.sendto(PACKET, ("::1", session.local_port))
        clock.run(40)
        expected = {f"127.0.0.1:{phone.getsockname()[1]}", f"[::1]:{other.getsockname()[1]}"}
    assert set(call.session.statistics.foreign_sources) == expected


async def test_reports_go_where_they_were_negotiated_and_then_where_the_far_ends_come_from(
    clock: HandClock, opened: list[MediaSession], phone: socket.socket
) -> None:
    session = await open_session(clock, opened)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        Call(session).start(("127.0.0.1", 9), remote_rtcp=("127.0.0.1", phone.getsockname()[1]))
        clock.run(10_000)
        assert isinstance(read_reports(phone)[0], rtcp.SenderReport)
        other.sendto(rtcp.serialize([rtcp.ReceiverReport(7)]), ("127.0.0.1", session.local_port + 1))
        clock.run(10_000)
        assert isinstance(read_reports(other)[0], rtcp.SenderReport)
        assert read_reports(phone) == []


async def test_reports_from_the_negotiated_host_are_heard_though_the_media_comes_from_another(
    clock: HandClock, opened: list[MediaSession]
) -> None:
    session = await open_session(clock, opened)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        control.bind(("127.0.0.3", 0))
        Call(session).start(("127.0.0.1", 9), remote_rtcp=("127.0.0.3", control.getsockname()[1]))
        control.sendto(rtcp.serialize([rtcp.ReceiverReport(7)]), ("127.0.0.1", session.local_port + 1))
        clock.run(20)
    assert session.statistics.reports_received == 1
    assert session.statistics.packets_foreign == 0


async def test_a_latched_source_survives_a_redirect_to_the_same_address_and_no_other(
    clock: HandClock, opened: list[MediaSession], phone: socket.socket
) -> None:
    call = Call(await open_session(clock, opened)).start(("127.0.0.1", 9))
    phone.sendto(PACKET, ("127.0.0.1", call.session.local_port))
    clock.run(40)
    assert read_packets(phone)
    call.session.redirect(make_stream(("127.0.0.1", 9), ptime_ms=30))
    clock.run(60)
    assert read_packets(phone)
    call.session.redirect(make_stream(("127.0.0.1", 10)))
    clock.run(60)
    assert read_packets(phone) == []


@pytest.mark.parametrize("is_new_peer", [False, True])
async def test_what_still_comes_from_the_port_before_keeps_nobody_from_being_heard(
    clock: HandClock, opened: list[MediaSession], phone: socket.socket, is_new_peer: bool
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as before:
        before.bind(("127.0.0.1", 0))
        call = Call(await open_session(clock, opened)).start(before.getsockname())
        before.sendto(PACKET, ("127.0.0.1", call.session.local_port))
        clock.run(40)
        call.session.redirect(make_stream(phone.getsockname()), is_new_peer=is_new_peer)
        before.sendto(PACKET, ("127.0.0.1", call.session.local_port))
        clock.run(20)
        phone.sendto(PACKET, ("127.0.0.1", call.session.local_port))
        clock.run(20)
        read_packets(before), read_packets(phone)
        clock.run(40)
        assert (len(read_packets(before)), len(read_packets(phone))) == (0, 2)
        assert call.session.statistics.packets_foreign == is_new_peer


async def test_another_peer_is_given_the_whole_time_to_be_heard(
    clock: HandClock, opened: list[MediaSession], phone: socket.socket
) -> None:
    call = Call(await open_session(clock, opened)).start(("127.0.0.1", 9))
    clock.run(10_000)
    assert call.session.silent_ms == 10_000
    call.session.redirect(make_stream(phone.getsockname()), is_new_peer=True)
    clock.run(1000)
    assert call.session.silent_ms == 1000


def test_nothing_changes_when_a_negotiation_cannot_be_used() -> None:
    media, control = sockets.open_port_pair("127.0.0.1", port_min=20000, port_max=29999)
    transport = MediaTransport(media, control)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        stream = make_stream(("127.0.0.1", phone.getsockname()[1]))
        transport.aim(stream)
        for refused in (
            replace(stream, remote=("media.example", 9)),
            replace(stream, remote_rtcp=("media.example", 9)),
            replace(stream, trusted_hosts=frozenset({"media.example"})),
        ):
            with pytest.raises(ValueError, match=r"media\.example"):
                transport.aim(refused)
        assert transport.send(PACKET)
        assert phone.recv(2048, socket.MSG_DONTWAIT) == PACKET
    transport.close()
