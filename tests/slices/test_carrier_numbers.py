"""Numbers at carriers over HTTP: searched, bought exactly once, imported, released, with every fault of a carrier."""

import asyncio
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from ringdown import values
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.secret import SecretBox
from ringdown.telephony import carrier_store, store, trunk_store
from ringdown.telephony.carrier_loading import Carriers
from ringdown.telephony.carrier_numbers import CarrierNumbers
from tests.fakes.telnyx_server import KEY, FakeTelnyxServer
from tests.fakes.twilio_server import SID, TOKEN, FakeTwilioServer
from tests.fakes.vendor_server import Fault
from tests.slices.carriers import (  # noqa: F401 - fixtures
    choose_database,
    name_carriers,
    on_both,
    run_telnyx,
    run_twilio,
)
from tests.slices.conftest import BASE, Tenant

URL = f"{BASE}/telephony/numbers"
TRUNKS = f"{BASE}/telephony/trunks"
CREDENTIALS = f"{BASE}/telephony/credentials"
TELNYX = {"api_key": KEY}
TWILIO = {"account_sid": SID, "auth_token": TOKEN}
TELNYX_NUMBER, TWILIO_NUMBER = "+12125550100", "+14155550100"
ORDERS = ("POST", "/number_orders")
BUYS = ("POST", f"/2010-04-01/Accounts/{SID}/IncomingPhoneNumbers.json")


async def _post(tenant: Tenant, path: str, body: dict[str, Any], *, status: int = 201) -> Any:
    response = await tenant.client.post(f"{URL}/{path}", json=body)
    assert response.status_code == status, response.text
    return response.json() if status < 300 else response.json()["error"]


def _reasons(error: Any) -> dict[str, str]:
    assert error["code"] == "validation_error"
    return {item["field"]: item["reason"] for item in error["details"]["errors"]}


def _desk(tenant: Tenant) -> CarrierNumbers:
    box = SecretBox.open(tenant.settings)
    return CarrierNumbers(tenant.database, tenant.settings, box, Carriers(tenant.settings))


async def _age(tenant: Tenant, number_id: str, *, by_ms: int) -> None:
    """Let a purchase be older than it is."""
    async with tenant.database.write() as connection:
        [ours] = (await carrier_store.list_numbers(connection, tenant.organization_id, [number_id])).values()
        number = await store.get_number(connection, tenant.organization_id, number_id)
        fields = {name: getattr(ours, name) for name in ours.__dataclass_fields__}
        await carrier_store.put_number(
            connection, carrier_store.CarrierNumber(**{**fields, "checked_at": ours.checked_at - by_ms})
        )
        fields = {name: getattr(number, name) for name in number.__dataclass_fields__}
        await store.update_number(connection, store.PhoneNumber(**{**fields, "created_at": number.created_at - by_ms}))


# --- search ----------------------------------------------------------------------------------------------------------


async def test_numbers_for_sale_are_found_in_pages(tenant: Tenant) -> None:
    body = {"country_code": "US", "area_code": "212", "phone_number_type": "local", "page_size": 20, **TELNYX}
    first = await _post(tenant, "search", body)
    assert first["pagination"] == {
        "page": 1, "page_size": 20, "total_results": 45, "total_pages": 3, "has_more": True
    }  # fmt: skip
    assert first["data"][0] == {
        "phone_number": TELNYX_NUMBER,
        "phone_number_type": "local",
        "range": None,
        "region_information": [{"region_type": "state", "region_name": "NY"}],
        "features": ["voice", "sms"],
        "cost_information": {"upfront_cost": "1.00", "monthly_cost": "0.40", "currency": "USD"},
        "provider": "telnyx",
    }
    last = await _post(tenant, "search", body | {"page": 3})
    assert [len(page["data"]) for page in (first, last)] == [20, 5]
    assert last["pagination"]["has_more"] is False


async def test_twilio_sells_numbers_too(tenant: Tenant, twilio: FakeTwilioServer) -> None:
    for spelling in ("toll-free", "toll_free"):
        page = await _post(tenant, "search", {"phone_number_type": spelling, **TWILIO})
        assert (page["data"][0]["phone_number_type"], page["data"][0]["provider"]) == ("toll_free", "twilio")
    assert twilio.requests[0].path.endswith("/US/TollFree.json")
    page = await _post(tenant, "search", {"locality": "San Francisco", "administrative_area": "CA", **TWILIO})
    assert page["data"][0]["region_information"] == [
        {"region_type": "location", "region_name": "San Francisco"},
        {"region_type": "state", "region_name": "CA"},
        {"region_type": "country_code", "region_name": "US"},
    ]
    assert page["data"][0]["features"] == ["voice", "sms"]
    assert page["pagination"]["has_more"] is True


