"""Greetings, silence, length, keys and ends on a virtual clock."""

import asyncio
from collections.abc import Callable

import pytest

from ringdown.voice import flows
from ringdown.voice.conversation import Conversation
from ringdown.voice.flow import Flow
from ringdown.voice.flow_brain import FlowBrain
from ringdown.voice.ports import ToolRequest
from ringdown.voice.settings import ConversationSettings, GreetingSettings, InactivityMessage
from tests.unit.voice.brains import GREETING, asking, model, question
from tests.unit.voice.script import Presses, Says, Stage, play


def test_the_greeting_waits_for_its_delay() -> None:
    settings = ConversationSettings(greeting=GreetingSettings(text="Hello.", delay_ms=2000))
    brain, _ = model()
    played = play(brain, [], settings=settings, hang_up_ms=4000)
    assert 2000 <= played.turns[0].start_ms <= 2100


def test_a_caller_who_speaks_before_the_greeting_is_written_down_and_greeted() -> None:
    settings = ConversationSettings(greeting=GreetingSettings(text="Hello.", delay_ms=3000))
    brain, fake = model("Fine.")
    played = play(brain, [Says(500, 900, "hello?"), Says(4000, 4600, "who is it?")], settings=settings, hang_up_ms=7000)
    assert played.lines == [
        ("contact", "hello?"), ("agent", "Hello."), ("contact", "who is it?"), ("agent", "Fine."),
    ]  # fmt: skip
    assert [message.content for message in fake.requests[0][1:]] == ["hello?", "Hello.", "who is it?"]


def test_a_hello_over_the_greeting_does_not_stop_it() -> None:
    played = play(question(), [Says(100, 450, "hello"), Says(3000, 3400, "yes")])
    assert played.lines[0] == ("agent", GREETING)


def test_user_first_waits_for_the_user() -> None:
    brain, _ = model("Hello there.")
    settings = ConversationSettings(greeting=GreetingSettings(first_speaker="user"))
    played = play(brain, [Says(4000, 4600, "hello?")], settings=settings, hang_up_ms=8000)
    assert played.lines == [("contact", "hello?"), ("agent", "Hello there.")]


def test_user_first_opens_a_flow_with_its_first_question() -> None:
    settings = ConversationSettings(greeting=GreetingSettings(first_speaker="user"))
    played = play(question(), [Says(1000, 1500, "hello?"), Says(5000, 5400, "yes")], settings=settings)
    assert played.lines[:2] == [("contact", "hello?"), ("agent", GREETING)]
    assert played.lines[-1] == ("agent", "Thank you.")


def test_user_first_falls_back_when_the_user_is_silent() -> None:
    brain, _ = model()
    greeting = GreetingSettings(first_speaker="user", fallback_delay_ms=3000, fallback_text="Is somebody there?")
    played = play(brain, [], settings=ConversationSettings(greeting=greeting), hang_up_ms=6000)
    assert played.lines == [("agent", "Is somebody there?")]
    assert 3000 <= played.turns[0].start_ms <= 3100


def test_a_model_greets_by_itself_when_no_greeting_is_given() -> None:
    brain, fake = model("Good day.")
    played = play(brain, [], hang_up_ms=3000)
    assert played.lines == [("agent", "Good day.")]
    assert fake.requests[0][-1].role == "user"


def test_inactivity_messages_follow_each_other_and_the_last_hangs_up() -> None:
    brain, _ = model()
    settings = ConversationSettings(
        greeting=GreetingSettings(text="Hello."),
        inactivity_messages=(
            InactivityMessage(5000, "Are you there?"),
            InactivityMessage(3000, "Goodbye then.", "END_BEHAVIOR_HANG_UP_STRICT"),
        ),
    )
    played = play(brain, [], settings=settings)
    hello, first, second = played.turns
    assert (first.text, second.text) == ("Are you there?", "Goodbye then.")
    assert 5000 <= first.start_ms - hello.end_ms <= 5120
    assert 3000 <= second.start_ms - first.end_ms <= 3120
    assert played.end.reason == "inactivity"
    assert second.end_ms <= played.ended_ms <= second.end_ms + 300


