"""Who answers a call that we placed: people are greeted at once, machines met as the settings say."""

from dataclasses import replace

import pytest

from ringdown.voice.ports import ProviderError
from ringdown.voice.settings import (
    ConversationSettings,
    GreetingSettings,
    InactivityMessage,
    MachineSettings,
)
from tests.fakes.voices import FRAME_MS, NOISE, Codebook
from tests.unit.voice.brains import GREETING, model, question
from tests.unit.voice.placed_calls import MESSAGE, VOICEMAIL, answer, verdicts, watching
from tests.unit.voice.script import Presses, Says, Sounds, Stage, Step, play

BUSY = ProviderError("test", "busy", retryable=True)
BROKEN = ProviderError("test", "broken", retryable=False)


# --- people ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hello", ["hello?", "yes", "Ann Smith speaking."])
def test_a_person_is_greeted_half_a_second_after_hello(hello: str) -> None:
    played = answer("hang_up", Says(600, 1100, hello), hang_up_ms=4000)
    assert played.lines == [("contact", hello), ("agent", "Hello this is Ringdown.")]
    assert 400 <= played.turns[1].start_ms - 1100 <= 640
    assert [verdict for verdict, _ in verdicts(played)] == ["human"]


def test_detection_delays_the_greeting_after_hello_by_no_more_than_300_ms() -> None:
    script: list[Step] = [Says(600, 1100, "hello?")]
    waits = []
    for machine in (MachineSettings(), MachineSettings("hang_up")):
        greeting = GreetingSettings(text="Hello this is Ringdown.", first_speaker="user")
        brain, _ = model("Hello.")
        played = play(brain, script, settings=ConversationSettings(greeting=greeting, machine=machine), hang_up_ms=4000)
        waits.append(played.turns[1].start_ms)
    assert waits[1] - waits[0] <= 300


def test_somebody_who_says_nothing_is_greeted_after_a_short_wait() -> None:
    played = answer("hang_up", hang_up_ms=4000)
    assert played.lines == [("agent", "Hello this is Ringdown.")]
    assert 1500 <= played.turns[0].start_ms <= 1650
    assert verdicts(played) == [("unknown", "silence")]


@pytest.mark.parametrize("is_able", [True, False])
def test_somebody_who_says_nothing_on_a_noisy_line_is_greeted_as_soon(is_able: bool) -> None:
    stage = Stage()
    stage.recognizer.is_able = is_able
    played = answer("hang_up", Says(0, 9000, NOISE), stage=stage, hang_up_ms=9000)
    assert verdicts(played) == [("unknown", "silence")]
    assert 1500 <= next(at for at, frame in enumerate(played.sent) if frame) * FRAME_MS <= 1800


def test_noise_is_waited_for_no_longer_than_half_a_second_when_words_come_late() -> None:
    stage = Stage()
    stage.recognizer.delay_s = 2.0
    played = answer("hang_up", Says(0, 9000, NOISE), stage=stage, hang_up_ms=9000)
    assert verdicts(played) == [("unknown", "silence")]
    assert played.notes[0].at_ms == 2000


def test_without_detection_the_agent_speaks_at_once_and_nothing_is_noted() -> None:
    played = answer("off", hang_up_ms=3000)
    assert played.turns[0].start_ms <= 100
    assert played.notes == []


def test_a_business_that_answers_at_length_is_a_person_where_its_words_are_known() -> None:
    script = Says(500, 3900, "Good morning Smith and Partners dental clinic Julia here how can I help you?")
    played = answer("hang_up", script, hang_up_ms=7000)
    assert verdicts(played) == [("human", "words")]
    assert played.turns[1].start_ms <= 3900 + 800


def test_a_cough_before_hello_is_no_answer() -> None:
    played = answer("hang_up", Says(300, 380, "<noise>"), Says(1200, 1600, "hello?"), hang_up_ms=4000)
    assert played.lines[:2] == [("contact", "hello?"), ("agent", "Hello this is Ringdown.")]


def test_a_key_pressed_at_the_other_end_is_a_person() -> None:
    played = play(question(), [Presses(500, "1")], settings=watching("hang_up"))
    assert verdicts(played) == [("human", "key")]


def test_a_flow_begins_as_without_detection() -> None:
    settings = replace(watching("hang_up"), greeting=GreetingSettings())
    played = play(question(), [Says(500, 900, "hello?"), Says(5000, 5400, "yes")], settings=settings)
    assert [text for _, text in played.lines] == ["hello?", GREETING, "yes", "Thank you."]


