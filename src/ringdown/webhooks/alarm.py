"""Tells the operator of deliveries that are parked: one error per endpoint and burst."""

import structlog

from ringdown.webhooks.sending_store import Key

log = structlog.get_logger(__name__)

#: A burst is over when so long nothing was parked.
QUIET_MS = 600_000


class ParkingAlarm:
    """What was parked lately, as this process has seen it."""

    def __init__(self) -> None:
        self._parked_at: dict[Key, int] = {}

    def tell(self, key: Key, *, count: int, reason: str | None, now_ms: int) -> None:
        """Deliveries to an endpoint were parked now."""
        lately = {other: at for other, at in self._parked_at.items() if at + QUIET_MS > now_ms}
        self._parked_at = {**lately, key: now_ms}
        if key not in lately:
            log.error(
                "webhook deliveries parked", organization_id=key[0], endpoint_id=key[1], count=count, reason=reason
            )