def test_speech_starts_the_inactivity_messages_from_the_beginning() -> None:
    brain, _ = model("Good.")
    settings = ConversationSettings(
        greeting=GreetingSettings(text="Hello."),
        inactivity_messages=(InactivityMessage(4000, "Are you there?"), InactivityMessage(4000, "Still there?")),
    )
    played = play(brain, [Says(6000, 6600, "yes I am.")], settings=settings, hang_up_ms=13_000)
    said = [turn.text for turn in played.turns if turn.speaker == "agent"]
    assert said == ["Hello.", "Are you there?", "Good.", "Are you there?"]


def test_a_soft_hang_up_gives_the_user_a_moment() -> None:
    messages = (InactivityMessage(4000, "Last chance.", "END_BEHAVIOR_HANG_UP_SOFT"),)
    settings = ConversationSettings(greeting=GreetingSettings(text="Hello."), inactivity_messages=messages)
    brain, _ = model()
    gone = play(brain, [], settings=settings)
    assert gone.end.reason == "inactivity"
    assert 2400 <= gone.ended_ms - gone.turns[-1].end_ms <= 2700
    brain, _ = model("Welcome back.")
    stays = play(brain, [Says(6000, 6600, "I am here.")], settings=settings, hang_up_ms=9000)
    assert stays.end.reason == "stopped"
    assert stays.lines[-1] == ("agent", "Welcome back.")


def test_a_strict_hang_up_ignores_the_user() -> None:
    messages = (InactivityMessage(4000, "We hang up now.", "END_BEHAVIOR_HANG_UP_STRICT"),)
    settings = ConversationSettings(greeting=GreetingSettings(text="Hello."), inactivity_messages=messages)
    brain, _ = model()
    played = play(brain, [Says(4500, 6000, "wait I am here")], settings=settings)
    assert played.end.reason == "inactivity"
    assert "now." in played.heard_words()


def test_the_longest_duration_ends_with_its_message() -> None:
    story = " ".join(f"word{number}" for number in range(100))
    brain, _ = model()
    settings = ConversationSettings(
        greeting=GreetingSettings(text=story), max_duration_ms=5000, time_exceeded_message="Our time is over."
    )
    played = play(brain, [], settings=settings)
    assert played.end.reason == "max_duration"
    assert played.turns[0].interrupted
    assert played.lines[1] == ("agent", "Our time is over.")
    assert 5000 <= played.turns[1].start_ms <= 5120
    assert played.turns[1].end_ms - played.turns[1].start_ms == 800


def test_the_longest_duration_without_a_message_ends_at_once() -> None:
    brain, _ = model()
    settings = ConversationSettings(greeting=GreetingSettings(text="Hello."), max_duration_ms=5000)
    played = play(brain, [], settings=settings)
    assert played.end.reason == "max_duration"
    assert played.ended_ms <= 5040


def _dismiss_after(seconds: float, answers: list[bool]) -> Callable[[Conversation], None]:
    def begin(conversation: Conversation) -> None:
        asyncio.get_running_loop().call_later(seconds, lambda: answers.append(conversation.dismiss()))

    return begin


@pytest.mark.parametrize(
    ("message", "said"), [("Our time is over.", "Our time is over."), (None, ConversationSettings().farewell)]
)
def test_who_is_dismissed_hears_the_last_words_whatever_is_being_said(message: str | None, said: str) -> None:
    story = " ".join(f"word{number}" for number in range(100))
    settings = ConversationSettings(greeting=GreetingSettings(text=story), time_exceeded_message=message)
    answers: list[bool] = []
    played = play(model()[0], [], settings=settings, on_begin=_dismiss_after(3, answers))
    assert (answers, played.end.reason) == ([True], "dismissed")
    assert played.turns[0].interrupted
    assert played.lines[1:] == [("agent", said)]
    assert 3000 <= played.turns[1].start_ms <= 3120
    assert played.ended_ms >= played.turns[1].end_ms + 200


