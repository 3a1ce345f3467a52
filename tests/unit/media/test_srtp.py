"""SRTP between two sessions, and what forged, repeated and plain packets do to one that is encrypted."""

import gc
import socket
from dataclasses import replace

import pylibsrtp
import pytest

from ringdown.media import rtcp, rtp, sockets
from ringdown.media.session import MediaSession
from ringdown.media.srtp import Srtp, Unauthenticated
from ringdown.media.stream import SrtpKeys
from tests.unit.media import streams, tones
from tests.unit.media.sessions import Call, HandClock, make_stream, open_session, read_packets

SUITE = "AES_CM_128_HMAC_SHA1_80"
OURS, THEIRS, OTHERS = bytes(range(30)), bytes(range(100, 130)), bytes(range(200, 230))
KEYS = SrtpKeys(SUITE, OURS, THEIRS)
THEIR_KEYS = SrtpKeys(SUITE, THEIRS, OURS)
PACKETS = [rtp.serialize(packet) for packet in streams.make_packets(tones.make_tone(500, 400))]


@pytest.mark.parametrize(("suite", "tag_bytes"), [("AES_CM_128_HMAC_SHA1_80", 10), ("AES_CM_128_HMAC_SHA1_32", 4)])
async def test_two_encrypted_sessions_hear_each_other(
    clock: HandClock, opened: list[MediaSession], suite: str, tag_bytes: int
) -> None:
    left = Call(await open_session(clock, opened), says=tones.make_tone(400, 3000))
    right = Call(await open_session(clock, opened), says=tones.make_tone(700, 3000))
    left.start(("127.0.0.1", right.session.local_port), srtp=replace(KEYS, suite=suite))
    right.start(("127.0.0.1", left.session.local_port), srtp=replace(THEIR_KEYS, suite=suite))
    clock.run(1000)
    assert tones.find_tone(b"".join(left.heard[10:])) == pytest.approx(700, abs=3)
    assert tones.purity(b"".join(right.heard[10:])) > 0.99
    assert left.session.statistics.packets_unauthenticated == 0
    assert len(Srtp(replace(KEYS, suite=suite)).protect(PACKETS[0])) == len(PACKETS[0]) + tag_bytes


def test_payload_and_report_are_not_readable_on_the_wire() -> None:
    ours = Srtp(KEYS)
    report = rtcp.serialize([rtcp.ReceiverReport(7), rtcp.SourceDescription(7, "a name")])
    assert PACKETS[0][12:40] not in ours.protect(PACKETS[0])
    assert b"a name" not in ours.protect_report(report)
    assert Srtp(THEIR_KEYS).unprotect_report(ours.protect_report(report)) == report


async def test_forged_repeated_and_plain_packets_are_counted_and_neither_heard_nor_latched(
    clock: HandClock, opened: list[MediaSession], phone: socket.socket
) -> None:
    call = Call(await open_session(clock, opened)).start(("127.0.0.1", 9), srtp=KEYS)
    target = ("127.0.0.1", call.session.local_port)
    theirs, others = Srtp(THEIR_KEYS), Srtp(SrtpKeys(SUITE, OTHERS, OURS))
    for plain in PACKETS[:5]:
        phone.sendto(plain, target)
        phone.sendto(others.protect(plain), target)
        clock.run(20)
    assert call.session.statistics.packets_unauthenticated == 10
    assert call.session.last_packet_at_ms is None
    assert read_packets(phone) == []
    genuine = theirs.protect(PACKETS[5])
    phone.sendto(genuine, target)
    phone.sendto(genuine, target)
    clock.run(40)
    assert call.session.statistics.packets_received == 1
    assert call.session.statistics.packets_unauthenticated == 11
    assert len(read_packets(phone)) == 2  # answered where it sends from


async def test_new_keys_take_over_and_the_same_keys_go_on(
    clock: HandClock, opened: list[MediaSession], phone: socket.socket
) -> None:
    remote = ("127.0.0.1", phone.getsockname()[1])
    call = Call(await open_session(clock, opened)).start(remote, srtp=KEYS)
    target = ("127.0.0.1", call.session.local_port)
    theirs = Srtp(THEIR_KEYS)
    first = theirs.protect(PACKETS[0])
    phone.sendto(first, target)
    clock.run(20)
    call.session.redirect(make_stream(remote, srtp=KEYS, is_sending=False))
    phone.sendto(first, target)
    phone.sendto(theirs.protect(PACKETS[1]), target)
    clock.run(20)
    assert call.session.statistics.packets_received == 2
    assert call.session.statistics.packets_unauthenticated == 1  # the repeated one
    call.session.redirect(make_stream(remote, srtp=SrtpKeys(SUITE, OURS, OTHERS)))
    phone.sendto(theirs.protect(PACKETS[2]), target)
    phone.sendto(Srtp(SrtpKeys(SUITE, OTHERS, OURS)).protect(PACKETS[3]), target)
    clock.run(20)
    assert call.session.statistics.packets_received == 3
    assert call.session.statistics.packets_unauthenticated == 2


