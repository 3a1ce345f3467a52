"""Browser calls of the whole product: an aiortc peer joins by its link, hears, is heard, hangs up and is hung up."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.acceptance import recordings
from tests.wire import browser_peer
from tests.wire.browser_peer import make_tone
from tests.wire.gateway_product import Product, run_product

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    async with run_product(tmp_path_factory.mktemp("product")) as running:
        yield running


async def open_call(product: Product, **fields: object) -> dict[str, Any]:
    async with product.client() as client:
        answer = await client.post("/webrtc/call", json={"agent_id": product.agent_id, **fields})
        assert answer.status_code == 200, answer.text
        opened: dict[str, Any] = answer.json()
        return opened


async def test_a_browser_hears_the_agent_and_is_heard_and_hangs_up(product: Product) -> None:
    opened = await open_call(product)
    async with browser_peer.join(opened["joinUrl"]) as browser:
        await browser.call()
        await browser.wait_for(type="status", status="speaking")
        await browser.wait_until_heard(1.0)
        browser.microphone.say(make_tone(1000, 1.0))
        await asyncio.sleep(1.5)
        await browser.send(type="hangup")
        await browser.wait_for(type="status", status="ended")
        code, _ = await browser.wait_until_closed()
    print(browser.messages)
    call = await product.end_of(opened["callId"])
    print(call)
    assert code == 1000
    assert (call["status"], call["ended_reason"]) == ("completed", "user_hangup")
