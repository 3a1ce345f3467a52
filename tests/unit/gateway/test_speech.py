"""What an agent hears, thinks and speaks with: its own providers, its fallbacks, and what is told of them."""

import dataclasses
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from ringdown.agents.models import Agent, Fallbacks
from ringdown.config import Settings
from ringdown.gateway.speech import Speech, SpeechProviders
from ringdown.lifecycle import CannotStart
from ringdown.providers.openai_realtime import OpenAIRealtime
from ringdown.voice.ports import Expectation, Message, TextDelta
from tests.fakes.openai_server import FakeOpenAIServer

AGENT = Agent(
    organization_id="org_1",
    id="agt_1",
    name="Ann",
    status="active",
    voice_id="spoken:alloy",
    system_prompt="Be kind.",
    created_at=0,
    updated_at=0,
    model="clever",
)


@pytest.fixture
async def away() -> AsyncIterator[FakeOpenAIServer]:
    async with FakeOpenAIServer(fault="500").run() as running:
        yield running


@pytest.fixture
async def server() -> AsyncIterator[FakeOpenAIServer]:
    async with FakeOpenAIServer().run() as running:
        yield running


@pytest.fixture
async def providers(away: FakeOpenAIServer, server: FakeOpenAIServer) -> AsyncIterator[SpeechProviders]:
    opened = SpeechProviders(Settings(providers=list_tables(away.url, server.url)))
    await opened.start()
    yield opened
    await opened.close()


def list_tables(away: str, server: str) -> tuple[dict[str, Any], ...]:
    hears = {"kind": "speech_to_text", "type": "openai", "model": "whisper"}
    thinks = {"kind": "language_model", "type": "openai", "model": "m"}
    speaks = {"kind": "text_to_speech", "type": "openai", "model": "tts"}
    return (
        {**hears, "name": "heard", "url": away, "languages": ["en-US"]},
        {**hears, "name": "german", "url": server, "languages": ["de-DE"]},
        {**thinks, "name": "clever", "url": away},
        {**thinks, "name": "quick", "url": server},
        {**speaks, "name": "spoken", "url": away, "voices": ["alloy"], "languages": ["en-US"]},
        {**speaks, "name": "other", "url": server, "voices": ["nova", {"voice": "heidi", "language": "de-DE"}]},
        {"name": "live", "kind": "speech_to_speech", "type": "openai", "model": "rt", "url": server},
    )


async def think(speech: Speech) -> str:
    assert speech.model is not None
    parts = [part async for part in speech.model.reply((Message("user", "hi"),))]
    return "".join(part.text for part in parts if isinstance(part, TextDelta))


async def hear(speech: Speech) -> str:
    utterance = speech.recognizer.open(sample_rate_hz=8000, language="en-US", expectation=Expectation())
    utterance.push(bytes(8000))
    return (await utterance.final()).text


async def test_a_failed_provider_is_followed_by_the_agents_next_and_that_is_told(
    providers: SpeechProviders, server: FakeOpenAIServer
) -> None:
    fallbacks = Fallbacks(recognizers=("german", "gone"), models=("quick", "gone"), voices=("other:nova", "gone:x"))
    speech = providers.find_speech(dataclasses.replace(AGENT, recognizer="heard", fallbacks=fallbacks))
    told: list[tuple[str, Mapping[str, object]]] = []
    speech.on_note = lambda kind, details: told.append((kind, details))
    assert (await hear(speech), await think(speech)) == ("yes please", "Hello there. ")
    assert [piece.pcm async for piece in speech.speaker.speak("Hello.", sample_rate_hz=8000)]
    assert [(kind, details["kind"], details["from"], details["to"]) for kind, details in told] == [
        ("provider.fallback", "recognizer", "heard", "german"),
        ("provider.fallback", "model", "clever", "quick"),
        ("provider.fallback", "voice", "spoken:alloy", "other:nova"),
    ]
    assert server.requests[-1].fields["voice"] == "nova"


async def test_the_first_recognizer_that_knows_the_language_is_the_default(
    providers: SpeechProviders, away: FakeOpenAIServer
) -> None:
    speech = providers.find_speech(dataclasses.replace(AGENT, language_hint="de-AT"))
    assert await hear(speech) == "yes please"
    assert away.requests == []


async def test_without_fallbacks_a_failure_is_raised_and_told(providers: SpeechProviders) -> None:
    told: list[str] = []
    speech = providers.find_speech(AGENT, on_note=lambda kind, details: told.append(kind))
    with pytest.raises(Exception, match="HTTP 500"):
        await think(speech)
    assert told == ["provider.failed"]


async def test_a_voice_is_found_for_another_language(providers: SpeechProviders, server: FakeOpenAIServer) -> None:
    speech = providers.find_speech(dataclasses.replace(AGENT, voice_id="other:nova"))
    heidi = providers.find_speech(AGENT).speaker_for("de-DE")
    assert [piece async for piece in speech.speaker_for("fr-FR").speak("Oui.", sample_rate_hz=8000)]
    assert [piece async for piece in heidi.speak("Ja.", sample_rate_hz=8000)]
    assert [request.fields["voice"] for request in server.requests] == ["nova", "heidi"]


async def test_a_model_that_hears_and_speaks_takes_the_place_of_all_others(providers: SpeechProviders) -> None:
    speech = providers.find_speech(dataclasses.replace(AGENT, model="live"))
    assert speech.model is None
    assert isinstance(speech.duplex, OpenAIRealtime)


async def test_the_builtin_brain_and_one_that_is_not_configured_any_more_need_no_model(
    providers: SpeechProviders,
) -> None:
    assert providers.find_speech(dataclasses.replace(AGENT, model="builtin")).model is None
    assert providers.find_speech(dataclasses.replace(AGENT, model="gone")).model is None


async def test_calls_share_the_clients(providers: SpeechProviders) -> None:
    first, second = (providers._providers.open_model("quick") for _ in range(2))
    assert first is second


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (
            {"kind": "language_model", "model": "m", "parameters": {"topp": 1}},
            "parameters.topp is not known; known are",
        ),
        (
            {"kind": "speech_to_speech", "model": "m", "parameters": {"vad": 1}},
            "parameters.vad is not known; known are",
        ),
        ({"kind": "text_to_speech", "type": "pipecat:cartesia"}, "key is required by CartesiaTTSService"),
        (
            {"kind": "speech_to_text", "type": "pocketsphinx", "parameters": {"a": 1}},
            "parameters.a is not known; it has",
        ),
    ],
)
async def test_wrong_parameters_keep_the_gateway_from_starting(table: dict[str, Any], sentence: str) -> None:
    opened = SpeechProviders(Settings(providers=({"name": "mine", "type": "openai", **table},)))
    with pytest.raises(CannotStart) as refusal:
        await opened.start()
    await opened.close()
    assert str(refusal.value).startswith("Provider mine in ringdown.toml: ") and sentence in str(refusal.value)


async def test_without_pipecat_its_services_keep_the_gateway_from_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "loguru", None)
    table = {"name": "mine", "kind": "text_to_speech", "type": "pipecat:cartesia", "key": "k"}
    opened = SpeechProviders(Settings(providers=(table,)))
    with pytest.raises(
        CannotStart, match=r'Pipecat is not installed; install it with: pip install "ringdown\[pipecat\]"'
    ):
        await opened.start()
    await opened.close()


def test_providers_that_cannot_be_read_keep_the_gateway_from_starting() -> None:
    with pytest.raises(CannotStart, match=r"Provider 1 in ringdown.toml: name is required\."):
        SpeechProviders(Settings(providers=({},)))
