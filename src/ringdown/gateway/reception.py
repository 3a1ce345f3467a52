"""Who is rung by an INVITE: an agent by its number in any spelling, or by its name for a phone on this machine."""

import ipaddress
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.accounts import store as account_store
from ringdown.agents import store as agent_store
from ringdown.agents.models import Agent
from ringdown.db.engine import Database
from ringdown.gateway.trunks import TrunkBook
from ringdown.sip import endpoint
from ringdown.sip.address import NameAddr
from ringdown.sip.call import IncomingCall
from ringdown.sip.challenge import find_answer
from ringdown.telephony import numbering
from ringdown.telephony import store as number_store
from ringdown.telephony.models import Trunk
from ringdown.telephony.store import PhoneNumber
from ringdown.values import is_e164

REALM = "ringdown"
"""What trunks log in to."""

# The user part of `sip:agent@…`, by which any softphone on this machine reaches the oldest active agent.
_ANY_AGENT = "agent"
_HOME_REGION = "US"
_ADDRESSES_VALID_S = 60


@dataclass(frozen=True, slots=True)
class Arrival:
    """An incoming call whose agent was found; `trunk` is None for a phone on this machine."""

    agent: Agent
    trunk: Trunk | None
    from_number: str
    to_number: str


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


def list_trunks(book: TrunkBook, incoming: IncomingCall) -> list[Trunk]:
    """The trunks that an admitted INVITE can have come over; none for a phone on this machine."""
    found = book.list_by_source(incoming.source[0])
    if found or is_own_address(incoming.source[0]):  # who was let in by its address has proven no user name
        return found
    answer = find_answer(incoming.header_lines("Authorization"), REALM) or {}
    trunk = book.find_by_login(answer.get("username", ""))
    return [] if trunk is None else [trunk]


async def receive(database: Database, book: TrunkBook, incoming: IncomingCall) -> Arrival | None:
    """The agent that the INVITE rings; None when nobody has that number.

    The called number may stand in the Request-URI, in P-Called-Party-ID (RFC 7315) or in To. A trunk reaches only the
    numbers of its own organization, and the outbound peer, which is nobody's, those of all; a phone on this machine
    also reaches agents by id, and `agent`.
    """
    trunks = list_trunks(book, incoming)
    async with database.read() as connection:
        for user in _list_called(incoming):
            arrival = await _find(connection, user, incoming, trunks)
            if arrival is not None:
                return arrival
    return None


async def _find(
    connection: AsyncConnection, user: str, incoming: IncomingCall, trunks: Sequence[Trunk]
) -> Arrival | None:
    for trunk in trunks:
        for reading in trunk.list_readings(user):
            number = await number_store.find_number(connection, reading)
            if number is None or trunk.organization_id not in ("", number.organization_id):
                continue
            agent = await _find_inbound_agent(connection, number)
            if agent is not None:
                # A carrier's address is that of all trunks to it: the one that carries the number is meant.
                own = next((each for each in trunks if each.id == number.trunk_id), trunk)
                return Arrival(agent, own, _find_caller(incoming, own), reading)
    if trunks and not is_own_address(incoming.source[0]):
        return None
    agent, reading = await find_agent(connection, user)
    return None if agent is None else Arrival(agent, None, show_number(incoming.from_uri), reading)


async def find_agent(connection: AsyncConnection, user: str) -> tuple[Agent | None, str]:
    """The active agent that a phone on this machine reaches by `user`, and what the record shows of that."""
    for reading in numbering.list_readings(user, "e164", region=_HOME_REGION):
        number = await number_store.find_number(connection, reading)
        agent = None if number is None else await _find_inbound_agent(connection, number)
        if agent is not None:
            return agent, reading
    agent = await _find_by_name(connection, user)
    return (agent if agent is not None and agent.status == "active" else None), user


async def _find_inbound_agent(connection: AsyncConnection, number: PhoneNumber) -> Agent | None:
    if number.inbound_agent_id is None:
        return None
    agent = await agent_store.get_agent(connection, number.organization_id, number.inbound_agent_id)
    return agent if agent.status == "active" else None


async def _find_by_name(connection: AsyncConnection, name: str) -> Agent | None:
    for organization in await account_store.list_organizations(connection):
        if name == _ANY_AGENT:
            agent = await agent_store.find_oldest_active(connection, organization.id)
        else:
            agent = await agent_store.find_agent(connection, organization.id, name)
        if agent is not None:
            return agent
    return None


def _list_called(incoming: IncomingCall) -> Iterator[str]:
    party = incoming.header("P-Called-Party-ID")
    for uri in (incoming.request_uri, _read_uri(party), incoming.to_uri):
        user = endpoint.parse_user(uri) if uri else None
        if user:
            yield user


def _find_caller(incoming: IncomingCall, trunk: Trunk) -> str:
    """The caller's number as the carrier vouches for it, else as From shows it."""
    for uri in (_read_uri(incoming.header("P-Asserted-Identity")), incoming.from_uri):
        number = trunk.read_number(endpoint.parse_user(uri) or "") if uri else None
        if number is not None:
            return number
    return incoming.from_uri


def _read_uri(value: str | None) -> str | None:
    if value is None:
        return None
    try:
        return NameAddr.parse(value).uri
    except ValueError:
        return None


def show_number(uri: str) -> str:
    """What the call record shows for a SIP URI: its phone number, or the URI itself where the user is none."""
    user = endpoint.parse_user(uri) or ""
    return user if is_e164(user) else uri
