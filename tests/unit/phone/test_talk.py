"""The test phone takes its turns on the media clock."""

import audioop

from ringdown.phone.script import Script, parse_step
from ringdown.phone.talk import Talk, make_tone

SILENCE = bytes(320)
SPEECH = make_tone(300, 20)


def play(talk: Talk, far: list[tuple[int, bool]], until_ms: int) -> list[tuple[int, bytes]]:
    """Run the clock to `until_ms`; `far` lists when the far party begins and ends to speak."""
    spoken = []
    is_speaking = False
    changes = dict(far)
    for at_ms in range(0, until_ms, 20):
        is_speaking = changes.get(at_ms, is_speaking)
        frame = talk.exchange(SPEECH if is_speaking else SILENCE, at_ms)
        if frame is not None:
            spoken.append((at_ms, frame))
    return spoken


def make_talk(*steps: str, **script: object) -> tuple[Talk, list[tuple[str, str, int]]]:
    events: list[tuple[str, str, int]] = []
    parsed = tuple(parse_step(step) for step in steps)
    sounds = {step.text: make_tone(600, 100) for step in parsed if step.kind == "say"}
    talk = Talk(Script(steps=parsed, **script), sounds=sounds, on_event=lambda *event: events.append(event))  # type: ignore[arg-type]
    return talk, events


def test_it_answers_after_the_far_party_has_finished() -> None:
    talk, events = make_talk("say yes")
    spoken = play(talk, [(500, True), (1500, False)], 4000)
    assert spoken[0][0] == 2500 + 20
    assert len(spoken) == 5
    assert audioop.rms(spoken[2][1], 2) > 1000
    assert [event[:2] for event in events] == [("heard", "1.0 s"), ("said", "yes")]


def test_a_pause_between_sentences_is_not_the_end_of_a_turn() -> None:
    talk, events = make_talk("say yes")
    play(talk, [(500, True), (1500, False), (2300, True), (3000, False)], 3900)
    assert events == []


def test_it_loses_patience_with_a_silent_far_party() -> None:
    talk, events = make_talk("say hello")
    play(talk, [], 8100)
    assert events == [("said", "hello", 8000)]


def test_after_a_wait_it_goes_on_without_being_spoken_to() -> None:
    talk, events = make_talk("wait 0.5", "digits 12", "wait 0.5", "hang_up")
    play(talk, [], 2000)
    assert [event[0] for event in events] == ["digits", "finished"]
    assert events[0][2] < 600
    assert events[1][2] < 1200


def test_it_never_talks_longer_than_its_limit() -> None:
    talk, events = make_talk("say yes", repeats=True, max_duration_ms=3000)
    play(talk, [], 4000)
    assert events == [("finished", "", 3000)]


def test_a_key_is_acknowledged_by_a_tone_only_when_the_script_says_so_and_nothing_plays() -> None:
    for acknowledges, frames in ((True, 10), (False, 0)):
        talk, _ = make_talk(acknowledges_digits=acknowledges)
        talk.acknowledge()
        talk.acknowledge()
        assert len(play(talk, [], 1000)) == frames


def test_hold_resume_and_transfer_are_left_to_the_listener() -> None:
    talk, events = make_talk("wait 0.1", "hold", "wait 0.1", "resume", "wait 0.1", "transfer sip:bob@example.net")
    play(talk, [], 1000)
    assert [event[:2] for event in events] == [("hold", ""), ("resume", ""), ("transfer", "sip:bob@example.net")]
