"""Recognizers that tell words as they are spoken: answers begin early, and sounds without words change nothing."""

from dataclasses import dataclass

from ringdown.voice.ports import Expectation, ProviderError, Recognition
from ringdown.voice.settings import ConversationSettings, GreetingSettings
from tests.fakes.voices import FakeRecognizer, FakeUtterance
from tests.unit.voice.brains import asking, model, question
from tests.unit.voice.script import Says, Stage, play

HELLO = ConversationSettings(greeting=GreetingSettings(text="Hello."))
STORY = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
TELLING = ConversationSettings(greeting=GreetingSettings(text=STORY))


def telling() -> Stage:
    """A stage whose recognizer tells words at once."""
    stage = Stage()
    stage.recognizer.has_partials = True
    return stage


@dataclass
class MishearingRecognizer(FakeRecognizer):
    """Tells "tree." first and "three." in the end."""

    def open(self, *, sample_rate_hz: int, language: str, expectation: Expectation) -> FakeUtterance:
        """Begin an utterance."""
        inner = super().open(sample_rate_hz=sample_rate_hz, language=language, expectation=expectation)
        told = inner.partial
        inner.partial = lambda: told().replace("three.", "tree.")  # type: ignore[method-assign]
        return inner


def test_a_finished_sentence_is_answered_before_the_silence_is_long_enough() -> None:
    waits = []
    for stage in (Stage(), telling()):
        brain, fake = model("Well.")
        played = play(brain, [Says(1000, 1600, "I want tea.")], stage=stage, settings=HELLO, hang_up_ms=4000)
        assert played.lines == [("agent", "Hello."), ("contact", "I want tea."), ("agent", "Well.")]
        latency = played.turns[2].latency
        assert latency is not None
        stages = (
            latency.endpoint_ms + latency.recognition_ms + latency.model_ms + latency.speech_ms + latency.playout_ms
        )
        assert abs(stages - latency.total_ms) <= 5
        assert min(latency.endpoint_ms, latency.recognition_ms, latency.model_ms, latency.playout_ms) >= 0
        assert len(fake.requests) == 1
        waits.append(latency.total_ms)
    # Without words: 200 ms of silence, 100 of recognition, 150 of the model, 50 of the voice. With them:
    # 150 and 50, beside the detector's lag.
    assert 480 <= waits[0] <= 560
    assert 160 <= waits[1] <= 360


def test_an_answer_to_misheard_words_is_never_heard() -> None:
    stage = Stage()
    stage.recognizer = MishearingRecognizer(stage.codebook, has_partials=True)
    brain, fake = model("Right.")
    played = play(brain, [Says(1000, 1600, "I said three.")], stage=stage, settings=HELLO, hang_up_ms=4000)
    assert played.lines == [("agent", "Hello."), ("contact", "I said three."), ("agent", "Right.")]
    assert [request[-1].content for request in fake.requests] == ["I said tree.", "I said three."]
    assert fake.cancelled == 1


def test_a_caller_who_goes_on_after_a_full_stop_voids_the_early_answer() -> None:
    brain, _ = model("First.", "Second.", "Third.")
    script = [Says(1000, 1600, "I want tea."), Says(1760, 2400, "And milk please.")]
    played = play(brain, script, stage=telling(), settings=HELLO, hang_up_ms=5000)
    assert [line for line in played.lines if line[0] == "contact"] == [("contact", "I want tea. And milk please.")]
    assert "First." not in played.heard_words()


def test_an_answer_that_fails_before_the_caller_goes_on_is_tried_anew_without_an_apology() -> None:
    brain, fake = model("Nobody hears this.", "Well.")
    fake.replies[0] = [ProviderError("model", "gone", retryable=False)]
    fake.delay_s = 0.01
    script = [Says(1000, 1600, "I want tea."), Says(1760, 2400, "And milk please.")]
    played = play(brain, script, stage=telling(), settings=HELLO, hang_up_ms=5000)
    assert played.lines[1:] == [("contact", "I want tea. And milk please."), ("agent", "Well.")]
    assert len(fake.requests) == 2


def test_a_recognizer_that_fails_to_confirm_the_words_is_apologized_for() -> None:
    stage = telling()
    stage.recognizer.faults = [ProviderError("recognizer", "gone", retryable=False)]
    brain, _ = model("Well.")
    played = play(brain, [Says(1000, 1600, "I want tea.")], stage=stage, settings=HELLO, hang_up_ms=20_000)
    assert played.end.reason == "provider_error"
    assert ("agent", ConversationSettings().apology) in played.lines
    assert "Well." not in played.heard_words()


def test_a_number_in_groups_is_one_turn() -> None:
    brain, _ = model("First.", "Second.", "Third.")
    groups = ["five one six", "zero one seven", "four two nine eight"]
    script = [Says(1000, 1600, groups[0]), Says(2800, 3400, groups[1]), Says(4500, 5300, groups[2])]
    played = play(brain, script, stage=telling(), settings=HELLO, hang_up_ms=9000)
    assert [line for line in played.lines if line[0] == "contact"] == [("contact", " ".join(groups))]
    assert played.is_silent(400, 5300)


