"""Turns on a virtual clock: when the agent answers, when it stops, what is kept of what it said."""

from collections.abc import AsyncIterator

from ringdown.voice.ports import Speech
from ringdown.voice.settings import ConversationSettings, GreetingSettings, VadSettings
from tests.fakes.voices import SILENCE
from tests.unit.voice.brains import GREETING, asking, model, question
from tests.unit.voice.script import Says, Stage, play

HELLO = GreetingSettings(text="Hello.")
STORY = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"


def test_a_greeting_an_answer_and_a_farewell() -> None:
    played = play(question(), [Says(3000, 3400, "yes")])
    assert played.lines == [("agent", GREETING), ("contact", "yes"), ("agent", "Thank you.")]
    assert played.end.reason == "agent_hangup"
    assert played.conversation.report().summary == "Coming: yes"
    assert " ".join(played.heard_words()) == f"{GREETING} Thank you."


def test_an_answer_leaves_as_soon_as_the_pipeline_and_the_silence_rule_allow() -> None:
    played = play(question(), [Says(3000, 3400, "yes")])
    latency = played.turns[2].latency
    assert latency is not None
    # 200 ms of silence, 100 ms of recognition, 50 ms of voice, and at most two ticks.
    assert 340 <= latency.total_ms <= 400
    stages = latency.endpoint_ms + latency.recognition_ms + latency.model_ms + latency.speech_ms + latency.playout_ms
    assert abs(stages - latency.total_ms) <= 5
    assert min(latency.endpoint_ms, latency.recognition_ms, latency.speech_ms, latency.playout_ms) >= 0
    assert played.turns[2].start_ms - played.turns[1].end_ms == latency.total_ms


def test_the_pre_roll_holds_the_onset_of_the_first_word() -> None:
    stage = Stage()
    play(question(), [Says(3000, 3400, "yes")], stage=stage)
    words = stage.codebook.decode(bytes(stage.recognizer.utterances[0]._pcm))
    assert [(word, end - start) for word, start, end in words] == [("yes", 400)]


def test_resumed_speech_cancels_the_answer_that_was_being_prepared() -> None:
    brain, fake = model("First.", "Second.")
    script = [Says(1000, 1600, "I would"), Says(1900, 2500, "like tea.")]
    played = play(brain, script, settings=ConversationSettings(greeting=HELLO), hang_up_ms=5000)
    assert played.lines == [("agent", "Hello."), ("contact", "I would like tea."), ("agent", "First.")]
    assert [message.content for message in fake.requests[-1][1:]] == ["Hello.", "I would like tea."]


def test_a_model_request_of_a_cancelled_answer_is_cancelled_too() -> None:
    brain, fake = model("First.", "Second.", delay_s=0.3)
    script = [Says(1000, 1600, "my name is"), Says(2000, 2500, "Ann.")]
    played = play(brain, script, settings=ConversationSettings(greeting=HELLO), hang_up_ms=5000)
    assert fake.cancelled == 1
    assert played.lines[1] == ("contact", "my name is Ann.")
    assert "First." in played.heard_words()


def test_a_trailing_and_waits_for_the_rest_at_most_the_maximum() -> None:
    brain, _ = model("Well.")
    settings = ConversationSettings(greeting=HELLO)
    played = play(brain, [Says(1000, 1600, "tea and")], settings=settings, hang_up_ms=6000)
    latency = played.turns[2].latency
    assert latency is not None
    assert 1480 <= latency.total_ms <= 1560


def test_a_finished_sentence_is_answered_sooner_than_an_unfinished_one() -> None:
    waits = []
    for text in ("I want tea.", "I want tea"):
        brain, _ = model("Well.", delay_s=0.01)
        settings = ConversationSettings(greeting=HELLO)
        played = play(brain, [Says(1000, 1600, text)], settings=settings, hang_up_ms=6000)
        latency = played.turns[2].latency
        assert latency is not None
        waits.append(latency.total_ms)
    assert waits[0] <= 400
    assert 680 <= waits[1] <= 740


def test_the_configured_endpoint_delay_is_the_least_silence() -> None:
    settings = ConversationSettings(vad=VadSettings(turn_endpoint_delay_ms=1000))
    played = play(question(), [Says(3000, 3400, "yes")], settings=settings)
    latency = played.turns[2].latency
    assert latency is not None
    assert 980 <= latency.total_ms <= 1060


