"""One running product for all tests of transfers, with telephones that call the agent and others that it calls."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.wire.gateway_product import run_product
from tests.wire.sip_peers import HOST
from tests.wire.telephone import run_telephone
from tests.wire.transfers.site import ACCEPTING, REFUSING, Site
from tests.wire.trunk_product import make_line


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with run_product(tmp_path_factory.mktemp("product")) as product:
        port = product.ports["PEER_PORT"]
        async with run_telephone() as callers, run_telephone(port) as persons:
            await make_line(product, ACCEPTING, f"{HOST}:{port}", transfer="refer", accepts_refer=True)
            await make_line(product, REFUSING, f"{HOST}:{port}", transfer="auto", accepts_refer=False)
            yield Site(product, callers, persons)
