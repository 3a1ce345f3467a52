"""One attempt to answer the caller, and where its time goes; nothing is heard of it until it begins. No I/O."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ringdown.voice import brain, ports
from ringdown.voice.events import TurnLatency
from ringdown.voice.reply import Reply


@dataclass(slots=True)
class Marks:
    """Instants of an answer's way, in milliseconds of media time, taken from `now`; None: not passed yet."""

    now: Callable[[], int]
    speech_end_ms: int | None = None
    started_ms: int | None = None
    recognized_ms: int | None = None
    first_text_ms: int | None = None
    first_audio_ms: int | None = None
    released_ms: int | None = None
    # When the first audible frame left.
    played_ms: int | None = None

    def latency(self, played_ms: int) -> TurnLatency | None:
        """The stages up to the first frame at `played_ms`; None for words that answer no speech.

        Waiting for the turn to end counts as `endpoint_ms` wherever it happened, so that the stages sum up.
        """
        if self.speech_end_ms is None or self.started_ms is None:
            return None
        total = played_ms - self.speech_end_ms
        # Answering may have begun before the voice's last sound.
        started = max(self.started_ms, self.speech_end_ms)
        recognized = max(started, self.recognized_ms or started)
        text = max(recognized, self.first_text_ms or recognized)
        audio = max(text, self.first_audio_ms or text)
        released = max(audio, self.released_ms or audio)
        return TurnLatency(
            total_ms=total,
            endpoint_ms=started - self.speech_end_ms + released - audio,
            recognition_ms=recognized - started,
            model_ms=text - recognized,
            speech_ms=audio - text,
            playout_ms=played_ms - released,
        )


@dataclass(slots=True)
class Attempt:
    """An answer in the making.

    `heard` is None until the words are recognized, and for words of our own accord. `heard_until_ms` is the voice
    that is covered: more of it makes the attempt void. `is_binding` keeps it valid whatever the caller does.
    `failure` of a provider matters only if it does not become void.
    """

    reply: Reply
    marks: Marks
    heard: brain.Heard | None = None
    proposal: brain.Proposal | None = None
    heard_from_ms: int = 0
    heard_until_ms: int = 0
    release_silence_ms: int = 0
    is_binding: bool = False
    words: ports.Recognition | None = None
    is_confirmed: bool = True
    correction: ports.Recognition | None = None
    failure: ports.ProviderError | None = None
    transcript: str = field(default="")
