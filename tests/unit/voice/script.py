"""Conversations as scripts: what the caller says and when, played on a virtual clock against the real loop."""

import array
import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ringdown.voice.brain import Brain
from ringdown.voice.conversation import Conversation
from ringdown.voice.events import ConversationEnd, Event, Noted, Turn
from ringdown.voice.ports import TextToSpeech, ToolRequest
from ringdown.voice.settings import ConversationSettings
from tests.fakes import virtual_time
from tests.fakes.voices import FRAME_MS, Codebook, FakeDetector, FakeRecognizer, FakeSpeaker


@dataclass(frozen=True)
class Says:
    """The caller says `text` from `at_ms` to `until_ms`, the words evenly spread."""

    at_ms: int
    until_ms: int
    text: str


@dataclass(frozen=True)
class Presses:
    """The caller presses a key."""

    at_ms: int
    key: str


@dataclass(frozen=True)
class Sounds:
    """The line gives tones of these frequencies, equally loud."""

    at_ms: int
    until_ms: int
    frequencies_hz: tuple[float, ...]

    def frame(self, at_ms: int, sample_rate_hz: int) -> bytes:
        """The 20 ms from `at_ms` on."""
        first, count = at_ms * sample_rate_hz // 1000, sample_rate_hz * FRAME_MS // 1000
        samples = (
            sum(6000 * math.sin(2 * math.pi * hz * number / sample_rate_hz) for hz in self.frequencies_hz)
            for number in range(first, first + count)
        )
        return array.array("h", [round(sample) for sample in samples]).tobytes()


Step = Says | Presses | Sounds


@dataclass
class Stage:
    """The providers of a script; tests change them before `play`."""

    codebook: Codebook = field(default_factory=Codebook)
    recognizer: FakeRecognizer = field(init=False)
    speaker: FakeSpeaker = field(init=False)
    detector: FakeDetector = field(default_factory=FakeDetector)

    def __post_init__(self) -> None:
        self.recognizer = FakeRecognizer(self.codebook)
        self.speaker = FakeSpeaker(self.codebook)


@dataclass
class Played:
    """What came of a script. `sent` are the frames that the agent sent, by tick."""

    turns: list[Turn]
    end: ConversationEnd
    sent: list[bytes | None]
    conversation: Conversation
    codebook: Codebook
    ended_ms: int
    notes: list[Noted]

    @property
    def lines(self) -> list[tuple[str, str]]:
        """The transcript."""
        return [(turn.speaker, turn.text) for turn in self.turns]

    def heard_words(self, from_ms: int = 0, until_ms: int = 1 << 30) -> list[str]:
        """What the caller heard of the agent, from its audio."""
        pcm = b"".join(frame or self.codebook.silence for frame in self.sent)
        return [word for word, start, _ in self.codebook.decode(pcm) if from_ms <= start < until_ms]

    def is_silent(self, from_ms: int, until_ms: int) -> bool:
        """Whether the agent sent nothing in this time."""
        return all(frame is None for frame in self.sent[from_ms // FRAME_MS : until_ms // FRAME_MS])


def play(
    brain: Brain,
    script: Sequence[Step],
    *,
    stage: Stage | None = None,
    settings: ConversationSettings | None = None,
    hang_up_ms: int = 60_000,
    act: Callable[[ToolRequest], None] | None = None,
    speaker_for: Callable[[str], TextToSpeech] | None = None,
    on_begin: Callable[[Conversation], None] = lambda _conversation: None,
) -> Played:
    """Play a script until the conversation ends, or the caller hangs up at `hang_up_ms`."""
    return virtual_time.run(
        _play(
            brain,
            script,
            stage or Stage(),
            settings or ConversationSettings(),
            hang_up_ms=hang_up_ms,
            act=act,
            speaker_for=speaker_for,
            on_begin=on_begin,
        )
    )


async def _play(
    brain: Brain,
    script: Sequence[Step],
    stage: Stage,
    settings: ConversationSettings,
    *,
    hang_up_ms: int,
    act: Callable[[ToolRequest], None] | None,
    speaker_for: Callable[[str], TextToSpeech] | None,
    on_begin: Callable[[Conversation], None],
) -> Played:
    turns: list[Turn] = []
    notes: list[Noted] = []

    def keep(event: Event) -> None:
        if isinstance(event, Noted):
            notes.append(event)
        else:
            turns.append(event.turn)

    conversation = Conversation(
        settings=settings,
        brain=brain,
        recognizer=stage.recognizer,
        speaker=stage.speaker,
        detector=stage.detector,
        on_event=keep,
        act=act,
        speaker_for=speaker_for,
    )
    on_begin(conversation)
    running = asyncio.create_task(conversation.run())
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    started, at_ms, sent = loop.time(), 0, list[bytes | None]()
    while not running.done() and at_ms < hang_up_ms:
        for step in script:
            if isinstance(step, Presses) and at_ms <= step.at_ms < at_ms + FRAME_MS:
                conversation.press(step.key, at_ms)
        sent.append(conversation.tick(far_frame(script, at_ms, stage.codebook), at_ms))
        at_ms += FRAME_MS
        await asyncio.sleep(started + at_ms / 1000 - loop.time())
    await conversation.finish()
    end = await running
    return Played(turns, end, sent, conversation, stage.codebook, at_ms, notes)


def far_frame(script: Sequence[Step], at_ms: int, codebook: Codebook) -> bytes:
    """What the far party's line carries at `at_ms`."""
    for step in script:
        if isinstance(step, Says) and step.at_ms <= at_ms < step.until_ms:
            words = step.text.split()
            index = (at_ms - step.at_ms) * len(words) // (step.until_ms - step.at_ms)
            return codebook.frame(words[index])
        if isinstance(step, Sounds) and step.at_ms <= at_ms < step.until_ms:
            return step.frame(at_ms, codebook.sample_rate_hz)
    return codebook.silence
