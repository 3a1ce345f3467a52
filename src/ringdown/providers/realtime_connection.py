"""The WebSocket of an OpenAI Realtime session: connects, sends from a queue, receives objects; what its faults mean."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Any

import openai
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from ringdown.voice.ports import ProviderError

PROVIDER = "openai-realtime"
_RETRYABLE_STATUSES = frozenset({408, 409, 425, 429})
_LASTING_CODES = frozenset({"insufficient_quota", "invalid_api_key", "model_not_found", "billing_hard_limit_reached"})
_CLOSE_TIMEOUT_S = 2.0
# A far end that takes nothing for longer than this loses the beginning.
_KEPT_BYTES = 480_000


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Turn what the connection raises into `ProviderError`; texts of the server are left out."""
    try:
        yield
    except TimeoutError as error:
        raise ProviderError(PROVIDER, "no answer in time", retryable=True) from error
    except InvalidStatus as error:
        status = error.response.status_code
        is_retryable = status >= 500 or status in _RETRYABLE_STATUSES
        raise ProviderError(PROVIDER, f"HTTP {status}", retryable=is_retryable) from error
    except ConnectionClosed as error:
        code = error.rcvd.code if error.rcvd is not None else 1006
        raise ProviderError(PROVIDER, f"the connection was closed ({code})", retryable=True) from error
    except (OSError, InvalidHandshake, openai.OpenAIError) as error:
        raise ProviderError(PROVIDER, "no connection", retryable=True) from error
    except (ValueError, RecursionError) as error:  # JSON, base64 and UTF-8 that are none, fields of a wrong kind
        raise ProviderError(PROVIDER, "an answer that cannot be read", retryable=True) from error


def to_error(failure: object, *, message: str) -> ProviderError:
    """The failure that an `error` object of the protocol tells of."""
    code = failure.get("code") if isinstance(failure, dict) else None
    text = f"{message} ({code})" if isinstance(code, str) and code.isidentifier() else message
    return ProviderError(PROVIDER, text, retryable=code not in _LASTING_CODES)


def read_text(event: Mapping[str, Any], name: str) -> str:
    """A field that must be text. Raises `ValueError`."""
    value = event.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text")
    return value


def read_ms(event: Mapping[str, Any], name: str) -> int:
    """A field that must be a number of milliseconds. Raises `ValueError`."""
    value = event.get(name)
    if not isinstance(value, int | float):
        raise ValueError(f"{name} is no number")
    return int(value)


class RealtimeConnection:
    """An open WebSocket. `send` and `send_audio` never wait; what fails there, fails in `receive` too."""

    def __init__(self, connection: AsyncRealtimeConnection) -> None:
        self._connection = connection
        self._audio = bytearray()
        self._events: list[str] = []
        self._wake = asyncio.Event()
        self._sending = asyncio.create_task(self._send_all())

    @staticmethod
    async def open(client: openai.AsyncOpenAI, *, model: str) -> "RealtimeConnection":
        """Connect. Raises `ProviderError`."""
        with translate_errors():
            manager = client.realtime.connect(model=model, websocket_connection_options={"max_size": 16 * 1024 * 1024})
            return RealtimeConnection(await manager.enter())

    def send(self, event: Mapping[str, Any]) -> None:
        """Queue an event; it goes after the audio before it."""
        self._events.append(json.dumps(event))
        self._wake.set()

    def send_audio(self, audio: bytes) -> None:
        """Queue the caller's audio."""
        self._audio += audio
        if len(self._audio) > _KEPT_BYTES:
            del self._audio[:-_KEPT_BYTES]
        self._wake.set()

    async def receive(self) -> AsyncGenerator[dict[str, Any], None]:
        """The server's events, until the connection ends. Raises `ProviderError`, also at the end."""
        with translate_errors():
            while True:
                event = json.loads(await self._connection.recv_bytes())
                if not isinstance(event, dict):
                    raise ValueError("no object")
                yield event

    async def close(self) -> None:
        """Close it; safe to call twice."""
        self._sending.cancel()
        await asyncio.gather(self._sending, return_exceptions=True)
        with contextlib.suppress(TimeoutError, OSError, ConnectionClosed):
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await self._connection.close()

    async def _send_all(self) -> None:
        with contextlib.suppress(ConnectionClosed, OSError):
            while True:
                await self._wake.wait()
                self._wake.clear()
                if self._audio:
                    audio = base64.b64encode(self._audio).decode()
                    self._audio.clear()
                    await self._connection.send_raw(f'{{"type":"input_audio_buffer.append","audio":"{audio}"}}')
                events, self._events = self._events, []
                for event in events:
                    await self._connection.send_raw(event)
