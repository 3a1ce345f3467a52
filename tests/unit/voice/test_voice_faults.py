"""Failing providers and callers who hang up at any moment: no silence, no crash, an ordered transcript."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ringdown.voice.conversation import Conversation
from ringdown.voice.ports import ProviderError, Recognition, Speech
from ringdown.voice.settings import ConversationSettings, GreetingSettings, InactivityMessage, Timeouts
from tests.fakes import virtual_time
from tests.fakes.voices import SILENCE, FakeUtterance
from tests.unit.voice.brains import asking, model, question
from tests.unit.voice.script import Presses, Says, Stage, play

HELLO = ConversationSettings(greeting=GreetingSettings(text="Hello."))
APOLOGY = ConversationSettings().apology
BUSY = ProviderError("test", "busy", retryable=True)
BROKEN = ProviderError("test", "broken", retryable=False)


def test_a_recognizer_that_fails_once_is_asked_again() -> None:
    stage = Stage()
    stage.recognizer.faults = [BUSY]
    played = play(question(), [Says(3000, 3400, "yes")], stage=stage)
    assert played.lines[-1] == ("agent", "Thank you.")


@pytest.mark.parametrize("faults", [[BUSY, BUSY], [BROKEN]])
def test_a_recognizer_that_keeps_failing_ends_the_call_with_an_apology(faults: list[ProviderError]) -> None:
    stage = Stage()
    stage.recognizer.faults = list(faults)
    played = play(question(), [Says(3000, 3400, "yes")], stage=stage)
    assert played.lines[-1] == ("agent", APOLOGY)
    assert played.heard_words()[-1] == "Goodbye."
    assert (played.end.reason, played.end.detail) == ("provider_error", str(faults[-1]))


def test_a_model_that_fails_once_is_asked_again() -> None:
    brain, fake = model([BUSY], "Fine.")
    played = play(brain, [Says(1000, 1500, "hello.")], settings=HELLO, hang_up_ms=4000)
    assert played.lines[-1] == ("agent", "Fine.")
    assert len(fake.requests) == 2


@pytest.mark.parametrize("replies", [([BUSY], [BUSY]), ([BROKEN],), ([""], [""])])
def test_a_model_that_keeps_failing_ends_the_call_with_an_apology(
    replies: tuple[list[str | ProviderError], ...],
) -> None:
    brain, _ = model(*[list(reply) for reply in replies])
    played = play(brain, [Says(1000, 1500, "hello.")], settings=HELLO)
    assert played.lines == [("agent", "Hello."), ("contact", "hello."), ("agent", APOLOGY)]
    assert played.end.reason == "provider_error"


def test_a_model_that_never_answers_is_given_up() -> None:
    brain, _ = model("late", "later", delay_s=100)
    settings = replace(HELLO, timeouts=Timeouts(model_s=2))
    played = play(brain, [Says(1000, 1500, "hello.")], settings=settings)
    assert played.end.reason == "provider_error"
    assert "no answer within 2 s" in played.end.detail
    assert 5500 <= played.turns[-1].start_ms <= 6100


def test_an_answer_that_breaks_off_keeps_its_whole_sentences_and_the_call() -> None:
    brain, _ = model(["It is open. From nine", BUSY], "Until five.")
    script = [Says(1000, 1500, "when?"), Says(5000, 5500, "until?")]
    played = play(brain, script, settings=HELLO, hang_up_ms=8000)
    assert [turn.text for turn in played.turns if turn.speaker == "agent"] == ["Hello.", "It is open.", "Until five."]


def test_a_voice_that_fails_once_is_asked_again() -> None:
    stage = Stage()
    stage.speaker.faults = [BUSY]
    played = play(question(), [Says(4000, 4400, "yes")], stage=stage)
    assert played.lines[-1] == ("agent", "Thank you.")


def test_a_broken_voice_ends_the_call() -> None:
    stage = Stage()
    stage.speaker.faults = [BROKEN] * 5
    played = play(question(), [], stage=stage)
    assert played.end.reason == "provider_error"
    assert played.turns == []
    assert played.ended_ms < 1000


@pytest.mark.parametrize(
    ("reason", "limits"),
    [
        ("max_duration", {"max_duration_ms": 3000, "time_exceeded_message": "Our time is over."}),
        ("inactivity", {"inactivity_messages": (InactivityMessage(3000, "Goodbye.", "END_BEHAVIOR_HANG_UP_STRICT"),)}),
    ],
)
def test_last_words_that_cannot_be_said_leave_the_end_what_it_is(reason: str, limits: dict[str, Any]) -> None:
    stage = Stage()
    stage.speaker.faults = [BROKEN] * 2
    settings = ConversationSettings(greeting=GreetingSettings(first_speaker="user"), **limits)
    played = play(question(), [], stage=stage, settings=settings)
    assert (played.end.reason, played.end.detail) == (reason, str(BROKEN))
    assert played.turns == []


def test_a_voice_that_breaks_in_a_sentence_goes_on_where_it_stopped() -> None:
    stage = Stage()
    inner, calls = stage.speaker.speak, 0

    async def speak(text: str, *, sample_rate_hz: int) -> AsyncIterator[Speech]:
        nonlocal calls
        calls += 1
        is_first, pieces = calls == 1, 0
        async for piece in inner(text, sample_rate_hz=sample_rate_hz):
            yield piece
            pieces += 1
            if is_first and pieces == 3:
                raise BUSY

    stage.speaker.speak = speak  # type: ignore[method-assign]
    brain, _ = model()
    settings = ConversationSettings(greeting=GreetingSettings(text="one two three four five six."))
    played = play(brain, [], stage=stage, settings=settings, hang_up_ms=3000)
    assert played.heard_words() == ["one", "two", "three", "four", "five", "six."]
    assert played.lines == [("agent", "one two three four five six.")]


def test_a_recognizer_that_hangs_holds_up_the_end_no_longer_than_its_bound() -> None:
    async def hang(self: FakeUtterance) -> Recognition:
        await asyncio.sleep(1000)
        raise AssertionError

    stage = Stage()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeUtterance, "final", hang)
        played = play(question(), [Says(3000, 3900, "yes")], stage=stage, hang_up_ms=3800)
    assert played.lines[1:] == [("contact", "[unclear]")]


def test_finish_is_safe_before_the_first_tick_and_twice() -> None:
    async def scenario() -> str:
        stage, brain = Stage(), question()
        conversation = Conversation(
            settings=HELLO,
            brain=brain,
            recognizer=stage.recognizer,
            speaker=stage.speaker,
            detector=stage.detector,
            on_event=lambda event: None,
        )
        assert conversation.tick(SILENCE, 0) is None
        await asyncio.gather(conversation.finish(), conversation.finish())
        assert conversation.tick(SILENCE, 20) is None
        conversation.press("1", 40)
        return (await conversation.run()).reason

    assert virtual_time.run(scenario()) == "stopped"


_SCRIPT = [
    Says(400, 800, "hello"),
    Says(1500, 2600, "no wait"),
    Presses(3200, "1"),
    Says(3300, 3900, "<noise>"),
    Says(4300, 5400, "yes of course and"),
    Says(5700, 6200, "no"),
    Presses(7000, "4"),
    Says(7900, 9500, "maybe later"),
]
_STRICT = (InactivityMessage(2000, "Are you there?"), InactivityMessage(1500, "Bye.", "END_BEHAVIOR_HANG_UP_STRICT"))


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    hang_up_ms=st.integers(0, 14_000),
    faults=st.lists(st.sampled_from([BUSY, BROKEN]), max_size=3),
    kind=st.sampled_from(["flow", "message", "model"]),
    delay_s=st.sampled_from([0.0, 0.13, 0.7, 4.0]),
    uninterruptible=st.booleans(),
)
def test_hanging_up_at_any_moment_leaves_an_ordered_transcript(
    hang_up_ms: int, faults: list[ProviderError], kind: str, delay_s: float, uninterruptible: bool
) -> None:
    stage = Stage()
    stage.recognizer.delay_s, stage.recognizer.faults = delay_s, list(faults)
    brain = {
        "flow": lambda: question(confirm="I heard {{coming}}. Right?"),
        "message": lambda: asking({"kind": "message", "max_seconds": 5}),
        "model": lambda: model(*["one two three. four five six."] * 20, delay_s=delay_s)[0],
    }[kind]()
    settings = ConversationSettings(
        greeting=GreetingSettings(text="Hello and welcome to this test.", uninterruptible=uninterruptible),
        inactivity_messages=_STRICT,
        max_duration_ms=11_000,
        time_exceeded_message="Time is up.",
    )
    played = play(brain, _SCRIPT, stage=stage, settings=settings, hang_up_ms=hang_up_ms)
    starts = [turn.start_ms for turn in played.turns]
    assert starts == sorted(starts)
    assert all(turn.start_ms <= turn.end_ms <= played.ended_ms + 200 and turn.text for turn in played.turns)
    assert all(utterance.is_closed for utterance in stage.recognizer.utterances)
    for turn in played.turns:
        if turn.latency is not None:
            figures = turn.latency
            stages = figures.endpoint_ms + figures.recognition_ms + figures.model_ms + figures.speech_ms
            assert abs(figures.total_ms - stages - figures.playout_ms) <= 5
            assert figures.total_ms >= 0
