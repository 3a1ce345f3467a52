"""The sender: claims what is due, sends it with bounded concurrency per endpoint, and has stored what came of it.

Any number of them may run on one database; see `delivering` for what they promise.
"""

import asyncio
import random
import time
from collections.abc import Sequence

import structlog

from ringdown import outbound, values
from ringdown.config import Settings
from ringdown.db import engine
from ringdown.db.engine import Database
from ringdown.outbound import Resolve
from ringdown.secret import SecretBox, SecretUnreadable
from ringdown.webhooks import answers, delivering, payload, posting, retrying, sending_store, signing
from ringdown.webhooks.connection import Answer
from ringdown.webhooks.delivering import Claim, Outgoing, Result
from ringdown.webhooks.line import FIRST_ROOM, Line
from ringdown.webhooks.models import Delivery, DeliveryAttempt, Event
from ringdown.webhooks.posting import PostFailed
from ringdown.webhooks.retrying import Verdict
from ringdown.webhooks.sending_store import Key
from ringdown.webhooks.settling import Settler

_log = structlog.get_logger(__name__)

#: How often is looked for what is due.
_POLL_S = 0.2
_AWAY_S = 1.0
# What is due at so many endpoints is claimed in one transaction, and so many chains are in memory.
_CLAIMED_AT_ONCE, _MAX_CHAINS = 50, 1_000
# Requests to all endpoints under way at once: each holds a file, and a process may usually have 1024.
_MAX_REQUESTS = 400
# An attempt is begun only when it, and storing what came of it, surely ends within the lease.
_MARGIN_S = posting.TIMEOUT_S + 5
_TIDY_S, _FORGET_S = 5.0, 60.0
_NO_EVENT = "The event was deleted."


async def run(
    database: Database, settings: Settings, stop: asyncio.Event, *, resolve: Resolve = outbound.resolve
) -> None:
    """Send what is due until `stop` is set; what is under way then is finished, the rest is given back."""
    sender = _Sender(database, settings, stop, resolve)
    async with asyncio.TaskGroup() as background:
        settling = background.create_task(sender.settler.run())
        async with asyncio.TaskGroup() as chains:
            await sender.claim_all(chains)
        settling.cancel()
    sender.close()


