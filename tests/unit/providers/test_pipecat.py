"""Pipecat services behind our ports: real ones against a local server, and small ones of our own."""

import asyncio
import struct
import sys
from collections.abc import AsyncIterator
from typing import Any

import loguru
import numpy
import pytest

from ringdown.providers import pipecat_services
from ringdown.providers.pipecat_hearing import PipecatRecognizer
from ringdown.providers.pipecat_plan import ServicePlan, list_services
from ringdown.providers.pipecat_speaking import PipecatSpeaker
from ringdown.providers.registry import ProviderKind, ProviderSettings
from ringdown.voice.ports import Expectation, Message, ProviderError, TextDelta, ToolRequest, ToolSpec, Word
from tests.fakes.openai_server import FakeOpenAIServer, Fault
from tests.fakes.pipecat_services import Behaviour, WordRecognizer, WordVoice

loguru.logger.disable("pipecat")

PATIENCE_S = 20.0
KEY = "sk-very-secret"
LOOK = ToolSpec("look", "Look it up", {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]})


@pytest.fixture
async def server() -> AsyncIterator[FakeOpenAIServer]:
    async with FakeOpenAIServer().run() as running:
        yield running


def settle(kind: ProviderKind, service: str, **settings: Any) -> ProviderSettings:
    return ProviderSettings(name="mine", kind=kind, type=f"pipecat:{service}", **settings)


# --- finding services and checking their parameters ------------------------------------------------------------------


def test_every_kind_has_services_and_realtime_ones_are_not_chat_models() -> None:
    assert {"deepgram", "deepgram.flux", "openai", "soniox"} <= set(list_services("speech_to_text"))
    assert {"cartesia", "elevenlabs", "openai"} <= set(list_services("text_to_speech"))
    assert {"anthropic", "google", "groq", "openai"} <= set(list_services("language_model"))
    assert {"google.gemini_live", "openai.realtime", "ultravox"} <= set(list_services("speech_to_speech"))
    assert not set(list_services("language_model")) & set(list_services("speech_to_speech"))


@pytest.mark.parametrize(
    ("kind", "service", "name"),
    [
        ("text_to_speech", "cartesia", "CartesiaTTSService"),
        ("text_to_speech", "cartesia:CartesiaHttpTTSService", "CartesiaHttpTTSService"),
        ("speech_to_text", "deepgram.flux", "DeepgramFluxSTTService"),
        ("speech_to_text", "openai", "OpenAISTTService"),
        ("language_model", "baseten", "BasetenLLMService"),
        ("language_model", "openai", "OpenAILLMService"),
        ("speech_to_speech", "openai", "OpenAIRealtimeLLMService"),
        ("speech_to_speech", "openai.live", "OpenAILiveLLMService"),
    ],
)
def test_a_service_is_found_by_its_module_or_its_class(kind: ProviderKind, service: str, name: str) -> None:
    assert pipecat_services.plan_service(settle(kind, service, key=KEY)).service.__name__ == name


@pytest.mark.parametrize(
    ("provider", "sentence"),
    [
        (settle("speech_to_text", "nobody"), "Pipecat has no speech_to_text service nobody; it has assemblyai,"),
        (settle("text_to_speech", "cartesia:Nobody", key=KEY), "pipecat.services.cartesia.tts has no class Nobody"),
        (settle("text_to_speech", "cartesia"), "Provider mine in ringdown.toml: key is required by CartesiaTTSService"),
        (
            settle("text_to_speech", "elevenlabs", key=KEY, parameters={"stabilty": 0.4}),
            "parameters.stabilty is not known to ElevenLabsTTSService; known are",
        ),
        (
            settle("text_to_speech", "elevenlabs", key=KEY, parameters={"stability": "much"}),
            "parameters.stability is refused: Input should be a valid number",
        ),
        (
            settle("speech_to_text", "deepgram.flux", key=KEY, parameters={"should_interrupt": "perhaps"}),
            "parameters.should_interrupt is refused: Input should be a valid boolean",
        ),
        (
            settle(
                "speech_to_speech",
                "openai.realtime",
                key=KEY,
                parameters={"session_properties": {"audio": {"input": {"turn_detection": {"silence": 500}}}}},
            ),
            "parameters.session_properties.audio.input.turn_detection.silence is not known; known are",
        ),
        (settle("text_to_speech", "xtts", key=KEY), "pipecat:xtts takes no key"),
        (settle("text_to_speech", "minimax", key=KEY), "parameters.group_id is required by MiniMaxHttpTTSService"),
    ],
)
def test_what_does_not_fit_is_named_in_one_sentence(provider: ProviderSettings, sentence: str) -> None:
    with pytest.raises(ValueError) as refusal:
        pipecat_services.plan_service(provider)
    assert sentence in str(refusal.value)
    assert KEY not in str(refusal.value)


