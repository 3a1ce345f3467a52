"""`ringdown numbers`: the phone numbers of the organization and the agents they ring and show."""

from collections.abc import Sequence
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import values
from ringdown.agents import store as agent_store
from ringdown.cli.organization import DataDir, run_for_organization
from ringdown.db.engine import Database
from ringdown.errors import Conflict, NotFound, invalid
from ringdown.telephony import store, trunk_store
from ringdown.telephony.store import PhoneNumber

app = typer.Typer(help="Phone numbers: add, import, assign, list.", no_args_is_help=True)

Number = Annotated[str, typer.Argument(help="The number in E.164 form, as in +12025550101.")]
AgentOption = Annotated[str | None, typer.Option("--agent", help="The agent that it rings and that calls from it.")]


@app.command()
def add(number: Number, agent: AgentOption = None, data_dir: DataDir = None) -> None:
    """Add a number; with --agent calls to it ring the agent, and the agent calls from it."""
    _check_e164(number)

    async def work(database: Database, organization_id: str) -> PhoneNumber:
        added = _make_number(organization_id, number, agent=agent, trunk_id=None)
        async with database.write() as connection:
            await _insert(connection, organization_id, [added], agent=agent)
        return added

    _show(run_for_organization(data_dir, work))


@app.command(name="import")
def import_numbers(
    numbers: Annotated[list[str], typer.Argument(help="The numbers in E.164 form.")],
    trunk: Annotated[str, typer.Option("--trunk", help="Name or id of the trunk that carries their calls.")],
    agent: AgentOption = None,
    data_dir: DataDir = None,
) -> None:
    """Add numbers that come over a trunk; all of them, or none when one cannot be added."""
    for number in numbers:
        _check_e164(number)

    async def work(database: Database, organization_id: str) -> list[PhoneNumber]:
        async with database.write() as connection:
            found = await trunk_store.find_trunk(connection, organization_id, trunk)
            if found is None:
                raise NotFound("Trunk", trunk)
            await trunk_store.get_trunk(connection, organization_id, found.id, share=True)
            added = [_make_number(organization_id, number, agent=agent, trunk_id=found.id) for number in numbers]
            await _insert(connection, organization_id, added, agent=agent)
        return added

    for added in run_for_organization(data_dir, work):
        _show(added)


@app.command()
def assign(
    number: Number,
    agent: Annotated[str, typer.Argument(help="The agent's id.")],
    data_dir: DataDir = None,
) -> None:
    """Let a number ring another agent, and that agent call from it."""

    async def work(database: Database, organization_id: str) -> PhoneNumber:
        async with database.write() as connection:
            await agent_store.get_agent(connection, organization_id, agent)
            numbers = await store.list_numbers(connection, organization_id)
            found = next((entry for entry in numbers if entry.phone_number == number), None)
            if found is None:
                raise NotFound("Phone number", number)
            await store.assign_number(
                connection,
                organization_id=organization_id,
                number_id=found.id,
                inbound_agent_id=agent,
                outbound_agent_id=agent,
                updated_at=values.now_ms(),
            )
            numbers = await store.list_numbers(connection, organization_id)
        return next(entry for entry in numbers if entry.id == found.id)

    _show(run_for_organization(data_dir, work))


@app.command(name="list")
def list_numbers(data_dir: DataDir = None) -> None:
    """List the numbers: id, number, the agent they ring, the agent that calls from them."""

    async def work(database: Database, organization_id: str) -> list[PhoneNumber]:
        async with database.read() as connection:
            return await store.list_numbers(connection, organization_id)

    for number in run_for_organization(data_dir, work):
        _show(number)


def _check_e164(number: str) -> None:
    if not values.is_e164(number):
        raise invalid("number", "must be in E.164 form, as in +12025550101")


def _make_number(organization_id: str, number: str, *, agent: str | None, trunk_id: str | None) -> PhoneNumber:
    now = values.now_ms()
    return PhoneNumber(
        id=values.new_id("num"),
        organization_id=organization_id,
        phone_number=number,
        inbound_agent_id=agent,
        outbound_agent_id=agent,
        trunk_id=trunk_id,
        created_at=now,
        updated_at=now,
    )


async def _insert(
    connection: AsyncConnection, organization_id: str, numbers: Sequence[PhoneNumber], *, agent: str | None
) -> None:
    if agent is not None:
        await agent_store.get_agent(connection, organization_id, agent, share=True)
    for number in numbers:
        if not await store.insert_number(connection, number):
            raise Conflict(f"This installation has the number {number.phone_number} already.")


def _show(number: PhoneNumber) -> None:
    rings, calls = number.inbound_agent_id or "nobody", number.outbound_agent_id or "nobody"
    print(f"{number.id}  {number.phone_number:<16}  rings {rings}  calls {calls}")