async def test_without_a_carrier_the_settings_are_named(tenant: Tenant) -> None:
    reasons = _reasons(await _post(tenant, "search", {}, status=422))
    assert "RINGDOWN_TELNYX_API_KEY" in reasons["provider_type"]
    assert "RINGDOWN_TWILIO_ACCOUNT_SID" in reasons["provider_type"]
    body = {"phone_number": TELNYX_NUMBER, "provider_type": "telnyx"}
    for path in ("purchase", "import"):
        assert "RINGDOWN_TELNYX_API_KEY" in _reasons(await _post(tenant, path, body, status=422))["api_key"]


_BAD_SEARCHES: list[tuple[dict[str, Any], str]] = [
    ({"country_code": "ZZ"}, "country_code"),
    ({"page": 0}, "page"),
    ({"page_size": 101}, "page_size"),
    ({"phone_number_type": "fax"}, "phone_number_type"),
    ({"area_code": "2x"}, "area_code"),
    ({"city": "x"}, "city"),
    ({"provider_type": "twilio", "api_key": "k"}, "account_sid"),
    ({"provider_type": "telnyx", "account_sid": SID}, "api_key"),
    ({"account_sid": SID}, "auth_token"),
    ({**TWILIO, "api_key": "another"}, "api_key"),
    ({"credential_id": "cred_x"}, "credential_id"),
    ({"credential_id": "cred_x", "api_key": "k"}, "api_key"),
]


async def test_a_bad_search_is_refused_by_name(tenant: Tenant) -> None:
    for body, field in _BAD_SEARCHES:
        assert next(iter(_reasons(await _post(tenant, "search", body, status=422)))) == field


async def test_a_carrier_that_fails_is_a_502(tenant: Tenant, telnyx: FakeTelnyxServer) -> None:
    faults = (
        Fault(status=500), Fault(status=429, headers={"Retry-After": "7"}), Fault("hang_up"),
        Fault(status=200, body=b'{"data": [{"phone'), Fault(status=200, body=b'{"data": null}'),
        Fault(status=200, body=b"[]"),
    )  # fmt: skip
    for fault in faults:
        telnyx.fail("GET", "/available_phone_numbers", fault)
        error = await _post(tenant, "search", TELNYX, status=502)
        expected = {"provider": "telnyx", "retryable": True} | ({"retry_after": 7} if fault.headers else {})
        assert (error["code"], error["details"]) == ("provider_error", expected), fault


async def test_twilios_faults_are_told_alike(tenant: Tenant, twilio: FakeTwilioServer) -> None:
    path = f"/2010-04-01/Accounts/{SID}/AvailablePhoneNumbers/US/Local.json"
    faults = (
        Fault(status=500), Fault(status=429, headers={"Retry-After": "3"}), Fault("hang_up"),
        Fault(status=200, body=b"{"), Fault(status=200, body=b'{"a": 1, "b": 2}'),
    )  # fmt: skip
    for fault in faults:
        twilio.fail("GET", path, fault)
        error = await _post(tenant, "search", TWILIO, status=502)
        assert error["details"]["provider"] == "twilio"
        assert error["details"].get("retry_after") == (3 if fault.status == 429 else None)
    assert "country_code" in _reasons(await _post(tenant, "search", {"country_code": "FR", **TWILIO}, status=422))


async def test_a_login_that_the_carrier_refuses_is_a_422(tenant: Tenant) -> None:
    wrong = await _post(tenant, "search", {"api_key": "wrong"}, status=422)
    assert _reasons(wrong) == {"api_key": "is refused by Telnyx"}
    wrong = await _post(tenant, "search", {**TWILIO, "auth_token": "wrong"}, status=422)
    assert _reasons(wrong) == {"auth_token": "is refused by Twilio"}


# --- purchase --------------------------------------------------------------------------------------------------------


