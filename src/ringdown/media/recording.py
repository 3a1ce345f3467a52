"""Records calls as stereo MP3, far party left and agent right, in one thread per process; knows frames, not RTP."""

import asyncio
import audioop
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import lameenc

from ringdown.media import mp3
from ringdown.media.wheel import FRAME_MS

BIT_RATE_KBPS = 32
FLUSH_S = 1.0
MAX_PENDING_FRAMES = 60_000 // FRAME_MS
CLOSE_TIMEOUT_S = 30
_FASTEST = 7


class Recorder:
    """One recording. Whenever the process dies, the file is playable up to about 1.2 s before.

    Frames are encoded and appended about once a second by a thread that all recorders of the process share. A disk
    that fails or stalls never holds up the call: see `failure`.
    """

    def __init__(self, path: Path, *, sample_rate_hz: int, descriptor: int) -> None:
        self.path = path
        self.failure: str | None = None
        self._frames = 0
        self._sample_rate_hz = sample_rate_hz
        self._descriptor = descriptor
        self._frame_bytes = 2 * sample_rate_hz * FRAME_MS // 1000
        self._encoder = _make_encoder(sample_rate_hz)
        self._pending: deque[tuple[bytes, bytes]] = deque()
        self._writer: _Writer
        self._is_closed = False
        self._done = asyncio.Event()
        self._written_bytes = 0
        self._head = b""

    @classmethod
    def open(cls, path: Path, sample_rate_hz: int = 8000) -> "Recorder":
        """Creates the file (or empties it) for 16-bit mono frames of 8 or 16 kHz.

        A recording that is closed without a frame stays an empty file. Raises `OSError`, `ValueError`.
        """
        if sample_rate_hz not in (8000, 16000):
            raise ValueError("a recording has 8000 or 16000 samples a second")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        recorder = cls(path, sample_rate_hz=sample_rate_hz, descriptor=descriptor)
        recorder._writer = _Writer.add(recorder)
        return recorder

    def write(self, far_pcm: bytes, near_pcm: bytes) -> None:
        """Appends 20 ms of both sides; never blocks, and does nothing after `close` or a failure.

        Raises `ValueError` when a side is not one whole frame.
        """
        if len(far_pcm) != self._frame_bytes or len(near_pcm) != self._frame_bytes:
            raise ValueError(f"a recorded frame has {self._frame_bytes} bytes on each side")
        if self._is_closed or self.failure is not None:
            return
        self._frames += 1
        self._pending.append((far_pcm, near_pcm))
        if len(self._pending) > MAX_PENDING_FRAMES:
            self.failure = f"the disk is too slow: {self.path}"

    def pad_to(self, at_ms: int) -> None:
        """Adds silence up to a media time, as after a stall whose ticks were never run; does nothing if it is there."""
        missing = at_ms // FRAME_MS - self._frames
        if missing > 0 and not self._is_closed and self.failure is None:
            silence = bytes(self._frame_bytes * missing)
            self._frames += missing
            self._pending.append((silence, silence))

    @property
    def duration_ms(self) -> int:
        """How much was given to `write`; after a failure, less of it is in the file."""
        return self._frames * FRAME_MS

    async def close(self) -> int:
        """Waits until everything is in the file and returns its duration in milliseconds. Safe twice.

        Raises `TimeoutError` when the disk takes longer than 30 s.
        """
        if not self._is_closed:
            self._is_closed = True
            loop = asyncio.get_running_loop()

            def tell() -> None:
                with suppress(RuntimeError):  # the loop has closed: nobody waits any more
                    loop.call_soon_threadsafe(self._done.set)

            self._writer.finish(self, tell)
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await self._done.wait()
        return self.duration_ms

    def flush(self, *, is_last: bool) -> None:
        """Encodes and appends what is pending; in the writer's thread only."""
        pending = self._pending
        # The deque is shared with the event loop's thread: only single operations on it are atomic.
        frames = [pending.popleft() for _ in range(len(pending))]
        if self.failure is not None or not self._frames:
            return
        try:
            if frames:
                self._append(self._encoder.encode(_interleave(frames)))
            if is_last:
                self._append(self._encoder.flush())
                self._seal()
        except (OSError, RuntimeError, ValueError) as error:  # of the disk, the encoder, the first frame
            self.failure = f"{error}"

    def release(self) -> None:
        """Closes the file; in the writer's thread only."""
        # 200 KiB that the collector knows nothing of; an ended call may wait for it for a long time.
        del self._encoder
        try:
            os.close(self._descriptor)
        except OSError as error:  # what was written late did not get there, as on a full network disk
            self.failure = self.failure or f"{error}"

    def _append(self, encoded: bytes) -> None:
        if not encoded:
            return
        if not self._written_bytes:
            self._head = bytes(encoded[:4])
            encoded = self._make_head() + encoded
        self._written_bytes += _write_all(self._descriptor, encoded)

    def _seal(self) -> None:
        """Puts the exact length into the first frame, so that players cut the encoder's padding at the end."""
        if self._written_bytes:
            samples = self._frames * self._sample_rate_hz * FRAME_MS // 1000
            os.pwrite(self._descriptor, self._make_head(samples), 0)

    def _make_head(self, samples: int | None = None) -> bytes:
        return mp3.make_info_frame(
            self._head,
            sample_rate_hz=self._sample_rate_hz,
            samples=samples,
            file_bytes=None if samples is None else self._written_bytes,
        )


