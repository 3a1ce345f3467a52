"""A provider that fails at any point of a call: an apology, a way on, or a clear end; never silence."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Literal

import pytest

from ringdown.voice import ports
from ringdown.voice.conversation import Conversation
from ringdown.voice.events import ConversationEnd, Event, Turn, TurnFinished
from ringdown.voice.model_brain import ModelBrain
from ringdown.voice.settings import (
    ConversationSettings,
    GreetingSettings,
    InactivityMessage,
    MachineSettings,
    ScreeningSettings,
    Timeouts,
)
from tests.fakes import virtual_time
from tests.fakes.voices import FRAME_MS, Codebook, FakeDetector, FakeModel, FakeRecognizer, FakeSpeaker, FakeUtterance
from tests.unit.voice.script import Says, Sounds, Step, far_frame

Fault = Literal["broken", "busy", "hangs"]
Until = Literal["once", "for good"]

TIMEOUTS = Timeouts(recognition_s=2, model_s=2, speech_s=2)
APOLOGY = ConversationSettings().apology
# Two tries of every kind that hang, then the apology, which may hang twice as well.
LONGEST_SILENCE_MS = 2 * 2000 + 2 * 2000 + 1500
TEN_WORDS = "One two three four five six seven eight nine ten."


class Trouble:
    """Fails requests from an instant on: the first one, or all."""

    def __init__(self, fault: Fault, until: Until, *, from_ms: int) -> None:
        self.fault = fault
        self.until = until
        self.from_ms = from_ms
        self.count = 0

    async def strike(self) -> None:
        """Raises or hangs when it is time."""
        now_ms = asyncio.get_running_loop().time() * 1000
        if now_ms < self.from_ms or (self.until == "once" and self.count):
            return
        self.count += 1
        if self.fault == "hangs":
            await asyncio.sleep(10_000)
        raise ports.ProviderError("test", self.fault, retryable=self.fault == "busy")


class Voice(FakeSpeaker):
    """Fails before the first audio of a sentence."""

    trouble: Trouble | None = None

    async def speak(self, text: str, *, sample_rate_hz: int) -> AsyncIterator[ports.Speech]:
        if self.trouble is not None:
            await self.trouble.strike()
        async for piece in super().speak(text, sample_rate_hz=sample_rate_hz):
            yield piece


class Model(FakeModel):
    """Fails before the first word, or after the first sentence."""

    trouble: Trouble | None = None
    is_late = False

    async def reply(
        self, messages: Sequence[ports.Message], *, tools: Sequence[ports.ToolSpec] = (), temperature: float = 0.3
    ) -> AsyncIterator[ports.TextDelta | ports.ToolRequest]:
        if self.trouble is not None and not self.is_late:
            await self.trouble.strike()
        async for part in super().reply(messages, tools=tools, temperature=temperature):
            yield part
            if self.trouble is not None and self.is_late and isinstance(part, ports.TextDelta) and "." in part.text:
                yield ports.TextDelta(" And then")
                await self.trouble.strike()


class Played:
    """What came of a call."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.end: ConversationEnd | None = None
        self.ended_ms = 0
        self.sent: list[bytes | None] = []

    def longest_silence_ms(self, script: Sequence[Step]) -> int:
        """The longest time in which neither side was heard."""
        longest = quiet = 0
        for index, frame in enumerate(self.sent):
            at_ms = index * FRAME_MS
            is_far = any(not hasattr(step, "key") and step.at_ms <= at_ms < step.until_ms for step in script)
            quiet = 0 if frame is not None or is_far else quiet + FRAME_MS
            longest = max(longest, quiet)
        return longest


def converse(
    script: Sequence[Step],
    *,
    voice: Trouble | None = None,
    model: Trouble | None = None,
    is_late: bool = False,
    recognizer: Trouble | None = None,
    settings: ConversationSettings | None = None,
) -> Played:
    """Play a call with these troubles, for 40 s."""
    return virtual_time.run(_converse(script, voice, model, recognizer, settings, is_late=is_late))


async def _converse(
    script: Sequence[Step],
    voice: Trouble | None,
    model: Trouble | None,
    recognizer: Trouble | None,
    settings: ConversationSettings | None,
    *,
    is_late: bool,
) -> Played:
    codebook, played = Codebook(), Played()
    speaker, chat, ears = Voice(codebook), Model([[TEN_WORDS] for _ in range(20)]), FakeRecognizer(codebook)
    speaker.trouble, chat.trouble, chat.is_late = voice, model, is_late

    def keep(event: Event) -> None:
        if isinstance(event, TurnFinished):
            played.turns.append(event.turn)

    with pytest.MonkeyPatch.context() as patch:
        inner = FakeUtterance.final

        async def final(self: FakeUtterance) -> ports.Recognition:
            if recognizer is not None:
                await recognizer.strike()
            return await inner(self)

        patch.setattr(FakeUtterance, "final", final)
        conversation = Conversation(
            settings=replace(settings or ConversationSettings(greeting=GreetingSettings("agent", "Hello you."))),
            brain=ModelBrain(model=chat, system_prompt="You are a test."),
            recognizer=ears,
            speaker=speaker,
            detector=FakeDetector(),
            on_event=keep,
        )
        running = asyncio.create_task(conversation.run())
        await asyncio.sleep(0)
        loop, at_ms = asyncio.get_running_loop(), 0
        while not running.done() and at_ms < 40_000:
            played.sent.append(conversation.tick(far_frame(script, at_ms, codebook), at_ms))
            at_ms += FRAME_MS
            await asyncio.sleep(at_ms / 1000 - loop.time())
        played.ended_ms = at_ms
        await conversation.finish()
        played.end = await running
    return played


