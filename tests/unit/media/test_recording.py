"""Recordings, decoded again with FFmpeg: content, time, and what a crash leaves."""

import asyncio
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from ringdown.media import recording
from ringdown.media.recording import Recorder
from tests.unit.media import tones

SILENCE = bytes(320)

CHILD = """
import sys, time
from pathlib import Path
from ringdown.media.recording import Recorder
from tests.unit.media import tones
recorder = Recorder.open(Path(sys.argv[1]))
frames = tones.frames(tones.make_tone(400, 1000))
start = time.monotonic()
print("recording", flush=True)
for tick in range(100_000):
    time.sleep(max(0, start + tick * 0.02 - time.monotonic()))
    recorder.write(frames[tick % 50], bytes(320))
"""


def decode(path: Path) -> tuple[NDArray[np.floating], int]:
    """The samples of both channels, and their rate."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return np.concatenate([frame.to_ndarray() for frame in container.decode(stream)], axis=1), stream.rate


def find_sound_ms(samples: NDArray[np.floating], rate_hz: int) -> tuple[float, float]:
    loud = np.flatnonzero(np.abs(samples) > 0.1)
    return float(loud[0]) * 1000 / rate_hz, float(loud[-1]) * 1000 / rate_hz


@pytest.mark.parametrize("sample_rate_hz", [8000, 16000])
async def test_both_sides_stand_where_and_when_they_were_written(tmp_path: Path, sample_rate_hz: int) -> None:
    path, size = tmp_path / "call.mp3", sample_rate_hz // 25
    recorder = Recorder.open(path, sample_rate_hz)
    far = tones.make_tone(500, 300, sample_rate_hz=sample_rate_hz)
    near = tones.make_tone(900, 300, sample_rate_hz=sample_rate_hz)
    for tick in range(200):
        recorder.write(
            far[(tick - 50) * size : (tick - 49) * size] if 50 <= tick < 65 else bytes(size),
            near[(tick - 150) * size : (tick - 149) * size] if 150 <= tick < 165 else bytes(size),
        )
    assert await recorder.close() == 4000
    samples, rate_hz = decode(path)
    assert rate_hz == sample_rate_hz
    assert samples.shape == (2, 4 * sample_rate_hz)
    assert find_sound_ms(samples[0], rate_hz) == (pytest.approx(1000, abs=20), pytest.approx(1300, abs=20))
    assert find_sound_ms(samples[1], rate_hz) == (pytest.approx(3000, abs=20), pytest.approx(3300, abs=20))
    second = sample_rate_hz // 1000
    assert tones.find_tone_in(samples[0][1020 * second : 1280 * second], rate_hz) == pytest.approx(500, abs=5)
    assert tones.find_tone_in(samples[1][3020 * second : 3280 * second], rate_hz) == pytest.approx(900, abs=5)


def test_a_recording_is_playable_after_kill_9_up_to_two_seconds_before(tmp_path: Path) -> None:
    path = tmp_path / "call.mp3"
    child = subprocess.Popen([sys.executable, "-W", "ignore", "-c", CHILD, str(path)], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"recording\n"
        started_s = time.monotonic()
        time.sleep(3.3)
        recorded_ms = (time.monotonic() - started_s) * 1000
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=10)
    samples, rate_hz = decode(path)
    assert recorded_ms - 2000 <= samples.shape[1] * 1000 / rate_hz <= recorded_ms + 100
    assert tones.find_tone_in(samples[0][:8000], rate_hz) == pytest.approx(400, abs=2)


async def test_a_file_that_ends_inside_a_frame_is_playable(tmp_path: Path) -> None:
    path, cut = tmp_path / "call.mp3", tmp_path / "cut.mp3"
    recorder = Recorder.open(path)
    for frame in tones.frames(tones.make_tone(400, 2000)):
        recorder.write(frame, SILENCE)
    await recorder.close()
    encoded = path.read_bytes()
    for size in range(len(encoded) // 2, len(encoded) // 2 + 300, 37):
        cut.write_bytes(encoded[:size])
        samples, rate_hz = decode(cut)
        assert 700 <= samples.shape[1] * 1000 / rate_hz <= 1300


async def test_the_file_grows_about_every_second_while_the_call_lasts(tmp_path: Path) -> None:
    path = tmp_path / "call.mp3"
    recorder = Recorder.open(path)
    for frame in tones.frames(tones.make_tone(400, 1000)):
        recorder.write(frame, frame)
    await asyncio.sleep(1.5)
    assert path.stat().st_size > 2000
    await recorder.close()


async def test_writing_costs_the_event_loop_next_to_nothing(tmp_path: Path) -> None:
    recorder = Recorder.open(tmp_path / "call.mp3")
    costs_s = []
    for _ in range(20):
        started_s = time.perf_counter()
        for _ in range(100):
            recorder.write(SILENCE, SILENCE)
        costs_s.append((time.perf_counter() - started_s) / 100)
    await recorder.close()
    assert min(costs_s) < 20e-6


async def test_one_thread_serves_all_recordings_and_ends_with_the_last(tmp_path: Path) -> None:
    recorders = [Recorder.open(tmp_path / f"{index}.mp3") for index in range(20)]
    for frame in tones.frames(tones.make_tone(400, 200)):
        for recorder in recorders:
            recorder.write(frame, SILENCE)
    threads = [thread for thread in threading.enumerate() if thread.name == "recording"]
    assert len(threads) == 1
    assert await asyncio.gather(*(recorder.close() for recorder in recorders)) == [200] * 20
    threads[0].join(2)
    assert not threads[0].is_alive()
    assert [decode(recorder.path)[0].shape[1] for recorder in recorders] == [1600] * 20
    again = Recorder.open(tmp_path / "again.mp3")
    again.write(SILENCE, SILENCE)
    assert await again.close() == 20


async def test_closing_twice_is_fine_and_nothing_is_written_afterwards(tmp_path: Path) -> None:
    recorder = Recorder.open(tmp_path / "call.mp3")
    recorder.write(SILENCE, SILENCE)
    assert await recorder.close() == 20
    size = recorder.path.stat().st_size
    recorder.write(SILENCE, SILENCE)
    assert await recorder.close() == 20
    assert recorder.path.stat().st_size == size


async def test_time_that_nobody_ran_is_silence_in_the_recording(tmp_path: Path) -> None:
    recorder = Recorder.open(tmp_path / "call.mp3")
    for frame in tones.frames(tones.make_tone(400, 200)):
        recorder.write(frame, SILENCE)
    recorder.pad_to(2000)
    recorder.pad_to(1000)
    for frame in tones.frames(tones.make_tone(400, 200)):
        recorder.write(frame, SILENCE)
    assert await asyncio.gather(recorder.close(), recorder.close()) == [2200, 2200]
    samples, rate_hz = decode(recorder.path)
    assert samples.shape[1] == 2200 * 8
    assert find_sound_ms(samples[0][300 * 8 :], rate_hz)[0] == pytest.approx(1700, abs=20)


async def test_a_recording_without_a_frame_is_an_empty_file(tmp_path: Path) -> None:
    recorder = Recorder.open(tmp_path / "call.mp3")
    assert await recorder.close() == 0
    assert recorder.path.stat().st_size == 0


async def test_a_full_disk_ends_the_recording_and_not_the_call() -> None:
    recorder = Recorder.open(Path("/dev/full"))
    for _ in range(100):
        recorder.write(SILENCE, SILENCE)
    assert await recorder.close() == 2000
    assert recorder.failure is not None
    assert "No space" in recorder.failure


async def test_a_recording_that_fails_leaves_the_others_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound, broken = (Recorder.open(tmp_path / name) for name in ("sound.mp3", "broken.mp3"))

    class Encoder:
        def encode(self, _pcm: bytes) -> bytes:
            return b"no frame"

    monkeypatch.setattr(broken, "_encoder", Encoder())
    for frame in tones.frames(tones.make_tone(400, 200)):
        broken.write(frame, SILENCE)
        sound.write(frame, SILENCE)
    assert await broken.close() == 200
    assert broken.failure is not None
    assert await sound.close() == 200
    assert decode(sound.path)[0].shape[1] == 1600


async def test_a_recording_ends_although_the_others_keep_the_writer_busy_without_a_break(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "FLUSH_S", 0.0)  # as when one round takes longer than the time to the next
    monkeypatch.setattr(recording, "CLOSE_TIMEOUT_S", 5)
    others = [Recorder.open(tmp_path / f"{index}.mp3") for index in range(3)]
    ending = Recorder.open(tmp_path / "ending.mp3")
    for _ in range(10):
        ending.write(bytes(320), bytes(320))
    await asyncio.sleep(0.05)  # the writer is at it
    assert await ending.close() == 200
    assert await asyncio.gather(*(other.close() for other in others)) == [0, 0, 0]


async def test_frames_of_the_wrong_length_are_refused(tmp_path: Path) -> None:
    recorder = Recorder.open(tmp_path / "call.mp3")
    with pytest.raises(ValueError, match="320"):
        recorder.write(SILENCE, bytes(160))
    await recorder.close()


def test_a_folder_that_is_not_there_and_an_odd_rate_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Recorder.open(tmp_path / "absent" / "call.mp3")
    with pytest.raises(ValueError, match="8000"):
        Recorder.open(tmp_path / "call.mp3", 44100)
