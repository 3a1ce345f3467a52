"""Media sessions over real loopback sockets, on a clock that the tests move by hand."""

import asyncio
import random
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ringdown.media import codecs, rtcp, rtp, sockets
from ringdown.media.clock import MediaClock
from ringdown.media.recording import Recorder
from ringdown.media.sender import Sender
from ringdown.media.session import MediaSession
from ringdown.media.stream import StreamSettings
from tests.unit.media import streams, tones
from tests.unit.media.sessions import Call, HandClock, make_stream, open_session, read_packets


@pytest.mark.parametrize(("host", "encoding", "payload_type"), [("127.0.0.1", "PCMU", 0), ("::1", "PCMA", 8)])
async def test_two_sessions_hear_each_other(
    clock: HandClock, opened: list[MediaSession], host: str, encoding: str, payload_type: int
) -> None:
    left = Call(await open_session(clock, opened, host), says=tones.make_tone(400, 3000))
    right = Call(await open_session(clock, opened, host), says=tones.make_tone(700, 3000))
    left.start((host, right.session.local_port), encoding=encoding, payload_type=payload_type)
    right.start((host, left.session.local_port), encoding=encoding, payload_type=payload_type)
    clock.run(2000)
    assert tones.find_tone(b"".join(left.heard[10:])) == pytest.approx(700, abs=2)
    assert tones.find_tone(b"".join(right.heard[10:])) == pytest.approx(400, abs=2)
    assert tones.purity(b"".join(left.heard[10:])) > 0.99
    assert left.at_ms == [20 * tick for tick in range(100)]
    assert left.session.media_ms == 2000
    assert left.session.last_packet_at_ms is not None
    assert left.session.last_packet_at_ms >= 1960
    assert left.session.statistics.packets_lost == 0


async def test_a_call_in_real_time_is_heard_and_recorded(opened: list[MediaSession], tmp_path: Path) -> None:
    real_clock = MediaClock()
    await real_clock.start()
    left = Call(await open_session(real_clock, opened), says=tones.make_tone(400, 3000))
    right = Call(await open_session(real_clock, opened), says=tones.make_tone(700, 3000))
    recorder = Recorder.open(tmp_path / "call.mp3")

    def exchange(far_pcm: bytes, at_ms: int) -> bytes | None:
        near_pcm = left.exchange(far_pcm, at_ms)
        recorder.write(far_pcm, near_pcm or bytes(320))
        return near_pcm

    remote = ("127.0.0.1", right.session.local_port)
    left.session.start(StreamSettings(remote=remote, encoding="PCMU", payload_type=0), exchange=exchange)
    right.start(("127.0.0.1", left.session.local_port))
    started_s = time.monotonic()
    await asyncio.sleep(0.8)
    elapsed_ms = (time.monotonic() - started_s) * 1000
    media_ms = left.session.media_ms
    assert tones.find_tone(b"".join(left.heard[8:])) == pytest.approx(700, abs=5)
    assert tones.find_tone(b"".join(right.heard[8:])) == pytest.approx(400, abs=5)
    assert media_ms == pytest.approx(elapsed_ms, abs=60)
    for session in opened:
        await session.close()
    assert await recorder.close() == left.session.media_ms
    await real_clock.close()


async def test_a_session_on_all_addresses_speaks_ipv4_and_ipv6(clock: HandClock, opened: list[MediaSession]) -> None:
    everywhere = Call(await open_session(clock, opened, "::"), says=tones.make_tone(400, 2000))
    phone = Call(await open_session(clock, opened), says=tones.make_tone(700, 2000))
    everywhere.start(("127.0.0.1", phone.session.local_port))
    phone.start(("127.0.0.1", everywhere.session.local_port))
    clock.run(1000)
    assert tones.find_tone(b"".join(everywhere.heard[10:])) == pytest.approx(700, abs=3)
    assert tones.find_tone(b"".join(phone.heard[10:])) == pytest.approx(400, abs=3)


async def test_ports_are_an_even_one_and_the_next(clock: HandClock, opened: list[MediaSession]) -> None:
    session = await open_session(clock, opened)
    assert session.local_port % 2 == 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", session.local_port + 1))


