"""Voices of OpenAI-compatible servers: raw audio as it comes, at the rate that was asked for."""

import struct
from collections.abc import AsyncIterator, Mapping
from typing import Any

from ringdown.providers import openai_client, resample
from ringdown.voice.ports import ProviderError, Speech

_PCM_RATE_HZ = 24_000  # what `response_format: pcm` means in the API
_CHUNK_BYTES = 4_800  # 100 ms
_HEADER_LIMIT_BYTES = 4_096


class OpenAISpeech:
    """A voice (`TextToSpeech`) without word times.

    `timeout_s` bounds the wait for each piece of audio; `parameters` are added to each request.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str | None,
        model: str,
        voice: str,
        timeout_s: float = 15.0,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        self._client = openai_client.open_client(base_url=base_url, api_key=api_key, timeout_s=timeout_s)
        self._model = model
        self._voice = voice
        self._timeout_s = timeout_s
        self._parameters = dict(parameters or {})

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def speak(self, text: str, *, sample_rate_hz: int) -> AsyncIterator[Speech]:
        """Stream `text` as audio. Closing the iterator cancels the rest. Raises `ProviderError`."""
        reader = _PcmReader(sample_rate_hz)
        has_audio = False
        with openai_client.translate_errors():
            async with self._client.audio.speech.with_streaming_response.create(
                model=self._model, voice=self._voice, input=text, response_format="pcm", **self._parameters
            ) as response:
                kind = response.headers.get("content-type", "").partition(";")[0]
                if kind == "application/json" or kind.startswith("text/"):
                    raise ProviderError(openai_client.PROVIDER, "an answer that is not audio", retryable=True)
                chunks = aiter(response.iter_bytes(_CHUNK_BYTES))
                async for chunk in openai_client.bound(chunks, timeout_s=self._timeout_s):
                    pcm = reader.push(chunk)
                    if pcm:
                        has_audio = True
                        yield Speech(pcm)
            rest = reader.flush()
        if rest:
            yield Speech(rest)
        elif not has_audio and text.strip():
            raise ProviderError(openai_client.PROVIDER, "no audio", retryable=True)


class _PcmReader:
    """Takes the body of the answer; a WAV header, which some servers send all the same, tells its rate."""

    def __init__(self, to_hz: int) -> None:
        self._to_hz = to_hz
        self._head: bytes | None = b""  # until it is known whether there is a header
        self._resampler = resample.Resampler(from_hz=_PCM_RATE_HZ, to_hz=to_hz)

    def push(self, chunk: bytes) -> bytes:
        if self._head is None:
            return self._resampler.push(chunk)
        self._head += chunk
        if not self._head.startswith(b"RIFF"[: len(self._head)]):
            audio, self._head = self._head, None
            return self._resampler.push(audio)
        data_at = self._head.find(b"data")
        if data_at < 0 or len(self._head) < data_at + 8:
            if len(self._head) > _HEADER_LIMIT_BYTES:
                raise ValueError("a WAV header without audio")
            return b""
        rate_hz = _read_rate(self._head[:data_at])
        audio, self._head = self._head[data_at + 8 :], None
        self._resampler = resample.Resampler(from_hz=rate_hz, to_hz=self._to_hz)
        return self._resampler.push(audio)

    def flush(self) -> bytes:
        return self._resampler.flush() if self._head is None else b""


def _read_rate(header: bytes) -> int:
    """The sample rate of a WAV header; only 16-bit mono PCM is understood."""
    format_at = header.find(b"fmt ")
    if format_at < 0 or len(header) < format_at + 24:
        raise ValueError("a WAV header without its format")
    encoding, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", header, format_at + 8)
    if (channels, bits) != (1, 16) or encoding not in (1, 0xFFFE) or not 8_000 <= rate_hz <= 96_000:
        raise ValueError("a WAV format other than 16-bit mono")
    return int(rate_hz)
