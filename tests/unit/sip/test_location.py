"""The order of the hosts and transports of a SIP domain."""

import random
from collections import Counter

import pytest

from ringdown.sip.location import Pointer, Service, choose_pointers, order_services


def make_service(host: str, *, priority: int = 10, weight: int = 0) -> Service:
    return Service(priority, weight, host, 5060)


def order(services: list[Service], drawn: float = 0.5) -> list[str]:
    return [one.host for one in order_services(services, lambda: drawn)]


def test_a_lower_priority_comes_first_whatever_the_weights() -> None:
    services = [make_service("c", priority=30, weight=99), make_service("a", priority=1), make_service("b", priority=2)]
    assert order(services) == ["a", "b", "c"]


def test_hosts_of_one_priority_are_drawn_by_their_weight() -> None:
    dice = random.Random(7)
    services = [make_service("rare", weight=10), make_service("often", weight=90)]
    first = Counter(order_services(services, dice.random)[0].host for _ in range(2000))
    assert 0.86 < first["often"] / 2000 < 0.94


def test_a_host_of_weight_zero_is_seldom_first_but_never_lost() -> None:
    dice = random.Random(7)
    services = [make_service("zero"), make_service("heavy", weight=60)]
    orders = Counter(tuple(one.host for one in order_services(services, dice.random)) for _ in range(2000))
    assert set(orders) == {("zero", "heavy"), ("heavy", "zero")}
    assert orders["zero", "heavy"] < 100


@pytest.mark.parametrize("drawn", [0.0, 0.999999])
def test_every_host_is_drawn_once(drawn: float) -> None:
    services = [make_service(host, weight=weight) for host, weight in (("a", 0), ("b", 5), ("c", 0), ("d", 5))]
    assert sorted(order(services, drawn)) == ["a", "b", "c", "d"]


def test_the_root_as_target_means_that_there_is_no_service() -> None:
    assert order([make_service("."), make_service("")]) == []


def make_pointer(service: str, *, order: int = 10, preference: int = 10, flags: str = "s") -> Pointer:
    return Pointer(order, preference, flags, service, f"name-of-{service}")


def test_pointers_are_followed_by_order_then_preference() -> None:
    pointers = [
        make_pointer("SIP+D2T", order=20, preference=1),
        make_pointer("sip+d2u", order=10, preference=20),
        make_pointer("SIPS+D2T", order=10, preference=10, flags="S"),
    ]
    chosen = choose_pointers(pointers, is_secure=False)
    assert [transport for transport, _ in chosen] == ["tls", "udp", "tcp"]
    assert chosen[0][1] == "name-of-SIPS+D2T"


def test_pointers_that_we_cannot_follow_are_left_out() -> None:
    pointers = [make_pointer("SIP+D2S"), make_pointer("E2U+sip"), make_pointer("SIP+D2U", flags="a")]
    assert choose_pointers(pointers, is_secure=False) == []


def test_a_secure_uri_follows_only_the_secure_pointer() -> None:
    pointers = [make_pointer("SIP+D2U"), make_pointer("SIPS+D2T", order=99)]
    assert [transport for transport, _ in choose_pointers(pointers, is_secure=True)] == ["tls"]
