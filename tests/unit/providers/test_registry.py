"""The configured providers: what is read from the settings, and how what cannot be read is refused."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from ringdown.config import Settings
from ringdown.providers import registry
from ringdown.providers.registry import ProviderBook

DEEPGRAM = {"name": "deepgram", "kind": "speech_to_text", "type": "pipecat:deepgram", "key": "dg-very-secret"}
CHAT = {"name": "small", "kind": "language_model", "type": "openai", "model": "m"}


def read(*tables: dict[str, Any], **settings: Any) -> ProviderBook:
    return registry.read_providers(Settings(providers=tables, **settings))


def names(book: ProviderBook) -> list[tuple[str, str]]:
    return [(provider.kind, provider.name) for provider in book.providers]


def test_without_settings_there_are_the_offline_providers_alone() -> None:
    assert names(read()) == [("speech_to_text", "pocketsphinx"), ("text_to_speech", "espeak")]


def test_the_single_settings_are_providers_and_come_first() -> None:
    book = read(
        CHAT,
        DEEPGRAM,
        model_url="http://m.test/v1",
        model_name="llama3:8b",
        transcription_url="http://t.test/v1",
        transcription_model="whisper",
        speech_url="http://s.test/v1",
        speech_model="tts",
        speech_voices=("alloy", "nova"),
    )
    assert [provider.name for provider in book.list("language_model")] == ["llama3:8b", "small"]
    assert [provider.name for provider in book.list("speech_to_text")] == ["transcription", "deepgram"]
    assert [provider.name for provider in book.list("text_to_speech")] == ["speech", "espeak"]
    speech = book.find("text_to_speech", "speech")
    assert speech is not None
    assert ([voice.voice for voice in speech.voices], speech.base_url) == (["alloy", "nova"], "http://s.test/v1")


def test_a_provider_is_found_by_kind_and_name() -> None:
    book = read(DEEPGRAM, {**DEEPGRAM, "kind": "text_to_speech"})
    found = book.find("text_to_speech", "deepgram")
    assert found is not None and found.service == "deepgram"
    assert book.find("language_model", "deepgram") is None


def test_tables_of_the_file_are_read(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ringdown.toml").write_text(
        '[[providers]]\nname = "eleven"\nkind = "text_to_speech"\ntype = "pipecat:elevenlabs"\nkey = "k"\n'
        'voices = [{ voice = "21m00", name = "Rachel", language = "en-US" }, "pNInz"]\n'
        "parameters = { stability = 0.4 }\n"
    )
    monkeypatch.chdir(tmp_path)
    provider = registry.read_providers(Settings()).find("text_to_speech", "eleven")
    assert provider is not None
    assert [(voice.voice, voice.name, voice.language) for voice in provider.voices] == [
        ("21m00", "Rachel", "en-US"),
        ("pNInz", None, None),
    ]
    assert provider.parameters == {"stability": 0.4}


def test_a_key_is_taken_from_the_environment_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPGRAM_API_KEY", "dg-very-secret")
    book = read({**DEEPGRAM, "key": "env:DEEPGRAM_API_KEY"})
    provider = book.find("speech_to_text", "deepgram")
    assert provider is not None and provider.secret == "dg-very-secret"
    assert "very-secret" not in repr(book)


@pytest.mark.parametrize(
    ("tables", "sentence"),
    [
        (
            [{**DEEPGRAM, "keyy": "x"}],
            "Provider deepgram in ringdown.toml: keyy is not a known key; known are name, kind",
        ),
        ([{"kind": "speech_to_text", "type": "openai"}], "Provider 1 in ringdown.toml: name is required"),
        ([{**DEEPGRAM, "name": "deep gram"}], "Provider deep gram in ringdown.toml: name must be letters"),
        ([{**DEEPGRAM, "kind": "hearing"}], "Provider deepgram in ringdown.toml: kind Input should be"),
        ([{**DEEPGRAM, "kind": "embedding"}], "kind must be speech_to_text or language_model or"),
        (
            [{**DEEPGRAM, "type": "deepgram"}],
            "type must be one of openai, pocketsphinx, espeak, elevenlabs, cartesia, sherpa, pipecat:<service>",
        ),
        ([{**DEEPGRAM, "type": "pipecat:../x"}], "type must be one of"),
        ([{**DEEPGRAM, "url": "deepgram.com"}], "url must begin with http://"),
        ([{**DEEPGRAM, "key": "env:NOT_SET_ANYWHERE"}], "key names the variable NOT_SET_ANYWHERE"),
        ([{**DEEPGRAM, "voices": ["a"]}], "voices are unknown to a speech_to_text provider"),
        ([{**DEEPGRAM, "timeout_seconds": 0}], "timeout_seconds Input should be greater than 0"),
        ([{**CHAT, "model": None}], "Provider small in ringdown.toml: model is required with type openai"),
        ([{**CHAT, "kind": "text_to_speech"}], "voices is required with type openai"),
        ([DEEPGRAM, DEEPGRAM], "Provider deepgram in ringdown.toml: name is taken"),
        ([CHAT, {**CHAT, "kind": "speech_to_speech"}], "Provider small in ringdown.toml: name is taken"),
        ([{**CHAT, "name": "builtin"}], "Provider builtin in ringdown.toml: name is taken"),
        (
            [{"name": "espeak", "kind": "text_to_speech", "type": "espeak", "voices": ["de"]}],
            "Provider espeak in ringdown.toml: name is taken",
        ),
    ],
)
def test_what_cannot_be_read_is_named_in_one_sentence(tables: list[dict[str, Any]], sentence: str) -> None:
    with pytest.raises(ValueError) as refusal:
        read(*tables)
    assert sentence in str(refusal.value)
    assert "very-secret" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_languages_fit_whatever_their_region() -> None:
    provider = read({**DEEPGRAM, "languages": ["en-US", "de"]}).find("speech_to_text", "deepgram")
    assert provider is not None
    assert [provider.speaks(tag) for tag in ("en-GB", "de-AT", "fr-FR", "DE")] == [True, True, False, True]
    anything = read(DEEPGRAM).find("speech_to_text", "deepgram")
    assert anything is not None and anything.speaks("fr-FR")


PAGE = (Path(__file__).parents[3] / "docs" / "providers.md").read_text(encoding="utf-8")


def test_the_examples_of_the_documentation_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in re.findall(r"env:([A-Z_]+)", PAGE):
        monkeypatch.setenv(name, "k")
    examples = [tomllib.loads(example)["providers"] for example in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)]
    assert len(examples) > 3
    for tables in examples:
        named = [(table["kind"], table["name"]) for table in tables]
        assert names(read(*tables))[: len(named)] == named


def test_the_documentation_explains_every_key_and_kind_of_a_provider() -> None:
    for name in registry.ProviderSettings.model_fields:
        assert f"| `{name}` |" in PAGE, name
    for kind in registry.PROVIDER_KINDS:
        assert f"`{kind}`" in PAGE, kind
