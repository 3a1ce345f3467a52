"""The child's end of the pipes: frames in through a thread, frames out, and when to end; knows nothing of the work."""

import os
import queue
import signal
import threading
from collections.abc import Callable
from typing import BinaryIO

from ringdown.providers import frames

Received = tuple[frames.Header, bytes]


class Pipes:
    """Standard input as a queue of frames and standard output as a sink of frames.

    The real standard output is moved away first, so that nothing a library prints can break a frame. SIGINT and SIGTERM
    are ignored: a child lives until its parent closes the pipe or dies, so that live calls can be drained.
    `on_receive` sees each header at once, in the reading thread.
    """

    def __init__(self, *, on_receive: Callable[[frames.Header], None] | None = None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self._input: BinaryIO = os.fdopen(os.dup(0), "rb")
        self._output: BinaryIO = os.fdopen(os.dup(1), "wb")
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 0)
        os.dup2(nowhere, 1)
        os.close(nowhere)
        self._on_receive = on_receive
        self._received: queue.SimpleQueue[Received] = queue.SimpleQueue()

    def start(self) -> None:
        """Begin to read, in a thread that ends the process when the parent is gone."""
        threading.Thread(target=self._read, name="frames", daemon=True).start()

    def receive(self, *, wait: bool = True) -> Received | None:
        """The next frame, or None when there is none and `wait` is off."""
        try:
            return self._received.get(block=wait)
        except queue.Empty:
            return None

    def send(self, header: frames.Header, payload: bytes = b"") -> None:
        """Write a frame; ends the process when the parent is gone."""
        try:
            self._output.write(frames.serialize(header, payload))
            self._output.flush()
        except BrokenPipeError:
            os._exit(0)

    def fail(self, reason: str) -> None:
        """Tell the parent in one sentence why this child cannot work, and end."""
        self.send({"fatal": reason})
        os._exit(1)

    def _read(self) -> None:
        while True:
            try:
                header, payload = frames.read_blocking(self._input)
            except (EOFError, OSError, ValueError):
                os._exit(0)  # whatever is being computed, nobody is left to hear it
            if self._on_receive is not None:
                self._on_receive(header)
            self._received.put((header, payload))