@on_both
async def test_a_number_is_bought_and_rings_here(tenant: Tenant, telnyx: FakeTelnyxServer) -> None:
    number = (await _post(tenant, "purchase", {"phone_number": TELNYX_NUMBER, **TELNYX}))["data"]
    assert (number["status"], number["is_trudy_managed"], number["provider_type"]) == ("active", True, "telnyx")
    assert telnyx.orders[0]["customer_reference"] == number["id"]
    assert telnyx.pointed == {TELNYX_NUMBER: "connection-1"}
    trunk = (await tenant.client.get(f"{TRUNKS}/{number['trunk_id']}")).json()["data"]
    assert (trunk["hosts"][0]["host"], trunk["registers"]) == ("sip.telnyx.com", True)
    assert trunk["username"] == telnyx.connections[0]["user_name"]
    stored = (await tenant.client.get(f"{CREDENTIALS}/{number['telephony_credential_id']}")).json()["data"]
    assert stored["provider_type"] == "telnyx"
    assert (await tenant.client.get(URL)).json()["data"] == [number]


async def test_the_second_number_of_an_account_shares_login_and_trunk(tenant: Tenant, telnyx: FakeTelnyxServer) -> None:
    first, second = [
        (await _post(tenant, "purchase", {"phone_number": phone_number, **TELNYX}))["data"]
        for phone_number in (TELNYX_NUMBER, "+12125550101")
    ]
    assert first["trunk_id"] == second["trunk_id"]
    assert first["telephony_credential_id"] == second["telephony_credential_id"]
    assert len(telnyx.connections) == 1


async def test_a_number_is_bought_with_the_account_of_the_settings(tenant: Tenant, twilio: FakeTwilioServer) -> None:
    object.__setattr__(tenant.settings, "twilio_account_sid", SID)
    object.__setattr__(tenant.settings, "twilio_auth_token", SecretStr(TOKEN))
    number = (await _post(tenant, "purchase", {"phone_number": TWILIO_NUMBER}))["data"]
    assert (number["status"], number["telephony_credential_id"]) == ("active", None)
    assert twilio.owned[TWILIO_NUMBER]["VoiceUrl"] == "https://calls.example/telephony/twilio/voice"
    trunk = (await tenant.client.get(f"{TRUNKS}/{number['trunk_id']}")).json()["data"]
    assert trunk["hosts"][0]["host"] == twilio.trunks[0]["DomainName"]
    assert trunk["username"] == trunk["inbound_username"] == twilio.logins[0]["Username"]


async def test_a_number_that_is_gone_leaves_nothing_behind(
    tenant: Tenant, telnyx: FakeTelnyxServer, twilio: FakeTwilioServer
) -> None:
    for login in (TELNYX, TWILIO):
        error = await _post(tenant, "purchase", {"phone_number": "+13035550199", **login}, status=422)
        assert "available" in _reasons(error)["phone_number"]
    assert (await tenant.client.get(URL)).json()["data"] == []
    assert (await tenant.client.get(CREDENTIALS)).json()["data"] == []


async def test_an_order_that_surely_was_not_placed_may_be_repeated(tenant: Tenant, telnyx: FakeTelnyxServer) -> None:
    telnyx.fail(*ORDERS, Fault(status=429), Fault(status=401), Fault(status=403))
    body, headers = {"phone_number": TELNYX_NUMBER, **TELNYX}, {"X-Idempotency-Key": "once"}
    for status in (502, 422, 422):
        refused = await tenant.client.post(f"{URL}/purchase", json=body, headers=headers)
        assert refused.status_code == status
    again = await tenant.client.post(f"{URL}/purchase", json=body, headers=headers)
    assert (again.status_code, len(telnyx.orders)) == (201, 1)


@pytest.mark.parametrize(
    ("path", "number", "login"),
    [(ORDERS, TELNYX_NUMBER, TELNYX), (BUYS, TWILIO_NUMBER, TWILIO)],
    ids=["telnyx", "twilio"],
)
async def test_an_order_whose_answer_is_lost_is_found_and_not_repeated(
    tenant: Tenant, telnyx: FakeTelnyxServer, twilio: FakeTwilioServer, path: Any, number: str, login: dict[str, str]
) -> None:
    server = telnyx if login is TELNYX else twilio
    server.fail(*path, Fault("lost"))
    bought = (await _post(tenant, "purchase", {"phone_number": number, **login}))["data"]
    assert bought["status"] == "active"
    assert server.count(*path) == 1


