"""What a phone of the farm does when it is called: one of seven ways, told by the last digits of its number; pure."""

import random
from dataclasses import dataclass
from typing import Literal, get_args

Way = Literal["talks", "waits", "busy", "no_answer", "declined", "unreachable", "machine"]
WAYS: tuple[Way, ...] = get_args(Way)

#: The end, in the last two digits, of each way's share of the numbers.
_ENDS: tuple[tuple[int, Way], ...] = (
    (34, "talks"),
    (66, "waits"),
    (74, "busy"),
    (78, "no_answer"),
    (84, "declined"),
    (92, "unreachable"),
    (100, "machine"),
)
_UNREACHABLE = (404, 480, 503)
_PREFIX = "+4930"
# Coprime to 100: neighbours behave differently, and 100 in a row hold every share exactly.
_STRIDE = 37


@dataclass(frozen=True, slots=True)
class Plan:
    """The course of one call; times in seconds. `status` refuses it; without `rings_s` it is not even ringing."""

    way: Way
    rings_s: float | None = None
    status: int = 200
    talks_s: float | None = None
    """How long until the phone hangs up; None leaves that to the other side."""

    @property
    def is_answered(self) -> bool:
        """Whether the plan is to answer."""
        return self.status == 200 and self.way != "no_answer"


def make_number(position: int) -> str:
    """The number of the contact at this position, E.164."""
    return f"{_PREFIX}{90_000 + position // 100:06}{position * _STRIDE % 100:02}"


def find_way(number: str) -> Way:
    """How this number is answered, always."""
    digits = int(number[-2:]) if number[-2:].isdigit() else 0
    return next(way for end, way in _ENDS if digits < end)


def make_plan(number: str, chance: random.Random) -> Plan:
    """The course of one call to this number."""
    way = find_way(number)
    rings_s = chance.uniform(0.1, 0.5)
    match way:
        case "talks":
            return Plan(way, rings_s, talks_s=chance.uniform(0.4, 3.0))
        case "waits":
            return Plan(way, rings_s)
        case "machine":
            return Plan(way, 0.05)
        case "no_answer":
            return Plan(way, 0.0)
        case "busy":
            return Plan(way, status=486)
        case "declined":
            return Plan(way, rings_s, status=603)
        case "unreachable":
            return Plan(way, status=_UNREACHABLE[int(number[-2:]) % len(_UNREACHABLE)])
