"""The OpenAI-compatible adapters against a real local server, and the faults it plays."""

import asyncio
import io
import time
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy
import pytest

from ringdown.config import Settings
from ringdown.providers.openai_chat import OpenAIChat
from ringdown.providers.openai_speech import OpenAISpeech
from ringdown.providers.openai_transcription import OpenAITranscription
from ringdown.providers.opening import OpenProviders, check_parameters
from ringdown.providers.registry import read_providers
from ringdown.voice.ports import (
    Expectation,
    Message,
    ProviderError,
    Recognition,
    TextDelta,
    ToolRequest,
    ToolSpec,
    Word,
)
from tests.fakes import openai_server
from tests.fakes.openai_server import FakeOpenAIServer, ToolStyle

KEY = "sk-very-secret"


@pytest.fixture
async def server() -> AsyncIterator[FakeOpenAIServer]:
    async with FakeOpenAIServer().run() as running:
        yield running


@pytest.fixture
async def chat(server: FakeOpenAIServer) -> AsyncIterator[OpenAIChat]:
    model = OpenAIChat(base_url=server.url, api_key=KEY, model="m", timeout_s=1.0)
    yield model
    await model.close()


@pytest.fixture
async def transcription(server: FakeOpenAIServer) -> AsyncIterator[OpenAITranscription]:
    recognizer = OpenAITranscription(base_url=server.url, api_key=KEY, model="t", timeout_s=1.0)
    yield recognizer
    await recognizer.close()


@pytest.fixture
async def speech(server: FakeOpenAIServer) -> AsyncIterator[OpenAISpeech]:
    voice = OpenAISpeech(base_url=server.url, api_key=KEY, model="s", voice="alloy", timeout_s=1.0)
    yield voice
    await voice.close()


async def ask(chat: OpenAIChat, *messages: Message, tools: tuple[ToolSpec, ...] = ()) -> list[TextDelta | ToolRequest]:
    return [part async for part in chat.reply(messages or (Message("user", "hi"),), tools=tools, temperature=0.5)]


async def transcribe(recognizer: OpenAITranscription, pcm: bytes, kind: str = "free") -> Recognition:
    expectation = Expectation("choice", ("sales", "support")) if kind == "choice" else Expectation()
    utterance = recognizer.open(sample_rate_hz=8000, language="en-US", expectation=expectation)
    utterance.push(pcm)
    return await utterance.final()


async def speak(voice: OpenAISpeech, rate: int = 8000) -> bytes:
    return b"".join([piece.pcm async for piece in voice.speak("Hello.", sample_rate_hz=rate)])


async def test_chat_text_arrives_in_pieces(server: FakeOpenAIServer, chat: OpenAIChat) -> None:
    parts = await ask(chat)
    assert len(parts) > 1
    assert "".join(part.text for part in parts if isinstance(part, TextDelta)).strip() == server.text


async def test_what_is_no_character_is_left_out(
    server: FakeOpenAIServer, chat: OpenAIChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_event = openai_server._event

    def break_event(*parts: Any) -> bytes:
        return to_event(*parts).replace(b"Hello", b"a\\u0000b\\ud83d")

    monkeypatch.setattr(openai_server, "_event", break_event)
    parts = await ask(chat)
    assert "".join(part.text for part in parts if isinstance(part, TextDelta)) == "ab there. "


async def test_chat_sends_history_tools_and_temperature(server: FakeOpenAIServer, chat: OpenAIChat) -> None:
    call = ToolRequest("call_9", "look", '{"a": 1}')
    history = (Message("user", "hi"), Message("assistant", "", tool_calls=(call,)), Message("tool", "4", "call_9"))
    await ask(chat, *history, tools=(ToolSpec("look", "Looks.", {"type": "object"}), ToolSpec("end", "Ends.")))
    sent = server.requests[0].fields
    assert (sent["model"], sent["temperature"], sent["stream"]) == ("m", 0.5, True)
    assert sent["messages"][1]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"a": 1}'}
    assert sent["messages"][2] == {"role": "tool", "content": "4", "tool_call_id": "call_9"}
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["look", "end"]
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


async def test_tool_requests_are_put_together_after_the_text(server: FakeOpenAIServer, chat: OpenAIChat) -> None:
    server.text, server.tool_calls = "One moment.", [("look", '{"name": "Ann"}'), ("end_call", "")]
    parts = await ask(chat)
    assert parts[-2:] == [ToolRequest("call_0", "look", '{"name": "Ann"}'), ToolRequest("call_1", "end_call", "{}")]


