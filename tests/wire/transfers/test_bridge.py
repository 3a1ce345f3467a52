"""Two people who were joined hear each other, and only each other; the recording keeps both."""

import asyncio
import statistics

import numpy as np
import pytest

from ringdown.gateway.hold_music import HoldMusic
from ringdown.providers.espeak import EspeakVoice
from tests.acceptance import recordings
from tests.unit.media import tones
from tests.wire.telephone import Line
from tests.wire.transfers.site import REFUSING, Site

pytestmark = pytest.mark.asyncio(loop_scope="package")
CALLER_HZ, PERSON_HZ = 440, 880
_QUIET = 50
# Jitter buffers of two calls more than one, deeper on a busy machine; the bridge itself has its unit test.
_MAX_ADDED_MS = 120


async def hear_only_each_other(caller: Line, person: Line) -> None:
    """Both play a tone; each hears that of the other, and not its own."""
    caller.play(CALLER_HZ)
    person.play(PERSON_HZ)
    await asyncio.gather(caller.hears_tone(PERSON_HZ), person.hears_tone(CALLER_HZ))
    heard = await asyncio.gather(caller.listen(0.5), person.listen(0.5))
    for pcm, line, frequency_hz in zip(heard, (caller, person), (PERSON_HZ, CALLER_HZ), strict=True):
        assert tones.find_tone(pcm, sample_rate_hz=line.media.sample_rate_hz) == pytest.approx(frequency_hz, abs=8)
        assert tones.purity(pcm) > 0.95


async def measure_delay(speaker: Line, listener: Line) -> float:
    """Milliseconds from the first frame said to the first one heard: the median of three."""
    delays = []
    for _ in range(3):
        speaker.play(0)
        async with asyncio.timeout(30):
            while tones.level(await listener.listen(0.1)) > _QUIET:
                pass
        onset = asyncio.create_task(listener.hears_onset())
        await asyncio.sleep(0)
        speaker.play(CALLER_HZ)
        delays.append((await onset - speaker.played_at_s) * 1000)
    return statistics.median(delays)


def music_share(pcm: bytes) -> float:
    """How much of the energy lies at the notes of what is played to those who wait."""
    loop = HoldMusic(8000)
    music = np.frombuffer(b"".join(loop.next() for _ in range(300)), "<i2").astype(float)
    notes = np.abs(np.fft.rfft(music, 4096 * 12)) ** 2
    wanted = notes > notes.max() / 1000
    power = np.abs(np.fft.rfft(np.frombuffer(pcm, "<i2").astype(float), 4096 * 12)) ** 2
    return float(power[wanted].sum() / power.sum())


