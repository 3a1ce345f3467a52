"""What becomes of a request that starts something: heard, refused with a status, or dropped without a word."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ringdown.sip.destination import Destination
from ringdown.sip.message import Request


@dataclass(frozen=True, slots=True)
class Refusal:
    """A final response of 300 to 699, with header fields such as a challenge or Retry-After."""

    status: int
    fields: tuple[tuple[str, str], ...] = ()
    reason: str | None = None


Admission = Literal["accept", "drop"] | Refusal

Admit = Callable[[Destination, Request], Admission]
"""Asked with the source of the request, before anything else is done about it."""


def admit_all(_source: Destination, _request: Request) -> Admission:
    """Every source may begin anything."""
    return "accept"
