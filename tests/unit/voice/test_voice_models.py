"""The model brain: its history is what was heard, its summary bounded, its hang-up a tool."""

from dataclasses import replace

import pytest

from ringdown.voice.brain import HangUp, Heard
from ringdown.voice.conversation import Conversation
from ringdown.voice.ports import ProviderError, ToolRequest
from ringdown.voice.settings import ConversationSettings, GreetingSettings, Timeouts
from tests.fakes import virtual_time
from tests.unit.voice.brains import model
from tests.unit.voice.script import Presses, Says, Stage, play

HELLO = ConversationSettings(greeting=GreetingSettings(text="Hello."))


async def parts_of(proposal: object) -> list[object]:
    return [part async for part in proposal.parts()]  # type: ignore[attr-defined]


async def test_an_answer_is_not_in_the_history_before_it_is_heard() -> None:
    brain, fake = model("Maybe.", "Certainly.", delay_s=0)
    await parts_of(brain.consider(Heard("one")))
    assert brain.history == ()
    proposal = brain.consider(Heard("one two"))
    await parts_of(proposal)
    proposal.commit()
    brain.spoken("Certainly")
    assert [(message.role, message.content) for message in brain.history] == [
        ("user", "one two"), ("assistant", "Certainly"),
    ]  # fmt: skip
    assert fake.requests[1][0].content.startswith("You are a test.")


async def test_the_end_call_tool_hangs_up_after_the_words() -> None:
    brain, _ = model(["Goodbye.", ToolRequest("1", "end_call", "{}")], [ToolRequest("2", "end_call", "{}")], delay_s=0)
    assert (await parts_of(brain.consider(Heard("bye"))))[-1] == HangUp()
    assert await parts_of(brain.consider(Heard("bye"))) == [HangUp()]


async def test_an_empty_answer_is_a_failure() -> None:
    brain, _ = model("", delay_s=0)
    with pytest.raises(ProviderError):
        await parts_of(brain.consider(Heard("hello")))


async def test_speech_that_was_not_understood_and_keys_are_told_to_the_model() -> None:
    brain, fake = model("Pardon?", "Two.", delay_s=0)
    await parts_of(brain.consider(Heard("", is_understood=False)))
    await parts_of(brain.consider(Heard("2", source="keypad")))
    assert "could not be understood" in fake.requests[0][-1].content
    assert fake.requests[1][-1].content == "[keypad 2]"


def test_keys_are_a_turn_of_a_model_conversation() -> None:
    brain, _ = model("Two it is.")
    played = play(brain, [Presses(1500, "2"), Presses(1900, "#")], settings=HELLO, hang_up_ms=5000)
    assert played.lines == [("agent", "Hello."), ("contact", "[keypad 2]"), ("agent", "Two it is.")]


def test_a_hang_up_without_words_ends_the_call() -> None:
    brain, _ = model([ToolRequest("1", "end_call", "{}")])
    played = play(brain, [Says(1000, 1500, "bye.")], settings=HELLO)
    assert played.end.reason == "agent_hangup"
    assert played.lines == [("agent", "Hello."), ("contact", "bye.")]


def summarise(*replies: str | list[str | ToolRequest | ProviderError], delay_s: float = 0.1) -> str | None:
    brain, fake = model(*replies, delay_s=delay_s)
    brain.consider(Heard("I want tea.")).commit()
    stage = Stage()
    conversation = Conversation(
        settings=replace(HELLO, timeouts=Timeouts(summary_s=3)),
        brain=brain,
        recognizer=stage.recognizer,
        speaker=stage.speaker,
        detector=stage.detector,
        on_event=lambda event: None,
    )
    virtual_time.run(conversation.summarise())
    assert "Caller: I want tea." in fake.requests[0][-1].content
    return conversation.report().summary


def test_the_summary_is_the_models() -> None:
    assert summarise("The caller wants tea.") == "The caller wants tea."


def test_without_a_summary_in_time_or_at_all_there_is_none() -> None:
    assert summarise("late", delay_s=60) is None
    assert summarise([ProviderError("test", "broken", retryable=False)]) is None
    assert summarise("") is None
