"""Phone numbers on both databases."""

from ringdown.db.engine import Database
from ringdown.telephony import store
from ringdown.telephony.store import PhoneNumber


def _number(digits: int, **fields: str) -> PhoneNumber:
    return PhoneNumber(
        id=f"num_{digits}",
        phone_number=f"+1212555{digits:04}",
        created_at=1,
        updated_at=1,
        **{"organization_id": "org_1", **fields},  # type: ignore[arg-type]
    )


async def test_an_inbound_number_is_found_in_its_organization(database: Database) -> None:
    number = _number(1, inbound_agent_id="agt_1", friendly_name="Front desk")
    async with database.write() as connection:
        assert await store.insert_number(connection, number)
    async with database.read() as connection:
        assert await store.find_number(connection, "+12125550001") == number
        assert await store.find_number(connection, "+12125550002") is None


async def test_a_number_belongs_to_one_organization(database: Database) -> None:
    async with database.write() as connection:
        assert await store.insert_number(connection, _number(1))
        taken = PhoneNumber(
            id="num_other", organization_id="org_2", phone_number="+12125550001", created_at=1, updated_at=1
        )
        assert not await store.insert_number(connection, taken)
        assert await store.list_numbers(connection, "org_2") == []


async def test_the_active_outbound_numbers_of_an_agent_are_listed_oldest_first(database: Database) -> None:
    async with database.write() as connection:
        for number in (
            _number(2, outbound_agent_id="agt_1"),
            _number(1, outbound_agent_id="agt_1"),
            _number(3, outbound_agent_id="agt_2"),
            _number(4, outbound_agent_id="agt_1", status="released"),
            _number(5, outbound_agent_id="agt_1", organization_id="org_2"),
            _number(6, inbound_agent_id="agt_1"),
        ):
            await store.insert_number(connection, number)
    async with database.read() as connection:
        outbound = await store.list_outbound_numbers(connection, "org_1", "agt_1")
        assert [number.id for number in outbound] == ["num_1", "num_2"]
        either = await store.list_agent_numbers(connection, "org_1", ["agt_1", "agt_2"])
        assert [number.id for number in either] == ["num_1", "num_2", "num_3", "num_4", "num_6"]


async def test_a_number_is_assigned_within_its_organization_only(database: Database) -> None:
    async with database.write() as connection:
        await store.insert_number(connection, _number(1))
        arguments = {"number_id": "num_1", "inbound_agent_id": "agt_1", "outbound_agent_id": "agt_2", "updated_at": 9}
        assert not await store.assign_number(connection, organization_id="org_2", **arguments)  # type: ignore[arg-type]
        assert await store.assign_number(connection, organization_id="org_1", **arguments)  # type: ignore[arg-type]
        [number] = await store.list_numbers(connection, "org_1")
    assert (number.inbound_agent_id, number.outbound_agent_id, number.updated_at) == ("agt_1", "agt_2", 9)


async def test_a_deleted_agent_is_taken_off_its_numbers(database: Database) -> None:
    async with database.write() as connection:
        await store.insert_number(connection, _number(1, inbound_agent_id="agt_1", outbound_agent_id="agt_2"))
        await store.insert_number(connection, _number(2, outbound_agent_id="agt_1"))
        await store.unassign_agent(connection, organization_id="org_1", agent_id="agt_1", updated_at=9)
        numbers = await store.list_numbers(connection, "org_1")
    assert [(number.inbound_agent_id, number.outbound_agent_id) for number in numbers] == [
        (None, "agt_2"),
        (None, None),
    ]
