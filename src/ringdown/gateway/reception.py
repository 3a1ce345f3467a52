"""Who may ring and who is rung: an agent by its number, by its id, or the oldest one for a phone on this machine."""

import asyncio
import ipaddress
import socket
import time
from functools import lru_cache

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.accounts import store as account_store
from ringdown.agents import store as agent_store
from ringdown.agents.models import Agent
from ringdown.db.engine import Database
from ringdown.gateway.routes import Peer
from ringdown.sip import endpoint
from ringdown.sip.admission import Admission, Admit
from ringdown.sip.destination import Destination
from ringdown.sip.message import Request
from ringdown.telephony import store as number_store
from ringdown.values import is_e164

# The user part of `sip:agent@…`, by which any softphone on this machine reaches the oldest active agent.
_ANY_AGENT = "agent"
_RESOLVE_TIMEOUT_S = 10.0
_ADDRESSES_VALID_S = 60


async def make_guard(peer: Peer | None) -> Admit:
    """The rule that says whose requests are heard: this machine's, and the outbound peer's. All others get nothing."""
    allowed = await _resolve(peer.host) if peer is not None else frozenset()

    def admit(source: Destination, _request: Request) -> Admission:
        return "accept" if source.host in allowed or is_own_address(source.host) else "drop"

    return admit


async def _resolve(host: str) -> frozenset[str]:
    try:
        async with asyncio.timeout(_RESOLVE_TIMEOUT_S):
            found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), None, type=socket.SOCK_DGRAM)
    except (OSError, TimeoutError):
        return frozenset()  # calls to the peer will fail and say so; nobody else is let in
    return frozenset(str(address[0]) for *_, address in found)


def is_own_address(host: str) -> bool:
    """Whether a source address is one of this machine: loopback, or what a softphone binds by default."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    own = getattr(address, "ipv4_mapped", None) or address
    return bool(own.is_loopback) or _can_bind(str(own), time.monotonic() // _ADDRESSES_VALID_S)


@lru_cache(maxsize=1024)
def _can_bind(host: str, _period: float) -> bool:
    """Only an address of this machine can be bound; addresses change, so that the answer is kept for a period only."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True


async def find_agent(database: Database, request_uri: str) -> Agent | None:
    """The active agent that an INVITE for `request_uri` rings."""
    user = endpoint.parse_user(request_uri) or ""
    async with database.read() as connection:
        agent = await (_find_by_number(connection, user) if is_e164(user) else _find_by_name(connection, user))
    return agent if agent is not None and agent.status == "active" else None


async def _find_by_number(connection: AsyncConnection, phone_number: str) -> Agent | None:
    number = await number_store.find_number(connection, phone_number)
    if number is None or number.inbound_agent_id is None:
        return None
    return await agent_store.get_agent(connection, number.organization_id, number.inbound_agent_id)


async def _find_by_name(connection: AsyncConnection, name: str) -> Agent | None:
    for organization in await account_store.list_organizations(connection):
        if name == _ANY_AGENT:
            agent = await agent_store.find_oldest_active(connection, organization.id)
        else:
            agent = await agent_store.find_agent(connection, organization.id, name)
        if agent is not None:
            return agent
    return None


def find_number(uri: str) -> str:
    """What the call record shows for a SIP URI: its phone number, or the URI itself where the user is none."""
    user = endpoint.parse_user(uri) or ""
    return user if is_e164(user) else uri
