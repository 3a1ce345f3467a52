"""The voices catalog."""

import re
from pathlib import Path

import espeakng_loader

from ringdown.config import Settings
from ringdown.voices import catalog


def test_ids_are_well_formed_unique_and_stay_the_same_for_ever() -> None:
    ids = [voice.id for voice in catalog.list_voices(Settings())]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"voice_[0-9a-hjkmnp-tv-z]{26}", voice_id) for voice_id in ids)
    assert ids[0] == "voice_660mjwv7wfvmfvg5a3kg88gcfa"


def test_every_offline_voice_is_in_the_installed_espeak() -> None:
    languages = Path(espeakng_loader.get_data_path()) / "lang"
    known = {
        match[1].lower()
        for path in languages.rglob("*")
        if path.is_file()
        for match in re.finditer(r"^language\s+(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    missing = {voice.provider_voice for voice in catalog.list_voices(Settings())} - known
    assert missing == set()


def test_voices_of_the_speech_server_are_known_only_when_one_is_configured() -> None:
    configured = Settings(speech_url="http://speech.test/v1", speech_model="tts", speech_voices=("alloy", "nova"))
    voice = catalog.find_voice(configured, "speech:nova")
    assert voice is not None
    assert (voice.provider_voice, voice.language) == ("nova", None)
    assert catalog.find_voice(configured, voice.id) == voice
    assert catalog.find_voice(Settings(), voice.id) is None


def test_voices_of_configured_providers_come_before_the_offline_ones_with_their_language() -> None:
    eleven = {"name": "eleven", "kind": "text_to_speech", "type": "pipecat:elevenlabs", "languages": ["en-GB"]}
    named = [{"voice": "21m00", "name": "Rachel", "language": "en-US"}, "pNInz"]
    own = {"name": "piper", "kind": "text_to_speech", "type": "pipecat:piper"}
    voices = catalog.list_voices(Settings(providers=({**eleven, "voices": named}, own)))
    assert [(voice.alias, voice.name, voice.language) for voice in voices[:4]] == [
        ("eleven:21m00", "Rachel", "en-US"),
        ("eleven:pNInz", "pNInz", "en-GB"),
        ("piper:default", "piper", None),
        ("espeak:en-us", "English (America)", "en-US"),
    ]