def test_a_missing_package_is_named_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "deepgram", None)
    monkeypatch.delitem(sys.modules, "pipecat.services.deepgram.stt", raising=False)
    with pytest.raises(ValueError, match=r'install it with: pip install "pipecat-ai\[deepgram\]"'):
        pipecat_services.plan_service(settle("speech_to_text", "deepgram", key=KEY))


def test_parameters_reach_the_constructor_and_the_settings_and_the_older_params_too() -> None:
    given = {"params": {"stability": 0.4}, "auto_mode": False}
    plan = pipecat_services.plan_service(
        settle("text_to_speech", "elevenlabs", key=KEY, url="wss://e.test", model="m", parameters=given)
    )
    assert plan.arguments == {"api_key": KEY, "url": "wss://e.test", "auto_mode": False}
    assert plan.settings == {"model": "m", "stability": 0.4}


# --- real services against a local server ----------------------------------------------------------------------------


@pytest.fixture
async def chat(server: FakeOpenAIServer) -> AsyncIterator[Any]:
    model = pipecat_services.open_model(settle("language_model", "openai", key=KEY, url=server.url, model="m"))
    yield model
    await model.close()


async def ask(chat: Any, *messages: Message, tools: tuple[ToolSpec, ...] = ()) -> list[TextDelta | ToolRequest]:
    return [part async for part in chat.reply(messages or (Message("user", "hi"),), tools=tools, temperature=0.5)]


async def test_a_model_streams_text_and_then_tool_requests(server: FakeOpenAIServer, chat: Any) -> None:
    server.tool_calls = [("look", '{"a": 1}'), ("look", "{}")]
    parts = await ask(chat, Message("system", "Be kind."), Message("user", "hi"), tools=(LOOK,))
    assert parts == [
        TextDelta("Hello "),
        TextDelta("there. "),
        ToolRequest("call_0", "look", '{"a": 1}'),
        ToolRequest("call_1", "look", "{}"),
    ]
    sent = server.requests[0].fields
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert (sent["temperature"], sent["tools"][0]["function"]["name"]) == (0.5, "look")
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


async def test_results_of_tools_go_back_with_their_requests(server: FakeOpenAIServer, chat: Any) -> None:
    request = ToolRequest("call_0", "look", '{"a": 1}')
    await ask(
        chat,
        Message("user", "hi"),
        Message("assistant", "", tool_calls=(request,)),
        Message("tool", "found", tool_call_id="call_0"),
    )
    messages = server.requests[0].fields["messages"]
    assert messages[1]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"a": 1}'}
    assert (messages[2]["role"], messages[2]["tool_call_id"], messages[2]["content"]) == ("tool", "call_0", "found")


@pytest.mark.parametrize(
    ("fault", "is_retryable"), [("500", True), ("429", True), ("401", False), ("cut", True), ("garbage", True)]
)
async def test_faults_of_a_model_are_provider_errors_without_secrets_and_it_recovers(
    server: FakeOpenAIServer, chat: Any, fault: Fault, is_retryable: bool
) -> None:
    server.fault = fault
    with pytest.raises(ProviderError) as failure:
        await ask(chat)
    assert (failure.value.retryable, failure.value.provider) == (is_retryable, "mine")
    assert KEY not in str(failure.value)
    server.fault = "none"
    assert await ask(chat) == [TextDelta("Hello "), TextDelta("there. ")]


async def test_a_slow_model_is_given_up_after_its_timeout(server: FakeOpenAIServer) -> None:
    model = pipecat_services.open_model(
        settle("language_model", "openai", key=KEY, url=server.url, model="m", timeout_seconds=0.3)
    )
    server.fault = "slow"
    with pytest.raises(ProviderError, match="no answer in time"):
        await ask(model)
    await model.close()


