"""The product on a host of the NAT tests' network, and what a phone on the other side heard of it."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from tests.acceptance.running import Phone
from tests.wire.gateway_product import Product
from tests.wire.namespaces import Host, open_door


class HostedProduct(Product):
    """A product on a host of its own; its API is reached through the host's door."""

    def __init__(self, folder: Path, host: Host, **settings: object) -> None:
        super().__init__(folder, sip_host=host.address, **settings)
        self.launcher = host.launcher
        self.host = host
        self.door = Path()

    def client(self) -> httpx.AsyncClient:
        client = super().client()
        return httpx.AsyncClient(
            base_url=client.base_url,
            headers=client.headers,
            timeout=client.timeout,
            transport=httpx.AsyncHTTPTransport(uds=str(self.door)),
        )


@contextlib.asynccontextmanager
async def run_product_on(host: Host, folder: Path, **settings: object) -> AsyncIterator[HostedProduct]:
    """A running product on `host`, stopped at the end; nothing that it logged may be a traceback."""
    async with open_product_on(HostedProduct(folder, host, **settings)) as product:
        yield product


@contextlib.asynccontextmanager
async def open_product_on(product: HostedProduct) -> AsyncIterator[HostedProduct]:
    """As `run_product_on`, for a product that was given a launcher of its own."""
    await product.start()
    try:
        async with open_door(product.host, product.ports["HTTP_PORT"]) as product.door:
            await product.prepare()
            yield product
    finally:
        code = await product.stop()
    assert code == 0
    _, found, trace = product.log.read_text().partition("Traceback")
    assert not found, trace[:4000]


def heard_seconds(phone: Phone) -> float:
    """How long the far party spoke, as the phone heard it."""
    return sum(float(event["detail"].split()[0]) for event in phone.events if event["kind"] == "heard")
