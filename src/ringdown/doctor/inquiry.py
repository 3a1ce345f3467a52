"""The requests of an examination that are no calls: OPTIONS over each transport, REGISTER as right and wrong users."""

import asyncio
import secrets
from collections.abc import Sequence
from typing import get_args

from ringdown.doctor.observation import Contact, Login, Outcome
from ringdown.doctor.station import Station
from ringdown.sip.address import join_host_port
from ringdown.sip.destination import DEFAULT_PORTS, Destination, TlsClient, Transport
from ringdown.sip.digest import Credentials
from ringdown.sip.inquiry import Reply
from ringdown.sip.message import Via
from ringdown.telephony.models import Trunk

_TIMEOUT_S = 4.0
_MAX_HOPS = 8
_BINDING_S = 60


class Inquiry:
    """Asks the peer of one trunk."""

    def __init__(self, station: Station, trunk: Trunk) -> None:
        self._station = station
        self._trunk = trunk
        self._domain = f"sip:{join_host_port(trunk.hosts[0].host, trunk.hosts[0].port)}"

    async def ask_options(self, hops: Sequence[Destination]) -> tuple[tuple[Contact, ...], tuple[str, str] | None]:
        """What each address answers, and our address as written and returned where these differ."""
        asked = list(dict.fromkeys(hops))[:_MAX_HOPS]
        replies = await asyncio.gather(*(self._ask("OPTIONS", self._domain, hop=hop) for hop in asked))
        contacts = tuple(
            Contact(hop, _read(reply), reply.round_trip_ms) for hop, reply in zip(asked, replies, strict=True)
        )
        rewritten = (self._find_rewriting(reply, hop) for hop, reply in zip(asked, replies, strict=True))
        return contacts, next((pair for pair in rewritten if pair is not None), None)

    async def find_other_ways(self, hop: Destination) -> tuple[Destination, ...]:
        """The same host by the transports other than that of the trunk, where it says anything there."""
        others = [one for one in get_args(Transport) if one != hop.transport]
        hops = [self._change_transport(hop, one) for one in others]
        replies = await asyncio.gather(*(self._ask("OPTIONS", self._domain, hop=one) for one in hops))
        return tuple(one for one, reply in zip(hops, replies, strict=True) if not reply.is_local)

    async def register(self, hop: Destination) -> Login:
        """Whether the registrar takes the credentials; a registration that the gateway holds is not disturbed.

        Without a Contact a REGISTER only asks who is registered (RFC 3261 §10.2.3); a binding of our own is made,
        and taken back, only where there is none.
        """
        user = self._trunk.username or "ringdown"
        credentials = Credentials(user, self._trunk.password or "") if self._trunk.username else None
        first = _read(await self._register(hop, user, None))
        if first.status not in (401, 407) or credentials is None:
            outcome = first if not first.is_accepted else await self._bind(hop, user, None)
            return Login(method="REGISTER", outcome=outcome, is_challenged=first.status in (401, 407))
        reply = await self._register(hop, user, credentials)
        outcome = _read(reply)
        if outcome.status == 400 or (outcome.is_accepted and reply.headers.get("Contact") is None):
            outcome = await self._bind(hop, user, credentials)
        if outcome.is_accepted or not outcome.is_heard:
            return Login(method="REGISTER", outcome=outcome, is_challenged=True)
        return Login(
            method="REGISTER",
            outcome=outcome,
            is_challenged=True,
            with_unknown_user=await self._try(hop, f"ringdown-{secrets.token_hex(4)}"),
            with_wrong_password=await self._try(hop, user),
        )

    async def _bind(self, hop: Destination, user: str, credentials: Credentials | None) -> Outcome:
        contact = self._station.build_contact(user, hop)
        fields = [("Contact", contact), ("Expires", str(_BINDING_S))]
        outcome = _read(await self._register(hop, user, credentials, fields))
        if outcome.is_accepted:
            await self._register(hop, user, credentials, [("Contact", contact), ("Expires", "0")])
        return outcome

    async def _try(self, hop: Destination, user: str) -> Outcome:
        return _read(await self._register(hop, user, Credentials(user, secrets.token_hex(8))))

    async def _register(
        self,
        hop: Destination,
        user: str,
        credentials: Credentials | None,
        fields: Sequence[tuple[str, str]] = (),
    ) -> Reply:
        address = f"sip:{user}@{self._domain.removeprefix('sip:')}"
        return await self._ask("REGISTER", address, hop=hop, credentials=credentials, fields=fields)

    async def _ask(
        self,
        method: str,
        address: str,
        *,
        hop: Destination,
        credentials: Credentials | None = None,
        fields: Sequence[tuple[str, str]] = (),
    ) -> Reply:
        endpoint = self._station.endpoint
        from_uri = address if method == "REGISTER" else endpoint.local_uri(self._trunk.username or "ringdown")
        return await endpoint.ask(
            method,
            self._domain,
            hop=hop,
            from_uri=from_uri,
            to_uri=address,
            credentials=credentials,
            headers=fields,
            timeout_s=_TIMEOUT_S,
        )

    def _change_transport(self, hop: Destination, transport: Transport) -> Destination:
        is_default = hop.port == DEFAULT_PORTS[hop.transport]
        port = DEFAULT_PORTS[transport] if is_default else hop.port
        return Destination(transport, hop.host, port, security=TlsClient(is_verified=False))

    def _find_rewriting(self, reply: Reply, hop: Destination) -> tuple[str, str] | None:
        """A Via must come back as it was sent, with new parameters at most (RFC 3261 §18.2.1)."""
        values = reply.headers.get_all("Via")
        if not values:
            return None
        returned = Via.parse(values[0]).host
        if self._station.is_own_host(returned, peer_host=hop.host):
            return None
        return self._station.find_host(hop.host), returned


def _read(reply: Reply) -> Outcome:
    if reply.is_local:
        return Outcome(None, fault=reply.fault)
    return Outcome(reply.status, reply.reason)