@pytest.mark.parametrize(
    "style", ["openai", "interleaved", "no_index", "same_index", "no_id", "name_repeated", "arguments_as_object"]
)
async def test_parallel_tool_requests_are_told_apart_however_a_server_sends_them(
    server: FakeOpenAIServer, chat: OpenAIChat, style: ToolStyle
) -> None:
    server.tool_style, server.text = style, ""
    server.tool_calls = [("look", '{"a": 1}'), ("look", '{"a": 1}'), ("look", '{"a": 1}')]
    assert await ask(chat) == [ToolRequest(f"call_{number}", "look", '{"a": 1}') for number in range(3)]


async def test_a_first_token_that_does_not_come_is_not_waited_for(server: FakeOpenAIServer, chat: OpenAIChat) -> None:
    server.fault = "slow_token"
    with pytest.raises(ProviderError, match="no answer in time"):
        await ask(chat)


async def test_parameters_are_added_and_a_temperature_can_be_left_out(server: FakeOpenAIServer) -> None:
    chat = OpenAIChat(
        base_url=server.url, api_key=KEY, model="m", has_temperature=False, parameters={"reasoning_effort": "low"}
    )
    await ask(chat)
    await chat.close()
    sent = server.requests[0].fields
    assert sent["reasoning_effort"] == "low" and "temperature" not in sent


@pytest.mark.parametrize("arguments", ["[1, 2", "[" * 90_000, '{"a": "' + "x" * 200_000])
async def test_tool_arguments_that_are_no_object_are_refused(
    server: FakeOpenAIServer, chat: OpenAIChat, arguments: str
) -> None:
    server.tool_calls = [("look", arguments)]
    with pytest.raises(ProviderError, match="tool request"):
        await ask(chat)


async def test_withheld_answers_are_not_retryable(server: FakeOpenAIServer, chat: OpenAIChat) -> None:
    server.finish_reason = "content_filter"
    with pytest.raises(ProviderError) as raised:
        await ask(chat)
    assert not raised.value.retryable


FAULTS = [
    ("slow", True), ("cut", True), ("early_end", True), ("garbage", True), ("error_event", True), ("400", False),
    ("401", False), ("408", True), ("409", True), ("429", True), ("quota", False), ("500", True),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "retryable"), FAULTS)
async def test_every_chat_fault_is_a_provider_error(
    server: FakeOpenAIServer, chat: OpenAIChat, fault: str, retryable: bool
) -> None:
    server.fault = fault  # type: ignore[assignment]
    with pytest.raises(ProviderError) as raised:
        await ask(chat)
    assert raised.value.retryable is retryable
    assert KEY not in str(raised.value) and "secret" not in str(raised.value)
    assert len(server.requests) == 1, "the client must not retry by itself"


@pytest.mark.parametrize(("fault", "retryable"), [row for row in FAULTS if row[0] != "error_event"])
async def test_every_transcription_fault_is_a_provider_error(
    server: FakeOpenAIServer, transcription: OpenAITranscription, fault: str, retryable: bool
) -> None:
    server.fault = fault  # type: ignore[assignment]
    with pytest.raises(ProviderError) as raised:
        await transcribe(transcription, bytes(8000))
    assert raised.value.retryable is retryable and KEY not in str(raised.value)


@pytest.mark.parametrize(("fault", "retryable"), [row for row in FAULTS if row[0] not in ("error_event", "early_end")])
async def test_every_speech_fault_is_a_provider_error(
    server: FakeOpenAIServer, speech: OpenAISpeech, fault: str, retryable: bool
) -> None:
    server.fault = fault  # type: ignore[assignment]
    with pytest.raises(ProviderError) as raised:
        await speak(speech)
    assert raised.value.retryable is retryable and KEY not in str(raised.value)


async def test_no_server_at_all_is_retryable() -> None:
    chat = OpenAIChat(base_url="http://127.0.0.1:9/v1", api_key=None, model="m", timeout_s=1.0)
    with pytest.raises(ProviderError, match="no connection") as raised:
        await ask(chat)
    await chat.close()
    assert raised.value.retryable


async def test_closing_the_answer_cancels_the_request(server: FakeOpenAIServer, chat: OpenAIChat) -> None:
    server.text, server.pause_s = "word " * 200, 0.02
    answer = chat.reply([Message("user", "hi")])
    await anext(answer)
    began = time.monotonic()
    await answer.aclose()  # type: ignore[attr-defined]
    while not server.disconnects and time.monotonic() - began < 5:
        await asyncio.sleep(0.01)
    assert server.disconnects == 1


async def test_transcription_uploads_a_wav_file_and_streams_text(
    server: FakeOpenAIServer, transcription: OpenAITranscription
) -> None:
    assert (await transcribe(transcription, bytes(8000), "choice")).text == server.transcript
    sent = server.requests[0].fields
    assert (sent["model"], sent["language"], sent["prompt"]) == ("t", "en", "sales, support")
    with wave.open(io.BytesIO(sent["file"])) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (8000, 1, 4000)


