"""A trunk's rules on the wire: how numbers leave, how many calls it carries, where calls must not go."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from ringdown.sip.call import IncomingCall, OutgoingCall
from ringdown.sip.events import Answered, Ended, Rejected
from ringdown.sip.sdp import build_offer
from tests.wire.gateway_product import Product, run_product
from tests.wire.sip_owner import Owner, collect, run_owner, wait_for
from tests.wire.trunk_product import give_number, make_line, post_trunk, wait_for_status

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOST = "127.0.0.2"
ANSWER = build_offer(HOST, 30_002)
ALLOWED, ELSEWHERE = ("+1", "+49", "+43"), "+442079460958"
BERLIN, VIENNA = "+4930901820", "+43153450"
# The numbers of the trunks, each after what its trunk is for.
NAMED = {
    "+12025550300": {"username": "ann", "password": "x"},
    "+12025550301": {},
    "+12025550302": {"username": "ann", "password": "x", "caller_id_form": "p_asserted_identity"},
    "+12025550303": {"username": "ann", "password": "x", "caller_id_form": "remote_party_id"},
    "+12025550304": {"number_format": "e164_without_plus"},
    "+12025550305": {"number_format": "international"},
    "+12025550306": {"number_format": "national", "default_region": "DE", "number_prefix": "9"},
    "+12025550307": {"number_format": "national"},
}
ONE_CALL, SLOW, STRICT, REFERRING = (f"+120255503{n}" for n in range(20, 24))
LIMITED: dict[str, dict[str, object]] = {
    ONE_CALL: {"max_concurrent_calls": 1},
    SLOW: {"max_calls_per_second": 2},
    STRICT: {"allowed_prefixes": ["+1", "+49"], "transfer": "bridge"},
    REFERRING: {"accepts_refer": True, "allowed_prefixes": ["+1", "+49"]},
}
PROXIED, NEW = "+12025550330", "+12025550331"


@dataclass(frozen=True, slots=True)
class Carrier:
    """The product and the far end of its trunks, which all lead to the same host."""

    product: Product
    far: Owner
    trunk_ids: dict[str, str]

    @property
    def place(self) -> str:
        return f"{HOST}:{self.far.endpoint.port}"

    async def ring(self, number: str) -> OutgoingCall:
        """The far end calls a number of ours."""
        return await self.far.dial(f"sip:{number}@127.0.0.1:{self.product.ports['SIP_PORT']}")

    async def talk(self, number: str) -> tuple[OutgoingCall, str]:
        """A call that the far end placed and the agent took, and its id."""
        call = await self.ring(number)
        await wait_for(call, Answered)
        [newest, *_] = await self.product.calls(direction="inbound")
        await self.product.reach(newest["id"], "in_progress")
        return call, newest["id"]

    async def receive(self, from_number: str, number: str = BERLIN) -> IncomingCall:
        """A call of the agent's, refused as busy."""
        call_id = await self.product.place(number, from_number=from_number)
        incoming = await self.far.next_call()
        await incoming.reject(486)
        assert (await self.product.end_of(call_id))["ended_reason"] == "busy"
        return incoming


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def carrier(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Carrier]:
    async with (
        run_owner(host=HOST) as far,
        run_product(tmp_path_factory.mktemp("product"), allowed_destination_prefixes=",".join(ALLOWED)) as product,
    ):
        described: dict[str, dict[str, Any]] = {**NAMED, **LIMITED}
        place = f"{HOST}:{far.endpoint.port}"
        made = await asyncio.gather(*(make_line(product, each, place, **described[each]) for each in described))
        await make_line(product, PROXIED, "carrier.example", outbound_proxy=place, username="ann", password="x")
        yield Carrier(product, far, dict(zip(described, made, strict=True)))


# --- numbers ---------------------------------------------------------------------------------------------------------


async def test_an_account_shows_the_number_in_from(carrier: Carrier) -> None:
    incoming = await carrier.receive("+12025550300")
    assert incoming.from_uri == f"sip:+12025550300@{carrier.place}"
    assert incoming.header("P-Asserted-Identity") is None and incoming.header("Remote-Party-ID") is None


