"""What a data folder needs before its first call: tables, an organization, a key, an agent with a number."""

from dataclasses import dataclass

from ringdown import values
from ringdown.accounts import service as accounts
from ringdown.accounts import store as account_store
from ringdown.agents import store as agent_store
from ringdown.agents.models import Agent
from ringdown.cli.database import check_reachable
from ringdown.config import Settings
from ringdown.db import migrate
from ringdown.db.engine import open_database
from ringdown.telephony import store as number_store
from ringdown.telephony.store import PhoneNumber
from ringdown.voice import flows
from ringdown.voices import catalog

SAMPLE_NUMBER = "+12025550101"
_PROMPT = (
    "You are the friendly assistant of Ringdown Dental. You call {{first_name}} to confirm the appointment "
    "tomorrow at ten, ask how many people will come, thank them and end the call."
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A data folder that is ready for calls.

    `agent_id` is the oldest active agent, `new_key` the text of the first key if it was made just now.
    """

    organization_id: str
    agent_id: str | None
    new_key: str | None


async def prepare(settings: Settings) -> Prepared:
    """Bring the database up to date; on the first run also make what a first call needs. Safe to repeat.

    Raises `CannotStart` when the database cannot be used.
    """
    await check_reachable(settings)
    await migrate.migrate(settings.sqlalchemy_url)
    database = open_database(settings.sqlalchemy_url)
    try:
        async with database.read() as connection:
            organizations = await account_store.list_organizations(connection)
        if organizations:
            organization_id = organizations[0].id
            async with database.read() as connection:
                oldest = await agent_store.find_oldest_active(connection, organization_id)
            return Prepared(organization_id, oldest.id if oldest else None, None)
        organization = await accounts.create_organization(database, name="My organization")
        agent = _make_sample_agent(settings, organization.id)
        async with database.write() as connection:
            await agent_store.insert_agent(connection, agent)
            await number_store.insert_number(connection, _make_sample_number(agent))
        _, key = await accounts.create_key(database, organization_id=organization.id, name="default")
        return Prepared(organization.id, agent.id, key)
    finally:
        await database.close()


def _make_sample_agent(settings: Settings, organization_id: str) -> Agent:
    now = values.now_ms()
    return Agent(
        organization_id=organization_id,
        id=values.new_id("agt"),
        name="Sample agent",
        description="Confirms an appointment; made at the first start, yours to change or delete.",
        status="active",
        voice_id=catalog.list_voices(settings)[0].id,
        system_prompt=_PROMPT,
        flow=flows.sample_flow(),
        recording_enabled=True,
        created_at=now,
        updated_at=now,
    )


def _make_sample_number(agent: Agent) -> PhoneNumber:
    return PhoneNumber(
        id=values.new_id("num"),
        organization_id=agent.organization_id,
        phone_number=SAMPLE_NUMBER,
        friendly_name="Sample number (fictitious)",
        inbound_agent_id=agent.id,
        outbound_agent_id=agent.id,
        created_at=agent.created_at,
        updated_at=agent.created_at,
    )
