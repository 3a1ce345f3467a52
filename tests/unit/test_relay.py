"""The relay of the tests does to packets what it says, the same each time, and keeps the two directions apart."""

import asyncio
import itertools
import random
import socket
from collections.abc import Iterator

import pytest

from tests.fakes.relay import Impairment, Passage, Relay

COUNT = 2000


def pass_packets(impairment: Impairment, *, seed: int = 7) -> tuple[Passage, list[tuple[float, int]]]:
    """A packet each 20 ms; the numbers of those that left, by the instants at which they did."""
    passage = Passage(impairment, random.Random(seed))
    left = [(leaves_s, number) for number in range(COUNT) for leaves_s in passage.admit(number * 0.02)]
    return passage, sorted(left)


def test_a_good_network_passes_everything_at_once_and_in_order() -> None:
    passage, left = pass_packets(Impairment())
    assert left == [(number * 0.02, number) for number in range(COUNT)]
    assert (passage.passed, passage.lost, passage.duplicated, passage.reordered) == (COUNT, 0, 0, 0)


def test_the_share_that_is_lost_is_lost() -> None:
    passage, left = pass_packets(Impairment(loss=0.1))
    assert len(left) == passage.passed == COUNT - passage.lost
    assert passage.lost == pytest.approx(0.1 * COUNT, rel=0.2)


def test_delay_and_jitter_stay_in_their_bounds_and_keep_the_order() -> None:
    _, left = pass_packets(Impairment(delay_ms=50, jitter_ms=60))
    assert [number for _, number in left] == list(range(COUNT))
    waits_ms = [(leaves_s - number * 0.02) * 1000 for leaves_s, number in left]
    assert min(waits_ms) == pytest.approx(50, abs=2)
    assert max(waits_ms) == pytest.approx(110, abs=2)


def test_a_duplicate_comes_right_after_its_original() -> None:
    passage, left = pass_packets(Impairment(duplication=0.05, delay_ms=10, jitter_ms=5))
    assert passage.duplicated == pytest.approx(0.05 * COUNT, rel=0.3)
    numbers = [number for _, number in left]
    assert numbers == sorted(numbers)
    assert len(numbers) - len(set(numbers)) == passage.duplicated


def test_a_reordered_packet_is_overtaken_by_the_next() -> None:
    passage, left = pass_packets(Impairment(reordering=0.1, reordered_ms=30))
    numbers = [number for _, number in left]
    assert sorted(numbers) == list(range(COUNT))
    behind = sum(after < before for before, after in itertools.pairwise(numbers))
    assert 0 < behind <= passage.reordered
    assert passage.reordered == pytest.approx(0.1 * COUNT, rel=0.2)


def test_the_same_seed_does_the_same_to_the_same_packets() -> None:
    bad = Impairment(loss=0.1, jitter_ms=80, duplication=0.1, reordering=0.1)
    assert pass_packets(bad)[1] == pass_packets(bad)[1]
    assert pass_packets(bad)[1] != pass_packets(bad, seed=8)[1]


@pytest.fixture
def peers() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.socket(type=socket.SOCK_DGRAM) as left, socket.socket(type=socket.SOCK_DGRAM) as right:
        for peer in (left, right):
            peer.bind(("127.0.0.1", 0))
            peer.setblocking(False)
        yield left, right


async def receive(peer: socket.socket) -> tuple[bytes, tuple[str, int]]:
    async with asyncio.timeout(20):
        return await asyncio.get_running_loop().sock_recvfrom(peer, 100)


async def test_both_directions_pass_and_are_counted_apart(peers: tuple[socket.socket, socket.socket]) -> None:
    left, right = peers
    relay = Relay.open(
        left=left.getsockname(), right=right.getsockname(), impairment=Impairment(), back=Impairment(loss=1.0)
    )
    left.sendto(b"there", relay.left_address)
    assert await receive(right) == (b"there", relay.right_address)
    right.sendto(b"lost", relay.right_address)
    while relay.to_left.lost == 0:
        await asyncio.sleep(0.001)
    relay.to_left.impairment = Impairment(delay_ms=5)
    right.sendto(b"back", relay.right_address)
    assert await receive(left) == (b"back", relay.left_address)
    assert (relay.to_right.passed, relay.to_left.passed, relay.to_left.lost) == (1, 1, 1)
    relay.close()
    relay.close()


async def test_an_unknown_client_is_learned_and_strangers_are_not_heard(
    peers: tuple[socket.socket, socket.socket],
) -> None:
    client, server = peers
    relay = Relay.open(right=server.getsockname(), impairment=Impairment())
    server.sendto(b"nobody to go to", relay.right_address)
    client.sendto(b"hello", relay.left_address)
    assert (await receive(server))[0] == b"hello"
    with socket.socket(type=socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"hear me", relay.left_address)
        client.sendto(b"again", relay.left_address)
        assert (await receive(server))[0] == b"again"
    server.sendto(b"welcome", relay.right_address)
    assert (await receive(client))[0] == b"welcome"
    relay.close()


async def test_a_closed_relay_sends_nothing_more(peers: tuple[socket.socket, socket.socket]) -> None:
    left, right = peers
    relay = Relay.open(right=right.getsockname(), impairment=Impairment(delay_ms=20))
    left.sendto(b"late", relay.left_address)
    while relay.to_right.passed == 0:
        await asyncio.sleep(0.001)
    relay.close()
    await asyncio.sleep(0.04)
    with pytest.raises(BlockingIOError):
        right.recv(100)
