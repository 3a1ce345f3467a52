"""Tools in a conversation: when they run, what is said meanwhile, and what the model learns of them."""

import pytest

from ringdown.voice.history import History, Round, Turn, divide
from ringdown.voice.model_answer import MAX_ROUNDS
from ringdown.voice.ports import Message, ProviderError, ToolRequest, ToolResult
from ringdown.voice.settings import ConversationSettings, GreetingSettings
from tests.unit.voice.brains import model
from tests.unit.voice.script import Says, play
from tests.unit.voice.toolboxes import FakeTools, is_valid, tools, uses

HELLO = ConversationSettings(greeting=GreetingSettings(text="Hello."))
ASKS = Says(1000, 2000, "book me a table.")
CHECKING = "One moment, please, let me check."
STILL_CHECKING = "I am still checking, thank you for waiting."


def written(messages: object) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in messages]  # type: ignore[attr-defined]


def test_a_tools_result_reaches_the_model_and_the_words_around_it_are_one_turn() -> None:
    brain, fake = model(["Let me see.", uses("book")], "You have a table.", toolbox=tools(book=0.2))
    played = play(brain, [ASKS], settings=HELLO, hang_up_ms=8000)
    assert played.lines[1:] == [("contact", "book me a table."), ("agent", "Let me see. You have a table.")]
    assert written(fake.requests[1][1:]) == [
        ("assistant", "Hello."), ("user", "book me a table."), ("assistant", "Let me see. "),
        ("tool", "book is done."),
    ]  # fmt: skip
    assert fake.requests[1][3].tool_calls == (uses("book"),)
    assert written(brain.history)[2:] == [
        ("assistant", "Let me see."), ("tool", "book is done."), ("assistant", "You have a table."),
    ]  # fmt: skip


def test_no_tool_runs_for_an_answer_that_is_thrown_away() -> None:
    toolbox = tools(book=0.1)
    brain, fake = model([uses("book")], [uses("book")], "Done.", toolbox=toolbox)
    # 350 ms of silence start an answer, and more words void it before it may be heard.
    pausing = [Says(1000, 1600, "book me"), Says(1950, 2600, "a table.")]
    played = play(brain, pausing, settings=HELLO, hang_up_ms=8000)
    assert toolbox.begun == ["book"]
    assert len(fake.requests) == 3
    assert played.lines[-1] == ("agent", "Done.")


def test_a_tool_runs_while_the_words_before_it_are_spoken() -> None:
    long = "I am going to look that up for you right now in our big old book."
    brain, _ = model([long, uses("book")], "You have a table.", toolbox=tools(book=2.0))
    played = play(brain, [ASKS], settings=HELLO, hang_up_ms=12_000)
    # 15 words are three seconds of the fake voice: the tool was ready before they ended.
    assert played.lines[-1] == ("agent", f"{long} You have a table.")


def test_the_agent_says_that_it_checks_when_a_tool_is_slow_and_again_much_later() -> None:
    brain, _ = model([uses("book")], "You have a table.", toolbox=tools(book=12.0))
    played = play(brain, [ASKS], settings=HELLO, hang_up_ms=25_000)
    assert played.lines[-1] == ("agent", f"{CHECKING} {STILL_CHECKING} You have a table.")
    said = played.heard_words(from_ms=2000, until_ms=3000)
    assert said == []


def test_a_quick_tool_is_not_announced() -> None:
    brain, _ = model([uses("book")], "You have a table.", toolbox=tools(book=0.7))
    assert play(brain, [ASKS], settings=HELLO, hang_up_ms=8000).lines[-1] == ("agent", "You have a table.")


def test_tools_of_one_request_run_together_and_come_back_in_order() -> None:
    toolbox = tools(slow=0.6, fast=0.2)
    brain, fake = model([uses("slow", "1"), uses("fast", "2")], "Both.", toolbox=toolbox)
    play(brain, [ASKS], settings=HELLO, hang_up_ms=8000)
    assert toolbox.finished == ["fast", "slow"]
    assert written(fake.requests[1])[-2:] == [("tool", "slow is done."), ("tool", "fast is done.")]