TALK = ConversationSettings(
    greeting=GreetingSettings(text="Hello you."),
    timeouts=TIMEOUTS,
    inactivity_messages=(
        InactivityMessage(6000, "Are you there?"),
        InactivityMessage(3000, "Bye.", "END_BEHAVIOR_HANG_UP_STRICT"),
    ),
)
SCRIPT: list[Step] = [Says(1500, 2100, "what is it?"), Says(7000, 7600, "and what else?")]
FAULTS: list[Fault] = ["broken", "busy", "hangs"]
# The instants at which the trouble begins: before the greeting, the first answer, within the first answer, the second.
INSTANTS = [0, 2000, 3200, 7500]


@pytest.mark.parametrize("from_ms", INSTANTS)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("until", ["once", "for good"])
@pytest.mark.parametrize("provider", ["voice", "model", "recognizer"])
def test_a_failing_provider_never_leaves_the_caller_in_silence(
    provider: str, until: Until, fault: Fault, from_ms: int
) -> None:
    trouble = Trouble(fault, until, from_ms=from_ms)
    played = converse(SCRIPT, settings=TALK, **{provider: trouble})  # type: ignore[arg-type]
    assert played.end is not None
    assert played.longest_silence_ms(SCRIPT) <= max(LONGEST_SILENCE_MS, 6500)
    said = [turn.text for turn in played.turns if turn.speaker == "agent"]
    if trouble.count and (until == "for good" or fault == "broken"):
        assert played.end.reason == "provider_error"
        assert played.end.detail
        # With a voice the caller is told.
        assert said[-1:] == [APOLOGY] or (provider == "voice" and until == "for good")
    else:
        assert played.end.reason == "inactivity"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_model_that_breaks_off_in_an_answer_leaves_its_whole_sentences(fault: Fault) -> None:
    trouble = Trouble(fault, "once", from_ms=0)
    played = converse(SCRIPT, settings=TALK, model=trouble, is_late=True)
    said = [turn.text for turn in played.turns if turn.speaker == "agent"]
    assert trouble.count == 1
    assert said[:3] == ["Hello you.", TEN_WORDS, TEN_WORDS + " And then"]
    assert played.end is not None
    assert played.end.reason == "inactivity"


MACHINE = replace(TALK, machine=MachineSettings("leave_message", "Please call us back."), inactivity_messages=())
VOICEMAIL: list[Step] = [
    Says(500, 4500, "you have reached Ann leave a message after the tone"),
    Sounds(4900, 5300, (1000.0,)),
]
ASKED: list[Step] = [Says(500, 3000, "please say your name and why you are calling")]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("until", ["once", "for good"])
@pytest.mark.parametrize("provider", ["voice", "recognizer"])
def test_a_message_is_left_or_the_end_tells_that_it_was_not(provider: str, until: Until, fault: Fault) -> None:
    trouble = Trouble(fault, until, from_ms=2000 if provider == "recognizer" else 4600)
    played = converse(VOICEMAIL, settings=MACHINE, **{provider: trouble})  # type: ignore[arg-type]
    was_left = any(turn.text == "Please call us back." and not turn.interrupted for turn in played.turns)
    assert played.end is not None
    assert played.end.reason == ("voicemail" if was_left else "provider_error")
    assert played.ended_ms <= 25_000
    if fault != "broken" and until == "once":
        assert was_left


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("until", ["once", "for good"])
def test_screening_that_cannot_be_answered_ends_the_call(until: Until, fault: Fault) -> None:
    settings = replace(MACHINE, screening=ScreeningSettings(name="Ann", reason="Your order"))
    trouble = Trouble(fault, until, from_ms=3100)
    played = converse(ASKED, settings=settings, voice=trouble)
    said = [turn.text for turn in played.turns if turn.speaker == "agent"]
    assert played.end is not None
    if fault != "broken" and until == "once":
        assert said[0] == "Ann. Your order."
    else:
        assert played.end.reason == "provider_error"


def test_an_inactivity_message_that_cannot_be_said_ends_with_an_apology_or_at_once() -> None:
    settings = replace(TALK, inactivity_messages=(InactivityMessage(3000, "Are you there?"),))
    played = converse([], settings=settings, voice=Trouble("broken", "once", from_ms=2000))
    assert [turn.text for turn in played.turns] == ["Hello you.", APOLOGY]
    assert played.end is not None
    assert played.end.reason == "provider_error"