@on_both
async def test_an_order_of_unknown_fate_is_never_placed_again(tenant: Tenant, telnyx: FakeTelnyxServer) -> None:
    telnyx.fail(*ORDERS, Fault("lost"))
    telnyx.fail("GET", "/phone_numbers", Fault(status=500))
    body, headers = {"phone_number": TELNYX_NUMBER, **TELNYX}, {"X-Idempotency-Key": "once"}
    response = await tenant.client.post(f"{URL}/purchase", json=body, headers=headers)
    assert response.status_code == 502
    details = response.json()["error"]["details"]
    assert (details["provider"], details["retryable"]) == ("telnyx", False)
    number_url = f"{URL}/{details['number_id']}"
    assert (await tenant.client.get(number_url)).json()["data"]["status"] == "pending"
    for sent in (headers, {}, {"X-Idempotency-Key": "another"}):
        again = await tenant.client.post(f"{URL}/purchase", json=body, headers=sent)
        assert again.status_code == 409, again.text
    assert telnyx.count(*ORDERS) == 1
    assert list(_reasons((await tenant.client.delete(number_url)).json()["error"])) == ["number_id"]
    # The worker finds out; not while the request may still be at it.
    assert await _desk(tenant).settle_purchases() == 0
    await _age(tenant, details["number_id"], by_ms=200_000)
    assert await _desk(tenant).settle_purchases() == 1
    settled = (await tenant.client.get(number_url)).json()["data"]
    assert (settled["status"], settled["trunk_id"] is not None) == ("active", True)
    assert telnyx.count(*ORDERS) == 1


async def test_a_number_that_was_not_bought_after_all_is_free_again(tenant: Tenant, telnyx: FakeTelnyxServer) -> None:
    telnyx.fail(*ORDERS, Fault(status=500))  # and nothing was done
    error = await _post(tenant, "purchase", {"phone_number": TELNYX_NUMBER, **TELNYX}, status=502)
    number_id = error["details"]["number_id"]
    await _age(tenant, number_id, by_ms=200_000)
    assert await _desk(tenant).settle_purchases() == 0
    assert (await tenant.client.get(f"{URL}/{number_id}")).json()["data"]["status"] == "pending"
    await _age(tenant, number_id, by_ms=3_600_000)
    assert await _desk(tenant).settle_purchases() == 1
    assert (await tenant.client.get(f"{URL}/{number_id}")).status_code == 404
    await _post(tenant, "purchase", {"phone_number": TELNYX_NUMBER, **TELNYX})


async def test_an_order_that_takes_its_time_is_settled_later(tenant: Tenant, telnyx: FakeTelnyxServer) -> None:
    telnyx.holds_orders = True
    number = (await _post(tenant, "purchase", {"phone_number": TELNYX_NUMBER, **TELNYX}))["data"]
    assert (number["status"], number["trunk_id"]) == ("pending", None)
    # A day is no reason to give up what the carrier is working on.
    await _age(tenant, number["id"], by_ms=86_400_000)
    assert await _desk(tenant).settle_purchases() == 0
    telnyx.deliver()
    await _age(tenant, number["id"], by_ms=200_000)
    assert await _desk(tenant).settle_purchases() == 1
    assert (await tenant.client.get(f"{URL}/{number['id']}")).json()["data"]["status"] == "active"


@on_both
async def test_a_purchase_that_a_crash_cut_off_is_settled(tenant: Tenant, telnyx: FakeTelnyxServer) -> None:
    # What the intention leaves behind when the process dies before the order, and after it.
    now = values.now_ms()
    for phone_number, is_ordered in ((TELNYX_NUMBER, True), ("+12125550101", False)):
        number = await tenant.add_number(phone_number, status="pending")
        if is_ordered:
            telnyx.add(phone_number)
        async with tenant.database.write() as connection:
            await carrier_store.put_number(
                connection,
                carrier_store.CarrierNumber(
                    organization_id=tenant.organization_id,
                    number_id=number.id,
                    provider_type="telnyx",
                    is_managed=True,
                    checked_at=now,
                ),
            )
        await _age(tenant, number.id, by_ms=3_700_000)
    assert await _desk(tenant).settle_purchases() == 0  # the settings have lost the account: nobody can be asked
    object.__setattr__(tenant.settings, "telnyx_api_key", SecretStr(KEY))
    for shown in (await tenant.client.get(URL)).json()["data"]:
        await _age(tenant, shown["id"], by_ms=200_000)
    assert await _desk(tenant).settle_purchases() == 2
    [left] = (await tenant.client.get(URL)).json()["data"]
    assert (left["phone_number"], left["status"]) == (TELNYX_NUMBER, "active")
    assert telnyx.count(*ORDERS) == 0


