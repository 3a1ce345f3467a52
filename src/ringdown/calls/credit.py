"""Use case: where credits are enforced, more of them are held for calls that go on."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from ringdown.billing import service as billing
from ringdown.calls.store import settlement
from ringdown.config import Settings
from ringdown.db.engine import Database

_get_owner = attrgetter("organization_id")


@dataclass(frozen=True, slots=True, order=True)
class NeededTalk:
    """How many seconds of talk in all a call wants to be held for."""

    organization_id: str
    call_id: str
    seconds: int


async def extend_holds(database: Database, *, settings: Settings, needed: Sequence[NeededTalk]) -> dict[str, int]:
    """Hold for these calls as far as balances reach; returns the credits each has held, of those that are live."""
    held: dict[str, int] = {}
    async with database.write() as connection:
        # Locked, so that none ends meanwhile: what is held after the end is never released.
        live = await settlement.lock_live_calls(connection, [(each.organization_id, each.call_id) for each in needed])
        wanted = sorted(each for each in needed if each.call_id in live)
        for organization_id, own in itertools.groupby(wanted, _get_owner):
            held |= await billing.extend_holds(
                connection,
                settings=settings,
                organization_id=organization_id,
                seconds_by_call={each.call_id: each.seconds for each in own},
            )
    return held
