import asyncio
from tests.wire.gateway_product import run_product
from tests.wire.sip_peers import run_baresip
async def test_echo(tmp_path):
    async with run_product(tmp_path) as product:
        for echo in (True, False):
            d = tmp_path / f"b{echo}"; d.mkdir()
            async with run_baresip(d, is_echo=echo) as baresip:
                await baresip.command("dial", product.agent_uri)
                await baresip.wait_for("CALL_RTPESTAB")
                await asyncio.sleep(3)
                print(await baresip.command("callstat"))
                print(await baresip.command("audio_debug"))
                await baresip.command("hangup")
                call = await product.newest_ended(timeout_s=60)
                print(call["media_quality"])
    assert 0
