"""Whom an INVITE rings: an active agent by its number in any spelling, over the trunk of its organization."""

from types import SimpleNamespace
from typing import Any

import pytest

from ringdown.agents import store as agent_store
from ringdown.agents.models import Agent
from ringdown.gateway import reception, routes
from ringdown.telephony.models import Trunk, TrunkHost
from tests.slices.conftest import Tenant, on_sqlite

NUMBER = "+12025550101"
CARRIER = "198.51.100.7"
HERE = "127.0.0.1"


class Book:
    """The trunks that a source or a login stands for."""

    def __init__(self, *trunks: Trunk) -> None:
        self._trunks = trunks

    def list_by_source(self, host: str) -> list[Trunk]:
        return list(self._trunks) if host == CARRIER else []

    def find_by_login(self, username: str) -> Trunk | None:
        return next((trunk for trunk in self._trunks if trunk.inbound_username == username), None)


def make_trunk(organization_id: str, **fields: Any) -> Trunk:
    known: dict[str, Any] = {
        "organization_id": organization_id,
        "id": "trunk_a",
        "name": "carrier",
        "hosts": (TrunkHost("carrier.example"),),
        "created_at": 0,
        "updated_at": 0,
    }
    return Trunk(**(known | fields))


def make_invite(user: str, *, source: str = CARRIER, to: str = "nobody", **headers: str) -> Any:
    return SimpleNamespace(
        request_uri=f"sip:{user}@192.0.2.9:5060",
        to_uri=f"sip:{to}@192.0.2.9",
        from_uri=headers.pop("from_uri", "sip:2125551234@carrier.example"),
        source=(source, 5060),
        header=lambda name: headers.get(name.replace("-", "_")),
        header_lines=lambda name: [value for key, value in headers.items() if key == name.replace("-", "_")],
    )


async def receive(tenant: Tenant, invite: Any, *trunks: Trunk) -> reception.Arrival | None:
    book: Any = Book(*trunks)
    return await reception.receive(tenant.database, book, invite)


async def find(tenant: Tenant, user: str) -> str | None:
    arrival = await receive(tenant, make_invite(user, source=HERE))
    return None if arrival is None else arrival.agent.id


async def add_reachable(tenant: Tenant, **fields: Any) -> Agent:
    agent = await tenant.add_agent(**fields)
    await tenant.add_number(NUMBER, inbound_agent_id=agent.id)
    return agent


async def test_an_active_agent_is_reached_in_three_ways_from_this_machine(tenant: Tenant) -> None:
    agent = await add_reachable(tenant)
    await tenant.add_agent()
    assert [await find(tenant, user) for user in (NUMBER, agent.id, "agent")] == [agent.id] * 3


async def test_a_draft_answers_no_call(tenant: Tenant) -> None:
    draft = await add_reachable(tenant, status="draft")
    assert [await find(tenant, user) for user in (NUMBER, draft.id, "agent")] == [None] * 3


async def test_a_deleted_agent_and_an_unassigned_number_answer_no_call(tenant: Tenant) -> None:
    agent = await add_reachable(tenant)
    assert (await tenant.client.delete(f"/api/public/v1/agents/{agent.id}")).status_code == 200
    async with tenant.database.read() as connection:
        assert await agent_store.find_agent(connection, tenant.organization_id, agent.id) is None
    assert [await find(tenant, user) for user in (NUMBER, agent.id, "agent", "+12025550199")] == [None] * 4


@on_sqlite
@pytest.mark.parametrize(
    "user", [NUMBER, "12025550101", "2025550101", "01112025550101", "0012025550101", "202-555-0101", "(202)5550101"]
)
async def test_a_carrier_may_spell_the_number_as_it_likes(tenant: Tenant, user: str) -> None:
    agent = await add_reachable(tenant)
    arrival = await receive(tenant, make_invite(user), make_trunk(tenant.organization_id))
    assert arrival is not None
    assert (arrival.agent.id, arrival.to_number, arrival.from_number) == (agent.id, NUMBER, "+12125551234")
    assert arrival.trunk is not None and arrival.trunk.id == "trunk_a"


async def test_the_number_may_stand_in_the_called_party_or_in_to(tenant: Tenant) -> None:
    await add_reachable(tenant)
    trunk = make_trunk(tenant.organization_id)
    party = make_invite("account", P_Called_Party_ID=f"<sip:{NUMBER}@carrier.example>")
    for invite in (party, make_invite("account", to=NUMBER)):
        arrival = await receive(tenant, invite, trunk)
        assert arrival is not None and arrival.to_number == NUMBER


async def test_a_trunk_reaches_neither_agents_by_name_nor_other_organizations(tenant: Tenant, stranger: Tenant) -> None:
    agent = await add_reachable(tenant)
    ours, theirs = make_trunk(tenant.organization_id), make_trunk(stranger.organization_id)
    assert await receive(tenant, make_invite("agent"), ours) is None
    assert await receive(tenant, make_invite(agent.id), ours) is None
    assert await receive(tenant, make_invite(NUMBER), theirs) is None
    shared = await receive(tenant, make_invite(NUMBER), theirs, ours)
    assert shared is not None and shared.trunk is ours


async def test_the_outbound_peer_reaches_the_numbers_of_every_organization(tenant: Tenant, stranger: Tenant) -> None:
    agent = await add_reachable(stranger)
    await tenant.add_agent()
    arrival = await receive(tenant, make_invite(NUMBER), routes.parse_peer("sip:ann:secret@carrier.example"))
    assert arrival is not None and arrival.agent.id == agent.id
    assert await receive(tenant, make_invite("agent"), routes.parse_peer("sip:carrier.example")) is None


async def test_of_two_trunks_to_one_carrier_the_numbers_own_is_meant(tenant: Tenant) -> None:
    agent = await tenant.add_agent()
    await tenant.add_number(NUMBER, inbound_agent_id=agent.id, trunk_id="trunk_b")
    trunks = [make_trunk(tenant.organization_id, id=f"trunk_{letter}") for letter in "abc"]
    arrival = await receive(tenant, make_invite(NUMBER), *trunks)
    assert arrival is not None and arrival.trunk is trunks[1]


async def test_who_logs_in_calls_over_the_trunk_of_that_login(tenant: Tenant) -> None:
    await add_reachable(tenant)
    trunk = make_trunk(tenant.organization_id, inbound_username="ann", inbound_password="x")
    login = 'Digest username="ann", realm="ringdown", nonce="n", uri="sip:x", response="r"'
    arrival = await receive(tenant, make_invite(NUMBER, source="203.0.113.5", Authorization=login), trunk)
    assert arrival is not None and arrival.trunk is trunk


async def test_the_number_that_the_carrier_vouches_for_is_the_callers(tenant: Tenant) -> None:
    await add_reachable(tenant)
    invite = make_invite(NUMBER, P_Asserted_Identity='"Ana" <sip:+4930901820@carrier.example>')
    arrival = await receive(tenant, invite, make_trunk(tenant.organization_id))
    assert arrival is not None and arrival.from_number == "+4930901820"


async def test_a_caller_without_a_number_is_shown_by_its_address(tenant: Tenant) -> None:
    await add_reachable(tenant)
    invite = make_invite(NUMBER, from_uri="sip:anonymous@anonymous.invalid", P_Asserted_Identity="<not a uri")
    arrival = await receive(tenant, invite, make_trunk(tenant.organization_id))
    assert arrival is not None and arrival.from_number == "sip:anonymous@anonymous.invalid"
