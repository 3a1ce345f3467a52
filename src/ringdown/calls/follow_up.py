"""What follows from the end of a call in slices above calls: they register themselves, and calls knows none of them."""

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.calls.models import Call

#: Gets the ended call in the transaction that ends it, whose row is locked; what it raises keeps the call from ending.
EndFollower = Callable[[AsyncConnection, Call], Awaitable[None]]

_followers: list[EndFollower] = []


def register(follower: EndFollower) -> None:
    """Have `follower` called at the end of every call; at import, so that no end can come before."""
    if follower not in _followers:
        _followers.append(follower)


async def follow_up(connection: AsyncConnection, ended: Call) -> None:
    """Call all that have registered themselves, in that order."""
    for follower in _followers:
        await follower(connection, ended)
