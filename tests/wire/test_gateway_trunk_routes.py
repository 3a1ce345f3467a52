"""Which host of a trunk is asked on the wire: failover on silence and 503, priorities, redirects; one answer counts."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from ringdown.sip.call import IncomingCall
from ringdown.sip.events import Answered, Ended
from ringdown.sip.message import Request, Response, parse_message
from ringdown.sip.sdp import build_offer
from tests.wire.gateway_product import Product, run_product
from tests.wire.sip_owner import Owner, collect, run_owner, wait_for
from tests.wire.trunk_product import make_line, wait_for_status

pytestmark = pytest.mark.asyncio(loop_scope="module")
SILENT, FIRST, SECOND, STRANGER = "127.0.0.5", "127.0.0.2", "127.0.0.3", "127.0.0.9"
ANSWER = build_offer(FIRST, 30_002)
PATIENCE_S = 10


@dataclass(frozen=True, slots=True)
class Hosts:
    """The product, two hosts of its trunk, one that never speaks unless it is told to, and one that is not its."""

    product: Product
    silent: socket.socket
    first: Owner
    second: Owner
    stranger: Owner
    closed_port: int
    trunk_ids: dict[str, str]

    async def place(self, from_number: str) -> str:
        return await self.product.place(from_number=from_number)

    async def end(self, call_id: str) -> tuple[str, str | None]:
        call = await self.product.end_of(call_id)
        return call["ended_reason"], call["summary"]


TO_BOTH, SILENT_FIRST, CLOSED_FIRST, ORDERED, TO_FIRST = (f"+120255502{n:02}" for n in range(5))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hosts(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hosts]:
    with bind(SILENT) as silent, bind(SILENT) as closed:
        closed_port = closed.getsockname()[1]
        closed.close()
        async with (
            run_owner(host=FIRST) as first,
            run_owner(host=SECOND) as second,
            run_owner(host=STRANGER) as stranger,
            run_product(tmp_path_factory.mktemp("product")) as product,
        ):
            one, two = where(first), where(second)
            described: dict[str, list[object]] = {
                TO_BOTH: [by_priority(one, 0), by_priority(two, 1)],
                SILENT_FIRST: [by_priority(f"{SILENT}:{silent.getsockname()[1]}", 0), by_priority(two, 1)],
                CLOSED_FIRST: [by_priority(f"{SILENT}:{closed_port}", 0), by_priority(two, 1)],
                ORDERED: [by_priority(two, 20), by_priority(one, 10)],
                TO_FIRST: [one],
            }
            made = await asyncio.gather(*(make_line(product, number, *places) for number, places in described.items()))
            yield Hosts(product, silent, first, second, stranger, closed_port, dict(zip(described, made, strict=True)))


@contextlib.contextmanager
def bind(host: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.setblocking(False)
        opened.bind((host, 0))
        yield opened


def where(owner: Owner) -> str:
    return owner.endpoint.local_uri("x").partition("@")[2]


def by_priority(place: str, priority: int) -> dict[str, object]:
    host, _, port = place.partition(":")
    return {"host": host, "port": int(port), "priority": priority}


async def answer(incoming: IncomingCall) -> None:
    await incoming.answer(ANSWER)
    await wait_for(incoming, Answered)


async def test_a_host_that_says_nothing_gives_way_and_its_late_answer_is_hung_up(hosts: Hosts) -> None:
    call_id = await hosts.place(SILENT_FIRST)
    invite, source = await receive(hosts.silent, "INVITE")
    assert hosts.second.incoming.empty()
    taken = await hosts.second.next_call()
    await answer(taken)
    await hosts.product.reach(call_id, "in_progress")
    # The first host comes back to life, and its phone is answered too.
    contact = [("Contact", f"<sip:late@{where_socket(hosts.silent)}>"), ("Content-Type", "application/sdp")]
    late = Response.build(invite, 200, tag="late", fields=contact, body=ANSWER)
    hosts.silent.sendto(late.serialize(), source)
    ack, _ = await receive(hosts.silent, "ACK")
    bye, _ = await receive(hosts.silent, "BYE")
    assert ack.to.tag == bye.to.tag == "late"
    hosts.silent.sendto(Response.build(bye, 200).serialize(), source)
    assert (await hosts.product.reach(call_id, "in_progress"))["status"] == "in_progress"
    await taken.bye()
    assert await hosts.end(call_id) == ("user_hangup", None)


def where_socket(opened: socket.socket) -> str:
    host, port = opened.getsockname()
    return f"{host}:{port}"


async def receive(opened: socket.socket, method: str) -> tuple[Request, tuple[str, int]]:
    """The next request of this method; others, such as probes and retransmissions, are passed over."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            data, source = await asyncio.get_running_loop().sock_recvfrom(opened, 65_535)
            message = parse_message(data)
            if isinstance(message, Request) and message.method == method:
                return message, source


