"""Our own voice coming back: how loud it returns on this line, and which sounds are no louder than that. Pure."""

from collections import deque

# An echo comes back within half a second; the loudest that we sent in this time is what it is compared with.
_FRAMES = 26
# Where nothing is known of a line, what comes back 14 dB below our voice or weaker is taken for it.
_FIRST_RETURN = 0.2
# More than this is no echo: the caller speaks.
_MAX_RETURN = 0.3
_MARGIN = 1.6
# How fast the estimate follows a louder return; and how fast it forgets: 9 dB a second where nothing like it has
# come back for a second of our speech, else slowly.
_ATTACK, _FAST_DECAY, _DECAY = 0.5, 0.98, 0.998
_UNHEARD_FRAMES = 50
# A return that stays above this is an echo rather than noise; our voice then also comes back as words.
_AUDIBLE_RETURN = 0.05
# Nobody hears the echo of a voice that is weaker than this.
_LOUD_RMS = 400


class EchoGuard:
    """Compares what comes in with what went out, frame by frame; levels are root mean squares of 20 ms."""

    def __init__(self) -> None:
        self._sent: deque[int] = deque(maxlen=_FRAMES)
        self._return = _FIRST_RETURN
        # Frames of our speech, all in all and since something returned that fits the estimate.
        self._frames = 0
        self._unheard = _UNHEARD_FRAMES

    @property
    def has_echo(self) -> bool:
        """Whether our voice is known to come back."""
        is_heard = self._frames >= _UNHEARD_FRAMES > self._unheard
        return is_heard and self._return >= _AUDIBLE_RETURN

    def send(self, level: int) -> None:
        """We sent a frame; 0 for silence."""
        self._sent.append(level)

    def is_echo(self, level: int) -> bool:
        """Whether a frame that comes in now may be all echo; learns from it."""
        if not self._sent or (loudest := max(self._sent)) < _LOUD_RMS:
            return False
        share = level / loudest
        is_echo = share < self._return * _MARGIN
        if share > self._return:
            if share < _MAX_RETURN:
                self._return += _ATTACK * (share - self._return)
                self._unheard = 0
        elif self._sent[0] >= _LOUD_RMS:
            # We have been speaking for longer than an echo takes.
            self._frames += 1
            self._unheard = 0 if share * 2 > self._return else self._unheard + 1
            self._return *= _DECAY if self._unheard < _UNHEARD_FRAMES else _FAST_DECAY
        return is_echo
