"""Whether the caller is speaking, from the probabilities of a detector; knows no audio. Pure."""

# The detector's opinion flickers on breaths and line clicks: this many windows in a row begin speech.
_ONSET_WINDOWS = 2
# Once speaking, a window counts as speech down to this much below the threshold.
_HYSTERESIS = 0.15
# What is so much weaker than the caller's loudest voice is not his: the detector's own tail, people behind him. A
# caller who is hardly louder than the line itself is not judged by it.
_WEAK_SHARE = 0.1
_LEAST_LOUDEST = 400
# The loudest voice is forgotten at 0.8 dB a second: people move the receiver.
_FORGETTING = 0.997


class VoiceTracker:
    """One stretch of the caller's speech: where it began, how long it is, when the voice was last heard.

    All instants are milliseconds of media time. `started_ms` is None while there is no speech; pauses do not end
    a stretch, only `reset` does. `pause_ms` is the last pause within it, which ended at
    `resumed_ms`.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._onset = 0
        self._is_voiced = False
        self._loudest = 0.0
        self.started_ms: int | None = None
        self.last_voiced_ms = 0
        self.voiced_ms = 0
        self.pause_ms = 0
        self.resumed_ms = 0

    @property
    def is_stirring(self) -> bool:
        """Whether speech may be about to begin again."""
        return self._onset > 0 and not self._is_voiced

    def feed(self, probability: float, *, end_ms: int, window_ms: int, level: int | None = None) -> None:
        """Take the detector's opinion of the window that ends at `end_ms`; `level` is its loudness, if known."""
        if level is not None:
            self._loudest *= _FORGETTING
            if self._loudest >= _LEAST_LOUDEST and level < self._loudest * _WEAK_SHARE:
                probability = 0.0
        if self._is_voiced:
            if probability >= self._threshold - _HYSTERESIS:
                self._extend(window_ms, end_ms, level)
            else:
                self._is_voiced, self._onset = False, 0
            return
        self._onset = self._onset + 1 if probability >= self._threshold else 0
        if self._onset >= _ONSET_WINDOWS:
            self._is_voiced = True
            length_ms = self._onset * window_ms
            if self.started_ms is None:
                self.started_ms = end_ms - length_ms
                self.pause_ms = 0
            else:
                self.resumed_ms = end_ms - length_ms
                self.pause_ms = self.resumed_ms - self.last_voiced_ms
            self._extend(length_ms, end_ms, level)

    def reset(self) -> None:
        """Forget the stretch; the next one begins with new speech."""
        self.started_ms = None
        self.voiced_ms = 0
        self._is_voiced, self._onset = False, 0

    def _extend(self, length_ms: int, end_ms: int, level: int | None) -> None:
        self.voiced_ms += length_ms
        self.last_voiced_ms = end_ms
        self._loudest = max(self._loudest, level or 0)
