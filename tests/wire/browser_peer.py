"""A browser for the wire tests: aiortc's peer connection, the documented WebSocket protocol, a voice, and ears."""

import asyncio
import contextlib
import fractions
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aioice.ice
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

_RATE_HZ = 48_000
_FRAME = _RATE_HZ // 50
_PATIENCE_S = 30.0


def make_tone(frequency_hz: float, seconds: float, *, volume: float = 0.3) -> np.ndarray[Any, np.dtype[np.int16]]:
    """A sine at 48 kHz."""
    times = np.arange(int(seconds * _RATE_HZ)) / _RATE_HZ
    return (32767 * volume * np.sin(2 * np.pi * frequency_hz * times)).astype(np.int16)


class Microphone(MediaStreamTrack):
    """Silence, and what it is given to say."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._waiting = np.zeros(0, np.int16)
        self._sent = 0
        self._started = 0.0

    def say(self, samples: np.ndarray[Any, np.dtype[np.int16]]) -> None:
        self._waiting = np.concatenate((self._waiting, samples))

    async def wait_until_said(self) -> None:
        async with asyncio.timeout(_PATIENCE_S):
            while len(self._waiting):
                await asyncio.sleep(0.05)

    async def recv(self) -> AudioFrame:
        loop = asyncio.get_running_loop()
        if not self._sent:
            self._started = loop.time()
        await asyncio.sleep(max(0.0, self._started + self._sent / _RATE_HZ - loop.time()))
        piece, self._waiting = self._waiting[:_FRAME], self._waiting[_FRAME:]
        frame = AudioFrame(format="s16", layout="mono", samples=_FRAME)
        frame.planes[0].update(np.pad(piece, (0, _FRAME - len(piece))).tobytes())
        frame.sample_rate, frame.time_base, frame.pts = _RATE_HZ, fractions.Fraction(1, _RATE_HZ), self._sent
        self._sent += _FRAME
        return frame


class BrowserPeer:
    """One joined browser; `messages` is what it was told, `heard` what it heard."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.messages: list[dict[str, Any]] = []
        self.microphone = Microphone()
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._heard: list[np.ndarray[Any, np.dtype[np.int16]]] = []
        self._changed = asyncio.Condition()
        self._tasks = [asyncio.create_task(self._read())]
        self.peer.on("track", lambda track: self._tasks.append(asyncio.create_task(self._listen(track))))

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in self.socket:
                async with self._changed:
                    self.messages.append(json.loads(text))
                    self._changed.notify_all()

    async def _listen(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                assert isinstance(frame, AudioFrame)
                samples = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0]
                async with self._changed:
                    self._heard.append(samples.astype(np.int16))
                    self._changed.notify_all()

    @property
    def heard(self) -> np.ndarray[Any, np.dtype[np.int16]]:
        return np.concatenate((np.zeros(0, np.int16), *self._heard))

    async def wait_for(self, **wanted: object) -> dict[str, Any]:
        """The first message that has these fields."""

        def find() -> dict[str, Any] | None:
            return next((each for each in self.messages if each.items() >= wanted.items()), None)

        async with asyncio.timeout(_PATIENCE_S), self._changed:
            await self._changed.wait_for(lambda: find() is not None)
        found = find()
        assert found is not None
        return found

    async def wait_until_heard(self, seconds: float, *, level: float = 0.02) -> None:
        """Until there was so much sound, whatever the silence between."""

        def is_heard() -> bool:
            loud = sum(1 for part in self._heard if np.abs(part).max(initial=0) > level * 32768)
            return loud >= seconds * 50

        async with asyncio.timeout(_PATIENCE_S), self._changed:
            await self._changed.wait_for(is_heard)

    async def send(self, **message: object) -> None:
        await self.socket.send(json.dumps(message))

    async def call(self) -> None:
        """Offer, and connect."""
        await self.wait_for(type="joined")
        self.peer.addTrack(self.microphone)
        await self.peer.setLocalDescription(await self.peer.createOffer())
        await self.send(type="offer", sdp=self.peer.localDescription.sdp)
        answer = await self.wait_for(type="answer")
        await self.peer.setRemoteDescription(RTCSessionDescription(sdp=answer["sdp"], type="answer"))

    async def wait_until_closed(self) -> tuple[int | None, str | None]:
        """How the WebSocket was closed: code and reason."""
        async with asyncio.timeout(_PATIENCE_S):
            await self.socket.wait_closed()
        return self.socket.close_code, self.socket.close_reason

    async def close(self) -> None:
        await self.peer.close()
        await self.socket.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@contextlib.contextmanager
def _on_loopback() -> Iterator[None]:
    """aiortc offers no loopback address by itself, and some machines have no other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aioice.ice, "get_host_addresses", lambda **_: ["127.0.0.1"])
        yield


@contextlib.asynccontextmanager
async def join(url: str) -> AsyncIterator[BrowserPeer]:
    """A browser that has opened the WebSocket of a link."""
    with _on_loopback():
        browser = BrowserPeer(await connect(url, open_timeout=_PATIENCE_S, proxy=None))
        try:
            yield browser
        finally:
            await browser.close()