def test_a_complete_number_is_answered_without_waiting_for_another_group() -> None:
    brain = asking({"kind": "digits", "min": 4, "max": 4})
    played = play(brain, [Says(3000, 3900, "one two three four")], stage=telling())
    assert played.lines[1] == ("contact", "one two three four")
    assert played.turns[2].start_ms - played.turns[1].end_ms <= 400


def test_noise_over_the_agent_does_not_even_make_it_hesitate() -> None:
    stage = telling()
    brain, _ = model("Well.")
    script = [Says(300, 500, "mhm"), Says(1000, 2400, "<noise>")]
    played = play(brain, script, stage=stage, settings=TELLING, hang_up_ms=4000)
    assert played.lines == [("agent", STORY)]
    assert None not in played.sent[4:150]


def test_the_agent_goes_on_at_once_when_the_sounds_that_stopped_it_were_no_words() -> None:
    brain, _ = model()
    played = play(brain, [Says(1000, 2300, "<noise>")], settings=TELLING, hang_up_ms=5000)
    assert played.lines == [("agent", STORY)]
    silent = [number * 20 for number, frame in enumerate(played.sent[4:150], 4) if frame is None]
    # Stopped by 700 ms of voice, and again after as much more; each time for the 100 ms of a recognition.
    assert 1700 <= silent[0] <= 1860
    assert 100 <= len(silent) * 20 <= 300


def test_noise_after_a_finished_sentence_does_not_hold_the_answer_back() -> None:
    brain, fake = model("Well.")
    script = [Says(1000, 1600, "I want tea."), Says(1600, 6000, "<noise>")]
    played = play(brain, script, stage=telling(), settings=HELLO, hang_up_ms=8000)
    assert played.lines[1:] == [("contact", "I want tea."), ("agent", "Well.")]
    assert played.turns[2].start_ms <= 2500
    assert len(fake.requests) == 1


def test_a_recognizer_without_early_words_is_known_after_its_first_turn() -> None:
    brain, _ = model(STORY, "Yes?")
    script = [Says(1000, 1600, "Tell me a story."), Says(4000, 5000, "stop it now please.")]
    played = play(brain, script, settings=HELLO, hang_up_ms=8000)
    decision_ms = 4000 + 400 + 64 + 32
    assert played.is_silent(decision_ms + 60, 5000)
    assert not played.is_silent(4000, 4400)


def test_a_sign_of_listening_at_the_end_of_a_statement_costs_no_words() -> None:
    brain, _ = model()
    played = play(brain, [Says(2500, 2700, "okay")], stage=telling(), settings=TELLING, hang_up_ms=5000)
    assert played.lines == [("agent", STORY)]
    assert not played.turns[0].interrupted


def test_a_sign_of_listening_at_the_end_of_a_question_answers_it() -> None:
    played = play(question(say="Shall I book the table for you then?"), [Says(1500, 1700, "okay")], stage=telling())
    assert played.lines[1:] == [("contact", "okay"), ("agent", "Thank you.")]


def test_words_that_the_recognizer_tells_late_still_belong_to_the_turn() -> None:
    stage = Stage()
    brain, _ = model("First.", "Second.")

    @dataclass
    class LateRecognizer(FakeRecognizer):
        """Tells its last word 500 ms after the others."""

        def open(self, *, sample_rate_hz: int, language: str, expectation: Expectation) -> FakeUtterance:
            """Begin an utterance."""
            inner = super().open(sample_rate_hz=sample_rate_hz, language=language, expectation=expectation)
            final, told = inner.final, inner.partial

            def is_late() -> bool:
                return len(inner._pcm) < (600 + 300 + 500) * 16

            async def say_late() -> Recognition:
                recognition = await final()
                return Recognition("I want") if is_late() else recognition

            inner.final = say_late  # type: ignore[method-assign]
            inner.partial = lambda: "I want" if is_late() else told()  # type: ignore[method-assign]
            return inner

    stage.recognizer = LateRecognizer(stage.codebook, has_partials=True)
    played = play(brain, [Says(1000, 1600, "I want tea.")], stage=stage, settings=HELLO, hang_up_ms=5000)
    assert played.lines[1:] == [("contact", "I want tea."), ("agent", "Second.")]


def test_the_agent_that_a_long_sign_of_listening_stopped_goes_on_before_it_is_recognized() -> None:
    brain, fake = model()
    played = play(brain, [Says(1000, 1700, "okay")], stage=telling(), settings=TELLING, hang_up_ms=5000)
    assert played.lines == [("agent", STORY)]
    silent = [number * 20 for number, frame in enumerate(played.sent[4:150], 4) if frame is None]
    assert 1300 <= silent[0] <= 1500
    assert silent[-1] <= 1700 + 150 + 64
    assert fake.requests == []