def test_an_interruption_keeps_the_result_for_the_next_answer() -> None:
    toolbox = tools(book=6.0)
    brain, fake = model(["I will book it.", uses("book")], "It is booked, at noon.", toolbox=toolbox)
    played = play(brain, [ASKS, Says(3500, 4500, "make it at noon.")], settings=HELLO, hang_up_ms=15_000)
    assert toolbox.begun == toolbox.finished == ["book"]
    assert written(fake.requests[1])[-3:] == [
        ("assistant", "I will book it."), ("tool", "book is done."), ("user", "make it at noon."),
    ]  # fmt: skip
    assert played.lines[-1][1].endswith("It is booked, at noon.")
    assert is_valid(brain.history)


def test_the_history_stays_valid_when_the_caller_hangs_up_in_the_middle_of_a_tool() -> None:
    toolbox = tools(book=3.0, stuck=1000.0)
    brain, _ = model([uses("book", "1"), uses("stuck", "2")], toolbox=toolbox)
    play(brain, [ASKS], settings=HELLO, hang_up_ms=3000)
    assert toolbox.finished == ["book"]  # what was begun is waited for, for a while
    assert written(brain.history)[-2:] == [("tool", "book is done."), ("tool", "Error: There was no answer.")]
    assert is_valid(brain.history)


def test_a_failing_tool_is_told_to_the_model() -> None:
    toolbox = FakeTools({"book": (0.1, ToolResult("the restaurant is closed", is_error=True))})
    brain, fake = model([uses("book")], "They are closed.", toolbox=toolbox)
    played = play(brain, [ASKS], settings=HELLO, hang_up_ms=8000)
    assert fake.requests[1][-1].content == "Error: the restaurant is closed"
    assert played.lines[-1] == ("agent", "They are closed.")


def test_an_unknown_tool_is_told_to_the_model_and_nothing_runs() -> None:
    toolbox = tools(book=0.1)
    brain, fake = model([uses("fly")], "I cannot fly.", toolbox=toolbox)
    play(brain, [ASKS], settings=HELLO, hang_up_ms=8000)
    assert fake.requests[1][-1].content.startswith("Error: There is no tool 'fly'; there are: end_call, book")
    assert toolbox.begun == []


def test_after_too_many_rounds_no_tool_is_offered_and_asking_on_is_an_apology() -> None:
    asking: list[str | ToolRequest | ProviderError] = [uses("book")]
    brain, fake = model(*[asking] * (MAX_ROUNDS + 3), toolbox=tools(book=0.1))
    played = play(brain, [ASKS], settings=HELLO, hang_up_ms=20_000)
    assert played.end.reason == "provider_error"
    assert is_valid(fake.requests[-1])
    assert len(fake.requests) <= MAX_ROUNDS + 2


def test_repeated_and_empty_ids_get_one_of_their_own() -> None:
    brain, fake = model([uses("book", "")], [uses("book", "x"), uses("book", "x")], "Done.", toolbox=tools(book=0.1))
    play(brain, [ASKS], settings=HELLO, hang_up_ms=8000)
    assert is_valid(fake.requests[-1])
    identifiers = [message.tool_call_id for message in fake.requests[-1] if message.role == "tool"]
    assert len(set(identifiers)) == 3


def test_a_failure_after_a_tool_goes_on_behind_it_instead_of_using_it_again() -> None:
    toolbox = tools(book=0.1)
    fault = ProviderError("test", "broken", retryable=True)
    brain, _ = model(["Let me see.", uses("book")], [fault], "You have a table.", toolbox=toolbox)
    played = play(brain, [ASKS], settings=HELLO, hang_up_ms=8000)
    assert toolbox.begun == ["book"]
    assert played.lines[-1] == ("agent", "Let me see. You have a table.")


def test_a_model_that_fails_for_good_after_a_tool_apologizes() -> None:
    fault = ProviderError("test", "broken", retryable=False)
    brain, _ = model(["Let me see.", uses("book")], [fault], toolbox=tools(book=0.1))
    played = play(brain, [ASKS], settings=HELLO, hang_up_ms=15_000)
    assert played.end.reason == "provider_error"
    assert played.lines[-1][1].startswith("I'm sorry")


def test_a_tool_and_a_goodbye_in_one_answer_end_the_call_without_another_word() -> None:
    toolbox = tools(save=0.2)
    brain, fake = model(["Thank you, goodbye.", uses("save", "1"), uses("end_call", "2")], toolbox=toolbox)
    played = play(brain, [ASKS], settings=HELLO)
    assert (played.end.reason, toolbox.finished) == ("agent_hangup", ["save"])
    assert played.lines[-1] == ("agent", "Thank you, goodbye.")
    assert len(fake.requests) == 1


