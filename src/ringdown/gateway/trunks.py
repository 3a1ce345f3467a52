"""The trunks as this gateway knows them: read from the database, registered, probed, and found by who calls."""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import structlog

from ringdown import values
from ringdown.db.engine import UNAVAILABLE, Database
from ringdown.gateway import routes
from ringdown.gateway.patience import keep_trying
from ringdown.secret import SecretBox, SecretUnreadable
from ringdown.sip import network
from ringdown.sip.address import join_host_port
from ringdown.sip.endpoint import Endpoint
from ringdown.sip.location import LocationFailed
from ringdown.sip.registrant import Registration
from ringdown.sip.registration import Registrar, RegistrationStatus
from ringdown.telephony import lease_store
from ringdown.telephony import trunk_store as store
from ringdown.telephony.models import RegistrationState, Trunk, TrunkStatus

log = structlog.get_logger(__name__)

# How soon a change of a trunk is seen, and how often each trunk is asked whether it is there.
_REFRESH_S = 2.0
_PROBE_S = 30.0
_PROBE_TIMEOUT_S = 5.0
_RESOLVE_TIMEOUT_S = 5.0
_STATES: dict[str, RegistrationState] = {
    "registering": "registering",
    "registered": "registered",
    "refused": "refused",
    "failed": "failed",
    "unregistered": "off",
}


