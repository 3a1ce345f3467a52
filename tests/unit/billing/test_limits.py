"""Which limit refuses a call."""

from typing import Any

import pytest

from ringdown.billing.limits import Purse


@pytest.mark.parametrize(
    ("limits", "required", "reason"),
    [
        ({"is_enforced": False, "balance": -5}, 10, None),
        ({"is_enforced": True, "balance": 10}, 10, None),
        ({"is_enforced": True, "balance": 9}, 10, "insufficient_credits"),
        ({"batch_limit": 20, "batch_spent": 10}, 10, None),
        ({"batch_limit": 20, "batch_spent": 11}, 10, "batch_limit"),
        ({"batch_limit": 0}, 0, None),
        ({"daily_limit": 20, "day_spent": 10}, 10, None),
        ({"daily_limit": 20, "day_spent": 11}, 10, "daily_limit"),
        ({"is_enforced": True, "balance": 1, "batch_limit": 1, "daily_limit": 1}, 10, "insufficient_credits"),
        ({"batch_limit": 1, "daily_limit": 1}, 10, "batch_limit"),
    ],
)
def test_each_limit_refuses_what_is_beyond_it(limits: dict[str, Any], required: int, reason: str | None) -> None:
    refusal = Purse(**({"balance": 0, "is_enforced": False} | limits)).find_refusal(required)
    assert (refusal.details["reason"] if refusal else None) == reason
    assert refusal is None or refusal.details["required"] == required


def test_what_is_taken_counts_for_the_next() -> None:
    purse = Purse(balance=30, is_enforced=True, batch_limit=25, daily_limit=100)
    assert purse.is_limited
    for _ in range(2):
        assert purse.find_refusal(10) is None
        purse = purse.take(10)
    refusal = purse.find_refusal(10)
    assert refusal is not None
    assert refusal.details == {"reason": "batch_limit", "required": 10, "spent": 20, "limit": 25}
    assert not Purse(balance=0, is_enforced=False).is_limited
