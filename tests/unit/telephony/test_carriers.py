"""The carriers behind their port: what tells a request that was surely not carried out, and the fakes themselves."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from ringdown.config import Settings
from ringdown.telephony import sip_address
from ringdown.telephony.carrier import Carrier, CarrierAccount, CarrierFailed, clean_message
from ringdown.telephony.carrier_loading import Carriers
from tests.fakes.telnyx_server import KEY, FakeTelnyxServer
from tests.fakes.twilio_server import SID, TOKEN, FakeTwilioServer
from tests.fakes.vendor_server import Fault, VendorServer

TELNYX, TWILIO = CarrierAccount("telnyx", KEY), CarrierAccount("twilio", TOKEN, SID)
NUMBERS = {"telnyx": "+12125550100", "twilio": "+14155550100"}
ORDERS = {"telnyx": "/number_orders", "twilio": f"/2010-04-01/Accounts/{SID}/IncomingPhoneNumbers.json"}


@pytest.fixture
async def servers() -> AsyncIterator[dict[str, VendorServer]]:
    async with FakeTelnyxServer().run() as telnyx, FakeTwilioServer().run() as twilio:
        yield {"telnyx": telnyx, "twilio": twilio}


def _open(settings: Settings, servers: dict[str, VendorServer], *, timeout_s: float = 15.0) -> Carriers:
    urls = {f"{name}_url": server.url for name, server in servers.items()}
    return Carriers(settings.model_copy(update=urls), timeout_s=timeout_s)


async def _buy(carriers: Carriers, account: CarrierAccount) -> CarrierFailed | None:
    def buy(carrier: Carrier) -> object:
        return carrier.buy_number(NUMBERS[account.provider], reference="num_1")

    try:
        await carriers.run(account, buy)
    except CarrierFailed as error:
        return error
    return None


@pytest.mark.parametrize("account", [TELNYX, TWILIO], ids=lambda account: str(account.provider))
async def test_an_order_may_have_been_placed_unless_that_is_certain(
    settings: Settings, servers: dict[str, VendorServer], account: CarrierAccount
) -> None:
    carriers, server = _open(settings, servers), servers[account.provider]
    sent = [Fault("lost"), Fault("hang_up"), Fault(status=200, body=b"{"), Fault(status=200, body=b"[]")]
    sent += [Fault(status=status) for status in (408, 500, 503)]
    faults = [(fault, True) for fault in sent] + [(Fault(status=status), False) for status in (401, 404, 422, 429)]
    for fault, is_sent in faults:
        server.fail("POST", ORDERS[account.provider], fault)
        error = await _buy(carriers, account)
        assert error is not None, fault
        assert error.is_sent is is_sent, fault
    assert len(server.requests) == len(faults)  # the packages repeat nothing by themselves


@pytest.mark.parametrize("account", [TELNYX, TWILIO], ids=lambda account: str(account.provider))
async def test_a_carrier_that_never_answers_is_given_up(
    settings: Settings, servers: dict[str, VendorServer], account: CarrierAccount
) -> None:
    servers[account.provider].fail("POST", ORDERS[account.provider], Fault("silent"))
    error = await _buy(_open(settings, servers, timeout_s=0.5), account)
    assert error is not None
    assert (error.reason, error.is_sent) == ("failed", True)


@pytest.mark.parametrize("account", [TELNYX, TWILIO], ids=lambda account: str(account.provider))
async def test_what_was_never_sent_was_not_ordered(settings: Settings, account: CarrierAccount) -> None:
    nobody = {"telnyx_url": "http://127.0.0.1:9", "twilio_url": "http://127.0.0.1:9"}
    error = await _buy(Carriers(settings.model_copy(update=nobody)), account)
    assert error is not None
    assert (error.reason, error.is_sent) == ("failed", False)


async def test_the_fakes_sell_a_number_once(settings: Settings, servers: dict[str, VendorServer]) -> None:
    carriers = _open(settings, servers)
    for account in (TELNYX, TWILIO):
        assert await _buy(carriers, account) is None
        second = await _buy(carriers, account)
        assert second is not None
        assert (second.reason, second.is_sent) == ("refused", False)
        number = NUMBERS[account.provider]
        owned = await carriers.run(account, lambda carrier, number=number: carrier.find_number(number))
        assert owned is not None
        for _ in range(2):
            await carriers.run(account, lambda carrier, owned=owned: carrier.release_number(owned.id))
        assert await carriers.run(account, lambda carrier, number=number: carrier.find_number(number)) is None


async def test_the_fakes_know_their_keys(servers: dict[str, VendorServer]) -> None:
    async with httpx.AsyncClient() as client:
        for server in servers.values():
            assert (await client.get(f"{server.url}/anything")).status_code == 401


def test_what_a_carrier_says_becomes_one_short_line() -> None:
    assert clean_message("No\n such\x07 number. ") == "No such number"
    assert clean_message("") == "no reason given"
    assert len(clean_message("x" * 1000)) == 300


@pytest.mark.parametrize(
    ("changes", "host"),
    [
        ({"sip_host": "192.0.2.7"}, "192.0.2.7"),
        ({"sip_host": "192.0.2.7", "sip_port": 5070}, "192.0.2.7:5070"),
        ({"sip_host": "0.0.0.0", "public_host": "sip.example"}, "sip.example"),
        ({"sip_host": "0.0.0.0", "public_url": "https://calls.example/api"}, "calls.example"),
        ({"sip_host": "2001:db8::7", "public_host": "stun"}, "[2001:db8::7]"),
    ],
)
def test_our_sip_is_where_the_settings_say(tmp_path: Path, changes: dict[str, object], host: str) -> None:
    settings = Settings(data_dir=tmp_path).model_copy(update=changes)
    assert sip_address.find_sip_host(settings) == host