def test_speech_below_the_minimum_turn_is_no_turn() -> None:
    settings = ConversationSettings(vad=VadSettings(minimum_turn_duration_ms=500))
    played = play(question(), [Says(3000, 3300, "yes"), Says(5000, 5700, "no")], settings=settings)
    assert played.lines[1:] == [("contact", "no"), ("agent", "Too bad.")]


def test_a_cough_is_no_turn() -> None:
    played = play(question(), [Says(3000, 3200, "<noise>"), Says(5000, 5400, "yes")])
    assert [turn.text for turn in played.turns if turn.speaker == "contact"] == ["yes"]


def test_an_interruption_stops_the_agent_within_60_ms_of_the_decision() -> None:
    brain, fake = model("Yes?")
    settings = ConversationSettings(greeting=GreetingSettings(text=STORY))
    played = play(brain, [Says(1000, 2000, "stop it now please")], settings=settings, hang_up_ms=6000)
    # 700 ms of voice decide while nobody knows whether this recognizer tells words; known two windows later.
    decision_ms = 1000 + 700 + 64 + 32
    assert played.is_silent(decision_ms + 60, 2200)
    agent, contact, answer = played.turns
    assert agent.interrupted
    assert agent.text.split() == STORY.split()[: len(agent.text.split())]
    assert abs(len(agent.text.split()) - len(played.heard_words(until_ms=decision_ms + 60))) <= 1
    assert (contact.text, answer.text) == ("stop it now please", "Yes?")
    assert fake.requests[0][1].content == agent.text


def test_words_known_early_stop_the_agent_at_once() -> None:
    stage = Stage()
    stage.recognizer.has_partials = True
    brain, _ = model("Yes?")
    settings = ConversationSettings(greeting=GreetingSettings(text=STORY))
    played = play(brain, [Says(1000, 2000, "stop it now please")], stage=stage, settings=settings, hang_up_ms=6000)
    assert played.is_silent(1260, 2200)


def test_an_interruption_is_cut_by_time_when_the_voice_tells_no_word_times() -> None:
    stage = Stage()
    stage.speaker.has_times = False
    brain, _ = model("Yes?")
    settings = ConversationSettings(greeting=GreetingSettings(text=STORY))
    played = play(brain, [Says(1000, 2000, "stop it now please")], stage=stage, settings=settings, hang_up_ms=6000)
    heard = played.heard_words(until_ms=2000)
    assert abs(len(played.turns[0].text.split()) - len(heard)) <= 2
    assert played.turns[0].interrupted


def test_a_back_channel_does_not_stop_the_agent() -> None:
    brain, fake = model()
    settings = ConversationSettings(greeting=GreetingSettings(text=STORY))
    played = play(brain, [Says(1000, 1300, "mhm")], settings=settings, hang_up_ms=4000)
    assert played.lines == [("agent", STORY)]
    assert not played.turns[0].interrupted
    assert played.is_silent(3200, 4000)
    assert None not in played.sent[4:150]
    assert fake.requests == []


def test_a_long_back_channel_pauses_the_agent_who_then_resumes_the_sentence() -> None:
    brain, _ = model()
    settings = ConversationSettings(greeting=GreetingSettings(text=STORY))
    played = play(brain, [Says(1000, 1700, "okay right")], settings=settings, hang_up_ms=6000)
    assert played.lines == [("agent", STORY)]
    assert not played.turns[0].interrupted
    heard = played.heard_words()
    # The word that was cut is said again; no other is, and none is missing.
    assert list(dict.fromkeys(heard)) == STORY.split()
    assert len(heard) <= len(STORY.split()) + 1
    assert any(frame is None for frame in played.sent[60:100])


def test_noise_over_the_agent_is_a_false_interruption() -> None:
    brain, _ = model()
    settings = ConversationSettings(greeting=GreetingSettings(text=STORY))
    played = play(brain, [Says(1000, 1800, "<noise>")], settings=settings, hang_up_ms=6000)
    assert played.lines == [("agent", STORY)]
    assert list(dict.fromkeys(played.heard_words())) == STORY.split()


def test_two_interruptions_in_a_row_cut_two_turns() -> None:
    brain, fake = model("alpha beta gamma delta epsilon zeta eta theta iota kappa.", "Fine.")
    settings = ConversationSettings(greeting=GreetingSettings(text=STORY))
    script = [Says(1000, 1800, "no stop it."), Says(3000, 3800, "listen to me.")]
    played = play(brain, script, settings=settings, hang_up_ms=8000)
    assert [turn.speaker for turn in played.turns] == ["agent", "contact", "agent", "contact", "agent"]
    assert [turn.interrupted for turn in played.turns] == [True, False, True, False, False]
    assert played.turns[2].text.startswith("alpha beta")
    assert "kappa" not in played.turns[2].text
    heard = [message.content for message in fake.requests[-1][1:]]
    assert heard == [turn.text for turn in played.turns[:4]]
    assert [turn.start_ms for turn in played.turns] == sorted(turn.start_ms for turn in played.turns)


