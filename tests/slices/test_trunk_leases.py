"""Who registers a trunk: one gateway, until it is silent for too long or gives it up."""

from ringdown.db.engine import Database
from ringdown.telephony import lease_store
from ringdown.telephony.models import Trunk, TrunkHost

TRUNK = Trunk(
    organization_id="org_a", id="trunk_a", name="a", hosts=(TrunkHost("h.example"),), created_at=0, updated_at=0
)


async def take(database: Database, gateway_id: str, now_ms: int) -> set[str]:
    async with database.write() as connection:
        return await lease_store.take_leases(connection, [TRUNK], gateway_id=gateway_id, now_ms=now_ms)


async def test_only_one_gateway_registers_and_keeps_it_as_long_as_it_renews(database: Database) -> None:
    assert await take(database, "g1", 0) == {"trunk_a"}
    for now_ms in range(2000, 60_000, 2000):
        assert await take(database, "g2", now_ms) == set()
        assert await take(database, "g1", now_ms) == {"trunk_a"}


async def test_a_silent_gateway_loses_it_to_another(database: Database) -> None:
    assert await take(database, "g1", 0) == {"trunk_a"}
    assert await take(database, "g2", lease_store.LEASE_MS) == set()
    assert await take(database, "g2", lease_store.LEASE_MS + 1) == {"trunk_a"}
    assert await take(database, "g1", lease_store.LEASE_MS + 2) == set()


async def test_what_is_given_up_is_free_at_once(database: Database) -> None:
    assert await take(database, "g1", 0) == {"trunk_a"}
    async with database.write() as connection:
        await lease_store.give_up_leases(connection, gateway_id="g1")
    assert await take(database, "g2", 1) == {"trunk_a"}