async def test_a_reply_that_is_not_wanted_any_more_cancels_the_request(server: FakeOpenAIServer, chat: Any) -> None:
    server.pause_s = 0.2
    server.text = "word " * 200
    parts = chat.reply((Message("user", "hi"),))
    assert await anext(parts) == TextDelta("word ")
    await parts.aclose()
    async with asyncio.timeout(PATIENCE_S):
        while not server.disconnects:
            await asyncio.sleep(0.02)
    server.text, server.pause_s = "Again.", 0.0
    assert await ask(chat) == [TextDelta("Again. ")]


async def test_a_voice_streams_audio_at_the_rate_that_was_asked_for(server: FakeOpenAIServer) -> None:
    provider = settle("text_to_speech", "openai", key=KEY, url=server.url, model="tts")
    speaker = pipecat_services.open_speaker(provider, voice="nova", language="en-US")
    for rate_hz in (8000, 16_000):
        pcm = b"".join([piece.pcm async for piece in speaker.speak("Hello there.", sample_rate_hz=rate_hz)])
        samples = numpy.frombuffer(pcm, "<i2")
        spectrum = numpy.abs(numpy.fft.rfft(samples))
        assert len(samples) == pytest.approx(rate_hz * server.speech_s, rel=0.02)
        assert numpy.argmax(spectrum) * rate_hz / len(samples) == pytest.approx(server.tone_hz, rel=0.02)
    assert server.requests[0].fields["voice"] == "nova"
    await speaker.close()


async def test_a_voice_that_fails_says_so_at_once_and_is_not_used_again(server: FakeOpenAIServer) -> None:
    provider = settle("text_to_speech", "openai", key=KEY, url=server.url, model="tts")
    speaker = pipecat_services.open_speaker(provider, voice="nova", language="en-US")
    server.fault = "500"
    with pytest.raises(ProviderError) as failure:
        [piece async for piece in speaker.speak("Hello there.", sample_rate_hz=8000)]
    assert KEY not in str(failure.value)
    server.fault = "none"
    assert b"".join([piece.pcm async for piece in speaker.speak("Hello.", sample_rate_hz=8000)])
    await speaker.close()


async def test_a_recognizer_of_whole_utterances_uploads_all_of_it_each_time(server: FakeOpenAIServer) -> None:
    provider = settle("speech_to_text", "openai", key=KEY, url=server.url, model="whisper-1")
    recognizer = pipecat_services.open_recognizer(provider).for_call()
    utterance = recognizer.open(sample_rate_hz=8000, language="de-DE", expectation=Expectation())
    utterance.push(bytes(8000))
    assert (await utterance.final()).text == "yes please"
    utterance.push(bytes(8000))
    await utterance.final()
    await utterance.final()
    uploads = [request.fields for request in server.requests]
    assert [len(upload["file"]) - 44 for upload in uploads] == [8000, 16_000]
    assert uploads[0]["language"] == "de"
    server.transcript = ""
    silent = recognizer.open(sample_rate_hz=8000, language="de-DE", expectation=Expectation())
    silent.push(bytes(8000))
    assert (await silent.final()).text == ""
    await utterance.close()
    await recognizer.close()


# --- services of our own ---------------------------------------------------------------------------------------------


def plan(kind: ProviderKind, service: Any, behaviour: Behaviour, *, timeout_s: float = PATIENCE_S) -> ServicePlan:
    provider = settle(kind, "ours", timeout_seconds=timeout_s)
    return ServicePlan(provider, service, arguments={"behaviour": behaviour}, settings={})


def words(*numbers: int) -> bytes:
    return b"".join(struct.pack("<h", number) + bytes(2 * 7999) for number in numbers)


def open_utterance(recognizer: PipecatRecognizer) -> Any:
    return recognizer.open(sample_rate_hz=8000, language="en-US", expectation=Expectation())


async def test_a_streaming_recognizer_tells_words_as_they_come_and_the_language() -> None:
    recognizer = PipecatRecognizer(plan("speech_to_text", WordRecognizer, Behaviour()))
    utterance = open_utterance(recognizer)
    utterance.push(words(1, 2))
    async with asyncio.timeout(PATIENCE_S):
        while utterance.partial() != "word1 word2":
            await asyncio.sleep(0.01)
    recognition = await utterance.final()
    assert (recognition.text, recognition.language) == ("word1 word2", "de-DE")
    utterance.push(words(3))
    assert (await utterance.final()).text == "word1 word2 word3"
    await utterance.close()
    await recognizer.close()


