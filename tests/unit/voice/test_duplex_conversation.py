"""The conversation over a speech-to-speech model: what was really heard, interruptions, tools, limits, faults."""

import asyncio

import pytest

from ringdown.voice import ports
from ringdown.voice.duplex_conversation import DuplexConversation
from ringdown.voice.settings import ConversationSettings, GreetingSettings, InactivityMessage, Timeouts
from tests.fakes import virtual_time
from tests.fakes.duplex import FakeDuplexModel
from tests.fakes.voices import Codebook, FakeModel, FakeSpeaker
from tests.unit.voice.duplex_script import GREETED, GREETING, Does, FakeToolBox, play
from tests.unit.voice.script import Presses, Says

BROKEN = ports.ProviderError("fake", "the connection was lost", retryable=True)
REFUSED = ports.ProviderError("fake", "HTTP 401", retryable=False)
LONG = "one two three four five six seven eight nine ten"


def new_model(*replies: object, **options: object) -> FakeDuplexModel:
    return FakeDuplexModel(Codebook(), replies=list(replies), **options)  # type: ignore[arg-type]


def test_the_greeting_is_said_and_the_caller_answered() -> None:
    played = play(new_model(["I can help."]), [Says(2000, 2600, "hello there")], hang_up_ms=5000)
    assert played.lines == [("agent", GREETING), ("contact", "hello there"), ("agent", "I can help.")]
    assert played.heard_words() == [*GREETING.split(), "I", "can", "help."]
    assert played.end.reason == "stopped"
    assert "Be kind." in played.model.session.instructions


def test_turns_have_their_place_in_media_time_although_the_session_opened_late() -> None:
    model = new_model(["Yes."], open_delay_s=0.7)
    played = play(model, [Says(3000, 3600, "hello there")], hang_up_ms=5000)
    contact = next(turn for turn in played.turns if turn.speaker == "contact")
    assert (contact.start_ms, contact.end_ms) == (3000, 3600)


def test_the_stages_of_an_answer_sum_to_its_latency() -> None:
    played = play(new_model(["Yes."]), [Says(2000, 2600, "hello there")], hang_up_ms=5000)
    latency = played.turns[-1].latency
    assert latency is not None
    stages = (latency.endpoint_ms, latency.recognition_ms, latency.model_ms, latency.speech_ms, latency.playout_ms)
    assert sum(stages) == latency.total_ms == played.turns[-1].start_ms - 2600
    assert latency.endpoint_ms >= 280  # the model waits for 300 ms of silence
    assert latency.model_ms >= 140
    assert played.turns[0].latency is None