@dataclass(slots=True)
class _Line:
    """One trunk in use here."""

    trunk: Trunk
    status: TrunkStatus
    sources: frozenset[str] = frozenset()
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    places: frozenset[tuple[str, int]] = frozenset()
    registration: Registration | None = None
    probe: "asyncio.Task[None] | None" = field(default=None, repr=False)

    def is_source(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        return str(address) in self.sources or any(address in network for network in self.networks)


class TrunkBook:
    """The enabled trunks of all organizations; `watch` keeps them current, `close` unregisters."""

    def __init__(
        self, database: Database, box: SecretBox, endpoint: Endpoint, *, gateway_id: str, peer: Trunk | None
    ) -> None:
        self._database = database
        self._box = box
        self._endpoint = endpoint
        self._gateway_id = gateway_id
        self._lines: dict[str, _Line] = {}
        self._peer = peer
        self._unsaved: set[str] = set()
        self._leased: set[str] = set()
        self._unreadable: set[str] = set()
        self._refreshing = asyncio.Lock()

    @property
    def peer(self) -> Trunk | None:
        """The trunk of `RINGDOWN_OUTBOUND_PEER`: carries the calls of numbers that are on no trunk."""
        return self._peer

    def find(self, trunk_id: str | None) -> Trunk | None:
        """The enabled trunk of this id."""
        line = self._lines.get(trunk_id or "")
        return None if line is None else line.trunk

    def find_only(self, organization_id: str) -> Trunk | None:
        """The organization's trunk, when it has just one."""
        owned = [line.trunk for line in self._lines.values() if line.trunk.organization_id == organization_id]
        return owned[0] if len(owned) == 1 else None

    def list_by_source(self, host: str) -> list[Trunk]:
        """The trunks whose requests come from this address: one carrier may serve several organizations."""
        try:
            address = ipaddress.ip_address(network.normalize(host))
        except ValueError:
            return []
        return [line.trunk for line in self._lines.values() if line.is_source(address)]

    @property
    def places(self) -> frozenset[tuple[str, int]]:
        """The addresses and ports that requests to the trunks go to."""
        return frozenset[tuple[str, int]]().union(*(line.places for line in self._lines.values()))

    def find_by_login(self, username: str) -> Trunk | None:
        """The trunk that sends its calls with this digest user name; the oldest, whoever else takes the name later."""
        named = [line.trunk for line in self._lines.values() if line.trunk.inbound_username == username]
        return min(named, key=lambda trunk: trunk.id, default=None)

    @property
    def has_logins(self) -> bool:
        """Whether any trunk may call from anywhere with credentials."""
        return any(line.trunk.inbound_username for line in self._lines.values())

    def note_calls(self, live: dict[str, int]) -> None:
        """How many calls each trunk has here now."""
        for trunk_id, line in self._lines.items():
            count = live.get(trunk_id, 0)
            if line.status.live_calls != count:
                self._note(line, live_calls=count)

    def note_failure(self, trunk_id: str, reason: str) -> None:
        """A call over the trunk failed by the trunk's fault."""
        if (line := self._lines.get(trunk_id)) is not None:
            self._note(line, last_error=reason)

    async def watch(self) -> None:
        """Follow changes, register and probe; never returns."""
        while True:
            await self.refresh()
            await asyncio.sleep(_REFRESH_S)

    async def open(self) -> None:
        """Forget what a gateway of this name told before, and take the trunks over."""
        async with self._database.write() as connection:
            await store.delete_statuses(connection, gateway_id=self._gateway_id)
        await self.refresh()

    async def refresh(self) -> None:
        """Take over what the database says now, and store what was noticed."""
        async with self._refreshing:
            trunks = await keep_trying(self._read)
            if self._peer is not None:
                trunks = [*trunks, self._peer]
            known = {trunk.id: trunk for trunk in trunks}
            for trunk_id in [each for each, line in self._lines.items() if known.get(each) != line.trunk]:
                await self._drop(self._lines.pop(trunk_id))
            for trunk in trunks:
                if trunk.id not in self._lines:
                    self._lines[trunk.id] = self._open(trunk)
            await self._share_registrations()
            await keep_trying(self._save)

    async def close(self) -> None:
        """Unregister everywhere, and let other gateways register."""
        await asyncio.gather(*(self._drop(line) for line in self._lines.values()))
        if self._leased:
            with contextlib.suppress(*UNAVAILABLE):  # they run out by themselves
                async with self._database.write() as connection:
                    await lease_store.give_up_leases(connection, gateway_id=self._gateway_id)
        self._lines.clear()

    async def _share_registrations(self) -> None:
        """Register the trunks that no other gateway registers: calls to an account ring wherever it is registered."""
        lines = [line for line in self._lines.values() if line.trunk.registers]
        if not lines:
            return
        self._leased = await keep_trying(lambda: self._take_leases([line.trunk for line in lines]))
        for line in lines:
            if line.trunk.id in self._leased and line.registration is None:
                line.registration = self._register(line)
            elif line.trunk.id not in self._leased and line.registration is not None:
                await line.registration.close()
                line.registration = None

    async def _take_leases(self, trunks: Sequence[Trunk]) -> set[str]:
        async with self._database.write() as connection:
            return await lease_store.take_leases(
                connection, trunks, gateway_id=self._gateway_id, now_ms=values.now_ms()
            )

    async def _read(self) -> Sequence[Trunk]:
        async with self._database.read() as connection:
            return await store.list_enabled_trunks(connection, self._box, on_unreadable=self._leave_out)

    def _leave_out(self, trunk: Trunk, error: SecretUnreadable) -> None:
        if trunk.id not in self._unreadable:
            self._unreadable.add(trunk.id)
            log.error("trunk left out", trunk_id=trunk.id, error=str(error))

    async def _save(self) -> None:
        unsaved, self._unsaved = self._unsaved - {routes.PEER_TRUNK_ID}, set()
        statuses = [self._lines[trunk_id].status for trunk_id in unsaved if trunk_id in self._lines]
        if not statuses:
            return
        try:
            async with self._database.write() as connection:
                for status in statuses:
                    await store.put_status(connection, status)
        except BaseException:
            self._unsaved |= unsaved
            raise

    def _open(self, trunk: Trunk) -> _Line:
        status = TrunkStatus(
            organization_id=trunk.organization_id,
            trunk_id=trunk.id,
            gateway_id=self._gateway_id,
            checked_at=values.now_ms(),
        )
        line = _Line(trunk, status)
        line.sources, line.networks = _read_sources(trunk)
        self._unsaved.add(trunk.id)
        line.probe = asyncio.create_task(self._probe(line))
        return line

    async def _drop(self, line: _Line) -> None:
        if line.probe is not None:
            line.probe.cancel()
            await asyncio.gather(line.probe, return_exceptions=True)
        if line.registration is not None:
            await line.registration.close()

    def _register(self, line: _Line) -> Registration:
        trunk = line.trunk
        domain = join_host_port(trunk.hosts[0].host, trunk.hosts[0].port)
        registrar = Registrar(
            uri=f"sip:{domain}",
            address_of_record=f"sip:{trunk.username}@{domain}",
            credentials=routes.find_credentials(trunk),
            find_hops=lambda: routes.locate(trunk, self._endpoint),
            expires_s=trunk.registration_expires_seconds,
        )

        def note(status: RegistrationStatus) -> None:
            if status.state != line.status.registration.replace("off", "unregistered"):
                log.info("trunk registration", trunk_id=trunk.id, state=status.state, reason=status.reason)
            failed = status.state in ("refused", "failed")
            error = (status.fault or f"{status.status or ''} {status.reason}".strip()) if failed else None
            self._note(line, registration=_STATES[status.state], registration_error=error)

        return self._endpoint.register(registrar, on_change=note)

    async def _probe(self, line: _Line) -> None:
        """Ask with OPTIONS, again and again; whatever is answered, the trunk is there."""
        while True:
            await self._probe_once(line)
            await asyncio.sleep(_PROBE_S)

    async def _probe_once(self, line: _Line) -> None:
        trunk = line.trunk
        target = f"sip:{join_host_port(trunk.hosts[0].host, trunk.hosts[0].port)}"
        try:
            hops = await routes.locate(trunk, self._endpoint)
        except LocationFailed as error:
            self._note(line, is_reachable=False, last_error=str(error))
            return
        line.sources = await _resolve_sources(trunk) | {hop.host for hop in hops}
        line.places = frozenset((hop.host, hop.port) for hop in hops)
        reply = await self._endpoint.ask(
            "OPTIONS",
            target,
            hop=hops[0],
            from_uri=self._endpoint.local_uri(trunk.username or "ringdown"),
            credentials=routes.find_credentials(trunk),
            timeout_s=_PROBE_TIMEOUT_S,
        )
        if reply.is_local:
            self._note(line, is_reachable=False, last_error=reply.fault or reply.reason)
        else:
            # What a call complained of stays to be seen; what a probe did is over.
            complaint = line.status.last_error if line.status.is_reachable else None
            self._note(line, is_reachable=True, round_trip_ms=reply.round_trip_ms, last_error=complaint)

    def _note(self, line: _Line, **changes: object) -> None:
        line.status = replace(line.status, checked_at=values.now_ms(), **changes)  # type: ignore[arg-type]
        self._unsaved.add(line.trunk.id)


def _read_sources(
    trunk: Trunk,
) -> tuple[frozenset[str], tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]]:
    """The addresses and networks that stand in the trunk itself; its names take a while."""
    networks = []
    for source in trunk.allowed_sources:
        with contextlib.suppress(ValueError):  # a name
            networks.append(ipaddress.ip_network(source, strict=False))
    return frozenset(name for name in _list_names(trunk) if network.is_literal(name)), tuple(networks)


async def _resolve_sources(trunk: Trunk) -> frozenset[str]:
    """The addresses of the trunk's hosts, and of the names that it allows besides."""
    found = await asyncio.gather(*(_resolve(name) for name in _list_names(trunk)))
    return frozenset[str]().union(*found)


def _list_names(trunk: Trunk) -> list[str]:
    names = [host.host.strip("[]") for host in trunk.hosts]
    if trunk.outbound_proxy:
        names.append(routes.find_proxy_host(trunk).strip("[]"))
    return names + [source for source in trunk.allowed_sources if "/" not in source]


async def _resolve(name: str) -> frozenset[str]:
    if network.is_literal(name):
        return frozenset({name})
    try:
        async with asyncio.timeout(_RESOLVE_TIMEOUT_S):
            found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):  # calls to it will fail and say so; nobody else is let in
        return frozenset()
    return frozenset(network.normalize(str(address[0])) for *_, address in found)