def test_nobody_is_dismissed_twice_nor_on_hold() -> None:
    def begin(conversation: Conversation) -> None:
        def dismiss() -> None:
            answers.append(conversation.dismiss())

        for seconds, action in (
            (1, conversation.pause),
            (2, dismiss),
            (3, conversation.resume),
            (4, dismiss),
            (4.4, dismiss),
        ):
            asyncio.get_running_loop().call_later(seconds, action)

    answers: list[bool] = []
    settings = ConversationSettings(greeting=GreetingSettings(text="Hello."), time_exceeded_message="Our time is over.")
    played = play(model()[0], [], settings=settings, on_begin=begin)
    assert answers == [False, True, True]
    assert [text for _, text in played.lines][-1] == "Our time is over."
    assert not played.conversation.dismiss()


def test_the_agent_hangs_up_after_its_last_words_were_played() -> None:
    brain, _ = model(["Goodbye and farewell.", ToolRequest("1", "end_call", "{}")])
    settings = ConversationSettings(greeting=GreetingSettings(text="Hello."))
    played = play(brain, [Says(1000, 1500, "bye.")], settings=settings)
    assert played.end.reason == "agent_hangup"
    assert played.heard_words()[-3:] == ["Goodbye", "and", "farewell."]
    assert played.ended_ms >= played.turns[-1].end_ms + 200


def test_a_key_answers_and_stops_the_question() -> None:
    played = play(question(), [Presses(1000, "1")])
    assert played.lines[1:] == [("contact", "[keypad 1]"), ("agent", "Thank you.")]
    assert played.turns[0].interrupted
    assert played.turns[0].end_ms <= 1060
    assert played.conversation.report().slots == {"coming": "yes"}


def test_a_wrong_key_is_asked_again() -> None:
    brain = question(reprompt="Press one for yes.")
    played = play(brain, [Presses(3000, "7"), Presses(6000, "2")])
    assert played.lines[2:] == [("agent", "Press one for yes."), ("contact", "[keypad 2]"), ("agent", "Too bad.")]


def test_digits_are_complete_at_their_maximum() -> None:
    brain = asking({"kind": "digits", "min": 1, "max": 2})
    played = play(brain, [Presses(3000, "1"), Presses(3400, "2")])
    assert played.lines[1] == ("contact", "[keypad 12]")
    assert played.turns[2].start_ms <= 3600
    assert played.conversation.report().slots == {"coming": "12"}


def test_digits_end_with_the_hash_key_or_a_pause() -> None:
    hashed = play(asking({"kind": "digits", "max": 8}), [Presses(3000, "1"), Presses(3400, "2"), Presses(3800, "#")])
    assert hashed.conversation.report().slots == {"coming": "12"}
    assert hashed.turns[2].start_ms <= 4000
    paused = play(asking({"kind": "digits", "max": 8}), [Presses(3000, "1"), Presses(3400, "2")])
    assert paused.conversation.report().slots == {"coming": "12"}
    assert 6400 <= paused.turns[2].start_ms <= 6600


def test_keys_pressed_over_an_uninterruptible_greeting_are_kept_for_its_end() -> None:
    settings = ConversationSettings(greeting=GreetingSettings(uninterruptible=True))
    played = play(question(), [Presses(500, "1")], settings=settings)
    assert [turn.text for turn in played.turns] == [GREETING, "[keypad 1]", "Thank you."]
    assert not played.turns[0].interrupted


def test_silence_after_a_question_is_asked_again_and_then_given_up() -> None:
    played = play(question(reprompt="Yes or no?", max_reprompts=1), [])
    assert [turn.text for turn in played.turns] == [GREETING, "Yes or no?", "Another time."]
    assert played.turns[1].start_ms - played.turns[0].end_ms >= 8000
    assert played.end.reason == "agent_hangup"