@on_both
async def test_equal_purchases_at_once_place_one_order(
    tenant: Tenant, stranger: Tenant, telnyx: FakeTelnyxServer
) -> None:
    body = {"phone_number": TELNYX_NUMBER, **TELNYX}
    buyers = [tenant, stranger] * 4
    answers = await asyncio.gather(*(buyer.client.post(f"{URL}/purchase", json=body) for buyer in buyers))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert (len(telnyx.orders), len(telnyx.owned)) == (1, 1)


async def test_a_repeated_purchase_gets_the_first_answer(tenant: Tenant, telnyx: FakeTelnyxServer) -> None:
    body, headers = {"phone_number": TELNYX_NUMBER, **TELNYX}, {"X-Idempotency-Key": "once"}
    first, second = [await tenant.client.post(f"{URL}/purchase", json=body, headers=headers) for _ in range(2)]
    assert (first.status_code, first.json()) == (201, second.json())
    assert telnyx.count(*ORDERS) == 1
    assert KEY not in first.text


async def test_a_set_up_that_fails_after_the_purchase_is_made_up_for(tenant: Tenant, telnyx: FakeTelnyxServer) -> None:
    telnyx.fail("POST", "/credential_connections", Fault(status=500))
    number = (await _post(tenant, "purchase", {"phone_number": TELNYX_NUMBER, **TELNYX}))["data"]
    assert number["status"] == "pending"
    await _age(tenant, number["id"], by_ms=200_000)
    assert await _desk(tenant).settle_purchases() == 1
    assert telnyx.pointed == {TELNYX_NUMBER: "connection-1"}


# --- release ---------------------------------------------------------------------------------------------------------


@on_both
async def test_a_bought_number_is_given_back(tenant: Tenant, stranger: Tenant, telnyx: FakeTelnyxServer) -> None:
    number = (await _post(tenant, "purchase", {"phone_number": TELNYX_NUMBER, **TELNYX}))["data"]
    url = f"{URL}/{number['id']}"
    assert (await stranger.client.delete(url)).status_code == 404
    telnyx.fail("DELETE", f"/phone_numbers/{telnyx.owned[TELNYX_NUMBER]}", Fault(status=500), Fault("lost"))
    for _ in range(2):  # nobody knows whether it was given back: the number stays until it surely was
        assert (await tenant.client.delete(url)).status_code == 502
        assert (await tenant.client.get(url)).status_code == 200
    assert (await tenant.client.delete(url)).json()["data"] == {"id": number["id"], "deleted": True}
    assert telnyx.owned == {}
    assert (await tenant.client.get(url)).status_code == 404
    credential = f"{CREDENTIALS}/{number['telephony_credential_id']}"
    assert (await tenant.client.delete(credential)).status_code == 200


@on_both
async def test_an_imported_number_stays_with_its_carrier(tenant: Tenant, twilio: FakeTwilioServer) -> None:
    twilio.add(TWILIO_NUMBER)
    body = {"phone_number": TWILIO_NUMBER, "provider_type": "twilio", **TWILIO}
    number = (await _post(tenant, "import", body))["data"]
    credential = f"{CREDENTIALS}/{number['telephony_credential_id']}"
    assert list(_reasons((await tenant.client.delete(credential)).json()["error"])) == ["credential_id"]
    assert (await tenant.client.delete(f"{URL}/{number['id']}")).status_code == 200
    assert TWILIO_NUMBER in twilio.owned
    assert (await tenant.client.delete(credential)).status_code == 200


# --- import ----------------------------------------------------------------------------------------------------------


async def test_a_number_of_an_account_is_imported_and_rerouted(tenant: Tenant, telnyx: FakeTelnyxServer) -> None:
    telnyx.add("+13035550123")
    body = {"phone_number": "+13035550123", "provider_type": "telnyx", "friendly_name": "Front desk", **TELNYX}
    number = (await _post(tenant, "import", body))["data"]
    assert (number["status"], number["is_trudy_managed"]) == ("active", False)
    assert (number["friendly_name"], number["provider_type"]) == ("Front desk", "telnyx")
    assert telnyx.pointed == {"+13035550123": "connection-1"}
    assert len((await tenant.client.get(CREDENTIALS)).json()["data"]) == 1