def test_an_uninterruptible_greeting_is_heard_to_its_end_and_then_answered() -> None:
    settings = ConversationSettings(greeting=GreetingSettings(uninterruptible=True))
    played = play(question(), [Says(600, 1400, "no not now")], settings=settings)
    assert played.lines == [("agent", GREETING), ("contact", "no not now"), ("agent", "Too bad.")]
    assert not played.turns[0].interrupted


def test_an_early_answer_to_a_question_that_was_heard_is_taken() -> None:
    brain = question(say="Will you come? Please say yes or no or press one for yes and two for no")
    played = play(brain, [Says(1200, 1500, "yes")])
    assert played.lines[1:] == [("contact", "yes"), ("agent", "Thank you.")]
    assert played.turns[0].interrupted


def test_a_farewell_over_our_farewell_does_not_cut_it() -> None:
    brain = question()
    played = play(brain, [Says(3000, 3400, "yes"), Says(3900, 4200, "bye")])
    assert played.lines[-2:] == [("agent", "Thank you."), ("contact", "bye")]
    assert not played.turns[-2].interrupted
    assert played.end.reason == "agent_hangup"


def test_the_sentence_ahead_is_spoken_early_but_no_further() -> None:
    stage = Stage()
    brain, _ = model()
    text = "one two three four. five six seven eight. nine ten eleven twelve. last."
    played = play(
        brain, [], stage=stage, settings=ConversationSettings(greeting=GreetingSettings(text=text)), hang_up_ms=700
    )
    assert stage.speaker.texts == ["one two three four.", "five six seven eight."]
    assert played.turns[0].interrupted


def test_a_message_is_not_ended_by_a_pause() -> None:
    stage = Stage()
    stage.recognizer.is_able = False
    script = [Says(3000, 5000, "please call me"), Says(6500, 8000, "in the evening")]
    played = play(asking({"kind": "message", "max_seconds": 30}), script, stage=stage)
    assert played.lines[1] == ("contact", "[message, 5 s]")
    assert played.turns[2].start_ms - played.turns[1].end_ms >= 2500
    assert stage.recognizer.expectations[0].kind == "message"


def test_a_message_ends_at_its_longest() -> None:
    stage = Stage()
    stage.recognizer.is_able = False
    played = play(asking({"kind": "message", "max_seconds": 4}), [Says(3000, 30_000, "a b c d e f")], stage=stage)
    assert played.lines[1] == ("contact", "[message, 4 s]")


def test_a_caller_who_never_pauses_is_answered_after_a_minute() -> None:
    brain, _ = model("One moment please.")
    settings = ConversationSettings(greeting=HELLO)
    played = play(brain, [Says(1000, 80_000, "and then and so")], settings=settings, hang_up_ms=64_000)
    assert played.lines[1] == ("contact", "and then and so")
    assert played.turns[2].text.startswith("One moment")
    assert 61_000 <= played.turns[2].start_ms <= 61_500


def test_a_reply_whose_words_were_all_heard_was_not_interrupted() -> None:
    stage = Stage()
    inner = stage.speaker.speak

    async def speak_and_pause(text: str, *, sample_rate_hz: int) -> AsyncIterator[Speech]:
        async for piece in inner(text, sample_rate_hz=sample_rate_hz):
            yield piece
        yield Speech(SILENCE * 50)

    stage.speaker.speak = speak_and_pause  # type: ignore[method-assign]
    played = play(question(), [], stage=stage, hang_up_ms=3400)
    assert played.lines == [("agent", GREETING)]
    assert not played.turns[0].interrupted


def test_an_answer_over_a_repeated_question_is_taken() -> None:
    brain = question(reprompt="Please say yes or no or press one for yes and two for no.")
    played = play(brain, [Says(3000, 3600, "banana"), Says(5600, 5900, "yes")])
    assert played.lines[-2:] == [("contact", "yes"), ("agent", "Thank you.")]
    assert played.turns[2].interrupted


def test_an_answer_on_the_last_syllables_of_a_question_is_taken() -> None:
    played = play(question(say="Please tell me now whether you will come to us."), [Says(1500, 1900, "yes")])
    assert played.lines[1:] == [("contact", "yes"), ("agent", "Thank you.")]
