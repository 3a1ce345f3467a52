"""Recognizers of OpenAI-compatible servers: each utterance is uploaded as a WAV file when its words are asked for."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import openai
from openai.types.audio import TranscriptionVerbose

from ringdown.providers import language_names, openai_client
from ringdown.providers.wav import to_wav
from ringdown.voice.ports import Expectation, Recognition, Word

_SHORTEST_MS = 100  # servers refuse less


class OpenAITranscription:
    """A recognizer (`SpeechToText`) of free speech.

    `timeout_s` bounds one transcription. With `has_word_times` the server is asked for them (`verbose_json`,
    which not every model knows); without, the text is streamed where the server does that. With `detects_language`
    the server is told no language, and asked which it heard (`verbose_json`, too). `parameters` are added to each
    request.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str | None,
        model: str,
        timeout_s: float = 15.0,
        has_word_times: bool = False,
        detects_language: bool = False,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        self.client = openai_client.open_client(base_url=base_url, api_key=api_key, timeout_s=timeout_s)
        self.model = model
        self.timeout_s = timeout_s
        self.has_word_times = has_word_times
        self.detects_language = detects_language
        self.parameters = dict(parameters or {})

    async def close(self) -> None:
        """Close the connections."""
        await self.client.close()

    def open(self, *, sample_rate_hz: int, language: str, expectation: Expectation) -> "OpenAIUtterance":
        """Begin an utterance. `language` is BCP-47."""
        return OpenAIUtterance(self, sample_rate_hz=sample_rate_hz, language=language, expectation=expectation)


class OpenAIUtterance:
    """One utterance: its audio, and what was recognized in it last."""

    def __init__(
        self, recognizer: OpenAITranscription, *, sample_rate_hz: int, language: str, expectation: Expectation
    ) -> None:
        self._recognizer = recognizer
        self._sample_rate_hz = sample_rate_hz
        self._options: dict[str, Any] = {"model": recognizer.model, **recognizer.parameters}
        if language and not recognizer.detects_language:
            self._options["language"] = language.lower().partition("-")[0]
        if expectation.kind == "choice" and expectation.phrases:
            self._options["prompt"] = ", ".join(expectation.phrases)
        self._audio = bytearray()
        self._recognized_bytes = 0
        self._recognition = Recognition("")
        self._partial = ""

    def push(self, pcm: bytes) -> None:
        """Take more audio. Never blocks."""
        self._audio += pcm

    def partial(self) -> str:
        """What has come of the text so far."""
        return self._partial

    async def final(self) -> Recognition:
        """What was said in all audio pushed so far. Raises `ProviderError`."""
        audio = bytes(self._audio)
        if len(audio) == self._recognized_bytes or len(audio) < 2 * self._sample_rate_hz * _SHORTEST_MS // 1000:
            return self._recognition
        upload = ("utterance.wav", to_wav(audio, self._sample_rate_hz), "audio/wav")
        with openai_client.translate_errors():
            async with asyncio.timeout(self._recognizer.timeout_s):
                if self._recognizer.has_word_times or self._recognizer.detects_language:
                    recognition = await self._transcribe_verbosely(upload)
                else:
                    recognition = await self._transcribe_streamed(upload)
        self._recognition, self._recognized_bytes, self._partial = recognition, len(audio), recognition.text
        return recognition

    async def close(self) -> None:
        """Let go of the audio; safe to call twice."""
        self._audio.clear()
        self._recognized_bytes = 0

    async def _transcribe_verbosely(self, upload: tuple[str, bytes, str]) -> Recognition:
        recognizer, options = self._recognizer, dict(self._options)
        if recognizer.has_word_times:
            options["timestamp_granularities"] = ["word"]
        create = recognizer.client.audio.transcriptions.create
        answer = await create(file=upload, response_format="verbose_json", **options)
        recognition = _read_answer(answer)
        name = getattr(answer, "language", None) if recognizer.detects_language and recognition.text else None
        return replace(recognition, language=language_names.find_tag(name)) if isinstance(name, str) else recognition

    async def _transcribe_streamed(self, upload: tuple[str, bytes, str]) -> Recognition:
        create = self._recognizer.client.audio.transcriptions.with_streaming_response.create
        async with create(file=upload, response_format="json", stream=True, **self._options) as response:
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                return _read_answer(TranscriptionVerbose.construct(**_read_object(await response.json())))
            self._partial = ""
            async for event in await response.parse():
                if event.type == "transcript.text.delta":
                    self._partial += event.delta
                elif event.type == "transcript.text.done":
                    return Recognition(event.text.strip())
        raise openai.OpenAIError("the stream ended early")


def _read_object(answer: object) -> dict[str, Any]:
    if not isinstance(answer, dict) or not isinstance(answer.get("text"), str):
        raise ValueError("a transcription without its text")
    return answer


def _read_answer(answer: Any) -> Recognition:
    """An answer in any of the API's formats; word times count in seconds there."""
    if not isinstance(getattr(answer, "text", None), str):
        raise ValueError("a transcription without its text")
    words = tuple(
        Word(str(word.word).strip(), round(word.start * 1000), round(word.end * 1000))
        for word in getattr(answer, "words", None) or ()
    )
    return Recognition(answer.text.strip(), words)
