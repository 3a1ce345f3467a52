"""Speech-to-speech models of OpenAI-compatible Realtime servers, over a WebSocket."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from ringdown.providers import openai_client, realtime_settings
from ringdown.providers.realtime_audio import RealtimeAudio
from ringdown.providers.realtime_connection import RealtimeConnection, to_error, translate_errors
from ringdown.providers.realtime_session import RealtimeSession
from ringdown.voice.ports import Message, ToolSpec


class OpenAIRealtime:
    """A `SpeechToSpeech`. `parameters` are those of `realtime_settings`; a wrong one raises `ValueError`.

    `timeout_s` bounds the opening of a session. The protocol has no temperature any more: that of the agent is not
    sent.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str | None,
        model: str,
        voice: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        self._parameters = realtime_settings.read_parameters(parameters or {})
        self._client = openai_client.open_client(base_url=base_url, api_key=api_key, timeout_s=timeout_s)
        self._model = model
        self._voice = voice
        self._timeout_s = timeout_s

    async def close(self) -> None:
        """Close the client; sessions close themselves."""
        await self._client.close()

    async def open(
        self,
        *,
        instructions: str,
        tools: Sequence[ToolSpec],
        sample_rate_hz: int,
        language: str,
        temperature: float,  # noqa: ARG002 (of the port)
        history: Sequence[Message] = (),
    ) -> RealtimeSession:
        """Begin a session, or go on after `history`; PCM of both sides at `sample_rate_hz`. Raises `ProviderError`."""
        audio = RealtimeAudio(sample_rate_hz=sample_rate_hz, audio_format=self._parameters.audio_format)
        described = realtime_settings.describe_session(
            self._parameters,
            instructions=instructions,
            tools=tools,
            audio=audio.describe(),
            voice=self._voice,
            language=language,
        )
        with translate_errors():
            async with asyncio.timeout(self._timeout_s):
                connection = await RealtimeConnection.open(self._client, model=self._model)
                try:
                    connection.send({"type": "session.update", "session": described})
                    await _until_updated(connection)
                except BaseException:
                    await connection.close()
                    raise
        session = RealtimeSession(connection, audio=audio, parameters=self._parameters)
        session.remember(history)
        return session


async def _until_updated(connection: RealtimeConnection) -> None:
    """Wait until the server has taken the session's configuration. Raises `ProviderError`."""
    async with contextlib.aclosing(connection.receive()) as events:
        async for event in events:
            if event.get("type") == "session.updated":
                return
            if event.get("type") == "error":
                failure = event.get("error")
                error = to_error(failure, message="the session was refused")
                if isinstance(failure, dict) and failure.get("type") == "invalid_request_error":
                    error.retryable = False
                raise error
