"""The caller's language: when it changes, and what changes with it."""

from collections.abc import Sequence

import pytest

from ringdown.voice.languages import LanguageRule, match_language
from ringdown.voice.ports import TextToSpeech
from ringdown.voice.settings import ConversationSettings, GreetingSettings
from tests.fakes.voices import FakeSpeaker
from tests.unit.voice.brains import model
from tests.unit.voice.script import Played, Says, Stage, play

SETTINGS = ConversationSettings(
    language="en-US", languages=("de-DE", "fr-FR"), greeting=GreetingSettings(text="Hello.")
)


@pytest.mark.parametrize(
    ("tag", "known", "found"),
    [
        ("de", ["en-US", "de-DE"], "de-DE"), ("de-DE", ["de-AT", "de-DE"], "de-DE"),
        ("de-CH", ["de-AT", "de-DE"], "de-AT"), ("EN_us", ["de-DE", "en-US"], "en-US"),
        ("german", ["de-DE"], None), ("nl", ["de-DE"], None), ("", ["de-DE"], None),
    ],
)  # fmt: skip
def test_a_language_is_found_by_its_tag_or_its_first_part(tag: str, known: Sequence[str], found: str | None) -> None:
    assert match_language(tag, known) == found


def test_three_words_change_the_language_and_one_does_not() -> None:
    rule = LanguageRule(["en-US", "de-DE"])
    assert rule.hear("de", "ja", turn_start_ms=0) is None
    assert rule.hear("en", "hello there you", turn_start_ms=1000) is None
    assert rule.hear("de", "Ich möchte bestellen", turn_start_ms=2000) == "de-DE"
    assert rule.current == "de-DE"


def test_two_turns_in_a_row_change_the_language_and_one_that_grows_is_one() -> None:
    rule = LanguageRule(["en-US", "de-DE"])
    assert rule.hear("de", "ja", turn_start_ms=500) is None
    assert rule.hear("de", "ja bitte", turn_start_ms=500) is None
    assert rule.hear("de", "genau", turn_start_ms=3000) == "de-DE"


def test_a_language_that_is_not_known_or_not_told_changes_nothing() -> None:
    rule = LanguageRule(["en-US", "de-DE"])
    assert rule.hear("nl", "ik wil graag bestellen", turn_start_ms=0) is None
    assert rule.hear(None, "ich möchte gerne bestellen", turn_start_ms=1000) is None
    assert rule.hear("en-GB", "I would like to order", turn_start_ms=2000) is None
    assert rule.current == "en-US"


def test_the_language_changes_back() -> None:
    rule = LanguageRule(["en-US", "de-DE"])
    rule.hear("de", "ich möchte bestellen", turn_start_ms=0)
    assert rule.hear("en", "sorry I speak English", turn_start_ms=5000) == "en-US"


class Voices:
    """A voice for each language; remembers for which it was asked."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.asked: list[str] = []
        self.german = FakeSpeaker(stage.codebook)

    def __call__(self, language: str) -> TextToSpeech:
        self.asked.append(language)
        return self.german if language == "de-DE" else self._stage.speaker


def _speak_german(settings: ConversationSettings) -> tuple[Played, Stage, Voices, list[str]]:
    stage = Stage()
    stage.recognizer.spoken_in = {"möchte": "de", "danke": "de"}
    voices = Voices(stage)
    brain, fake = model("Gerne.", "Bitte.")
    script = [Says(1500, 2300, "ich möchte bestellen."), Says(5000, 5400, "danke.")]
    played = play(brain, script, stage=stage, settings=settings, speaker_for=voices, hang_up_ms=8000)
    return played, stage, voices, [request[0].content for request in fake.requests]


def test_recognizer_voice_and_model_change_with_the_caller() -> None:
    played, stage, voices, prompts = _speak_german(SETTINGS)
    assert stage.recognizer.languages == ["en-US", "de-DE"]
    assert voices.asked == ["de-DE"]
    assert voices.german.texts == ["Gerne.", "Bitte."]
    assert stage.speaker.texts == ["Hello."]
    assert "de-DE" in prompts[0]
    assert [(note.kind, note.details) for note in played.notes] == [
        ("language.switched", {"from": "en-US", "to": "de-DE"})
    ]


def test_without_other_languages_nothing_changes() -> None:
    played, stage, voices, prompts = _speak_german(ConversationSettings(greeting=GreetingSettings(text="Hello.")))
    assert stage.recognizer.languages == ["en-US", "en-US"]
    assert voices.asked == []
    assert played.notes == []
    assert "de-DE" not in prompts[0]
