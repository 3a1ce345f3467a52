"""Conversations at 16 kHz: the same words at the same instants as at 8 kHz, heard and spoken in wideband."""

import array
import asyncio
import math
from collections.abc import Callable

import pytest

from ringdown.providers.espeak import EspeakVoice
from ringdown.providers.pocketsphinx import PocketsphinxRecognizer
from ringdown.voice.brain import Brain
from ringdown.voice.conversation import Conversation
from ringdown.voice.detector import SpeechDetector
from ringdown.voice.ear import Ear
from ringdown.voice.events import Event
from ringdown.voice.ports import Expectation
from ringdown.voice.settings import ConversationSettings
from tests.fakes.voices import FRAME_MS, Codebook, FakeDetector, FakeRecognizer
from tests.unit.voice.brains import GREETING, model, question
from tests.unit.voice.script import Played, Says, Stage, play

WIDE_HZ = 16_000
WIDE_FRAME_BYTES = 640
STORY = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
# How much faster than on the phone the real detector and recognizer hear the call of their test.
SPEED = 4


def play_at(
    sample_rate_hz: int, *script: Says, brain: Brain | None = None, hang_up_ms: int = 60_000
) -> tuple[Played, Stage]:
    stage = Stage(Codebook(sample_rate_hz))
    settings = ConversationSettings(sample_rate_hz=sample_rate_hz)
    return play(brain or question(), script, stage=stage, settings=settings, hang_up_ms=hang_up_ms), stage


def test_a_wideband_conversation_is_the_narrowband_one_at_twice_the_samples() -> None:
    script = (Says(3000, 3400, "yes"),)
    wide, _ = play_at(WIDE_HZ, *script)
    narrow, _ = play_at(8000, *script)
    assert wide.turns == narrow.turns
    assert wide.lines == [("agent", GREETING), ("contact", "yes"), ("agent", "Thank you.")]
    assert wide.heard_words() == narrow.heard_words() == [*GREETING.split(), "Thank", "you."]
    assert {len(frame) for frame in wide.sent if frame is not None} == {WIDE_FRAME_BYTES}


def test_the_recognizer_gets_the_whole_word_in_wideband() -> None:
    _, stage = play_at(WIDE_HZ, Says(3000, 3400, "yes"))
    words = stage.codebook.decode(bytes(stage.recognizer.utterances[0]._pcm))
    assert [(word, end - start) for word, start, end in words] == [("yes", 400)]


@pytest.mark.parametrize(("said", "is_cut"), [("stop it now please", True), ("okay right", False)])
def test_a_wideband_agent_is_cut_and_resumed_where_a_narrowband_one_is(said: str, is_cut: bool) -> None:
    wide, narrow = (
        play_at(rate, Says(1000, 1700, said), brain=model(STORY, "Yes?")[0], hang_up_ms=8000)[0]
        for rate in (WIDE_HZ, 8000)
    )
    assert wide.turns == narrow.turns
    assert wide.heard_words() == narrow.heard_words()
    assert wide.turns[0].interrupted is is_cut


class _Tape(FakeDetector):
    """A detector that keeps what it hears."""

    def __init__(self) -> None:
        super().__init__()
        self.pcm = bytearray()

    def open(self, on_window: Callable[[float, int], None]) -> "_Tape":  # type: ignore[override]
        return self

    def push(self, pcm: bytes) -> None:
        self.pcm += pcm

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("tone_hz", "least", "most"), [(300, 0.99, 1.0), (2000, 0.9, 0.95), (7000, 0.0, 0.25)])
def test_the_detector_hears_wideband_at_its_own_rate(tone_hz: int, least: float, most: float) -> None:
    tape, settings = _Tape(), ConversationSettings(sample_rate_hz=WIDE_HZ)
    ear = Ear(settings=settings, recognizer=FakeRecognizer(Codebook()), detector=tape, expectation=Expectation)
    wave = [round(10_000 * math.sin(2 * math.pi * tone_hz * step / WIDE_HZ)) for step in range(WIDE_HZ)]
    pcm = array.array("h", wave).tobytes()
    for at_ms in range(0, 1000, FRAME_MS):
        ear.push(pcm[at_ms * 32 : (at_ms + FRAME_MS) * 32], at_ms)
    heard = array.array("h", bytes(tape.pcm))
    assert len(heard) == 8000
    level = math.sqrt(sum(sample * sample for sample in heard) / len(heard)) / (10_000 / math.sqrt(2))
    assert least <= level <= most


@pytest.mark.parametrize("sample_rate_hz", [0, 11_025, 48_000])
def test_other_rates_are_refused(sample_rate_hz: int) -> None:
    with pytest.raises(ValueError, match="8000 or 16000"):
        ConversationSettings(sample_rate_hz=sample_rate_hz)


async def test_a_spoken_yes_is_understood_at_16_khz_by_the_real_detector_and_recognizer() -> None:
    voice, recognizer, detector = EspeakVoice("en-us"), PocketsphinxRecognizer(), SpeechDetector()
    turns: list[tuple[str, str]] = []

    def keep(event: Event) -> None:
        turns.append((event.turn.speaker, event.turn.text))

    try:
        await voice.start()
        await recognizer.start()
        await detector.start()
        said = b"".join([piece.pcm async for piece in voice.speak("yes please", sample_rate_hz=WIDE_HZ)])
        conversation = Conversation(
            settings=ConversationSettings(sample_rate_hz=WIDE_HZ),
            brain=question(say="Coming?"),
            recognizer=recognizer,
            speaker=voice,
            detector=detector,
            on_event=keep,
        )
        sent = await _talk(conversation, bytes(3 * WIDE_HZ * 2) + said)
    finally:
        for part in (detector, recognizer, voice):
            await part.close()
    assert turns == [("agent", "Coming?"), ("contact", "yes please"), ("agent", "Thank you.")]
    assert conversation.report().slots == {"coming": "yes"}
    assert {len(frame) for frame in sent if frame is not None} == {WIDE_FRAME_BYTES}


async def _talk(conversation: Conversation, pcm: bytes) -> list[bytes | None]:
    """Play `pcm` and silence after it until the conversation ends; what the agent sent."""
    sent: list[bytes | None] = []
    running = asyncio.create_task(conversation.run())
    async with asyncio.timeout(30):
        while not running.done():
            await asyncio.sleep(FRAME_MS / 1000 / SPEED)
            at = len(sent) * WIDE_FRAME_BYTES
            frame = pcm[at : at + WIDE_FRAME_BYTES].ljust(WIDE_FRAME_BYTES, b"\0")
            sent.append(conversation.tick(frame, len(sent) * FRAME_MS))
        await conversation.finish()
    assert (await running).reason == "agent_hangup"
    return sent
