"""How many calls of a batch call wait for the gateways."""

from typing import Any

import pytest

from ringdown.batch_calls.models import BatchCall
from ringdown.batch_calls.pacing import MAX_AT_ONCE, Load, compute_room

PACED: dict[str, Any] = {"max_concurrent_calls": 1000, "calls_per_second": 10}
CAPPED: dict[str, Any] = {"max_concurrent_calls": 1000, "max_calls_per_day": 50}


def make_batch(**fields: Any) -> BatchCall:
    return BatchCall(
        organization_id="org_1", id="batch_1", name="A", agent_id="agt_1", created_at=0, updated_at=0, **fields
    )


@pytest.mark.parametrize(("fields", "load", "room"), [
    # As many wait as may talk, so that a line that becomes free is taken at once.
    ({"max_concurrent_calls": 10}, Load(), 20),
    ({"max_concurrent_calls": 10}, Load(queued=10, talking=10), 0),
    ({"max_concurrent_calls": 10}, Load(queued=9, talking=10), 1),
    ({"max_concurrent_calls": 10}, Load(queued=15, talking=20), 0),
    ({"max_concurrent_calls": 10_000}, Load(talking=9_900, queued=100), 200),
    ({"max_concurrent_calls": 10_000}, Load(), MAX_AT_ONCE),
    ({"max_concurrent_calls": 1}, Load(talking=1), 1),
    (PACED, Load(), 20),
    (PACED, Load(queued=15, talking=500), 5),
    (PACED | {"calls_per_second": 0.1}, Load(), 1),
    (PACED | {"calls_per_second": 0.1}, Load(queued=1), 0),
    (CAPPED, Load(dialled_today=20), 30),
    (CAPPED, Load(queued=10, dialled_today=45), 0),
    (CAPPED, Load(dialled_today=70), 0),
])  # fmt: skip
def test_room(fields: dict[str, Any], load: Load, room: int) -> None:
    assert compute_room(make_batch(**fields), load) == room