async def test_without_an_account_the_number_is_shown_at_our_address(carrier: Carrier) -> None:
    incoming = await carrier.receive("+12025550301")
    assert incoming.from_uri == f"sip:+12025550301@127.0.0.1:{carrier.product.ports['SIP_PORT']}"


@pytest.mark.parametrize(("number", "header", "parameters"), [
    ("+12025550302", "P-Asserted-Identity", ""),
    ("+12025550303", "Remote-Party-ID", ";party=calling;privacy=off;screen=yes"),
])  # fmt: skip
async def test_the_number_may_stand_beside_the_account(
    carrier: Carrier, number: str, header: str, parameters: str
) -> None:
    incoming = await carrier.receive(number)
    assert incoming.from_uri == f"sip:ann@{carrier.place}"
    assert incoming.header(header) == f"<sip:{number}@{carrier.place}>{parameters}"


@pytest.mark.parametrize(("from_number", "number", "called", "shown"), [
    ("+12025550301", BERLIN, "+4930901820", "+12025550301"),
    ("+12025550304", BERLIN, "4930901820", "12025550304"),
    ("+12025550305", BERLIN, "0114930901820", "12025550305"),
    ("+12025550306", BERLIN, "9030901820", "90012025550306"),
    ("+12025550306", VIENNA, "90043153450", "90012025550306"),
    ("+12025550307", "+12125550100", "2125550100", "2025550307"),
    ("+12025550307", BERLIN, "0114930901820", "2025550307"),
])  # fmt: skip
async def test_both_numbers_are_spelled_as_the_trunk_wants_them(
    carrier: Carrier, from_number: str, number: str, called: str, shown: str
) -> None:
    incoming = await carrier.receive(from_number, number)
    assert incoming.request_uri == f"sip:{called}@{carrier.place}"
    assert incoming.to_uri == f"sip:{called}@{carrier.place}"
    assert incoming.from_uri.startswith(f"sip:{shown}@")


async def test_an_outbound_proxy_is_asked_for_the_domain_of_the_trunk(carrier: Carrier) -> None:
    incoming = await carrier.receive(PROXIED)
    assert incoming.request_uri == "sip:+4930901820@carrier.example"
    assert incoming.from_uri == f"sip:{PROXIED}@carrier.example"
    assert incoming.header("Route") == f"<sip:{carrier.place};lr>"


# --- limits ----------------------------------------------------------------------------------------------------------


async def test_calls_out_wait_until_the_line_is_free(carrier: Carrier) -> None:
    first = await carrier.product.place(from_number=ONE_CALL)
    ringing = await carrier.far.next_call()
    second = await carrier.product.place(from_number=ONE_CALL)
    free = await carrier.product.place(from_number="+12025550301")  # another trunk is another line
    assert (await carrier.far.next_call()).from_uri.startswith("sip:+12025550301@")
    await carrier.product.hang_up(free)
    await asyncio.sleep(2)  # longer than a gateway waits between two claims
    assert carrier.far.incoming.empty()
    assert (await carrier.product.reach(second, "queued"))["status"] == "queued"
    await ringing.reject(486)
    await (await carrier.far.next_call()).reject(603)
    ended = [(await carrier.product.end_of(call_id))["ended_reason"] for call_id in (first, second, free)]
    assert ended == ["busy", "declined", "cancelled"]


async def test_calls_in_beyond_the_limit_are_told_to_try_later(carrier: Carrier) -> None:
    talking, call_id = await carrier.talk(ONE_CALL)
    [refused] = await collect(await carrier.ring(ONE_CALL))
    assert refused == Rejected(503, "At capacity", 5)
    await wait_for_status(carrier.product, carrier.trunk_ids[ONE_CALL], live_calls=1)
    await talking.bye()
    await carrier.product.end_of(call_id)
    await wait_for_status(carrier.product, carrier.trunk_ids[ONE_CALL], live_calls=0)
    again, call_id = await carrier.talk(ONE_CALL)
    await again.bye()
    await carrier.product.end_of(call_id)