async def test_caller_and_person_hear_each_other_and_the_recording_keeps_them_apart(site: Site) -> None:
    caller, call_id = await site.call_agent()
    person = await site.join(caller, call_id, introduction="Ana is on the line.")
    await hear_only_each_other(caller, person)
    await person.hang_up()
    await caller.is_over()
    call = await site.product.end_of(call_id)
    assert (call["status"], call["ended_reason"], call["outcome"]) == ("completed", "transferred", "escalated")
    left, right = await recordings.fetch(call["recording_url"])
    for side, frequency_hz, other_hz in ((left, CALLER_HZ, PERSON_HZ), (right, PERSON_HZ, CALLER_HZ)):
        found = recordings.find_tone(side, frequency_hz)
        assert found is not None and found[1] - found[0] > 0.5
        end = side[-recordings.RATE_HZ // 2 :]
        spectrum = abs(np.fft.rfft(end))
        assert spectrum[frequency_hz // 2] > 20 * spectrum[other_hz // 2]


async def test_a_joined_call_is_little_later_than_a_direct_one(site: Site) -> None:
    caller, call_id = await site.call_agent()
    person, number = await site.join(caller, call_id), site.new_number()

    async def take() -> Line:
        return await (await site.persons.rings(number)).accept()

    target = f"sip:{number}@127.0.0.1:{site.product.ports['PEER_PORT']}"
    direct, other = await asyncio.gather(site.callers.dial(target), take())
    there, back = await measure_delay(caller, person), await measure_delay(person, caller)
    added_ms = (there + back) / 2 - await measure_delay(direct, other)
    assert added_ms < _MAX_ADDED_MS
    await asyncio.gather(caller.hang_up(), direct.hang_up())


async def test_who_waits_hears_music_and_who_is_asked_does_not(site: Site) -> None:
    caller, call_id = await site.call_agent()
    number = site.new_number()
    await site.transfer(call_id, number, mode="attended")
    person = await site.persons.rings(number)
    await caller.hears_something()
    while_ringing = await caller.listen(1.5)
    await person.accept()
    await person.hears_something()
    while_talking, question = await asyncio.gather(caller.listen(1.5), person.listen(1.5))
    assert min(music_share(while_ringing), music_share(while_talking)) > 0.8
    assert music_share(question) < 0.5
    await caller.hang_up()


async def test_keys_pass_over_the_bridge_in_both_directions(site: Site) -> None:
    caller, call_id = await site.call_agent()
    person = await site.join(caller, call_id)
    caller.media.send_digits("47#")
    person.media.send_digits("9*")
    await asyncio.gather(person.hears_digits("47#"), caller.hears_digits("9*"))
    await caller.hang_up()
    assert (await site.product.end_of(call_id))["summary"] is None  # they answered no question of the agent's


async def test_a_wideband_caller_is_joined_with_a_narrowband_person(site: Site) -> None:
    caller, call_id = await site.call_agent("G722")
    person = await site.join(caller, call_id)
    assert (caller.media.sample_rate_hz, person.media.sample_rate_hz) == (16_000, 8000)
    await hear_only_each_other(caller, person)
    await caller.hang_up()


async def test_a_person_may_say_yes(site: Site) -> None:
    voice = EspeakVoice("en-us")
    await voice.start()
    try:
        yes = b"".join([piece.pcm async for piece in voice.speak("yes", sample_rate_hz=8000)])
    finally:
        await voice.close()
    caller, call_id = await site.call_agent()
    number = site.new_number()
    await site.transfer(call_id, number, mode="attended", introduction="Ana.")
    person = await (await site.persons.rings(number)).accept()
    await person.hears_something()
    async with asyncio.timeout(20):
        while tones.level(await person.listen(0.8)) > _QUIET:
            pass
    person.say(yes + bytes(16_000 * 20))
    await site.reaches(call_id, "connected")
    await hear_only_each_other(caller, person)
    await caller.hang_up()


async def test_a_person_who_is_called_by_the_agent_may_be_handed_over_as_well(site: Site) -> None:
    first, call_id = await site.be_called(REFUSING)
    second = await site.join(first, call_id)
    await hear_only_each_other(first, second)
    await first.hang_up()
    await second.is_over()
    assert (await site.product.end_of(call_id))["ended_reason"] == "transferred"


async def test_somebody_on_hold_is_taken_back_to_be_handed_over(site: Site) -> None:
    caller, call_id = await site.call_agent()
    async with site.product.client() as client:
        assert (await client.post(f"/calls/{call_id}/hold")).status_code == 201
    await caller.is_put_on_hold(True)
    person = await site.join(caller, call_id)
    await caller.is_put_on_hold(False)
    await hear_only_each_other(caller, person)
    await caller.hang_up()


async def test_a_bridge_ends_with_the_longest_duration_of_the_call(site: Site) -> None:
    first, call_id = await site.be_called(REFUSING, call_settings={"max_duration": "4s"})
    number = site.new_number()
    await site.transfer(call_id, number, mode="attended")
    second = await (await site.persons.rings(number)).accept()
    await second.hears_something()
    second.media.send_digits("1")
    await site.reaches(call_id, "connected")
    await asyncio.gather(first.is_over(), second.is_over())
    assert (await site.product.end_of(call_id))["ended_reason"] == "transferred"
