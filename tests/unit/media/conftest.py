"""What the tests of media sessions start from."""

import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from ringdown.media.session import MediaSession
from tests.unit.media.sessions import HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def opened(clock: HandClock) -> AsyncIterator[list[MediaSession]]:
    sessions: list[MediaSession] = []
    yield sessions
    for session in sessions:
        await session.close()
    await clock.close()


@pytest.fixture
def phone() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(0.2)
        yield phone