async def test_a_host_that_is_slow_but_trying_is_waited_for(hosts: Hosts) -> None:
    call_id = await hosts.place(TO_BOTH)
    incoming = await hosts.first.next_call()  # 100 Trying leaves by itself
    await asyncio.sleep(5)  # mobile networks take as long to find their phones
    assert hosts.second.incoming.empty()
    await answer(incoming)
    await hosts.product.reach(call_id, "in_progress")
    await incoming.bye()
    assert await hosts.end(call_id) == ("user_hangup", None)


async def test_a_host_that_is_out_of_service_gives_way(hosts: Hosts) -> None:
    call_id = await hosts.place(TO_BOTH)
    await (await hosts.first.next_call()).reject(503)
    taken = await hosts.second.next_call()
    await answer(taken)
    await hosts.product.reach(call_id, "in_progress")
    await hosts.product.hang_up(call_id)
    assert (await collect(taken))[-1] == Ended("bye")
    assert (await hosts.end(call_id))[0] == "agent_hangup"


async def test_a_port_that_nobody_listens_on_gives_way_at_once(hosts: Hosts) -> None:
    call_id = await hosts.place(CLOSED_FIRST)
    await (await hosts.second.next_call()).reject(486)
    assert await hosts.end(call_id) == ("busy", None)
    [tried] = [line for line in hosts.product.log.read_text().splitlines() if f"port={hosts.closed_port}" in line]
    assert "trying the next host" in tried and "status=503" in tried  # 408 is that of silence


async def test_a_refusal_is_the_answer_of_the_whole_trunk(hosts: Hosts) -> None:
    call_id = await hosts.place(TO_BOTH)
    await (await hosts.first.next_call()).reject(486)
    assert await hosts.end(call_id) == ("busy", None)
    assert hosts.second.incoming.empty()


async def test_the_host_of_the_lower_priority_number_is_asked_first(hosts: Hosts) -> None:
    for _ in range(3):
        call_id = await hosts.place(ORDERED)
        await (await hosts.first.next_call()).reject(603)
        assert await hosts.end(call_id) == ("declined", None)
    assert hosts.second.incoming.empty()


async def test_a_trunk_whose_hosts_are_all_out_of_service_says_so(hosts: Hosts) -> None:
    call_id = await hosts.place(TO_BOTH)
    await (await hosts.first.next_call()).reject(503)
    await (await hosts.second.next_call()).reject(503, "Overloaded")
    assert await hosts.end(call_id) == ("carrier_error", "The call was refused with 503 Overloaded.")
    await wait_for_status(
        hosts.product, hosts.trunk_ids[TO_BOTH], last_error="The call was refused with 503 Overloaded."
    )


async def test_a_redirect_to_a_host_of_the_trunk_is_followed(hosts: Hosts) -> None:
    call_id = await hosts.place(TO_BOTH)
    contact = f"sip:elsewhere@{where(hosts.first)}"
    await (await hosts.first.next_call()).reject(302, None, {"Contact": f"<{contact}>"})
    incoming = await hosts.first.next_call()
    assert incoming.request_uri == contact
    assert hosts.second.incoming.empty()
    await incoming.reject(486)
    assert await hosts.end(call_id) == ("busy", None)


@pytest.mark.parametrize("from_number", [TO_FIRST, TO_BOTH])
async def test_a_redirect_to_a_stranger_is_not_followed(hosts: Hosts, from_number: str) -> None:
    call_id = await hosts.place(from_number)
    contact = f"<sip:+4930901820@{where(hosts.stranger)}>"
    await (await hosts.first.next_call()).reject(302, None, {"Contact": contact})
    assert await hosts.end(call_id) == ("carrier_error", "The call was refused with 302 Moved Temporarily.")
    assert hosts.stranger.incoming.empty() and hosts.second.incoming.empty()


@pytest.mark.parametrize("contact", [
    "<sip:+4930901820@{own_host}:{stranger_port};maddr={stranger_host}>",
    "<sip:+19005550123@{own_host}:{own_port}>",
    "<sip:911@{own_host}:{own_port}>",
    "<tel:+4930901820>",
])  # fmt: skip
async def test_a_redirect_past_the_rules_is_not_followed(hosts: Hosts, contact: str) -> None:
    call_id = await hosts.place(TO_FIRST)
    ports = {"own_port": hosts.first.endpoint.port, "stranger_port": hosts.stranger.endpoint.port}
    named = contact.format(own_host=FIRST, stranger_host=STRANGER, **ports)
    await (await hosts.first.next_call()).reject(302, None, {"Contact": named})
    assert (await hosts.end(call_id))[0] == "carrier_error"
    assert hosts.first.incoming.empty() and hosts.stranger.incoming.empty()


async def test_redirects_that_go_round_come_to_an_end(hosts: Hosts) -> None:
    call_id = await hosts.place(TO_FIRST)
    for turn in range(4):
        contact = f"<sip:turn-{turn}@{where(hosts.first)}>"
        await (await hosts.first.next_call()).reject(302, None, {"Contact": contact})
    assert (await hosts.end(call_id))[0] == "carrier_error"
    assert hosts.first.incoming.empty()
