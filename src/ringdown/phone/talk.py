"""One call of the test phone as its audio sees it: listens by loudness, speaks in turn, on the media clock."""

import audioop
import math
import struct
from collections.abc import Callable, Mapping
from typing import Literal

from ringdown.phone.script import Script, Step

SAMPLE_RATE_HZ = 8000
FRAME_BYTES = 320
FRAME_MS = 20

# Louder than this (of 32767) counts as speech; line noise and comfort noise lie far below.
_SPEECH_RMS = 250
# The far party has finished when it was silent this long: longer than a pause between sentences.
_TURN_SILENCE_MS = 1000
# Without a word from the far party the phone goes on after this.
_PATIENCE_MS = 8000

_ACKNOWLEDGEMENT_HZ, _ACKNOWLEDGEMENT_MS = 1000, 200

TalkEvent = Literal["heard", "said", "digits", "tone", "hold", "resume", "transfer", "finished"]


class Talk:
    """Plays a script against the far party, one 20 ms frame at a time.

    `sounds` holds the audio of each `say` text. `on_event` is told what happened (`heard` with its length,
    `said`, `digits`, `tone`, `hold`, `resume`, `transfer`, `finished`) with the media time; the listener sends the
    digits, holds, resumes and transfers.
    """

    def __init__(
        self, script: Script, *, sounds: Mapping[str, bytes], on_event: Callable[[TalkEvent, str, int], None]
    ) -> None:
        self._script = script
        self._sounds = sounds
        self._on_event = on_event
        self._next_step = 0
        self._playing = b""
        self._position = 0
        self._heard_from_ms: int | None = None
        self._heard_until_ms = 0
        self._quiet_since_ms = 0
        self._waiting_until_ms: int | None = None
        self._is_finished = False

    def exchange(self, far_pcm: bytes, at_ms: int) -> bytes | None:
        """Take 20 ms of the far party and return 20 ms of ours, or `None` for silence."""
        self._listen(far_pcm, at_ms)
        if self._position < len(self._playing):
            return self._play(at_ms)
        if at_ms >= self._script.max_duration_ms:
            self._finish(at_ms)
        elif not self._is_finished:
            self._go_on(at_ms)
        return None

    def acknowledge(self) -> None:
        """Answer a key press with a tone, if the script says so and nothing else plays."""
        if self._script.acknowledges_digits and self._position >= len(self._playing):
            self._start(make_tone(_ACKNOWLEDGEMENT_HZ, _ACKNOWLEDGEMENT_MS))

    def _listen(self, far_pcm: bytes, at_ms: int) -> None:
        if audioop.rms(far_pcm, 2) >= _SPEECH_RMS:
            if self._heard_from_ms is None:
                self._heard_from_ms = at_ms
            self._heard_until_ms = at_ms + FRAME_MS
        elif self._heard_from_ms is not None and at_ms - self._heard_until_ms >= _TURN_SILENCE_MS:
            self._on_event("heard", f"{(self._heard_until_ms - self._heard_from_ms) / 1000:.1f} s", self._heard_from_ms)
            self._heard_from_ms = None
            self._quiet_since_ms = -1  # its turn is over: ours may begin at once

    def _play(self, at_ms: int) -> bytes:
        frame = self._playing[self._position : self._position + FRAME_BYTES]
        self._position += FRAME_BYTES
        if self._position >= len(self._playing):
            self._quiet_since_ms = at_ms
        return frame.ljust(FRAME_BYTES, b"\0")

    def _go_on(self, at_ms: int) -> None:
        if self._next_step >= len(self._script.steps):
            if self._script.repeats:
                self._next_step = 0
            return
        step = self._script.steps[self._next_step]
        if step.kind == "wait":
            self._wait(step, at_ms)
        elif self._is_our_turn(at_ms):
            self._next_step += 1
            self._perform(step, at_ms)

    def _is_our_turn(self, at_ms: int) -> bool:
        if self._heard_from_ms is not None:
            return False
        return self._quiet_since_ms < 0 or at_ms - self._quiet_since_ms >= _PATIENCE_MS

    def _wait(self, step: Step, at_ms: int) -> None:
        if self._waiting_until_ms is None:
            self._waiting_until_ms = at_ms + step.duration_ms
        if at_ms >= self._waiting_until_ms:
            self._waiting_until_ms = None
            self._next_step += 1
            self._quiet_since_ms = -1  # after a wait the phone goes on without being spoken to

    def _perform(self, step: Step, at_ms: int) -> None:
        self._quiet_since_ms = at_ms
        if step.kind == "say":
            self._start(self._sounds[step.text])
            self._on_event("said", step.text, at_ms)
        elif step.kind == "tone":
            self._start(make_tone(step.frequency_hz, step.duration_ms))
            self._on_event("tone", f"{step.frequency_hz} Hz", at_ms)
        elif step.kind in ("digits", "hold", "resume", "transfer"):
            self._on_event(step.kind, step.text, at_ms)
        else:
            self._finish(at_ms)

    def _start(self, pcm: bytes) -> None:
        self._playing, self._position = pcm, 0

    def _finish(self, at_ms: int) -> None:
        if not self._is_finished:
            self._is_finished = True
            self._on_event("finished", "", at_ms)


def make_tone(frequency_hz: int, duration_ms: int) -> bytes:
    """A sine at −12 dB of full scale, 8 kHz, 16-bit."""
    count = SAMPLE_RATE_HZ * duration_ms // 1000
    step = 2 * math.pi * frequency_hz / SAMPLE_RATE_HZ
    return struct.pack(f"<{count}h", *(round(8192 * math.sin(step * n)) for n in range(count)))