async def test_of_calls_in_at_the_same_moment_one_is_taken(carrier: Carrier) -> None:
    calls = [await carrier.ring(ONE_CALL) for _ in range(5)]
    outcomes: list[str | Rejected] = []
    for call in calls:
        async for event in call.events():
            if isinstance(event, (Answered, Rejected)):
                outcomes.append("taken" if isinstance(event, Answered) else event)
                break
    assert outcomes.count("taken") == 1
    assert outcomes.count(Rejected(503, "At capacity", 5)) == 4
    for call in calls:
        await call.bye()
    await carrier.product.newest_ended()


async def test_a_call_out_leaves_no_room_for_one_in(carrier: Carrier) -> None:
    call_id = await carrier.product.place(from_number=ONE_CALL)
    ringing = await carrier.far.next_call()
    [refused] = await collect(await carrier.ring(ONE_CALL))
    assert isinstance(refused, Rejected) and refused.status == 503
    await ringing.reject(486)
    await carrier.product.end_of(call_id)


async def test_calls_out_leave_at_the_rate_of_the_trunk(carrier: Carrier) -> None:
    placed = [await carrier.product.place(from_number=SLOW) for _ in range(5)]
    arrived_at = []
    for _ in placed:
        incoming = await carrier.far.next_call()
        arrived_at.append(asyncio.get_running_loop().time())
        await incoming.reject(486)
    for call_id in placed:
        await carrier.product.end_of(call_id)
    # Two a second: the last is 2 s behind the first, of which this test may have heard late.
    assert arrived_at[-1] - arrived_at[0] >= 1.5


# --- fraud -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "said"), [
    ("+1911", "emergency"),
    ("+112", "emergency"),
    ("+49112", "emergency"),
    ("+19005550123", "premium-rate"),
    ("+499001123456", "premium-rate"),
    (ELSEWHERE, "only numbers in +1, +49, +43 are allowed"),
    (VIENNA, "only numbers in +1, +49 are allowed"),
])  # fmt: skip
async def test_a_number_that_must_not_be_called_is_refused_over_the_api(
    carrier: Carrier, number: str, said: str
) -> None:
    async with carrier.product.client() as client:
        body = {"agent_id": carrier.product.agent_id, "phone_number": number, "from_number": STRICT}
        answer = await client.post("/calls", json=body)
    assert answer.status_code == 422, answer.text
    assert (error := answer.json()["error"])["details"]["field"] == "phone_number"
    assert said in error["message"]
    assert carrier.far.incoming.empty()


async def test_nobody_is_transferred_to_a_number_that_must_not_be_called(carrier: Carrier) -> None:
    call, call_id = await carrier.talk(STRICT)
    async with carrier.product.client() as client:
        for number in ("+1911", "+19005550123", ELSEWHERE):
            answer = await client.post(f"/calls/{call_id}/transfer", json={"phone_number": number})
            assert answer.status_code == 422, answer.text
        # The trunk allows less than the installation does, and only the gateway knows the trunk of the transfer.
        answer = await client.post(f"/calls/{call_id}/transfer", json={"phone_number": VIENNA, "mode": "attended"})
        async with asyncio.timeout(30):
            while answer.status_code != 422:
                shown = (await client.get(f"/calls/{call_id}")).json()["data"]["transfer"]
                if shown["status"] == "failed":
                    assert shown["reason"] == "only numbers in +1, +49 are allowed"
                    break
                await asyncio.sleep(0.1)
    assert carrier.far.incoming.empty()
    await call.bye()
    assert (await carrier.product.end_of(call_id))["ended_reason"] == "user_hangup"


async def test_a_refer_from_a_trunk_that_does_not_accept_any_is_refused(carrier: Carrier) -> None:
    call, call_id = await carrier.talk(STRICT)
    result = await call.refer(f"sip:{BERLIN}@{carrier.place}", timeout_s=10)
    assert result.status == 603
    assert carrier.far.incoming.empty()
    await call.bye()
    assert (await carrier.product.end_of(call_id))["ended_reason"] == "user_hangup"


