"""The way to a speech-to-speech model: opens it, goes on after a break with what was said, bounds its silence."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from ringdown.voice import ports, streams

PROVIDER = "speech-to-speech"
# Audio that waits for a connection; of a longer wait the beginning is forgotten.
_KEPT_MS = 10_000
_CLOSE_TIMEOUT_S = 2.0


class DuplexLine:
    """One call's way to the model.

    `open_session` gets what was said so far. `on_event` hears what the model does, `on_open` of each new session, and
    `on_break` of each that broke; it is replaced once, and again after each answer that was completed since.
    """

    def __init__(
        self,
        *,
        open_session: Callable[[Sequence[ports.Message]], Awaitable[ports.DuplexSession]],
        history: Callable[[], Sequence[ports.Message]],
        on_event: Callable[[ports.DuplexEvent], None],
        on_open: Callable[[], None],
        on_break: Callable[[ports.ProviderError], None],
        timeout_s: float,
        sample_rate_hz: int,
    ) -> None:
        self._open_session = open_session
        self._history = history
        self._on_event = on_event
        self._on_open = on_open
        self._on_break = on_break
        self._timeout_s = timeout_s
        self._bytes_per_ms = sample_rate_hz * 2 // 1000
        self._unsent = bytearray()
        # The media time at which the session's audio begins.
        self._zero_ms = 0
        self._now_ms = 0
        self._patience: asyncio.Timeout | None = None
        self._is_expecting = False
        self._breaks = 0
        self.session: ports.DuplexSession | None = None

    @property
    def is_expecting(self) -> bool:
        """Whether the model owes an answer."""
        return self._is_expecting

    def push(self, pcm: bytes, now_ms: int) -> None:
        """Take the caller's audio that ends at `now_ms`; it waits while there is no session."""
        self._now_ms = now_ms
        if self.session is not None:
            self.session.push(pcm)
            return
        self._unsent += pcm
        excess = len(self._unsent) - _KEPT_MS * self._bytes_per_ms
        if excess > 0:
            del self._unsent[:excess]

    def to_media_ms(self, at_ms: int) -> int:
        """A place in the session's audio as media time; never later than now."""
        return min(self._zero_ms + at_ms, self._now_ms)

    def expect(self) -> None:
        """The model owes something: a session that keeps silent from now on is broken."""
        self._is_expecting = True
        if self._patience is not None:
            self._patience.reschedule(asyncio.get_running_loop().time() + self._timeout_s)

    def relax(self) -> None:
        """The model owes nothing."""
        self._is_expecting = False
        if self._patience is not None:
            self._patience.reschedule(None)

    async def attend(self) -> None:
        """Keep a session and pass its events on, for ever. Raises `ports.ProviderError` when there is none any more."""
        while True:
            error = await self._keep_session()
            self._breaks += 1
            self._on_break(error)
            if self._breaks > 1 or not error.retryable:
                raise error

    async def _keep_session(self) -> ports.ProviderError:
        """Open a session and listen to it; returns what broke it."""
        try:
            async with asyncio.timeout(self._timeout_s):
                session = await self._open_session(self._history())
        except TimeoutError:
            return ports.ProviderError(PROVIDER, f"no connection within {self._timeout_s:g} s", retryable=True)
        except ports.ProviderError as error:
            return error
        try:
            return await self._listen(session)
        finally:
            self.session = None
            await streams.ignore_failure(session.close(), timeout_s=_CLOSE_TIMEOUT_S)

    async def _listen(self, session: ports.DuplexSession) -> ports.ProviderError:
        self._zero_ms = self._now_ms - len(self._unsent) // self._bytes_per_ms
        if self._unsent:
            session.push(bytes(self._unsent))
            self._unsent.clear()
        events = session.events()
        try:
            async with asyncio.timeout(None) as self._patience:
                self.session = session
                self._is_expecting = False
                self._on_open()
                async for event in events:
                    if isinstance(event, ports.AgentDone):
                        self._breaks = 0
                    self._on_event(event)
        except TimeoutError:
            return ports.ProviderError(PROVIDER, f"no answer within {self._timeout_s:g} s", retryable=True)
        except ports.ProviderError as error:
            return error
        finally:
            self._patience = None
            await streams.close(events)
        return ports.ProviderError(PROVIDER, "the session ended", retryable=True)
