"""What a sender knows of one endpoint while it sends to it; no database."""

import asyncio
import time
from collections.abc import Sequence

from ringdown.outbound import Resolve
from ringdown.secret import SecretBox
from ringdown.webhooks import retrying
from ringdown.webhooks.models import WebhookEndpoint
from ringdown.webhooks.posting import Poster

#: So many requests to one endpoint are under way at once.
LANES = 32
# What is claimed shall be sent within so many seconds, by the time that requests took lately.
_QUEUED_S, _MAX_QUEUED = 2.0, 256
_FIRST_GUESS_S = 0.5
#: How many chains to claim of an endpoint that is not known yet.
FIRST_ROOM = int(LANES * _QUEUED_S / _FIRST_GUESS_S)
_SHARE_OF_LAST = 0.1


class Line:
    """One endpoint: its connections, its secrets, how long it takes and whether it fails."""

    def __init__(self, endpoint: WebhookEndpoint, box: SecretBox, *, private_allowed: bool, resolve: Resolve) -> None:
        self.endpoint = endpoint
        self.places = asyncio.Semaphore(LANES)
        #: Chains that are claimed and not over.
        self.chains = 0
        self.used_at = time.monotonic()
        self._box = box
        self._private_allowed = private_allowed
        self._resolve = resolve
        self._failures = 0
        self._mean_s = _FIRST_GUESS_S
        self._unsealed: dict[str, str] = {}
        self.poster = self._open_poster()

    @property
    def has_failed_enough(self) -> bool:
        """Whether it accepts nothing: what is still queued is given back."""
        return self._failures >= retrying.PAUSE_AFTER

    def renew(self, endpoint: WebhookEndpoint) -> None:
        """Take over the endpoint as it is now."""
        is_moved = endpoint.url != self.endpoint.url
        self.endpoint = endpoint
        if is_moved:
            self.poster.close()
            self.poster = self._open_poster()
        # One that is probed may fail once more before it is given up again.
        self._failures = min(endpoint.failure_count, retrying.PAUSE_AFTER - 1)
        self.used_at = time.monotonic()

    def count_room(self) -> int:
        """How many more chains to claim; 0 while there is enough to do."""
        wanted = min(max(int(LANES * _QUEUED_S / self._mean_s), LANES), _MAX_QUEUED)
        return wanted - self.chains if self.chains * 2 <= wanted else 0

    def note(self, *, is_accepted: bool, duration_s: float) -> None:
        """Learn from an attempt."""
        self._failures = 0 if is_accepted else self._failures + 1
        self._mean_s += (duration_s - self._mean_s) * _SHARE_OF_LAST

    def list_secrets(self, *, now_ms: int) -> Sequence[str]:
        """The present secret and, while it is good, the old one. Raises `SecretUnreadable`."""
        sealed = [self.endpoint.secret]
        if self.endpoint.old_secret is not None and (self.endpoint.old_secret_expires_at or 0) > now_ms:
            sealed.append(self.endpoint.old_secret)
        if any(one not in self._unsealed for one in sealed):
            self._unsealed = {one: self._box.unseal(one) for one in sealed}
        return [self._unsealed[one] for one in sealed]

    def _open_poster(self) -> Poster:
        return Poster(self.endpoint.url, private_allowed=self._private_allowed, resolve=self._resolve)
