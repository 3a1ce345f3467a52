"""The asyncio face of one registration: asks, waits, keeps the way open, takes its leave; decides nothing."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace

from ringdown.sip.address import Uri
from ringdown.sip.asker import Asker
from ringdown.sip.destination import Destination
from ringdown.sip.inquiry import Inquirer
from ringdown.sip.location import LocationFailed
from ringdown.sip.registration import Registrar, RegistrationStatus, Renewal, Step

_KEEP_ALIVE_S = 25.0  # below the 30 s after which many NATs forget a UDP mapping
_CLOSE_TIMEOUT = 2.0
_PATIENCE = 16  # how many T1 (8 s) a hop gets when there is another
_RECONNECT_S = 1.0  # after a connection broke; doubled while connections do not last
_LASTING_S = 120.0


class Registration:
    """One registration; made by `Endpoint.register`, renews itself until `close`."""

    def __init__(
        self,
        asker: Asker,
        registrar: Registrar,
        *,
        on_change: Callable[[RegistrationStatus], None],
        on_close: Callable[["Registration"], None],
    ) -> None:
        self._asker = asker
        self._registrar = registrar
        self._on_change = on_change
        self._on_close = on_close
        Uri.parse(registrar.uri)
        self._user = registrar.contact_user or Uri.parse(registrar.address_of_record).user
        self._inquirer = Inquirer(
            asker.stack,
            target=registrar.uri,
            from_uri=registrar.address_of_record,
            to_uri=registrar.address_of_record,
            credentials=registrar.credentials,
        )
        self._renewal = Renewal(registrar.expires_s, random.random)
        self._status = RegistrationStatus(state="registering")
        self._contact = ""
        self._hop: Destination | None = None
        # Whether the registrar may hold our contact.
        self._is_known = False
        self._is_lost = asyncio.Event()
        self._registered_at = 0.0
        # How often in a row our connection broke soon after we had registered on it.
        self._losses = 0
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run())

    @property
    def status(self) -> RegistrationStatus:
        """How it stands."""
        return self._status

    async def close(self) -> None:
        """Take our contact away from the registrar, within 2 s, and stop. Safe to call twice."""
        self._task.cancel()
        await asyncio.wait([self._task])
        if self._is_known and self._hop is not None:
            self._is_known = False
            fields = self._build_fields(0)
            await self._asker.ask(self._inquirer, "REGISTER", hop=self._hop, timeout_s=_CLOSE_TIMEOUT, headers=fields)
        self._on_close(self)
        self._change(RegistrationStatus(state="unregistered"))

    def lose_connection(self, connection: int) -> None:
        """A connection broke: if it was ours, the registrar cannot reach us any more (RFC 5626 §4.2)."""
        if connection == self._inquirer.connection:
            self._is_lost.set()

    async def _run(self) -> None:
        while True:
            try:
                hops = await self._find_hops()
            except LocationFailed as error:
                self._change(
                    replace(self._status, state="failed", status=None, reason="", fault=f"host unknown: {error.why}")
                )
                await self._wait(self._renewal.back_off())
            else:
                await self._wait(await self._register(hops))

    async def _find_hops(self) -> list[Destination]:
        registrar = self._registrar
        if registrar.find_hops is not None:
            hops = list(await registrar.find_hops())
        else:
            hops = list(registrar.hops or await self._asker.locate(registrar.uri))
        if not hops:
            raise LocationFailed(registrar.uri, "no host is given")
        if self._hop in hops:  # a registration stays where it is as long as it can
            hops.remove(self._hop)
            hops.insert(0, self._hop)
        return hops

    async def _register(self, hops: list[Destination]) -> float:
        """Register at the first hop that takes it; returns the seconds until the next time."""
        remaining = list(hops)
        while True:
            hop = remaining[0]
            step = await self._try(hop, has_more=len(remaining) > 1)
            if step.is_next_hop:
                remaining.pop(0)
            elif step.wait_s:
                return step.wait_s

    async def _try(self, hop: Destination, *, has_more: bool) -> Step:
        self._hop, self._is_known = hop, True
        self._is_lost.clear()
        self._contact = self._asker.stack.build_contact(self._user, hop)
        asked_at = self._asker.now()
        # With another hop to try, nobody waits for Timer F (32 s).
        timing = self._asker.timing
        patience = _PATIENCE * timing.t1 if has_more else timing.timeout
        fields = self._build_fields(self._renewal.expires_s)
        reply = await self._asker.ask(self._inquirer, "REGISTER", hop=hop, timeout_s=patience, headers=fields)
        step = self._renewal.receive(reply, contact=self._contact, has_more_hops=has_more)
        self._is_known = step.state == "registered" or reply.is_local
        if step.state == "registered":
            self._registered_at = self._asker.now()
        if step.state != "registering":
            self._change(
                RegistrationStatus(
                    state=step.state,
                    status=reply.status,
                    reason=reply.reason,
                    fault=reply.fault,
                    expires_at=None if step.granted_s is None else asked_at + step.granted_s,
                    round_trip_ms=reply.round_trip_ms,
                    hop=hop,
                    contact=self._contact,
                    observed=reply.observed,
                )
            )
        return step

    async def _wait(self, seconds: float) -> None:
        """Wait, keeping the way open; shorter when our connection breaks."""
        until, is_open = self._asker.now() + seconds, self._status.state == "registered"
        while (left := until - self._asker.now()) > 0:
            try:
                async with asyncio.timeout(min(left, _KEEP_ALIVE_S)):
                    await self._is_lost.wait()
            except TimeoutError:
                if is_open and left > _KEEP_ALIVE_S and self._hop is not None:
                    self._asker.keep_alive(self._hop)
            else:
                self._is_lost.clear()
                if is_open:
                    is_open = False  # what would keep it open would only open another
                    until = min(until, self._asker.now() + self._choose_pause())

    def _choose_pause(self) -> float:
        """Seconds until we register anew after our connection broke: more each time if none of them lasts."""
        lasted = self._asker.now() - self._registered_at
        self._losses = self._losses + 1 if lasted < _LASTING_S else 0
        return min(_RECONNECT_S * 2.0 ** min(self._losses, 16), _LASTING_S) * (0.5 + 0.5 * random.random())

    def _build_fields(self, expires_s: int) -> list[tuple[str, str]]:
        return [
            ("Contact", f"{self._contact};expires={expires_s}"),
            ("Expires", str(expires_s)),
            *self._registrar.headers,
        ]

    def _change(self, status: RegistrationStatus) -> None:
        if status != self._status:
            self._status = status
            # Not called from here: a fault of the owner's code must not stop the registration.
            self._loop.call_soon(self._on_change, status)
