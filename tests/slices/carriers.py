"""Fixtures of the tests that need carriers: fakes of Telnyx and Twilio, and settings that lead to them."""

from collections.abc import AsyncIterator

import pytest

from ringdown.config import Settings
from tests.fakes.telnyx_server import FakeTelnyxServer
from tests.fakes.twilio_server import FakeTwilioServer

PUBLIC_URL = "https://calls.example"


@pytest.fixture(name="telnyx")
async def run_telnyx() -> AsyncIterator[FakeTelnyxServer]:
    """Telnyx, with one account."""
    async with FakeTelnyxServer().run() as server:
        yield server


@pytest.fixture(name="twilio")
async def run_twilio() -> AsyncIterator[FakeTwilioServer]:
    """Twilio, with one account."""
    async with FakeTwilioServer().run() as server:
        yield server


@pytest.fixture(name="settings")
def name_carriers(settings: Settings, telnyx: FakeTelnyxServer, twilio: FakeTwilioServer) -> Settings:
    """Settings that know where the carriers are, and no account."""
    changes = {"rate_limit_enabled": False, "public_url": PUBLIC_URL, "sip_host": "192.0.2.7"}
    return settings.model_copy(update={**changes, "telnyx_url": telnyx.url, "twilio_url": twilio.url})


@pytest.fixture(name="database_url")
def choose_database(request: pytest.FixtureRequest) -> str:
    """SQLite; PostgreSQL too for tests that are `on_both`. What vendors do wrong is the same on both."""
    url: str = request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_url")
    return url


#: Runs a test on both databases.
on_both = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