@pytest.mark.parametrize("target", ["+19005550123", "911", VIENNA, "operator"])
async def test_a_refer_leads_nowhere_else_than_a_call_could(carrier: Carrier, target: str) -> None:
    call, call_id = await carrier.talk(REFERRING)
    assert (await call.refer(f"sip:{target}@127.0.0.9", timeout_s=10)).status == 603
    assert carrier.far.incoming.empty()
    await call.bye()
    await carrier.product.end_of(call_id)


async def test_a_refer_that_is_accepted_is_dialled_over_the_trunk_itself(carrier: Carrier) -> None:
    call, call_id = await carrier.talk(REFERRING)
    referring = asyncio.create_task(call.refer(f"sip:{BERLIN}@127.0.0.9", timeout_s=10))
    incoming = await carrier.far.next_call()
    assert incoming.request_uri == f"sip:{BERLIN}@{carrier.place}"
    assert incoming.from_uri.startswith(f"sip:{REFERRING}@")
    await incoming.answer(ANSWER)
    await wait_for(incoming, Answered)
    assert (await referring).status == 200
    assert (await collect(call))[-1] == Ended("bye")
    await incoming.bye()
    assert (await carrier.product.end_of(call_id))["ended_reason"] == "user_hangup"


async def test_a_trunk_carries_calls_from_the_moment_that_it_is_made_to_when_it_is_off(carrier: Carrier) -> None:
    trunk_id = await post_trunk(carrier.product, "new", carrier.place)
    await give_number(carrier.product, NEW, trunk_id)
    await carrier.receive(NEW)
    async with carrier.product.client() as client:
        assert (await client.patch(f"/telephony/trunks/{trunk_id}", json={"is_enabled": False})).status_code == 200
    async with asyncio.timeout(30):
        while (call := await _call(carrier, NEW))["ended_reason"] == "busy":
            await asyncio.sleep(0.2)
    assert call["ended_reason"] == "invalid_destination"
    assert "switched off" in call["summary"]


async def _call(carrier: Carrier, from_number: str) -> dict[str, Any]:
    """A call of the agent's, refused as busy where it gets so far; when it has ended."""
    call_id = await carrier.product.place(from_number=from_number)
    ended = asyncio.create_task(carrier.product.end_of(call_id))
    arriving = asyncio.create_task(carrier.far.next_call())
    await asyncio.wait((ended, arriving), return_when=asyncio.FIRST_COMPLETED)
    if arriving.done():
        await arriving.result().reject(486)
    arriving.cancel()
    call: dict[str, Any] = await ended
    return call


async def test_a_change_of_a_trunk_is_used_within_seconds(carrier: Carrier) -> None:
    async with carrier.product.client() as client:
        changes = {"premium_allowed": True, "number_prefix": "7"}
        trunk_id = carrier.trunk_ids["+12025550307"]
        assert (await client.patch(f"/telephony/trunks/{trunk_id}", json=changes)).status_code == 200
    async with asyncio.timeout(30):
        while not (await carrier.receive("+12025550307", BERLIN)).request_uri.startswith("sip:70114930901820@"):
            await asyncio.sleep(0.2)
    incoming = await carrier.receive("+12025550307", "+19005550123")
    assert incoming.request_uri.startswith("sip:79005550123@")


async def test_a_number_may_move_to_another_trunk(carrier: Carrier) -> None:
    await give_number(carrier.product, "+12025550399", carrier.trunk_ids["+12025550301"])
    assert (await carrier.receive("+12025550399")).request_uri.startswith("sip:+4930901820@")
    async with carrier.product.client() as client:
        numbers = (await client.get("/telephony/numbers", params={"limit": 100})).json()["data"]
        [number_id] = [number["id"] for number in numbers if number["phone_number"] == "+12025550399"]
        body = {"trunk_id": carrier.trunk_ids["+12025550304"]}
        assert (await client.patch(f"/telephony/numbers/{number_id}", json=body)).status_code == 200
    assert (await carrier.receive("+12025550399")).request_uri.startswith("sip:4930901820@")