async def test_words_that_are_never_declared_final_are_waited_for_as_long_as_the_service_says() -> None:
    recognizer = PipecatRecognizer(plan("speech_to_text", WordRecognizer, Behaviour(finalizes=False)))
    utterance = open_utterance(recognizer)
    utterance.push(words(7))
    assert (await utterance.final()).text == "word7"
    await utterance.close()
    silent = open_utterance(recognizer)
    assert (await silent.final()).text == ""
    await silent.close()
    await recognizer.close()


async def test_a_call_keeps_its_service_and_shares_it_with_no_other_call() -> None:
    behaviour = Behaviour()
    shared = PipecatRecognizer(plan("speech_to_text", WordRecognizer, behaviour))
    first, second = shared.for_call(), shared.for_call()
    for recognizer in (first, first, second):
        utterance = open_utterance(recognizer)
        utterance.push(words(1))
        await utterance.final()
        await utterance.close()
    assert len(behaviour.built) == 2
    await shared.close()
    assert behaviour.closed == 2


async def test_a_recognizer_that_fails_raises_and_gets_the_whole_utterance_when_asked_again() -> None:
    behaviour = Behaviour(error="the key sk-very-secret is wrong")
    recognizer = PipecatRecognizer(plan("speech_to_text", WordRecognizer, behaviour))
    utterance = open_utterance(recognizer)
    utterance.push(words(1))
    with pytest.raises(ProviderError) as failure:
        await utterance.final()
    assert KEY not in str(failure.value)
    behaviour.error = None
    utterance.push(words(2))
    assert (await utterance.final()).text == "word1 word2"
    await utterance.close()
    await recognizer.close()


async def test_a_recognizer_that_does_not_connect_fails_in_time() -> None:
    behaviour = Behaviour(hangs_at_setup=True)
    recognizer = PipecatRecognizer(plan("speech_to_text", WordRecognizer, behaviour, timeout_s=0.1))
    utterance = open_utterance(recognizer)
    utterance.push(words(1))
    with pytest.raises(ProviderError, match="in time"):
        await utterance.final()
    await utterance.close()
    await recognizer.close()


async def speak(speaker: PipecatSpeaker, text: str) -> tuple[int, list[Word]]:
    pieces = [piece async for piece in speaker.speak(text, sample_rate_hz=8000)]
    return len(b"".join(piece.pcm for piece in pieces)) // 16, [word for piece in pieces for word in piece.words]


async def test_word_times_count_from_the_first_sample_of_each_text() -> None:
    behaviour = Behaviour()
    speaker = PipecatSpeaker(plan("text_to_speech", WordVoice, behaviour), voice="warm", language="de-DE")
    for _ in range(2):
        duration_ms, spoken = await speak(speaker, "how are you")
        assert duration_ms == 300
        assert spoken == [Word("how", 0, 100), Word("are", 100, 200), Word("you", 200, 300)]
    (service,) = behaviour.built
    assert (service.settings.voice, service.settings.language) == ("warm", "de-DE")
    await speaker.close()
    assert behaviour.closed == 1


async def test_a_voice_without_word_times_gives_audio_alone() -> None:
    speaker = PipecatSpeaker(
        plan("text_to_speech", WordVoice, Behaviour(has_word_times=False)), voice="default", language="de-DE"
    )
    assert await speak(speaker, "how are you") == (300, [])
    await speaker.close()


async def test_an_interrupted_text_is_forgotten_and_the_next_is_spoken() -> None:
    behaviour = Behaviour(pauses=True)
    speaker = PipecatSpeaker(plan("text_to_speech", WordVoice, behaviour), voice="warm", language="en-US")
    pieces = speaker.speak("never ends", sample_rate_hz=8000)
    assert (await anext(pieces)).pcm
    await pieces.aclose()  # type: ignore[attr-defined]
    behaviour.pauses = False
    async with asyncio.timeout(PATIENCE_S):
        duration_ms, spoken = await speak(speaker, "good")
    assert (duration_ms, [word.text for word in spoken]) == (100, ["good"])
    await speaker.close()
    assert behaviour.closed == len(behaviour.built)


async def test_a_voice_that_is_silent_is_a_failure() -> None:
    behaviour = Behaviour(error="no such voice")
    speaker = PipecatSpeaker(plan("text_to_speech", WordVoice, behaviour), voice="warm", language="en-US")
    with pytest.raises(ProviderError):
        await speak(speaker, "hello")
    await speaker.close()