async def test_a_full_range_of_ports_is_told_and_a_closed_session_frees_its_own(clock: HandClock) -> None:
    first = await MediaSession.open(clock=clock, host="127.0.0.1", port_min=20000, port_max=29999)
    port = first.local_port
    with pytest.raises(sockets.PortsExhausted, match=str(port)):
        await MediaSession.open(clock=clock, host="127.0.0.1", port_min=port, port_max=port + 1)
    await first.close()
    await first.close()
    second = await MediaSession.open(clock=clock, host="127.0.0.1", port_min=port, port_max=port + 1)
    assert second.local_port == port
    await second.close()


async def test_an_address_of_another_machine_cannot_be_bound(clock: HandClock) -> None:
    with pytest.raises(OSError, match="assign"):
        await MediaSession.open(clock=clock, host="192.0.2.1", port_min=20000, port_max=29999)


async def test_foreign_packets_are_counted_and_not_heard(
    clock: HandClock, opened: list[MediaSession], phone: socket.socket
) -> None:
    call = Call(await open_session(clock, opened)).start(("127.0.0.1", phone.getsockname()[1]))
    target = ("127.0.0.1", call.session.local_port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger, socket.socket(type=socket.SOCK_DGRAM) as other:
        stranger.bind(("127.0.0.2", 0))
        other.bind(("127.0.0.1", 0))
        for packet in streams.make_packets(tones.make_tone(500, 400)):
            stranger.sendto(rtp.serialize(packet._replace(ssrc=66)), target)
            phone.sendto(rtp.serialize(packet), target)
            clock.run(20)
            other.sendto(rtp.serialize(packet._replace(ssrc=67)), target)
        clock.run(20)
    assert call.session.statistics.packets_foreign == 40
    assert call.session.statistics.packets_received == 20
    assert tones.purity(b"".join(call.heard[3:20])) > 0.95


async def test_a_phone_behind_nat_is_answered_where_it_sends_from(
    clock: HandClock, opened: list[MediaSession], phone: socket.socket
) -> None:
    call = Call(await open_session(clock, opened)).start(("127.0.0.1", 9))
    clock.run(100)
    phone.sendto(rtp.serialize(streams.make_packets(bytes(320))[0]), ("127.0.0.1", call.session.local_port))
    clock.run(100)
    assert len(read_packets(phone)) >= 4


async def test_rubbish_does_not_latch_and_is_counted(
    clock: HandClock, opened: list[MediaSession], phone: socket.socket
) -> None:
    call = Call(await open_session(clock, opened)).start(("127.0.0.1", 9))
    target = ("127.0.0.1", call.session.local_port)
    phone.sendto(b"hello", target)
    phone.sendto(rtp.serialize(rtp.RtpPacket(111, False, 1, 1, 1, b"opus")), target)
    clock.run(60)
    assert call.session.statistics.packets_invalid == 2
    assert read_packets(phone) == []


async def test_digits_reach_the_other_end_with_their_media_time(clock: HandClock, opened: list[MediaSession]) -> None:
    left = Call(await open_session(clock, opened), says=tones.make_tone(400, 3000))
    right = Call(await open_session(clock, opened))
    left.start(("127.0.0.1", right.session.local_port))
    right.start(("127.0.0.1", left.session.local_port))
    clock.run(500)
    left.session.send_digits("1#*")
    assert left.session.is_sending_digits
    clock.run(1000)
    assert not left.session.is_sending_digits
    assert [digit for digit, _ in right.digits] == ["1", "#", "*"]
    assert right.digits[0][1] in (500, 520)
    assert right.digits[1][1] - right.digits[0][1] == 260
    assert tones.level(b"".join(right.heard[28:60])) < 10
    assert tones.find_tone(b"".join(right.heard[66:])) == pytest.approx(400, abs=5)


async def test_a_short_stall_is_made_up_for_and_sends_no_burst(
    clock: HandClock, opened: list[MediaSession], phone: socket.socket
) -> None:
    call = Call(await open_session(clock, opened)).start(("127.0.0.1", phone.getsockname()[1]))
    clock.run(200)
    before = read_packets(phone)
    for packet in streams.make_packets(tones.make_tone(500, 400)):
        phone.sendto(rtp.serialize(packet), ("127.0.0.1", call.session.local_port))
    clock.now_s += 0.4
    clock.run_due()
    after = read_packets(phone)
    assert call.session.media_ms == 600
    assert call.at_ms == [20 * tick for tick in range(30)]
    assert len(after) <= 3
    assert rtp.timestamp_distance(after[-1].timestamp, before[0].timestamp) == 29 * 160
    assert rtp.sequence_distance(after[0].sequence_number, before[-1].sequence_number) == 1
    assert tones.purity(b"".join(call.heard[12:29])) > 0.95


async def test_media_time_follows_the_clock_through_a_long_stall(
    clock: HandClock, opened: list[MediaSession], phone: socket.socket
) -> None:
    call = Call(await open_session(clock, opened)).start(("127.0.0.1", phone.getsockname()[1]))
    clock.run(100)
    clock.now_s += 30
    clock.run_due()
    assert call.session.media_ms == 30_100
    assert call.at_ms[-1] == 30_080
    assert len(call.at_ms) <= 58
    assert len(read_packets(phone)) <= 8


@pytest.mark.parametrize("stall_s", [0.7, 3])
async def test_who_leaves_in_a_stall_was_there_as_far_as_its_packets_tell(
    clock: HandClock, opened: list[MediaSession], phone: socket.socket, stall_s: float
) -> None:
    call = Call(await open_session(clock, opened)).start(("127.0.0.1", phone.getsockname()[1]))
    sender = Sender(make_stream(("127.0.0.1", call.session.local_port)))

    def talk(frames: int) -> None:
        for _ in range(frames):
            for datagram in sender.next(None):
                phone.sendto(datagram, ("127.0.0.1", call.session.local_port))

    for _ in range(20):
        talk(1)
        clock.run(20)
    assert call.session.attended_ms == call.session.media_ms == 400
    talk(10)  # and then it left
    clock.now_s += stall_s
    clock.run_due()
    clock.run(100)
    assert call.session.media_ms == 500 + stall_s * 1000
    assert call.session.attended_ms == 600
    clock.run(1000)
    assert call.session.attended_ms == call.session.media_ms == 1500 + stall_s * 1000


async def test_who_is_heard_after_a_stall_was_there(
    clock: HandClock, opened: list[MediaSession], phone: socket.socket
) -> None:
    call = Call(await open_session(clock, opened)).start(("127.0.0.1", phone.getsockname()[1]))
    clock.run(400)
    clock.now_s += 0.7
    clock.run_due()
    assert call.session.attended_ms == 400
    for datagram in Sender(make_stream(("127.0.0.1", call.session.local_port))).next(None):
        phone.sendto(datagram, ("127.0.0.1", call.session.local_port))
    clock.run(40)
    assert call.session.attended_ms == call.session.media_ms == 1140


async def test_a_redirect_moves_the_stream_and_a_hold_stops_it(
    clock: HandClock, opened: list[MediaSession], phone: socket.socket
) -> None:
    call = Call(await open_session(clock, opened), says=tones.make_tone(400, 3000)).start(("127.0.0.1", 9))
    clock.run(100)
    remote = ("127.0.0.1", phone.getsockname()[1])
    stream = StreamSettings(remote=remote, encoding="PCMA", payload_type=8)
    call.session.redirect(stream)
    clock.run(200)
    packets = read_packets(phone)
    assert {packet.payload_type for packet in packets} == {8}
    pcm = codecs.get_codec("PCMA").new_decoder().decode(b"".join(packet.payload for packet in packets))
    assert tones.find_tone(pcm) == pytest.approx(400, abs=10)
    call.session.redirect(replace(stream, is_sending=False))
    clock.run(200)
    assert read_packets(phone) == []
    call.session.redirect(stream)
    clock.run(100)
    resumed = read_packets(phone)
    assert {packet.ssrc for packet in resumed} == {packets[0].ssrc}
    assert rtp.timestamp_distance(resumed[0].timestamp, packets[-1].timestamp) == 11 * 160


async def test_a_key_that_comes_by_sip_goes_where_keys_go_and_nowhere_while_on_hold(
    clock: HandClock, opened: list[MediaSession]
) -> None:
    call = Call(await open_session(clock, opened)).start(("127.0.0.1", 9))
    call.session.press("5")
    call.session.redirect(make_stream(("127.0.0.1", 9), is_receiving=False))
    call.session.press("6")
    assert [digit for digit, _ in call.digits] == ["5"]


@pytest.mark.parametrize("remote", [("127.0.0.1", 0), ("0.0.0.0", 4000)])
async def test_nothing_is_sent_to_nowhere_while_media_time_goes_on(
    clock: HandClock, opened: list[MediaSession], remote: tuple[str, int]
) -> None:
    call = Call(await open_session(clock, opened)).start(remote)
    clock.run(200)
    assert call.session.statistics.packets_sent == 0
    assert call.session.media_ms == 200


async def test_a_held_far_end_without_an_address_gets_no_reports_either(clock: HandClock) -> None:
    # The system takes 0.0.0.0 for this machine, so that they would reach whoever listens here.
    media, control = sockets.open_port_pair("127.0.0.1", port_min=20000, port_max=29999)
    with media, control:
        session = await MediaSession.open(clock=clock, host="127.0.0.1", port_min=20000, port_max=29999)
        Call(session).start(("0.0.0.0", media.getsockname()[1]))
        clock.run(10_000)
        await session.close()
        with pytest.raises(BlockingIOError):
            control.recv(2048)
    await clock.close()


async def test_reports_are_sent_about_every_five_seconds_and_a_goodbye_at_the_end(clock: HandClock) -> None:
    media, control = sockets.open_port_pair("127.0.0.1", port_min=20000, port_max=29999)
    with media, control:
        session = await MediaSession.open(clock=clock, host="127.0.0.1", port_min=20000, port_max=29999)
        Call(session).start(("127.0.0.1", media.getsockname()[1]))
        clock.run(22_000)
        await session.close()
        compounds = []
        while True:
            try:
                compounds.append(rtcp.parse(control.recv(2048)))
            except BlockingIOError:
                break
    assert 3 <= len(compounds) <= 10
    assert all(isinstance(compound[0], rtcp.SenderReport) for compound in compounds[:-1])
    names = {
        packet.cname for compound in compounds for packet in compound if isinstance(packet, rtcp.SourceDescription)
    }
    assert len(names) == 1
    assert isinstance(compounds[-1][-1], rtcp.Goodbye)
    await clock.close()


async def test_what_arrived_before_the_answer_is_not_heard_late(
    clock: HandClock, opened: list[MediaSession], phone: socket.socket
) -> None:
    session = await open_session(clock, opened)
    for packet in streams.make_packets(tones.make_tone(500, 1000)):
        phone.sendto(rtp.serialize(packet), ("127.0.0.1", session.local_port))
    call = Call(session).start(("127.0.0.1", phone.getsockname()[1]))
    clock.run(500)
    assert session.statistics.packets_received == 0
    assert tones.level(b"".join(call.heard)) == 0


async def test_a_session_starts_once_and_only_towards_an_address(clock: HandClock, opened: list[MediaSession]) -> None:
    session = await open_session(clock, opened)
    with pytest.raises(ValueError, match=r"media\.example"):
        Call(session).start(("media.example", 4000))
    Call(session).start(("127.0.0.1", 4000))
    with pytest.raises(RuntimeError, match="once"):
        Call(session).start(("127.0.0.1", 4000))


async def test_random_datagrams_disturb_no_call(
    clock: HandClock, opened: list[MediaSession], phone: socket.socket
) -> None:
    call = Call(await open_session(clock, opened)).start(("127.0.0.1", phone.getsockname()[1]))
    noise = random.Random(9)
    for _ in range(200):
        datagram = bytes([noise.choice([0x80, 0x90, 0xA0, 0x8F])]) + noise.randbytes(noise.randrange(60))
        phone.sendto(datagram, ("127.0.0.1", call.session.local_port + noise.randrange(2)))
        clock.run(1)
    assert call.session.media_ms == 200
    assert len(call.heard) == 10
