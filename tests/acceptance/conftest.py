"""One running Ringdown for all acceptance tests; each test makes its own agent and calls."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.acceptance.running import Ringdown


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def ringdown(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ringdown]:
    product = Ringdown(tmp_path_factory.mktemp("ringdown"))
    await product.start()
    yield product
    assert await product.stop() == 0
    assert product.output.rstrip().endswith("Stopped.")


@pytest_asyncio.fixture(loop_scope="package")
async def client(ringdown: Ringdown) -> AsyncIterator[httpx.AsyncClient]:
    async with ringdown.client() as opened:
        yield opened