class _Writer(threading.Thread):
    """The thread that encodes and writes all recordings of the process; it lives while there are any.

    A daemon, because what it has not written when the process ends is lost in a crash too.
    """

    _lock = threading.Lock()
    _current: "_Writer | None" = None

    def __init__(self) -> None:
        super().__init__(name="recording", daemon=True)
        self._wake = threading.Event()
        self._added: deque[Recorder] = deque()
        self._finished: deque[tuple[Recorder, Callable[[], None]]] = deque()
        # Sorted by due time, because each recorder is put back a fixed time after its turn.
        self._due: deque[tuple[float, Recorder]] = deque()

    @classmethod
    def add(cls, recorder: Recorder) -> "_Writer":
        """Takes the recorder on, starting the thread if it is the first."""
        with cls._lock:
            if cls._current is None or not cls._current.is_alive():
                cls._current = cls()
                cls._current.start()
            cls._current._added.append(recorder)
            cls._current._wake.set()
            return cls._current

    def finish(self, recorder: Recorder, tell: Callable[[], None]) -> None:
        """Writes the rest of the recording, closes it, then calls `tell` from the thread."""
        self._finished.append((recorder, tell))
        self._wake.set()

    def run(self) -> None:
        """Flushes each recorder once a second until none is left."""
        while self._is_needed():
            self._wake.wait(max(0.0, self._due[0][0] - time.monotonic()) if self._due else FLUSH_S)
            self._wake.clear()
            self._take_added()
            while self._finished:
                self._close(*self._finished.popleft())
            # One round only: on a machine so busy that a round takes longer than a second, those who wait for their
            # last flush still get it.
            for _ in range(len(self._due)):
                if self._due[0][0] > time.monotonic():
                    break
                _, recorder = self._due.popleft()
                recorder.flush(is_last=False)
                self._due.append((time.monotonic() + FLUSH_S, recorder))

    def _is_needed(self) -> bool:
        with _Writer._lock:
            if self._due or self._added or self._finished:
                return True
            _Writer._current = None
            return False

    def _take_added(self) -> None:
        while self._added:
            self._due.append((time.monotonic() + FLUSH_S, self._added.popleft()))

    def _close(self, recorder: Recorder, tell: Callable[[], None]) -> None:
        self._take_added()  # or one that was added and finished since the last look would stay due for ever
        recorder.flush(is_last=True)
        recorder.release()
        self._due = deque(entry for entry in self._due if entry[1] is not recorder)
        tell()


def _make_encoder(sample_rate_hz: int) -> lameenc.Encoder:
    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_bit_rate(BIT_RATE_KBPS)
    encoder.set_in_sample_rate(sample_rate_hz)
    encoder.set_channels(2)
    encoder.set_quality(_FASTEST)
    return encoder


def _interleave(frames: list[tuple[bytes, bytes]]) -> bytes:
    far = audioop.tostereo(b"".join([far for far, _ in frames]), 2, 1, 0)
    near = audioop.tostereo(b"".join([near for _, near in frames]), 2, 0, 1)
    return audioop.add(far, near, 2)


def _write_all(descriptor: int, encoded: bytes) -> int:
    rest = memoryview(encoded)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    return len(encoded)
