"""Early media and hold: what is heard before the answer, and what silence means when."""

import socket

import pytest

from ringdown.media import rtp
from ringdown.media.session import MediaSession
from tests.unit.media import streams, tones
from tests.unit.media.sessions import Call, HandClock, make_stream, open_session, read_packets


async def test_early_media_is_heard_and_the_answer_begins_media_time_anew(
    clock: HandClock, opened: list[MediaSession]
) -> None:
    ours, theirs = await open_session(clock, opened), Call(await open_session(clock, opened))
    theirs = Call(theirs.session, says=tones.make_tone(425, 5000)).start(("127.0.0.1", ours.local_port))
    early: list[tuple[bytes, int]] = []
    stream = make_stream(("127.0.0.1", theirs.session.local_port))
    ours.listen(stream, far=lambda pcm, at_ms: early.append((pcm, at_ms)))
    clock.run(1000)
    assert tones.find_tone(b"".join(pcm for pcm, _ in early[10:])) == pytest.approx(425, abs=3)
    assert [at_ms for _, at_ms in early] == [20 * tick for tick in range(50)]
    assert theirs.session.statistics.packets_received == pytest.approx(50, abs=2)  # silence, which opens a NAT
    answered = Call(ours, says=tones.make_tone(700, 3000))
    ours.start(stream, exchange=answered.exchange)
    assert ours.media_ms == ours.silent_ms == 0
    assert ours.last_packet_at_ms is None
    clock.run(1000)
    assert len(early) == 50
    assert answered.at_ms == [20 * tick for tick in range(50)]
    assert tones.purity(b"".join(answered.heard)) > 0.98  # no gap, no prefill: the stream goes on
    assert tones.find_tone(b"".join(theirs.heard[60:])) == pytest.approx(700, abs=5)
    assert theirs.session.statistics.packets_lost == 0


async def test_another_early_dialog_takes_over_with_its_codec(
    clock: HandClock, opened: list[MediaSession], phone: socket.socket
) -> None:
    session = await open_session(clock, opened)
    heard: list[bytes] = []
    for encoding, payload_type in (("PCMU", 0), ("PCMA", 8)):
        stream = make_stream(("127.0.0.1", 9), encoding=encoding, payload_type=payload_type)
        session.listen(stream, far=lambda pcm, _at_ms: heard.append(pcm))
        clock.run(100)
    session.listen(
        make_stream(("127.0.0.1", phone.getsockname()[1]), is_sending=False), far=lambda pcm, _: heard.append(pcm)
    )
    clock.run(100)
    assert read_packets(phone) == []
    assert len(heard) == 15


async def test_hold_is_no_silence_and_resuming_begins_to_count_again(
    clock: HandClock, opened: list[MediaSession], phone: socket.socket
) -> None:
    remote = ("127.0.0.1", phone.getsockname()[1])
    call = Call(await open_session(clock, opened)).start(remote)
    session = call.session
    phone.sendto(rtp.serialize(streams.make_packets(bytes(320))[0]), ("127.0.0.1", session.local_port))
    clock.run(1000)
    assert not session.is_held
    assert 960 <= session.silent_ms <= 1000
    for held in (
        make_stream(remote, is_sending=False),
        make_stream(remote, is_receiving=False),
        make_stream(("0.0.0.0", 4000)),
    ):
        session.redirect(held)
        clock.run(1000)
        assert session.is_held
        assert session.silent_ms == 0
    session.redirect(make_stream(remote))
    clock.run(200)
    assert not session.is_held
    assert session.silent_ms == 200


async def test_a_party_that_we_hold_is_not_heard_and_presses_no_keys(
    clock: HandClock, opened: list[MediaSession]
) -> None:
    left = Call(await open_session(clock, opened))
    right = Call(await open_session(clock, opened), says=tones.make_tone(700, 5000))
    remote = ("127.0.0.1", right.session.local_port)
    left.start(remote, is_receiving=False)
    right.start(("127.0.0.1", left.session.local_port))
    right.session.send_digits("5")
    clock.run(1000)
    assert tones.level(b"".join(left.heard)) == 0
    assert left.digits == []
    left.session.redirect(make_stream(remote))
    right.session.send_digits("6")
    clock.run(1000)
    assert tones.find_tone(b"".join(left.heard[70:])) == pytest.approx(700, abs=5)
    assert [digit for digit, _ in left.digits] == ["6"]


async def test_a_held_stream_is_kept_open_through_a_nat(
    clock: HandClock, opened: list[MediaSession], phone: socket.socket
) -> None:
    call = Call(await open_session(clock, opened)).start(("127.0.0.1", phone.getsockname()[1]), is_sending=False)
    clock.run(45_100)
    phone.setblocking(False)
    assert [phone.recv(2048) for _ in range(3)] == [b"", b"", b""]
    phone.sendto(b"", ("127.0.0.1", call.session.local_port))
    clock.run(20)
    assert call.session.statistics.packets_invalid == 0


async def test_an_exchange_is_swapped_between_two_ticks_and_given_back(
    clock: HandClock, opened: list[MediaSession]
) -> None:
    left, right = Call(await open_session(clock, opened)), Call(await open_session(clock, opened))
    left.start(("127.0.0.1", right.session.local_port))
    right.start(("127.0.0.1", left.session.local_port))
    clock.run(100)
    music = tones.make_tone(600, 20)
    exchange, on_digit = left.session.attach(lambda _pcm, _at_ms: music)
    clock.run(400)
    assert len(left.heard) == 5
    assert tones.level(b"".join(right.heard[-10:])) > 1000
    right.session.send_digits("1")
    clock.run(200)
    assert [digit for digit, _ in left.digits] == ["1"]
    left.session.attach(exchange, on_digit=on_digit)
    clock.run(200)
    assert len(left.heard) == 15
    assert tones.level(b"".join(right.heard[-3:])) == 0