class _Sender:
    def __init__(self, database: Database, settings: Settings, stop: asyncio.Event, resolve: Resolve) -> None:
        self._database = database
        self._private_allowed = settings.private_urls_allowed
        self._box = SecretBox.open(settings)
        self._stop = stop
        self._resolve = resolve
        self._lines: dict[Key, Line] = {}
        self._turn = asyncio.Lock()
        self._places = asyncio.Semaphore(_MAX_REQUESTS)
        self._has_room = asyncio.Event()
        self._tidy_at = 0.0
        self.settler = Settler(database, self._turn)

    async def claim_all(self, tasks: asyncio.TaskGroup) -> None:
        """Claim what is due and start sending it, until asked to stop."""
        while not self._stop.is_set():
            self._has_room.clear()
            try:
                claims, is_more = await self._claim()
            except engine.UNAVAILABLE:
                _log.exception("webhook deliveries not claimed")
                await self._wait(_AWAY_S)
                continue
            for claim in claims:
                self._start(claim, tasks)
            self._tidy()
            if not is_more:
                await self._wait(_POLL_S)

    def close(self) -> None:
        """Close all connections."""
        for line in self._lines.values():
            line.poster.close()

    async def _wait(self, seconds: float) -> None:
        """Wait until there is room for more, a stop is asked for, or the time is over."""
        try:
            async with asyncio.timeout(seconds):
                await self._has_room.wait()
        except TimeoutError:
            return

    async def _claim(self) -> tuple[list[Claim], bool]:
        """What was claimed, and whether it is worth while to claim again at once."""
        now = values.now_ms()
        async with self._database.read_alone() as connection:
            due = await sending_store.list_due_endpoints(connection, now_ms=now)
        random.shuffle(due)
        room = _MAX_CHAINS - sum(line.chains for line in self._lines.values())
        rooms: dict[Key, int] = {}
        for key in due:
            line = self._lines.get(key)
            wanted = FIRST_ROOM if line is None else line.count_room()
            if wanted and room > 0 and len(rooms) < _CLAIMED_AT_ONCE:
                rooms[key] = min(wanted, room)
                room -= rooms[key]
        if not rooms:
            return [], False
        async with self._turn:
            claims = await delivering.claim(
                self._database, rooms=rooms, lease_id=values.new_id("lease"), now_ms=values.now_ms()
            )
        return claims, len(rooms) == _CLAIMED_AT_ONCE and bool(claims)

    def _start(self, claim: Claim, tasks: asyncio.TaskGroup) -> None:
        line = self._lines.get(claim.key)
        if line is None:
            line = Line(claim.endpoint, self._box, private_allowed=self._private_allowed, resolve=self._resolve)
            self._lines[claim.key] = line
        line.renew(claim.endpoint)
        begin_by = time.monotonic() + delivering.LEASE_MS / 1000 - _MARGIN_S
        for chain in claim.chains:
            line.chains += 1
            tasks.create_task(self._send_chain(line, chain, lease_id=claim.lease_id, begin_by=begin_by))

    async def _send_chain(self, line: Line, chain: Sequence[Outgoing], *, lease_id: str, begin_by: float) -> None:
        """Send deliveries of one subject, each when the one before is stored as delivered or parked."""
        deliveries = [outgoing.delivery for outgoing in chain]
        for index, outgoing in enumerate(chain):
            behind = deliveries[index + 1 :]
            async with line.places, self._places:
                if self._stop.is_set() or line.has_failed_enough or time.monotonic() > begin_by:
                    result = Result(delivery=outgoing.delivery, lease_id=lease_id, behind=behind)
                else:
                    result = await self._send(line, outgoing, lease_id=lease_id, behind=behind)
            is_ours = await self.settler.settle(result)
            if not is_ours or result.verdict is None or result.verdict.status == "pending":
                break
        line.chains -= 1
        self._has_room.set()

    async def _send(self, line: Line, outgoing: Outgoing, *, lease_id: str, behind: Sequence[Delivery]) -> Result:
        delivery = outgoing.delivery
        if outgoing.event is None:
            gone = Verdict(status="parked")
            return Result(delivery=delivery, lease_id=lease_id, verdict=gone, error=_NO_EVENT, behind=behind)
        started_at, started = values.now_ms(), time.monotonic()
        number = delivery.attempt_count + 1
        answer, error = await _post(line, delivery, outgoing.event, number=number, now_ms=started_at)
        duration_s = time.monotonic() - started
        now = values.now_ms()
        verdict = retrying.judge(
            None if answer is None else answer.status,
            now_ms=now,
            failing_since=delivery.failing_since,
            retry_after_ms=None if answer is None else answers.parse_retry_after_ms(answer.retry_after, now_ms=now),
            chance=random.random(),
        )
        line.note(is_accepted=verdict.status == "delivered", duration_s=duration_s)
        attempt = DeliveryAttempt(
            number=number,
            started_at=started_at,
            duration_ms=round(duration_s * 1000),
            response_status=None if answer is None else answer.status,
            response_body=None if answer is None else answers.read_text(answer.body),
            error=error,
        )
        return Result(
            delivery=delivery, lease_id=lease_id, verdict=verdict, attempt=attempt, error=error, behind=behind
        )

    def _tidy(self) -> None:
        """Close connections that nobody uses, and forget endpoints to which nothing was due for long."""
        now = time.monotonic()
        if now < self._tidy_at:
            return
        self._tidy_at = now + _TIDY_S
        for key, line in list(self._lines.items()):
            line.poster.close_idle()
            if line.chains == 0 and line.used_at < now - _FORGET_S:
                line.poster.close()
                del self._lines[key]


async def _post(
    line: Line, delivery: Delivery, event: Event, *, number: int, now_ms: int
) -> tuple[Answer | None, str | None]:
    """Sign and send; the answer, if any, and why it is no acceptance."""
    try:
        body = payload.serialize_body(event)
        proof = signing.make_headers(line.list_secrets(now_ms=now_ms), body, now_ms=now_ms, attempt=number)
        headers = {**proof, "X-Truedy-Delivery": delivery.id, "X-Truedy-Attempt": str(number)}
        answer = await line.poster.post(headers, body, timeout_s=posting.TIMEOUT_S)
    except (PostFailed, SecretUnreadable) as failure:
        return None, str(failure)
    return answer, answers.describe_refusal(answer.status)