def test_speech_that_the_recognizer_cannot_write_leads_to_the_keypad() -> None:
    stage = Stage()
    stage.recognizer.is_able = False
    played = play(question(), [Says(3000, 3600, "ja natürlich"), Presses(12_000, "1")], stage=stage)
    assert played.lines[1] == ("contact", "[unclear]")
    assert "press 1 for yes, press 2 for no" in played.lines[2][1]
    assert played.conversation.report().slots == {"coming": "yes"}


def test_the_last_words_before_a_hang_up_are_in_the_transcript() -> None:
    brain, _ = model("Well.")
    settings = ConversationSettings(greeting=GreetingSettings(text="Hello."))
    played = play(brain, [Says(2000, 4000, "please cancel my order")], settings=settings, hang_up_ms=3900)
    assert played.lines == [("agent", "Hello."), ("contact", "please cancel my order")]
    assert played.end.reason == "stopped"


def test_words_whose_answer_was_not_heard_are_in_the_transcript_once() -> None:
    stage = Stage()
    brain, _ = model("Well.", delay_s=5.0)
    settings = ConversationSettings(greeting=GreetingSettings(text="Hello."))
    played = play(brain, [Says(2000, 2600, "cancel it.")], stage=stage, settings=settings, hang_up_ms=4000)
    assert played.lines == [("agent", "Hello."), ("contact", "cancel it.")]
    assert stage.recognizer.utterances[0].recognitions == 1


def test_the_agent_is_cut_to_what_was_heard_when_the_caller_hangs_up() -> None:
    played = play(question(), [], hang_up_ms=1100)
    assert played.turns[0].interrupted
    assert played.turns[0].text == "Hello this is Ringdown with"


def test_keys_that_were_no_answer_yet_are_kept_at_the_end() -> None:
    played = play(asking({"kind": "digits", "max": 8}), [Presses(3000, "1"), Presses(3400, "2")], hang_up_ms=4000)
    assert played.lines[-1] == ("contact", "[keypad 12]")


def test_a_message_counts_although_the_caller_hangs_up_after_it() -> None:
    stage = Stage()
    stage.recognizer.is_able = False
    brain = FlowBrain(flow=flows.receptionist("Hello."), variables={})
    played = play(brain, [Says(4000, 9000, "please call back")], stage=stage, hang_up_ms=9600)
    assert played.lines[-1] == ("contact", "[message, 5 s]")
    assert played.conversation.report().summary == "The caller left a message of 5 seconds."


def test_a_key_ends_a_message() -> None:
    stage = Stage()
    stage.recognizer.is_able = False
    brain = asking({"kind": "message", "max_seconds": 60})
    played = play(brain, [Says(3000, 6000, "please call back"), Presses(6200, "#")], stage=stage)
    assert played.lines[1:] == [("contact", "[message, 3 s]"), ("agent", "Thank you.")]
    assert played.turns[2].start_ms <= 6600


def test_the_last_words_reach_the_report() -> None:
    brain, _ = model("Well.")
    settings = ConversationSettings(greeting=GreetingSettings(text="Hello."))
    play(brain, [Says(2000, 4000, "please cancel my order")], settings=settings, hang_up_ms=3900)
    assert brain.history[-1].content == "please cancel my order"


def test_each_question_tells_the_recognizer_what_to_expect() -> None:
    stage = Stage()
    brain = FlowBrain(flow=Flow.parse(flows.sample_flow()), variables={"first_name": "Ana"})
    script = [Says(5500, 5900, "yes"), Says(8500, 8900, "yes"), Says(13_000, 13_300, "two")]
    played = play(brain, script, stage=stage)
    assert [expectation.kind for expectation in stage.recognizer.expectations] == ["yes_no", "yes_no", "digits"]
    assert stage.recognizer.expectations[2].max_digits == 2
    assert played.lines[2] == ("agent", "I heard yes. Is that right?")
    assert played.conversation.report().outcome == "interested"