def test_a_call_does_not_end_when_the_tool_before_it_failed() -> None:
    toolbox = FakeTools({"save": (0.1, ToolResult("no space", is_error=True))})
    brain, fake = model(["Goodbye.", uses("save", "1"), uses("end_call", "2")], "One more thing.", toolbox=toolbox)
    played = play(brain, [ASKS], settings=HELLO, hang_up_ms=8000)
    assert played.lines[-1] == ("agent", "Goodbye. One more thing.")
    assert fake.requests[1][-1].content.startswith("Error: Not done, because another tool failed")


def test_a_tool_after_the_words_waits_until_they_were_played() -> None:
    acted: list[ToolRequest] = []
    request = uses("transfer_call", arguments='{"destination": "sales"}')
    brain, _ = model(["I am connecting you.", request], "Hello again.", toolbox=tools())
    played = play(brain, [ASKS, Says(6000, 7000, "are you there?")], settings=HELLO, act=acted.append, hang_up_ms=9000)
    assert acted == [request]
    assert ("agent", "I am connecting you.") in played.lines
    assert played.lines[-1] == ("agent", "Hello again.")  # the conversation goes on
    assert ("tool", "Begun.") in written(brain.history)


def test_a_tool_after_the_words_is_not_begun_when_the_caller_interrupts_them() -> None:
    acted: list[ToolRequest] = []
    words = "I am connecting you now with our sales department please stay on the line for me."
    brain, fake = model([words, uses("transfer_call")], "Fine.", toolbox=tools())
    play(brain, [ASKS, Says(3000, 4200, "no stop do not")], settings=HELLO, act=acted.append, hang_up_ms=9000)
    assert acted == []
    assert ("tool", "Error: Not done: the caller spoke first.") in written(fake.requests[1])


def test_what_came_of_a_transfer_later_replaces_what_the_model_knew() -> None:
    brain, _ = model(["Connecting.", uses("transfer_call", "t")], toolbox=tools())
    play(brain, [ASKS], settings=HELLO, act=lambda request: None, hang_up_ms=5000)
    brain.settle("t", ToolResult("Nobody answered.", is_error=True))
    assert written(brain.history)[-1] == ("tool", "Error: Nobody answered.")


def test_heard_words_are_divided_among_what_was_written() -> None:
    assert divide("One two. Three", ["One two. ", "Three four."]) == ["One two.", "Three", ""]
    assert divide("One — two. Wait. Three.", ["One — two."]) == ["One — two.", "Wait. Three."]
    assert divide("", ["One."]) == ["", ""]
    assert divide("All.", []) == ["All."]


def test_words_of_a_turn_that_nobody_heard_are_forgotten_when_the_next_begins() -> None:
    history = History()
    request = uses("book")
    history.add(Turn([Message("user", "hi")], [Round("Never heard.", (request,), {"1": ToolResult("ok")})]))
    history.add(Turn([Message("user", "so?")]))
    assert written(history.messages()) == [("user", "hi"), ("assistant", ""), ("tool", "ok"), ("user", "so?")]


@pytest.mark.parametrize("start_ms", range(2000, 9000, 250))
def test_whenever_the_caller_interrupts_the_history_is_valid_and_what_was_heard(start_ms: int) -> None:
    toolbox = tools(book=1.5, search=0.4)
    replies: list[str | list[str | ToolRequest | ProviderError]] = [
        ["Let me see whether there is a table for you.", uses("search", "a"), uses("book", "b")],
        ["There is one.", uses("search", "c")],
        "It is booked for tomorrow at noon.",
        "Of course.",
        "Of course.",
    ]
    brain, fake = model(*replies, toolbox=toolbox)
    said = Says(start_ms, start_ms + 900, "no wait please listen.")
    played = play(brain, [ASKS, said], settings=HELLO, hang_up_ms=14_000)
    assert all(is_valid(request) for request in (*fake.requests, brain.history))
    assert toolbox.begun.count("book") == 1
    heard = [message.content for message in brain.history if message.role == "assistant" and message.content]
    assert " ".join(heard).split() == " ".join(text for speaker, text in played.lines if speaker == "agent").split()
    asked = [message.content for message in brain.history if message.role == "user"]
    assert asked == [text for speaker, text in played.lines if speaker == "contact"]