def test_ringing_in_the_audio_is_waited_for() -> None:
    rings: list[Step] = [Sounds(at_ms, at_ms + 1000, (425.0,)) for at_ms in (0, 5000)]
    rings += [Sounds(at_ms, at_ms + 2000, (440.0, 480.0)) for at_ms in (10_000, 16_000)]
    settings = replace(watching("hang_up"), machine=MachineSettings("hang_up", max_silence_ms=5000))
    brain, _ = model()
    played = play(brain, [*rings, Says(19_000, 19_400, "hello?")], settings=settings, hang_up_ms=22_000)
    assert verdicts(played) == [("human", "cadence")]
    assert played.turns[0].text == "hello?"


# --- machines --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_partials", [True, False])
def test_a_machine_is_hung_up_on_while_it_speaks(has_partials: bool) -> None:
    stage = Stage()
    stage.recognizer.has_partials = has_partials
    played = answer("hang_up", Says(500, 6000, VOICEMAIL), stage=stage)
    assert (played.end.reason, played.end.detail) == ("voicemail", "an answering machine answered")
    assert played.ended_ms <= 3500
    assert not played.heard_words()
    assert played.lines[0][1].startswith("Hi you have reached")


def test_a_recognizer_that_understands_nothing_leaves_the_cadence() -> None:
    stage = Stage()
    stage.recognizer.is_able = False
    played = answer("hang_up", Says(500, 6000, VOICEMAIL), stage=stage)
    assert played.end.reason == "voicemail"
    assert verdicts(played) == [("machine", "cadence")]
    assert played.ended_ms <= 3500


def test_a_recording_that_talks_on_over_our_greeting_is_known_without_words() -> None:
    stage = Stage()
    stage.recognizer.is_able = False
    played = answer("hang_up", Says(500, 1000, "Hi"), Says(1600, 7000, VOICEMAIL), stage=stage)
    assert verdicts(played) == [("human", "cadence"), ("machine", "cadence")]
    assert played.end.reason == "voicemail"
    assert played.ended_ms <= 4000


def test_a_person_who_answers_our_greeting_at_length_is_no_recording() -> None:
    stage = Stage()
    stage.recognizer.is_able = False
    words = "Yes this is Ann I was out all day and now I would like to know"
    played = answer("hang_up", Says(500, 900, "Hi"), Says(4200, 8000, words), stage=stage, hang_up_ms=9000)
    assert verdicts(played) == [("human", "cadence")]


def test_a_recognizer_that_fails_leaves_the_cadence() -> None:
    stage = Stage()
    stage.recognizer.faults = [BUSY] * 2
    played = answer("hang_up", Says(500, 9000, VOICEMAIL), stage=stage)
    assert played.end.reason == "voicemail"
    assert played.ended_ms <= 5200


def test_a_message_is_left_after_the_beep() -> None:
    played = answer("leave_message", Says(500, 4500, VOICEMAIL), Sounds(5300, 5700, (1000.0,)))
    assert played.lines == [("contact", VOICEMAIL), ("agent", MESSAGE)]
    assert (played.end.reason, played.end.detail) == ("voicemail", "a message was left")
    assert 5700 <= played.turns[1].start_ms <= 6100
    assert " ".join(played.heard_words()) == MESSAGE
    assert [note.kind for note in played.notes] == ["machine.detected", "machine.beep"]


def test_a_message_is_left_after_the_beep_of_a_wideband_line() -> None:
    brain, _ = model()
    script: list[Step] = [Says(500, 4500, VOICEMAIL), Sounds(5300, 5700, (1000.0,))]
    settings = replace(watching("leave_message"), sample_rate_hz=16_000)
    played = play(brain, script, settings=settings, stage=Stage(Codebook(16_000)))
    assert played.lines == [("contact", VOICEMAIL), ("agent", MESSAGE)]
    assert 5700 <= played.turns[1].start_ms <= 6100


def test_a_message_is_left_after_silence_when_no_beep_comes() -> None:
    played = answer("leave_message", Says(500, 4500, VOICEMAIL))
    assert played.lines == [("contact", VOICEMAIL), ("agent", MESSAGE)]
    assert 6000 <= played.turns[1].start_ms <= 6400


def test_a_late_beep_begins_the_message_again() -> None:
    played = answer("leave_message", Says(500, 4500, VOICEMAIL), Sounds(6400, 6800, (1400.0,)))
    assert played.lines[-1] == ("agent", MESSAGE)
    assert played.turns[-2].interrupted
    assert played.turns[-1].start_ms >= 6800
    assert played.end.reason == "voicemail"


def test_a_machine_does_not_interrupt_the_message() -> None:
    script: list[Step] = [
        Says(500, 4500, VOICEMAIL),
        Sounds(4700, 5000, (1000.0,)),
        Says(5600, 6600, "to send your message hang up"),
    ]
    played = answer("leave_message", *script)
    assert ("agent", MESSAGE) in played.lines
    assert " ".join(played.heard_words()) == MESSAGE