async def test_a_number_whose_calls_come_already_is_left_alone_at_the_carrier(
    tenant: Tenant, telnyx: FakeTelnyxServer
) -> None:
    trunk = (await tenant.client.post(TRUNKS, json={"name": "own", "hosts": ["sip.example.org"]})).json()["data"]
    telnyx.add("+13035550123")
    body = {"phone_number": "+13035550123", "provider_type": "telnyx", "trunk_id": trunk["id"], **TELNYX}
    assert (await _post(tenant, "import", body))["data"]["trunk_id"] == trunk["id"]
    assert (telnyx.pointed, telnyx.connections) == ({}, [])


async def test_only_numbers_of_the_account_are_imported(tenant: Tenant) -> None:
    for login, provider in ((TELNYX, "telnyx"), (TWILIO, "twilio")):
        body = {"phone_number": "+13035550123", "provider_type": provider, **login}
        reason = _reasons(await _post(tenant, "import", body, status=422))["phone_number"]
        assert reason == f"is not a number of this {provider.title()} account"
    assert (await tenant.client.get(CREDENTIALS)).json()["data"] == []


async def test_a_number_of_somebody_else_is_not_rerouted(
    tenant: Tenant, stranger: Tenant, telnyx: FakeTelnyxServer
) -> None:
    telnyx.add("+13035550123")
    await stranger.add_number("+13035550123")
    body = {"phone_number": "+13035550123", "provider_type": "telnyx", **TELNYX}
    assert (await _post(tenant, "import", body, status=409))["code"] == "conflict"
    assert telnyx.pointed == {}


async def test_a_bad_import_is_refused(tenant: Tenant) -> None:
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"provider_type": "telnyx", **TELNYX, "sip_server": "sip.example.net"}, ["sip_server"]),
        ({"provider_type": "telnyx", **TELNYX, "trunk_id": "trunk_x"}, ["trunk_id"]),
        ({"provider_type": "twilio", "api_key": TOKEN}, ["account_sid"]),
        (
            {"provider_type": "custom_sip", "credential_id": "cred_x"},
            ["credential_id", "sip_server", "sip_username", "sip_password"],
        ),
    ]
    for body, fields in cases:
        refused = await _post(tenant, "import", {"phone_number": "+13035550123", **body}, status=422)
        assert list(_reasons(refused)) == fields


async def test_twilio_needs_a_public_url_to_send_calls_to(tenant: Tenant, twilio: FakeTwilioServer) -> None:
    object.__setattr__(tenant.settings, "public_url", None)
    body = {"phone_number": TWILIO_NUMBER, "provider_type": "twilio", **TWILIO}
    for path in ("import", "purchase"):
        assert "RINGDOWN_PUBLIC_URL" in _reasons(await _post(tenant, path, body, status=422))["provider_type"]
    assert twilio.requests == []


async def test_carrier_endpoints_need_a_key(anonymous: httpx.AsyncClient) -> None:
    for path in ("search", "purchase"):
        assert (await anonymous.post(f"{URL}/{path}", json={})).status_code == 401


async def test_a_stored_login_is_used_by_its_id(tenant: Tenant, stranger: Tenant, database: Database) -> None:
    made = await tenant.client.post(CREDENTIALS, json={"provider_type": "telnyx", **TELNYX})
    credential_id = made.json()["data"]["id"]
    assert (await _post(tenant, "search", {"credential_id": credential_id}))["data"]
    wrong = {"credential_id": credential_id, "provider_type": "twilio"}
    assert _reasons(await _post(tenant, "search", wrong, status=422)) == {
        "provider_type": "must be telnyx, as the credential is"
    }
    refused = await _post(stranger, "search", {"credential_id": credential_id}, status=422)
    assert list(_reasons(refused)) == ["credential_id"]
    body = {"phone_number": TELNYX_NUMBER, "credential_id": credential_id}
    assert (await _post(tenant, "purchase", body))["data"]["telephony_credential_id"] == credential_id


async def test_the_trunk_of_a_carrier_can_log_in(tenant: Tenant, settings: Settings, telnyx: FakeTelnyxServer) -> None:
    await _post(tenant, "purchase", {"phone_number": TELNYX_NUMBER, **TELNYX})
    async with tenant.database.read() as connection:
        [trunk] = await trunk_store.list_enabled_trunks(connection, SecretBox.open(settings))
    assert trunk.password == telnyx.connections[0]["password"]