async def test_reports_are_encrypted_and_only_authentic_ones_believed(clock: HandClock) -> None:
    media, control = sockets.open_port_pair("127.0.0.1", port_min=20000, port_max=29999)
    with media, control:
        session = await MediaSession.open(clock=clock, host="127.0.0.1", port_min=20000, port_max=29999)
        Call(session).start(("127.0.0.1", media.getsockname()[1]), srtp=KEYS)
        clock.run(5000)
        theirs = Srtp(THEIR_KEYS)
        sender_report = rtcp.parse(theirs.unprotect_report(control.recv(2048)))[0]
        assert isinstance(sender_report, rtcp.SenderReport)
        block = rtcp.ReportBlock(sender_report.ssrc, 64, 9, 0, 80, 0, 0)
        answer = rtcp.serialize([rtcp.ReceiverReport(7, (block,))])
        control.sendto(answer, ("127.0.0.1", session.local_port + 1))
        clock.run(20)
        assert session.statistics.remote_packets_lost is None
        assert session.statistics.packets_unauthenticated == 1
        control.sendto(theirs.protect_report(answer), ("127.0.0.1", session.local_port + 1))
        clock.run(20)
        assert session.statistics.remote_packets_lost == 9
        assert session.statistics.remote_jitter_ms == 10
        await session.close()
    await clock.close()


@pytest.mark.parametrize(
    "keys", [SrtpKeys("AEAD_AES_128_GCM", OURS, THEIRS), SrtpKeys(SUITE, OURS[:29], THEIRS), SrtpKeys(SUITE, OURS, b"")]
)
async def test_keys_that_do_not_fit_are_refused_and_change_nothing(
    clock: HandClock, opened: list[MediaSession], phone: socket.socket, keys: SrtpKeys
) -> None:
    remote = ("127.0.0.1", phone.getsockname()[1])
    call = Call(await open_session(clock, opened)).start(remote)
    with pytest.raises(ValueError, match="SRTP"):
        call.session.redirect(make_stream(("127.0.0.1", 9), srtp=keys))
    clock.run(40)
    assert rtp.parse(phone.recv(2048)).payload_type == 0


@pytest.mark.parametrize("suite", ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"])
def test_packets_are_those_of_the_library_and_read_by_it(suite: str) -> None:
    profile = getattr(pylibsrtp.Policy, f"SRTP_PROFILE_AES128_CM_SHA1_{suite[-2:]}")
    sessions = (
        pylibsrtp.Session(pylibsrtp.Policy(key=OURS, ssrc_type=ssrc_type, srtp_profile=profile))
        for ssrc_type in (pylibsrtp.Policy.SSRC_ANY_OUTBOUND, pylibsrtp.Policy.SSRC_ANY_INBOUND)
    )
    sender, receiver = sessions
    ours, theirs = Srtp(replace(KEYS, suite=suite)), Srtp(replace(THEIR_KEYS, suite=suite))
    for plain in PACKETS:
        protected = ours.protect(plain)
        assert protected == sender.protect(plain)
        assert receiver.unprotect(protected) == theirs.unprotect(protected) == plain


@pytest.mark.parametrize("name", ["protect", "unprotect"])
def test_a_packet_that_is_too_long_is_refused_and_the_longest_is_not(name: str) -> None:
    longest = PACKETS[0][:12] + bytes(1344)  # with room for the longest tag that the library knows
    protected = Srtp(KEYS).protect(longest)
    assert Srtp(THEIR_KEYS).unprotect(protected) == longest
    with pytest.raises(ValueError, match="too long"):
        getattr(Srtp(KEYS), name)(longest + bytes(145))


@pytest.mark.parametrize("size", [0, 1, 11, 12, 21])
def test_a_packet_too_short_to_be_encrypted_is_unauthenticated(size: int) -> None:
    with pytest.raises(Unauthenticated):
        Srtp(KEYS).unprotect(PACKETS[0][:size])


def test_a_method_outlives_its_object() -> None:
    protect = Srtp(KEYS).protect
    gc.collect()
    assert [protect(plain) for plain in PACKETS] == list(map(Srtp(KEYS).protect, PACKETS))


def test_keys_do_not_show_in_a_log() -> None:
    assert "\\x00" not in repr(KEYS)
    assert SUITE in repr(KEYS)
