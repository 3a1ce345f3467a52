"""Hosts of their own inside this machine, for root: one on a public network, one on a private network behind a NAT.

All addresses live in network namespaces made here; nothing of the machine's own network is touched.
"""

import asyncio
import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

# Documentation addresses (RFC 5737) on the outside: no rule takes them for private ones.
PUBLIC_HOST, ROUTER_HOST = "203.0.113.1", "203.0.113.2"
PRIVATE_HOST, _ROUTER_INSIDE = "10.77.0.2", "10.77.0.1"
_CLONE_NEWNET = 0x40000000
# What a home router does: lets out everything, in only what answers. Dropped, not refused, as by a firewall.
_ROUTER_RULES = """
table ip ringdown {{
  chain translate {{
    type nat hook postrouting priority srcnat
    oifname "wan" {masquerade}
  }}
  chain through {{
    type filter hook forward priority filter; policy drop
    iifname "lan" accept
    ct state established,related accept
  }}
  chain own {{
    type filter hook input priority filter; policy drop
    iifname "lan" accept
  }}
}}
"""
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Host:
    """A network namespace with one address."""

    namespace: str
    address: str

    @property
    def launcher(self) -> tuple[str, ...]:
        """What to put before a command so that it runs on this host."""
        return ("ip", "netns", "exec", self.namespace)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Sockets opened by this thread meanwhile belong to this host, and stay there. Never await inside."""
        with Path("/proc/thread-self/ns/net").open("rb") as own:
            with Path(f"/run/netns/{self.namespace}").open("rb") as namespace:
                _set_namespace(namespace.fileno())
            try:
                yield
            finally:
                _set_namespace(own.fileno())


@dataclass(frozen=True, slots=True)
class NatNetwork:
    """`public` and `private` can reach each other only as the NAT of the router between them allows."""

    public: Host
    private: Host


@contextlib.contextmanager
def build_nat_network(*, changes_ports: bool = False) -> Iterator[NatNetwork]:
    """The two hosts and the router, removed at the end; skips the test where namespaces cannot be made.

    With `changes_ports` a packet leaves the router from another port than it left its host, another for each
    destination (a symmetric NAT); else the port is kept where it is free.
    """
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    missing = [program for program in ("ip", "nft") if shutil.which(program) is None]
    if missing:
        pytest.skip(f"network namespaces with NAT need {' and '.join(missing)}")
    prefix = f"ringdown-{os.getpid()}"
    public, router, private = (f"{prefix}-{name}" for name in ("public", "router", "private"))
    with contextlib.ExitStack() as made:
        for namespace in (public, router, private):
            created = subprocess.run(["ip", "netns", "add", namespace], capture_output=True, text=True, check=False)
            if created.returncode:
                pytest.skip(f"this machine lets root make no network namespaces: {created.stderr.strip()}")
            made.callback(_run, "ip", "netns", "del", namespace)
            _run("ip", "-n", namespace, "link", "set", "lo", "up")
        _connect((public, "wan", PUBLIC_HOST), (router, "wan", ROUTER_HOST))
        _connect((private, "lan", PRIVATE_HOST), (router, "lan", _ROUTER_INSIDE))
        _run("ip", "-n", private, "route", "add", "default", "via", _ROUTER_INSIDE)
        with Host(router, ROUTER_HOST).entered():
            Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        rules = _ROUTER_RULES.format(masquerade="masquerade random" if changes_ports else "masquerade")
        _run("ip", "netns", "exec", router, "nft", "-f", "-", given=rules)
        yield NatNetwork(Host(public, PUBLIC_HOST), Host(private, PRIVATE_HOST))


@contextlib.asynccontextmanager
async def open_door(host: Host, port: int) -> AsyncIterator[Path]:
    """A Unix socket in this namespace that leads to `port` on the host's loopback."""

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with host.entered():
            inside = socket.create_connection(("127.0.0.1", port), timeout=5)
        from_inside, to_inside = await asyncio.open_connection(sock=inside)
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(reader, to_inside))
            group.create_task(_pump(from_inside, writer))

    with tempfile.TemporaryDirectory() as folder:  # not pytest's folder: a Unix socket's path has 107 characters
        door = Path(folder) / "door"
        server = await asyncio.start_unix_server(lead, door)
        try:
            yield door
        finally:
            server.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    except ConnectionError:
        return
    finally:
        writer.close()


def _connect(*ends: tuple[str, str, str]) -> None:
    """A cable between two namespaces; each end has its namespace, its interface's name and its address."""
    (first, first_name, _), (second, second_name, _) = ends
    peer = ("peer", "name", second_name, "netns", second)
    _run("ip", "link", "add", "name", first_name, "netns", first, "type", "veth", *peer)
    for namespace, name, address in ends:
        _run("ip", "-n", namespace, "address", "add", f"{address}/24", "dev", name)
        _run("ip", "-n", namespace, "link", "set", name, "up")


def _run(*command: str, given: str | None = None) -> None:
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


def _set_namespace(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
