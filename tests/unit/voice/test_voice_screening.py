"""Screening, menus and anything else that may answer a call that we placed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ringdown.voice.conversation import Conversation
from ringdown.voice.ports import ProviderError, ToolRequest
from ringdown.voice.settings import (
    ConversationSettings,
    MachineMode,
    ScreeningSettings,
)
from tests.unit.voice.brains import model, question
from tests.unit.voice.placed_calls import ASKED, MENU, MESSAGE, SCREENING, VOICEMAIL, Keys, answer, verdicts, watching
from tests.unit.voice.script import Presses, Says, Sounds, Stage, Step, play

BROKEN = ProviderError("test", "broken", retryable=False)


# --- screening -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["off", "hang_up", "leave_message"])
def test_call_screening_is_answered_and_the_person_is_greeted(mode: MachineMode) -> None:
    script: list[Step] = [Says(300, 2800, ASKED), Says(7000, 8000, "thanks one moment"), Says(20_000, 20_400, "hello?")]
    brain, _ = model()
    played = play(brain, script, settings=watching(mode, screening=SCREENING), hang_up_ms=24_000)
    said = "This is Ann from Acme. It is about your delivery."
    assert played.lines == [
        ("contact", ASKED), ("agent", said), ("contact", "thanks one moment"),
        ("contact", "hello?"), ("agent", "Hello this is Ringdown."),
    ]  # fmt: skip
    assert played.turns[1].start_ms <= 2800 + 1000
    assert played.turns[4].start_ms <= 20_400 + 700
    assert [note.kind for note in played.notes] == ["machine.detected", "screening.answered", "machine.detected"]


def test_a_screening_that_ends_in_voicemail_is_a_machine() -> None:
    script: list[Step] = [
        Says(300, 2800, ASKED),
        Says(12_000, 15_000, "the person is not available please leave a message after the tone"),
        Sounds(15_500, 15_900, (1000.0,)),
    ]
    brain, _ = model()
    played = play(brain, script, settings=watching("leave_message", screening=SCREENING))
    assert played.lines[-1] == ("agent", MESSAGE)
    assert verdicts(played) == [("screening", "words"), ("machine", "words")]


def test_nobody_comes_after_screening() -> None:
    brain, _ = model()
    played = play(brain, [Says(300, 2800, ASKED)], settings=watching("hang_up", screening=SCREENING), hang_up_ms=50_000)
    assert verdicts(played)[-1][0] == "unknown"
    assert played.lines[-1] == ("agent", "Hello this is Ringdown.")


def test_screening_that_is_not_to_be_answered_gets_the_greeting() -> None:
    screening = ScreeningSettings(is_answered=False, name="Ann")
    brain, _ = model()
    played = play(brain, [Says(300, 2800, ASKED)], settings=watching("hang_up", screening=screening), hang_up_ms=8000)
    assert played.lines == [("contact", ASKED), ("agent", "Hello this is Ringdown.")]


def test_a_voice_that_fails_in_the_answer_to_screening_ends_the_call() -> None:
    stage = Stage()
    stage.speaker.faults = [BROKEN] * 9
    brain, _ = model()
    played = play(brain, [Says(300, 2800, ASKED)], settings=watching("hang_up", screening=SCREENING), stage=stage)
    assert played.end.reason == "provider_error"


# --- menus -----------------------------------------------------------------------------------------------------------


def test_a_menu_is_told_to_a_model_that_can_press_keys() -> None:
    brain, fake = model([ToolRequest("1", "send_digits", '{"digits": "2"}')], toolbox=Keys())
    pressed: list[ToolRequest] = []
    played = play(
        brain,
        [Says(300, 4000, MENU), Says(12_000, 12_400, "support hello?")],
        settings=watching("hang_up"),
        hang_up_ms=16_000,
        act=pressed.append,
    )
    assert [request.name for request in pressed] == ["send_digits"]
    assert MENU in fake.requests[0][-1].content
    assert "phone menu" in fake.requests[0][-1].content
    assert played.lines == [
        ("contact", MENU), ("contact", "support hello?"), ("agent", "Hello this is Ringdown."),
    ]  # fmt: skip
    assert verdicts(played) == [("menu", "words"), ("human", "cadence")]


@pytest.mark.parametrize(
    ("mode", "reason"), [("hang_up", "voicemail"), ("leave_message", "voicemail"), ("continue", "stopped")]
)
def test_a_menu_without_a_model_ends_or_goes_on_as_the_mode_says(mode: MachineMode, reason: str) -> None:
    pressed: list[ToolRequest] = []
    played = play(question(), [Says(300, 4000, MENU)], settings=watching(mode), hang_up_ms=12_000, act=pressed.append)
    assert played.end.reason == reason
    assert pressed == []
    assert ("contact", MENU) in played.lines


@pytest.mark.parametrize("mode", ["off", "continue"])
def test_a_message_that_the_model_wants_to_leave_waits_for_the_beep(mode: MachineMode) -> None:
    leave = ToolRequest("1", "leave_voicemail", "{}")
    brain, _ = model(["One moment.", leave], toolbox=Keys("leave_voicemail"))
    begun: list[Conversation] = []

    def act(_request: ToolRequest) -> None:
        begun[0].leave_message(MESSAGE)

    script: list[Step] = [
        Says(3000, 5500, "I am a machine with a beep."),
        Says(6800, 8000, "so wait"),
        Sounds(8500, 8900, (1000.0,)),
    ]
    played = play(brain, script, settings=replace(watching(mode), screening=None), act=act, on_begin=begun.append)
    assert played.turns[-1].text == MESSAGE
    assert played.turns[-1].start_ms >= 8900
    assert played.end.reason == "voicemail"


def test_a_recognizer_that_keeps_failing_before_the_verdict_apologizes() -> None:
    stage = Stage()
    stage.recognizer.faults = [BROKEN] * 3
    played = answer("leave_message", Says(500, 900, "hello?"), stage=stage)
    assert played.end.reason == "provider_error"
    assert played.lines[-1] == ("agent", ConversationSettings().apology)


_LINES = [
    "hello?",
    VOICEMAIL,
    ASKED,
    MENU,
    "one moment please",
    "<noise>",
    "la la la la la la la la",
    "yes this is Ann.",
]


@st.composite
def answers(draw: st.DrawFn) -> list[Step]:
    """Anything that may come over a line."""
    steps: list[Step] = []
    at_ms = 0
    for _ in range(draw(st.integers(0, 6))):
        at_ms += draw(st.integers(0, 200)) * 20
        end_ms = at_ms + draw(st.integers(5, 250)) * 20
        match draw(st.sampled_from(["says", "sounds", "presses"])):
            case "says":
                steps.append(Says(at_ms, end_ms, draw(st.sampled_from(_LINES))))
            case "sounds":
                steps.append(Sounds(at_ms, end_ms, (draw(st.sampled_from([425.0, 1000.0, 1100.0, 2100.0])),)))
            case _:
                steps.append(Presses(at_ms, draw(st.sampled_from("12#"))))
        at_ms = end_ms
    return steps


@hypothesis_settings(max_examples=30, deadline=None)
@given(
    script=answers(),
    mode=st.sampled_from(["off", "hang_up", "leave_message", "continue"]),
    has_partials=st.booleans(),
    is_able=st.booleans(),
    delay_s=st.sampled_from([0.0, 0.1, 0.9]),
    hang_up_ms=st.sampled_from([2000, 6000, 60_000]),
)
def test_whatever_answers_the_call_is_greeted_or_left(
    script: list[Step], mode: MachineMode, has_partials: bool, is_able: bool, delay_s: float, hang_up_ms: int
) -> None:
    stage = Stage()
    stage.recognizer.has_partials, stage.recognizer.is_able = has_partials, is_able
    stage.recognizer.delay_s = delay_s
    brain, _ = model(*["I see."] * 40, delay_s=0.05)
    settings = watching(mode, screening=SCREENING)
    played = play(brain, script, stage=stage, settings=settings, hang_up_ms=hang_up_ms)
    starts = [turn.start_ms for turn in played.turns]
    assert starts == sorted(starts)
    if hang_up_ms == 60_000:
        assert played.end.reason == "voicemail" or any(turn.speaker == "agent" for turn in played.turns)
    assert all(utterance.is_closed for utterance in stage.recognizer.utterances)
