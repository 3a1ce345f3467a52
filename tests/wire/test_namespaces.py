"""The network of the NAT tests is one: the private host gets out, nobody gets in, and addresses change on the way."""

import socket
from collections.abc import Iterator

import pytest

from tests.wire.namespaces import PRIVATE_HOST, PUBLIC_HOST, ROUTER_HOST, Host, NatNetwork, build_nat_network


@pytest.fixture(params=[False, True], ids=["ports kept", "ports changed"])
def changes_ports(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def network(changes_ports: bool) -> Iterator[NatNetwork]:
    with build_nat_network(changes_ports=changes_ports) as built:
        yield built


def open_socket(host: Host, port: int = 0) -> socket.socket:
    with host.entered():
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind((host.address, port))
    opened.settimeout(2)
    return opened


def test_a_packet_from_inside_shows_the_routers_address_and_its_answer_comes_back(
    network: NatNetwork, changes_ports: bool
) -> None:
    with open_socket(network.private, 5060) as inside, open_socket(network.public) as outside:
        inside.sendto(b"hello", outside.getsockname())
        data, source = outside.recvfrom(100)
        assert (data, source[0]) == (b"hello", ROUTER_HOST)
        assert (source[1] == 5060) is not changes_ports
        outside.sendto(b"welcome", source)
        assert inside.recvfrom(100) == (b"welcome", outside.getsockname())


def test_nobody_gets_in_who_was_not_spoken_to(network: NatNetwork) -> None:
    with open_socket(network.private, 5060) as inside, open_socket(network.public) as outside:
        outside.sendto(b"let me in", (ROUTER_HOST, 5060))
        with pytest.raises(OSError, match="unreachable"):
            outside.sendto(b"let me in", (PRIVATE_HOST, 5060))
        inside.settimeout(0.2)
        with pytest.raises(TimeoutError):
            inside.recvfrom(100)


def test_this_process_is_itself_again_after_it_entered_a_host(network: NatNetwork) -> None:
    with network.public.entered():
        pass
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own, pytest.raises(OSError, match="assign"):
        own.bind((PUBLIC_HOST, 0))
