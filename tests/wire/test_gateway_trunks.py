"""A trunk end to end: Kamailio as the carrier over UDP, TCP and TLS, made over the API of the running product."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from ringdown.sip.call import IncomingCall, OutgoingCall
from ringdown.sip.events import Answered, Ended, Rejected
from ringdown.sip.sdp import build_offer
from tests.wire.certificates import Authority
from tests.wire.gateway_product import Product, run_product
from tests.wire.sip_owner import Owner, collect, run_owner, wait_for
from tests.wire.sip_peers import HOST, free_port, run_kamailio
from tests.wire.trunk_product import give_number, make_trunk, wait_for_status

pytestmark = pytest.mark.asyncio(loop_scope="module")
CARRIER = Path(__file__).parent.parent / "data" / "sip" / "kamailio_trunk.cfg"
SERVER_NAME = "sip.example.net"
TRANSPORTS = pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
NUMBERS = {"udp": "+12025550161", "tcp": "+12025550162", "tls": "+12025550163"}
ANSWER = build_offer(HOST, 30_002)


@dataclass(frozen=True, slots=True)
class Carrier:
    """Kamailio, the phone behind it, and a trunk of the product for each transport."""

    product: Product
    phone: Owner
    authority: Authority
    port: int
    tls_port: int
    trunk_ids: dict[str, str]

    def describe(self, transport: str, **fields: object) -> dict[str, Any]:
        """What the API is told of a trunk over this transport."""
        port = self.tls_port if transport == "tls" else self.port
        security = {"tls_ca": self.authority.certificate, "tls_server_name": SERVER_NAME} if transport == "tls" else {}
        account = {"username": f"alice-{transport}", "password": "secret", "registers": True}
        return {"hosts": [{"host": HOST, "port": port}], "transport": transport, **security, **account, **fields}

    async def add_trunk(self, name: str, transport: str, **fields: object) -> str:
        described = self.describe(transport, **fields)
        return await make_trunk(self.product, name, *described.pop("hosts"), **described)

    async def ring(self, transport: str, dialled: str, headers: dict[str, str] | None = None) -> OutgoingCall:
        """The phone calls a number; the carrier sends that to the account that it belongs to."""
        call = self.phone.endpoint.prepare_invite(
            target=f"sip:alice-{transport}@{HOST}:{self.port}",
            to_uri=f"sip:{dialled}@{HOST}",
            from_uri=f"sip:+4930901820@{HOST}",
            headers=headers or {},
            body=build_offer(HOST, 30_000),
        )
        await call.send()
        return call


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def carrier(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Carrier]:
    folder, authority, tls_port = tmp_path_factory.mktemp("carrier"), Authority(), free_port()
    authority.sign(SERVER_NAME).write(folder, "server")
    async with (
        run_owner() as phone,
        run_kamailio(folder, CARRIER, tls_port=tls_port, dir=folder, phone_port=phone.endpoint.port) as port,
        run_product(tmp_path_factory.mktemp("product")) as product,
    ):
        carrier = Carrier(product, phone, authority, port, tls_port, {})
        for transport, number in NUMBERS.items():
            carrier.trunk_ids[transport] = await carrier.add_trunk(transport, transport)
            await give_number(product, number, carrier.trunk_ids[transport])
        yield carrier


async def answer_next(phone: Owner) -> IncomingCall:
    incoming = await phone.next_call()
    await incoming.answer(ANSWER)
    await wait_for(incoming, Answered)
    return incoming


@TRANSPORTS
async def test_an_account_is_registered_and_its_round_trip_shown(carrier: Carrier, transport: str) -> None:
    status = await wait_for_status(
        carrier.product, carrier.trunk_ids[transport], registration="registered", is_reachable=True
    )
    assert (status["registration_error"], status["last_error"]) == (None, None)
    assert 0 < status["round_trip_ms"] < 5000
    assert len(status["gateways"]) == 1


@TRANSPORTS
@pytest.mark.parametrize("who_hangs_up", ["phone", "agent"])
async def test_a_call_comes_in_through_the_registrar(carrier: Carrier, transport: str, who_hangs_up: str) -> None:
    await wait_for_status(carrier.product, carrier.trunk_ids[transport], registration="registered")
    call = await carrier.ring(transport, NUMBERS[transport])
    await wait_for(call, Answered)
    [newest, *_] = await carrier.product.calls(direction="inbound")
    await carrier.product.reach(newest["id"], "in_progress")
    if who_hangs_up == "phone":
        await call.bye()
    else:
        await carrier.product.hang_up(newest["id"])
    assert (await collect(call))[-1] == Ended("local" if who_hangs_up == "phone" else "bye")
    ended = await carrier.product.end_of(newest["id"])
    assert ended["ended_reason"] == ("user_hangup" if who_hangs_up == "phone" else "agent_hangup")
    assert (ended["to_number"], ended["from_number"]) == (NUMBERS[transport], "+4930901820")
    # All three trunks have the carrier's address: the number tells them apart.
    rows = carrier.product.rows(f"SELECT trunk_id FROM calls WHERE id = '{newest['id']}'")
    assert rows == [(carrier.trunk_ids[transport],)]


@pytest.mark.parametrize(("dialled", "headers"), [
    ("12025550161", {}),
    ("2025550161", {}),
    ("0012025550161", {}),
    ("(202)555-0161", {}),
    ("operator", {"P-Called-Party-ID": "<sip:+12025550161@carrier.example;user=phone>"}),
    ("operator", {"P-Called-Party-ID": "<tel:2025550161;phone-context=+1>"}),
])  # fmt: skip
async def test_the_called_number_is_found_in_any_spelling(
    carrier: Carrier, dialled: str, headers: dict[str, str]
) -> None:
    await wait_for_status(carrier.product, carrier.trunk_ids["udp"], registration="registered")
    call = await carrier.ring("udp", dialled, headers)
    await wait_for(call, Answered)
    await call.bye()
    assert (await carrier.product.newest_ended())["to_number"] == NUMBERS["udp"]


async def test_a_number_without_an_agent_is_not_found(carrier: Carrier) -> None:
    await wait_for_status(carrier.product, carrier.trunk_ids["udp"], registration="registered")
    await give_number(carrier.product, "+12025550168", carrier.trunk_ids["udp"], "outbound")
    for dialled in ("+12025550168", "+12025550169", "nobody"):
        before = {call["id"] for call in await carrier.product.calls()}
        call = await carrier.ring("udp", dialled)
        rejected = (await collect(call))[-1]
        assert isinstance(rejected, Rejected)
        assert rejected.status == 404
        assert {call["id"] for call in await carrier.product.calls()} == before


@TRANSPORTS
@pytest.mark.parametrize("who_hangs_up", ["phone", "agent"])
async def test_a_call_goes_out_after_the_407(carrier: Carrier, transport: str, who_hangs_up: str) -> None:
    call_id = await carrier.product.place(from_number=NUMBERS[transport])
    incoming = await answer_next(carrier.phone)
    assert incoming.from_uri == f"sip:{NUMBERS[transport]}@{HOST}" + _port_of(carrier, transport)
    await carrier.product.reach(call_id, "in_progress")
    if who_hangs_up == "phone":
        await incoming.bye()
    else:
        await carrier.product.hang_up(call_id)
    assert (await collect(incoming))[-1] == Ended("local" if who_hangs_up == "phone" else "bye")
    call = await carrier.product.end_of(call_id)
    assert call["ended_reason"] == ("user_hangup" if who_hangs_up == "phone" else "agent_hangup")


def _port_of(carrier: Carrier, transport: str) -> str:
    return f":{carrier.tls_port if transport == 'tls' else carrier.port}"


@TRANSPORTS
async def test_a_ringing_call_is_cancelled_through_the_carrier(carrier: Carrier, transport: str) -> None:
    call_id = await carrier.product.place(from_number=NUMBERS[transport])
    incoming = await carrier.phone.next_call()
    await incoming.ring()
    await carrier.product.hang_up(call_id)
    assert await collect(incoming) == [Ended("cancelled")]
    assert (await carrier.product.end_of(call_id))["ended_reason"] == "cancelled"


@pytest.mark.parametrize(("status", "ended_reason", "is_trunks_fault"), [
    (486, "busy", False),
    (603, "declined", False),
    (404, "invalid_destination", True),
    (480, "no_answer", False),
    (500, "carrier_error", True),
])  # fmt: skip
async def test_a_call_that_the_carrier_refuses_ends_with_the_reason(
    carrier: Carrier, status: int, ended_reason: str, is_trunks_fault: bool
) -> None:
    call_id = await carrier.product.place(f"+49309010{status}", from_number=NUMBERS["tcp"])
    call = await carrier.product.end_of(call_id)
    assert (call["status"], call["ended_reason"], call["cost_credits"]) == ("failed", ended_reason, 0)
    if is_trunks_fault:
        await wait_for_status(carrier.product, carrier.trunk_ids["tcp"], last_error=call["summary"])
        assert str(status) in call["summary"]


@TRANSPORTS
async def test_a_wrong_password_is_shown_and_refuses_calls(carrier: Carrier, transport: str) -> None:
    trunk_id = await carrier.add_trunk(f"wrong-{transport}", transport, password="wrong")
    number = NUMBERS[transport].replace("016", "017")
    await give_number(carrier.product, number, trunk_id)
    status = await wait_for_status(carrier.product, trunk_id, registration="refused")
    assert status["registration_error"] == "401 Unauthorized"
    call = await carrier.product.end_of(await carrier.product.place(from_number=number))
    assert call["ended_reason"] == "carrier_error"
    assert call["summary"] == "The call was refused with 407 Proxy Authentication Required."


@pytest.mark.parametrize(("fields", "fault"), [
    ({"tls_ca": Authority("Another").certificate}, "certificate: "),
    ({"tls_ca": None}, "certificate: "),
    ({"tls_server_name": "other.example"}, "certificate: it is for sip.example.net, not for other.example"),
])  # fmt: skip
async def test_a_certificate_that_does_not_hold_is_shown(
    carrier: Carrier, fields: dict[str, object], fault: str
) -> None:
    trunk_id = await carrier.add_trunk(f"certificate {fault} {len(str(fields))}", "tls", **fields)
    status = await wait_for_status(carrier.product, trunk_id, registration="failed", is_reachable=False)
    assert status["registration_error"].startswith(fault)
    assert status["last_error"].startswith(fault)


async def test_a_certificate_that_is_not_to_be_verified_will_do(carrier: Carrier) -> None:
    trunk_id = await carrier.add_trunk("unverified", "tls", tls_ca=None, tls_verify=False, username="bob")
    await wait_for_status(carrier.product, trunk_id, registration="registered")


async def test_a_trunk_that_is_switched_off_is_unregistered(carrier: Carrier) -> None:
    trunk_id = await carrier.add_trunk("off", "udp", username="carol")
    await wait_for_status(carrier.product, trunk_id, registration="registered")
    async with carrier.product.client() as client:
        assert (await client.patch(f"/telephony/trunks/{trunk_id}", json={"is_enabled": False})).status_code == 200
    async with asyncio.timeout(30):
        while (await _dial(carrier, "carol")).status != 404:
            await asyncio.sleep(0.2)


async def _dial(carrier: Carrier, account: str) -> Rejected:
    """What somebody who calls the account, and nobody there, is told."""
    last = (await collect(await carrier.phone.dial(f"sip:{account}@{HOST}:{carrier.port}", to_uri="sip:nobody@h")))[-1]
    assert isinstance(last, Rejected)
    return last