def test_an_interruption_stops_the_agent_at_once_and_keeps_only_what_was_heard() -> None:
    played = play(
        new_model([LONG], ["Sure."]),
        [Says(2000, 2400, "count please"), Says(3660, 4000, "stop now")],
        hang_up_ms=6000,
    )
    agent = played.turns[2]
    heard = played.heard_words(2400, 3800)
    assert agent.text.split() == heard[: len(agent.text.split())]
    assert abs(len(heard) - len(agent.text.split())) <= 1
    assert agent.interrupted
    assert not any(played.sent[3720 // 20 : 4400 // 20])
    [(item_id, heard_ms)] = played.model.session.truncations
    assert item_id == "item_2"
    assert abs(heard_ms - (agent.end_ms - agent.start_ms)) <= 20
    assert played.lines[-2:] == [("contact", "stop now"), ("agent", "Sure.")]


def test_the_caller_is_not_heard_while_an_uninterruptible_greeting_is_said() -> None:
    greeting = GreetingSettings(text=LONG, uninterruptible=True)
    settings = ConversationSettings(greeting=greeting)
    played = play(new_model(), [Says(500, 1200, "wait wait")], settings=settings, hang_up_ms=3500)
    assert played.lines == [("agent", LONG)]


def test_who_calls_out_before_the_greeting_is_greeted_all_the_same() -> None:
    played = play(new_model(), [Says(0, 160, "hello")], hang_up_ms=3000)
    assert played.lines == [("agent", GREETING)]


def test_a_model_greets_as_its_prompt_says_where_there_is_no_text() -> None:
    settings = ConversationSettings()
    played = play(new_model(["Good morning."]), settings=settings, greeting_prompt="be cheerful", hang_up_ms=3000)
    assert played.lines == [("agent", "Good morning.")]
    assert "be cheerful" in (played.model.session.responses[0] or "")


def test_the_agent_waits_for_a_caller_who_speaks_first_then_greets_all_the_same() -> None:
    greeting = GreetingSettings(first_speaker="user", fallback_delay_ms=1500, fallback_text="Anybody there?")
    settings = ConversationSettings(greeting=greeting)
    assert play(new_model(), settings=settings, hang_up_ms=1400).sent == [None] * 70
    assert play(new_model(), settings=settings, hang_up_ms=4000).lines == [("agent", "Anybody there?")]
    answered = play(new_model(["Hi."]), [Says(500, 900, "hello")], settings=settings, hang_up_ms=4000)
    assert answered.lines == [("contact", "hello"), ("agent", "Hi.")]


def test_words_that_come_after_the_answer_stand_before_it_in_the_transcript() -> None:
    played = play(new_model(["Yes."], words_delay_s=1.5), [Says(2000, 2600, "hello there")], hang_up_ms=6000)
    assert played.lines == [("agent", GREETING), ("contact", "hello there"), ("agent", "Yes.")]


def test_words_that_never_come_are_unclear() -> None:
    played = play(new_model(["Yes."], words_delay_s=None), [Says(2000, 2600, "hello there")], hang_up_ms=6000)
    assert played.lines == [("agent", GREETING), ("contact", "[unclear]"), ("agent", "Yes.")]


def test_the_last_words_before_a_hang_up_are_in_the_transcript() -> None:
    played = play(new_model(), [Says(2000, 9000, "please call me back")], hang_up_ms=3600)
    assert played.lines[-1] == ("contact", "please")
    assert played.turns[-1].start_ms == 2000


def test_keys_stop_the_agent_and_are_answered() -> None:
    model = new_model(["Thank you."])
    played = play(model, [Presses(500, "4"), Presses(700, "2"), Presses(900, "#")], hang_up_ms=4000)
    assert played.lines[1:] == [("contact", "[keypad 42]"), ("agent", "Thank you.")]
    assert played.turns[0].interrupted
    assert model.session.heard == ["[keypad 42]"]


def test_a_caller_who_says_nothing_is_spoken_to_and_hung_up() -> None:
    messages = (
        InactivityMessage(3000, "Still there?"),
        InactivityMessage(3000, "Goodbye.", "END_BEHAVIOR_HANG_UP_STRICT"),
    )
    settings = ConversationSettings(greeting=GreetingSettings(text=GREETING), inactivity_messages=messages)
    played = play(new_model(), settings=settings)
    assert [text for _, text in played.lines] == [GREETING, "Still there?", "Goodbye."]
    assert played.end.reason == "inactivity"
    assert played.ended_ms < 10_000


def test_a_call_that_is_too_long_ends_with_its_message() -> None:
    settings = ConversationSettings(
        greeting=GreetingSettings(text=LONG), max_duration_ms=1500, time_exceeded_message="Time is up."
    )
    played = play(new_model(), [Says(1700, 3000, "no wait")], settings=settings)
    assert [text for _, text in played.lines][-1] == "Time is up."
    assert played.end.reason == "max_duration"
    assert played.ended_ms < 4000


@pytest.mark.parametrize(("message", "said"), [("Time is up.", "Time is up."), (None, ConversationSettings().farewell)])
def test_who_is_dismissed_hears_the_last_words(message: str | None, said: str) -> None:
    answers: list[bool] = []
    settings = ConversationSettings(greeting=GreetingSettings(text=LONG), time_exceeded_message=message)
    steps = [
        Does(900, lambda conversation, _: conversation.pause()),
        Does(1000, lambda conversation, _: answers.append(conversation.dismiss())),
        Does(1200, lambda conversation, _: conversation.resume()),
        *(Does(at_ms, lambda conversation, _: answers.append(conversation.dismiss())) for at_ms in (1500, 1600)),
    ]
    played = play(new_model(), steps, settings=settings)
    assert answers == [False, True, True]
    assert [text for _, text in played.lines][-1] == said
    assert played.end.reason == "dismissed"


def test_a_call_that_is_too_long_ends_although_the_model_keeps_silent() -> None:
    settings = ConversationSettings(max_duration_ms=1500, time_exceeded_message="Bye.", timeouts=Timeouts(model_s=2))
    played = play(new_model(is_mute=True), settings=settings)
    assert played.end.reason == "max_duration"
    assert played.ended_ms < 8000


def test_hold_silences_both_sides_and_resuming_says_the_announcement() -> None:
    model = new_model(["Nobody hears this."], ["Welcome back."])
    steps = [
        Does(900, lambda conversation, _: conversation.pause()),
        Says(1500, 2000, "talking elsewhere"),
        Does(4000, lambda conversation, _: conversation.resume("Sorry for that.")),
    ]
    played = play(model, steps, hang_up_ms=6000)
    assert [text for _, text in played.lines][1:] == ["Sorry for that."]
    assert not any(played.sent[900 // 20 : 4000 // 20])


def test_a_tool_is_used_while_the_answer_goes_on_in_the_same_turn() -> None:
    box = FakeToolBox({"find_slot": ports.ToolResult("nine")})
    request = ports.ToolRequest("c1", "find_slot", "{}")
    model = new_model(["One moment.", request], ["At nine."])
    played = play(model, [Says(2000, 2400, "when please")], toolbox=box, hang_up_ms=6000)
    assert played.lines[1:] == [("contact", "when please"), ("agent", "One moment. At nine.")]
    assert model.session.tool_results == [("find_slot", "nine")]
    assert [spec.name for spec in model.session.tools] == ["end_call", "find_slot"]


def test_a_tool_that_finishes_while_the_caller_speaks_waits_for_the_callers_answer() -> None:
    box = FakeToolBox({"find_slot": ports.ToolResult("nine")}, delay_s=1.0)
    model = new_model(["One moment.", ports.ToolRequest("c1", "find_slot", "{}")], ["At nine."])
    played = play(model, [Says(2000, 2400, "when please"), Says(3200, 4400, "or later")], toolbox=box, hang_up_ms=8000)
    assert model.session.responses == []
    assert played.lines[-1] == ("agent", "At nine.")


def test_a_tool_that_runs_after_the_words_begins_when_they_were_played() -> None:
    box = FakeToolBox({"transfer": ports.ToolResult("")}, after_words=frozenset({"transfer"}))
    begun = list[tuple[str, int]]()
    model = new_model(["I connect you.", ports.ToolRequest("c1", "transfer", '{"to": "x"}')])
    played = play(
        model,
        [Says(2000, 2400, "sales please")],
        toolbox=box,
        act=lambda request: begun.append((request.arguments, model.session._pushed_ms)),
        hang_up_ms=6000,
    )
    assert [arguments for arguments, _ in begun] == ['{"to": "x"}']
    assert begun[0][1] >= played.turns[-1].end_ms - 100
    assert box.requests == []
    assert model.session.tool_results == [("transfer", "Begun.")]


def test_an_interrupted_answer_does_not_begin_what_was_to_follow_it() -> None:
    box = FakeToolBox({"transfer": ports.ToolResult("")}, after_words=frozenset({"transfer"}))
    begun = list[ports.ToolRequest]()
    model = new_model([LONG, ports.ToolRequest("c1", "transfer", "{}")], ["Fine."])
    steps = [Says(2000, 2400, "sales please"), Says(3600, 4000, "no stop")]
    play(model, steps, toolbox=box, act=begun.append, hang_up_ms=7000)
    assert begun == []
    [(name, content)] = model.session.tool_results
    assert name == "transfer"
    assert "error" in content


def test_end_call_hangs_up_after_the_goodbye() -> None:
    model = new_model(["Goodbye then.", ports.ToolRequest("c1", "end_call", "{}")])
    played = play(model, [Says(2000, 2400, "thats all")])
    assert played.end.reason == "agent_hangup"
    assert played.heard_words(2400) == ["Goodbye", "then."]


def test_a_caller_who_interrupts_the_goodbye_keeps_the_call() -> None:
    model = new_model([LONG, ports.ToolRequest("c1", "end_call", "{}")], ["Yes?"])
    played = play(model, [Says(2000, 2400, "thats all"), Says(3500, 4000, "wait please")], hang_up_ms=8000)
    assert played.end.reason == "stopped"
    assert played.lines[-1] == ("agent", "Yes?")


def test_a_goodbye_over_the_end_of_ours_does_not_keep_the_call() -> None:
    model = new_model(["Goodbye and thank you.", ports.ToolRequest("c1", "end_call", "{}")], ["Still here."])
    played = play(model, [Says(2000, 2400, "thats all"), Says(3400, 3700, "bye")])
    assert played.end.reason == "agent_hangup"
    assert "Still" not in played.heard_words()


def test_a_lost_connection_is_replaced_with_what_was_said_so_far() -> None:
    model = new_model(["I can help."], ["Where were we?"])
    steps = [
        Says(2000, 2600, "hello there"),
        Does(4500, lambda _, fake: fake.session.break_off()),
        Says(6000, 6400, "go on"),
    ]
    played = play(model, steps, hang_up_ms=9000)
    assert [(message.role, message.content) for message in model.sessions[1].history] == [
        ("assistant", GREETING),
        ("user", "hello there"),
        ("assistant", "I can help."),
    ]
    assert model.sessions[0].is_closed
    assert model.sessions[1].responses == []  # nothing was owed
    assert played.lines[-2:] == [("contact", "go on"), ("agent", "Where were we?")]
    assert [note.kind for note in played.notes] == ["provider.failed"]


def test_an_answer_that_was_cut_off_by_the_break_is_asked_for_again() -> None:
    model = new_model(["I can"], ["help you."], is_mute=False)
    steps = [Says(2000, 2600, "hello there"), Does(2920, lambda _, fake: fake.session.break_off())]
    played = play(model, steps, hang_up_ms=6000)
    assert len(model.sessions) == 2
    assert len(model.sessions[1].responses) == 1
    assert played.lines[-1][0] == "agent"


def test_the_use_of_a_tool_is_told_to_the_next_session() -> None:
    box = FakeToolBox({"book": ports.ToolResult("booked")})
    model = new_model(["Sure.", ports.ToolRequest("c1", "book", "{}")], ["Done."])
    steps = [Says(2000, 2600, "book it"), Does(5500, lambda _, fake: fake.session.break_off())]
    play(model, steps, toolbox=box, hang_up_ms=7000)
    history = model.sessions[1].history
    assert [message.role for message in history] == ["assistant", "user", "assistant", "tool", "assistant"] or [
        message.role for message in history
    ] == ["assistant", "user", "assistant", "assistant", "tool"]
    assert any(message.content == "booked" for message in history)


def test_a_model_that_is_lost_for_good_is_apologized_for_by_another_voice() -> None:
    codebook = Codebook()
    model = FakeDuplexModel(codebook, faults=[BROKEN, BROKEN])
    played = play(model, speaker=FakeSpeaker(codebook), settings=GREETED)
    assert played.lines == [("agent", GREETED.apology)]
    assert played.end.reason == "provider_error"
    assert "connection was lost" in played.end.detail
    assert len(played.notes) == 2


def test_a_model_that_is_lost_without_another_voice_ends_the_call_clearly() -> None:
    played = play(new_model(faults=[REFUSED]))
    assert (played.end.reason, played.lines) == ("provider_error", [])
    assert len(played.model.sessions) == 0
    assert played.ended_ms < 500


def test_an_apology_whose_voice_fails_ends_the_call_clearly() -> None:
    codebook = Codebook()
    speaker = FakeSpeaker(codebook, faults=[REFUSED])
    played = play(FakeDuplexModel(codebook, faults=[REFUSED]), speaker=speaker)
    assert played.end.reason == "provider_error"


def test_a_model_that_answers_nothing_is_taken_for_lost() -> None:
    settings = ConversationSettings(timeouts=Timeouts(model_s=3))
    played = play(new_model(is_mute=True), settings=settings)
    assert played.end.reason == "provider_error"
    assert "no answer within 3 s" in played.end.detail
    assert len(played.model.sessions) == 2


def test_a_break_in_every_answer_is_survived_as_long_as_answers_come_between() -> None:
    model = new_model(["One."], ["Two."], ["Three."])
    steps = [
        Says(2000, 2400, "a b"),
        Does(3900, lambda _, fake: fake.session.break_off()),
        Says(4500, 4900, "c d"),
        Does(6400, lambda _, fake: fake.session.break_off()),
        Says(7000, 7400, "e f"),
    ]
    played = play(model, steps, hang_up_ms=9500)
    assert [text for speaker, text in played.lines if speaker == "agent"] == [GREETING, "One.", "Two.", "Three."]


def test_what_the_caller_says_while_the_line_is_being_opened_is_not_lost() -> None:
    settings = ConversationSettings(greeting=GreetingSettings(first_speaker="user"))
    model = new_model(["Yes."], open_delay_s=1.5)
    played = play(model, [Says(200, 800, "are you there")], settings=settings, hang_up_ms=5000)
    assert played.lines == [("contact", "are you there"), ("agent", "Yes.")]
    assert played.turns[0].start_ms == 200


def test_the_summary_is_written_by_its_model() -> None:
    summary_model = FakeModel([["The caller said hello."]])
    played = play(new_model(["Yes."]), [Says(2000, 2600, "hello there")], summary_model=summary_model, hang_up_ms=5000)
    assert played.conversation.report().summary == "The caller said hello."
    assert "Caller: hello there" in summary_model.requests[0][1].content


def test_finishing_twice_and_before_the_start_is_harmless() -> None:
    async def check() -> None:
        conversation = DuplexConversation(
            settings=GREETED, model=new_model(), system_prompt="", on_event=lambda _event: None
        )
        await conversation.finish()
        await conversation.finish()
        assert (await conversation.run()).reason == "stopped"
        await asyncio.sleep(0)

    virtual_time.run(check())


def test_a_message_left_on_a_voicemail_is_said_to_its_end_whatever_is_heard() -> None:
    steps = [
        Says(500, 2600, "please leave a message"),
        Does(1200, lambda conversation, _: conversation.leave_message("Please call Anna back.")),
    ]
    played = play(new_model(), steps)
    assert played.end.reason == "voicemail"
    assert played.heard_words()[-4:] == ["Please", "call", "Anna", "back."]
    assert played.lines[-1] == ("agent", "Please call Anna back.")


def test_last_words_that_the_session_broke_in_front_of_are_said_by_the_next() -> None:
    settings = ConversationSettings(max_duration_ms=1500, time_exceeded_message="Time is up.")
    model = new_model(["Hello."], delay_s=0.6)
    played = play(model, [Does(1700, lambda _, fake: fake.session.break_off())], settings=settings)
    assert played.end.reason == "max_duration"
    assert model.sessions[1].said == ["Time is up."]
    assert played.heard_words()[-3:] == ["Time", "is", "up."]


def test_a_failed_tool_keeps_what_was_to_follow_it_from_happening() -> None:
    box = FakeToolBox({"book": ports.ToolResult("no slot", is_error=True)}, delay_s=0.1)
    requests = (ports.ToolRequest("c1", "book", "{}"), ports.ToolRequest("c2", "end_call", "{}"))
    model = new_model(["I book it.", *requests], ["That did not work."])
    played = play(model, [Says(2000, 2400, "book it")], toolbox=box, hang_up_ms=7000)
    assert [name for name, _ in model.session.tool_results] == ["book", "end_call"]
    assert played.end.reason == "stopped"
    assert played.lines[-1] == ("agent", "I book it. That did not work.")


def test_a_tool_that_worked_lets_the_hang_up_happen() -> None:
    box = FakeToolBox({"book": ports.ToolResult("booked")}, delay_s=0.1)
    requests = (ports.ToolRequest("c1", "book", "{}"), ports.ToolRequest("c2", "end_call", "{}"))
    model = new_model(["Booked, goodbye.", *requests])
    played = play(model, [Says(2000, 2400, "book it")], toolbox=box)
    assert played.end.reason == "agent_hangup"
    assert model.session.responses == []


def test_a_bug_in_the_tools_is_not_swallowed() -> None:
    def explode(request: ports.ToolRequest) -> None:
        raise KeyError("bug")

    model = new_model(["word", ports.ToolRequest("c1", "transfer", "{}")])
    box = FakeToolBox({"transfer": ports.ToolResult("")}, after_words=frozenset({"transfer"}))
    with pytest.raises(KeyError):
        play(model, [Says(2000, 2400, "go")], toolbox=box, act=explode, hang_up_ms=6000)
