"""What each engine of the conversation benchmark gets alike, delays and words of the stub providers, and what it tells.

Knows no engine."""

import array
import math
from dataclasses import dataclass

RECOGNITION_S, MODEL_S, VOICE_S = 0.100, 0.150, 0.050
DELAYS_MS = round((RECOGNITION_S + MODEL_S + VOICE_S) * 1000)
SILENCE_S = 0.200  # the voice-activity rule: so much silence ends a turn
THRESHOLD = 0.5
QUESTION = "Tell me more."
ANSWER = ("There ", "is ", "more ", "to ", "tell.")
SAMPLE_RATE_HZ = 8000
_TONE_MS = 1000
_PIECE_BYTES = 1600  # 100 ms


def make_tone() -> list[bytes]:
    """One second of tone, 16-bit at 8 kHz, in pieces of 100 ms: what the stub voice says."""
    steps = range(8 * _TONE_MS)
    tone = array.array("h", [round(8000 * math.sin(step * math.pi / 10)) for step in steps]).tobytes()
    return [tone[start : start + _PIECE_BYTES] for start in range(0, len(tone), _PIECE_BYTES)]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process under test cost from begin to end, and what its turns said of themselves.

    `tail_ms` is how long after its true end speech is taken for speech; `turns` counts turns with stages, and
    `worst_sum_ms` is how far these were from their total at most. None where the engine does not tell.
    """

    cpu_s: float
    core_lost_s: float
    rss_bytes: int
    tail_ms: float | None = None
    turns: int = 0
    worst_sum_ms: float | None = None
