"""The caller's side of a conversation: voice activity, the utterance being spoken, and its recognition."""

import asyncio
import audioop
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from ringdown.voice import activity, detector, ports, settings, streams, turns
from ringdown.voice.echo import EchoGuard
from ringdown.voice.manner import Manner

# Audio from before speech was detected: its onset, the detector's lag, and a little breath.
_PRE_ROLL_FRAMES = 15
_FRAME_MS = 20
_WINDOW_MS = detector.WINDOW_MS
_DETECTOR_HZ = detector.SAMPLE_RATE_HZ
_CLOSE_TIMEOUT_S = 2.0
# A frame that is so much weaker than its neighbour holds no voice: 18 dB.
_FADED = 8
# Levels are kept until the detector has had its say, which may be late.
_LEVELS = 128
# A recognizer that tells words as they are spoken has told none for so long: what still sounds is not the caller.
# After a finished sentence that is certain sooner.
_WORDLESS_MS, _WORDLESS_AFTER_SENTENCE_MS = 1000, 400

Spawn = Callable[[Coroutine[Any, Any, None]], object]


class Ear:
    """Listens to one caller.

    Between `open` utterances it keeps a pre-roll; with the first speech an utterance begins, and it goes on through
    pauses until it is dropped. `expectation` is asked for with each new utterance.
    """

    def __init__(
        self,
        *,
        settings: settings.ConversationSettings,
        recognizer: ports.SpeechToText,
        detector: detector.VoiceDetector,
        expectation: Callable[[], ports.Expectation],
    ) -> None:
        self._settings = settings
        self._recognizer = recognizer
        self._expectation = expectation
        self._tracker = activity.VoiceTracker(settings.vad.frame_activation_threshold)
        self._stream = detector.open(self._take_window)
        self._is_wide = settings.sample_rate_hz > _DETECTOR_HZ
        self._pre_roll: deque[bytes] = deque(maxlen=_PRE_ROLL_FRAMES)
        self._utterance: ports.Utterance | None = None
        self._origin_ms: int | None = None
        self._heard_ms = 0
        self._echo = EchoGuard()
        # The loudness of the last frames, -1 where it may be our echo; the place is the frame's number.
        self._levels = [0] * _LEVELS
        # What lies between us and the caller's packets, and when the last frames came over it.
        self.wire: ports.Wire | None = None
        self._came_ms = [0] * _LEVELS
        self._partial = ""
        self._told_ms = 0
        self._wordless_ms = _WORDLESS_MS
        # The words of this utterance were asked for: what comes of them now is an answer, not told unasked.
        self._is_asked = False
        # Whether the recognizer tells words while they are spoken; None until it is known.
        self.tells_words: bool | None = None
        self.manner = Manner()
        self.kind: ports.ExpectationKind = "free"
        # What the next utterance is expected to be spoken in.
        self.language = settings.language
        # Where the utterance's first sample lies; word times count from there.
        self.utterance_start_ms = 0

    @property
    def is_active(self) -> bool:
        """Whether an utterance is open."""
        return self._utterance is not None

    @property
    def started_ms(self) -> int:
        """When the utterance's speech began."""
        return self._tracker.started_ms or 0

    @property
    def last_voiced_ms(self) -> int:
        """When the voice was last heard."""
        return self._heard_ms - self.silence_ms

    @property
    def speech_end_ms(self) -> int:
        """When the packet came that the voice was last heard in; where no wire is known, when the voice was."""
        last_ms, origin_ms = self.last_voiced_ms, self._origin_ms
        if self.wire is None or origin_ms is None or self._heard_ms - last_ms >= _LEVELS * _FRAME_MS:
            return last_ms
        # The window that was voice last touches two or three frames; of these the last that sounds.
        first, last = (last_ms - _WINDOW_MS - origin_ms) // _FRAME_MS, (last_ms - 1 - origin_ms) // _FRAME_MS
        loudest = max(self._levels[frame % _LEVELS] for frame in range(first, last + 1))
        while last > first and self._levels[last % _LEVELS] * _FADED < loudest:
            last -= 1
        return self._came_ms[last % _LEVELS]

    @property
    def untold_ms(self) -> int:
        """How long the voice has gone on since the recognizer told a word."""
        return self._tracker.last_voiced_ms - self._told_ms

    @property
    def pause_ms(self) -> int:
        """The last pause within the utterance."""
        return self._tracker.pause_ms

    @property
    def resumed_ms(self) -> int:
        """When that pause ended."""
        return self._tracker.resumed_ms

    @property
    def is_stirring(self) -> bool:
        """Whether the caller may be about to go on."""
        return self._tracker.is_stirring

    @property
    def has_echo(self) -> bool:
        """Whether our own voice comes back on this line."""
        return self._echo.has_echo

    @property
    def voiced_ms(self) -> int:
        """How much of the utterance is voice."""
        return self._tracker.voiced_ms

    @property
    def silence_ms(self) -> int:
        """How long the caller has been silent now; sounds without words are silence after a while."""
        silence_ms = self._heard_ms - self._tracker.last_voiced_ms
        if self.tells_words and self._utterance is not None:
            return max(silence_ms, self._heard_ms - self._told_ms - self._wordless_ms)
        return silence_ms

    def push(self, pcm: bytes, at_ms: int) -> None:
        """Take the 20 ms that began at `at_ms`."""
        if self._origin_ms is None:
            self._origin_ms = at_ms
        self._heard_ms = at_ms + _FRAME_MS
        level, place = audioop.rms(pcm, 2), (at_ms - self._origin_ms) // _FRAME_MS % _LEVELS
        self._levels[place] = -1 if self._echo.is_echo(level) else level
        if self.wire is not None:
            self._came_ms[place] = at_ms - (self.wire.held_ms or 0)
        if self._utterance is not None:
            self._utterance.push(pcm)
            self._read_partial(self._utterance.partial())
        self._pre_roll.append(pcm)
        # The mean of two neighbours is low-pass enough for the detector, and takes a fifth of ratecv's time.
        self._stream.push(audioop.tomono(pcm, 2, 0.5, 0.5) if self._is_wide else pcm)

    def note_sent(self, pcm: bytes | None) -> int:
        """We sent these 20 ms, which may come back; how loud they are."""
        level = audioop.rms(pcm, 2) if pcm is not None else 0
        self._echo.send(level)
        return level

    def partial(self) -> str:
        """The words so far, where the recognizer tells."""
        return self._partial

    async def recognize(self) -> ports.Recognition:
        """What was said so far, after one retry. Raises `ports.ProviderError`."""
        utterance = self._utterance
        if utterance is None:
            return ports.Recognition("")
        self._is_asked = True
        try:
            return await self._bounded_final(utterance)
        except ports.ProviderError as error:
            if not error.retryable:
                raise
            return await self._bounded_final(utterance)

    def drop(self, spawn: Spawn) -> None:
        """The utterance was answered, or is nothing: the next speech begins a new one."""
        if self._utterance is not None:
            spawn(self._let_go(self._utterance))
        self._utterance = None
        self._partial = ""
        self._tracker.reset()

    async def close(self) -> None:
        """Listen no more; safe to call twice."""
        self._stream.close()
        utterance, self._utterance = self._utterance, None
        if utterance is not None:
            await self._let_go(utterance)

    async def _bounded_final(self, utterance: ports.Utterance) -> ports.Recognition:
        timeout_s = self._settings.timeouts.recognition_s
        try:
            async with asyncio.timeout(timeout_s):
                recognition = await utterance.final()
        except TimeoutError:
            raise ports.ProviderError("recognizer", f"no words within {timeout_s:g} s", retryable=True) from None
        if self.tells_words is None and recognition.text:
            self.tells_words = False
        return recognition

    async def _let_go(self, utterance: ports.Utterance) -> None:
        await streams.ignore_failure(utterance.close(), timeout_s=_CLOSE_TIMEOUT_S)

    def _read_partial(self, text: str) -> None:
        if text != self._partial:
            self._partial, self._told_ms = text, self._heard_ms
            self._wordless_ms = _WORDLESS_AFTER_SENTENCE_MS if turns.is_finished(text) else _WORDLESS_MS
            self.tells_words = self.tells_words if self._is_asked else True

    def _take_window(self, probability: float, end_ms: int) -> None:
        # A window of 32 ms lies in two or three frames of 20 ms.
        first, last = (end_ms - _WINDOW_MS) // _FRAME_MS, (end_ms - 1) // _FRAME_MS
        level = max([self._levels[frame % _LEVELS] for frame in range(first, last + 1)])
        tracker, pause_ms = self._tracker, self._tracker.pause_ms
        tracker.feed(
            probability if level >= 0 else 0.0,
            end_ms=(self._origin_ms or 0) + end_ms,
            window_ms=_WINDOW_MS,
            level=max(level, 0),
        )
        if tracker.pause_ms != pause_ms:
            self.manner.note_pause(tracker.pause_ms)
        if tracker.started_ms is not None and self._utterance is None:
            self._open()

    def _open(self) -> None:
        expectation = self._expectation()
        self.kind = expectation.kind
        self._utterance = self._recognizer.open(
            sample_rate_hz=self._settings.sample_rate_hz, language=self.language, expectation=expectation
        )
        self.utterance_start_ms = self._heard_ms - len(self._pre_roll) * _FRAME_MS
        self._partial, self._told_ms, self._wordless_ms = "", self._heard_ms, _WORDLESS_MS
        self._is_asked = False
        for pcm in self._pre_roll:
            self._utterance.push(pcm)