async def test_a_server_that_does_not_stream_is_understood(
    server: FakeOpenAIServer, transcription: OpenAITranscription
) -> None:
    server.streams_transcripts = False
    assert (await transcribe(transcription, bytes(8000))) == Recognition(server.transcript)
    server.fault = "garbage"
    with pytest.raises(ProviderError):
        await transcribe(transcription, bytes(8000))


async def test_word_times_come_back_in_milliseconds(server: FakeOpenAIServer) -> None:
    recognizer = OpenAITranscription(base_url=server.url, api_key=KEY, model="t", has_word_times=True)
    recognition = await transcribe(recognizer, bytes(8000))
    await recognizer.close()
    assert recognition.words == (Word("yes", 100, 400), Word("please", 400, 900))


@pytest.mark.parametrize(
    ("told", "tag"), [("german", "de"), ("Haitian Creole", "ht"), ("fr", "fr"), ("pt_BR", "pt-BR"), ("?", None)]
)
@pytest.mark.parametrize("has_word_times", [False, True])
async def test_a_recognizer_that_detects_names_no_language_and_tells_the_one_it_heard(
    server: FakeOpenAIServer, told: str, tag: str | None, has_word_times: bool
) -> None:
    server.language = told
    recognizer = OpenAITranscription(
        base_url=server.url, api_key=KEY, model="t", has_word_times=has_word_times, detects_language=True
    )
    recognition = await transcribe(recognizer, bytes(8000))
    await recognizer.close()
    sent = server.requests[0].fields
    assert (recognition.text, recognition.language) == (server.transcript, tag)
    assert "language" not in sent and sent["response_format"] == "verbose_json"
    assert ("timestamp_granularities[]" in sent) is has_word_times
    assert bool(recognition.words)


async def test_a_table_of_the_settings_asks_for_the_language(server: FakeOpenAIServer, tmp_path: Path) -> None:
    table = {"name": "ears", "kind": "speech_to_text", "type": "openai", "url": server.url, "model": "whisper-1"}
    settings = Settings(data_dir=tmp_path, providers=({**table, "parameters": {"detects_language": True}},))
    book = read_providers(settings)
    for provider in book.providers:
        check_parameters(provider)
    providers = OpenProviders(settings, book)
    utterance = providers.open_recognizer("ears").open(sample_rate_hz=8000, language="de", expectation=Expectation())
    utterance.push(bytes(8000))
    recognition = await utterance.final()
    await providers.close()
    assert (recognition.language, "language" in server.requests[0].fields) == ("en", False)


async def test_silence_has_no_language(server: FakeOpenAIServer) -> None:
    server.transcript = ""
    recognizer = OpenAITranscription(base_url=server.url, api_key=KEY, model="t", detects_language=True)
    assert (await transcribe(recognizer, bytes(8000))).language is None
    await recognizer.close()


async def test_final_uploads_again_only_after_more_audio(
    server: FakeOpenAIServer, transcription: OpenAITranscription
) -> None:
    utterance = transcription.open(sample_rate_hz=8000, language="en", expectation=Expectation())
    utterance.push(bytes(800))
    assert (await utterance.final()).text == "" and not server.requests  # too short for a server
    utterance.push(bytes(8000))
    assert await utterance.final() == await utterance.final()
    assert len(server.requests) == 1 and utterance.partial() == server.transcript
    utterance.push(bytes(160))
    await utterance.final()
    assert len(server.requests) == 2
    await utterance.close()
    await utterance.close()


@pytest.mark.parametrize("has_header", [False, True])
@pytest.mark.parametrize("rate", [8000, 16000, 24000])
async def test_speech_comes_at_the_asked_rate_with_its_pitch(
    server: FakeOpenAIServer, speech: OpenAISpeech, rate: int, has_header: bool
) -> None:
    server.sends_wav_header = has_header
    samples = numpy.frombuffer(await speak(speech, rate), "<i2").astype(float)
    assert len(samples) == rate // 2
    spectrum = numpy.abs(numpy.fft.rfft(samples))
    assert numpy.argmax(spectrum) * rate / len(samples) == pytest.approx(440, abs=2)
    sent = server.requests[0].fields
    assert (sent["voice"], sent["response_format"], sent["input"]) == ("alloy", "pcm", "Hello.")


async def test_empty_audio_is_a_failure(server: FakeOpenAIServer, speech: OpenAISpeech) -> None:
    server.speech_s = 0.0
    with pytest.raises(ProviderError, match="no audio"):
        await speak(speech)