def test_a_greeting_that_never_ends_gets_the_message_after_its_longest_time() -> None:
    script = Says(500, 60_000, " ".join([VOICEMAIL, *["la"] * 400]))
    settings = replace(
        watching("leave_message"), machine=MachineSettings("leave_message", MESSAGE, max_greeting_ms=6000)
    )
    brain, _ = model()
    stage = Stage()
    stage.recognizer.has_partials = True
    played = play(brain, [script], settings=settings, stage=stage)
    assert ("agent", MESSAGE) in played.lines
    assert played.end.reason == "voicemail"
    assert played.ended_ms <= 20_000


def test_a_machine_without_words_is_known_by_its_beep() -> None:
    played = answer("leave_message", Says(500, 1800, "Bob here"), Sounds(2100, 2500, (850.0,)))
    assert verdicts(played)[-1] == ("machine", "beep")
    assert played.lines[-1] == ("agent", MESSAGE)


def test_continue_only_tells() -> None:
    played = answer("continue", Says(500, 4500, VOICEMAIL), hang_up_ms=8000)
    assert verdicts(played) == [("machine", "words")]
    assert played.lines == [("contact", VOICEMAIL), ("agent", "Hello this is Ringdown.")]


def test_a_greeting_that_begins_like_a_person_is_a_machine_after_all() -> None:
    script: list[Step] = [
        Says(500, 1300, "Hi this is Bob"),
        Says(2000, 5000, "I can't take your call please leave a message"),
    ]
    played = answer("leave_message", *script, Sounds(5600, 6000, (1000.0,)))
    assert verdicts(played) == [("human", "cadence"), ("machine", "words")]
    assert played.turns[-1].text == MESSAGE
    assert played.turns[-1].start_ms >= 6000


def test_a_line_that_switches_to_voicemail_later_is_a_machine() -> None:
    script: list[Step] = [
        Says(500, 900, "hello?"), Says(4000, 4900, "please wait a bit"),
        Says(30_000, 33_000, "the person you are calling is not available"), Sounds(33_500, 33_900, (1000.0,)),
    ]  # fmt: skip
    played = answer("leave_message", *script, hang_up_ms=60_000)
    assert verdicts(played) == [("human", "cadence"), ("machine", "words")]
    assert played.turns[-1].text == MESSAGE
    assert played.end.reason == "voicemail"


def test_a_person_who_talks_of_voicemail_later_is_no_machine() -> None:
    script: list[Step] = [Says(500, 900, "hello?"), Says(20_000, 22_000, "I did not get your voicemail I was not home")]
    played = answer("hang_up", *script, hang_up_ms=26_000)
    assert played.end.reason == "stopped"
    assert verdicts(played) == [("human", "cadence")]


@pytest.mark.parametrize(
    "tones",
    [
        [Sounds(600, 2600, (2100.0,))],
        [Sounds(600, 930, (985.2,)), Sounds(930, 1260, (1428.5,)), Sounds(1260, 1640, (1776.7,))],
    ],
)
def test_a_fax_and_a_number_out_of_service_get_no_message(tones: list[Step]) -> None:
    played = answer("leave_message", *tones)
    assert played.end.reason == "voicemail"
    assert played.turns == []


def test_inactivity_does_not_count_before_the_answer() -> None:
    messages = (InactivityMessage(3000, "Bye.", "END_BEHAVIOR_HANG_UP_STRICT"),)
    settings = replace(watching("leave_message"), inactivity_messages=messages)
    brain, _ = model()
    played = play(brain, [Says(500, 4500, VOICEMAIL), Sounds(9000, 9300, (1000.0,))], settings=settings)
    assert played.end.reason == "voicemail"


def test_the_longest_duration_holds_for_machines_too() -> None:
    settings = replace(watching("leave_message"), max_duration_ms=3000)
    brain, _ = model()
    played = play(brain, [Says(500, 9000, VOICEMAIL)], settings=settings)
    assert played.end.reason == "max_duration"


def test_hanging_up_on_a_machine_keeps_its_words_out_of_the_report() -> None:
    brain, _ = model()
    played = play(brain, [Says(500, 6000, VOICEMAIL)], settings=watching("hang_up"))
    assert played.turns[0].speaker == "contact"
    assert brain.history == ()


@pytest.mark.parametrize("faults", [[BUSY, BUSY], [BROKEN]])
def test_a_voice_that_fails_before_the_message_is_no_voicemail(faults: list[ProviderError]) -> None:
    stage = Stage()
    brain, _ = model()

    def fail_later() -> None:
        stage.speaker.faults = list(faults)

    fail_later()
    played = play(
        brain,
        [Says(500, 4500, VOICEMAIL), Sounds(4800, 5200, (1000.0,))],
        settings=replace(watching("leave_message"), greeting=GreetingSettings(first_speaker="user")),
        stage=stage,
    )
    assert (played.end.reason, played.end.detail) == ("provider_error", str(faults[-1]))
