"""How long a call may go on where credits are enforced, and its end when they run out.

More is held before what is held is used up, so that a call never costs more than was held for it.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

import structlog

from ringdown.billing import ledger
from ringdown.calls import credit
from ringdown.calls.credit import NeededTalk
from ringdown.calls.models import Call
from ringdown.config import Settings
from ringdown.gateway.services import Services

log = structlog.get_logger(__name__)

# More is held when less talk than this is left, and for so much at least: a database that is slow cuts no call.
_EXTEND_BELOW_MS = 20_000
_MIN_STEP_SECONDS = 30
# When no more can be held, the agent's last words begin so long before the end of what is held.
CLOSING_MS = 10_000
# How soon it is seen that more was held after all.
_LOOK_S = 1.0


class CallCredit:
    """What one call may still use. Without enforced credits, or at a price of 0, that is anything."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._covered_ms: int | None = None
        # No more could be held than for this.
        self._is_last = False
        self._is_closing = False
        self.is_spent = False
        if settings.credits_enforced:
            self._cover(ledger.compute_hold(settings))

    def _cover(self, held: int) -> None:
        seconds = ledger.compute_covered_seconds(held, self._settings)
        self._covered_ms = None if seconds is None else seconds * 1000

    def find_need(self, media_ms: int) -> int | None:
        """The seconds of talk in all that should be held for now; None when enough are."""
        covered_ms = self._covered_ms
        if covered_ms is None or self._is_closing or covered_ms - media_ms >= _EXTEND_BELOW_MS:
            return None
        return covered_ms // 1000 + max(self._settings.credits_hold_seconds, _MIN_STEP_SECONDS)

    def take(self, held: int, *, needed_seconds: int) -> None:
        """So many credits are held now; less than what is needed are the last."""
        self._cover(held)
        self._is_last = self._covered_ms is not None and self._covered_ms < needed_seconds * 1000

    async def watch(
        self, read_media_ms: Callable[[], int], dismiss: Callable[[], bool], cut: Callable[[], None]
    ) -> None:
        """Dismiss the far party in time when no more can be held, and `cut` the call where what is held ends.

        Returns after that, or at once when the call may use anything. `dismiss` tells whether the agent is saying its
        last words; else it is asked again.
        """
        while self._covered_ms is not None:
            wait_s = _LOOK_S
            if self._is_last:
                left_ms = self._covered_ms - read_media_ms()
                if left_ms <= CLOSING_MS and not self._is_closing:
                    self._is_closing = dismiss()
                if left_ms <= 0:
                    self._is_closing = self.is_spent = True
                    cut()
                    return
                wait_s = min(_LOOK_S, left_ms / 1000)
            await asyncio.sleep(wait_s)


class CreditedCall(Protocol):
    """A live call."""

    call: Call
    credit: CallCredit

    @property
    def media_ms(self) -> int:
        """How long the far party has been on the line; 0 before the answer."""


async def extend_holds(services: Services, sessions: Iterable[CreditedCall]) -> None:
    """Hold more for the calls that need it, in one transaction."""
    needs = {
        session.call.id: (session, seconds)
        for session in sessions
        if session.media_ms > 0 and (seconds := session.credit.find_need(session.media_ms)) is not None
    }
    if not needs:
        return
    held = await credit.extend_holds(
        services.database,
        settings=services.settings,
        needed=[
            NeededTalk(session.call.organization_id, call_id, seconds) for call_id, (session, seconds) in needs.items()
        ],
    )
    for call_id, credits_ in held.items():
        session, seconds = needs[call_id]
        session.credit.take(credits_, needed_seconds=seconds)
