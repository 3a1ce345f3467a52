"""The worker program itself reads a source that was added over HTTP."""

import asyncio

from ringdown.worker import program
from tests.slices.conftest import BASE, Tenant


async def test_the_worker_program_reads_sources_until_it_is_asked_to_stop(tenant: Tenant) -> None:
    url = tenant.database.engine.url.render_as_string(hide_password=False)
    settings = tenant.settings.model_copy(update={"database_url": url})
    base_url = f"{BASE}/knowledge-bases"
    body = {"name": "Help", "file_content": "We open at nine.", "file_name": "hours.txt"}
    base_id = (await tenant.client.post(base_url, json=body)).json()["data"]["id"]
    asked, ready = asyncio.Event(), asyncio.Event()
    working = asyncio.create_task(program.serve(settings, asked=asked, ready=ready.set))
    try:
        async with asyncio.timeout(60):
            await ready.wait()
            while (await tenant.client.get(f"{base_url}/{base_id}")).json()["data"]["status"] == "processing":
                await asyncio.sleep(0.05)
    finally:
        asked.set()
        await working
    found = await tenant.client.post(f"{base_url}/{base_id}/query", json={"query": "When do you open?"})
    [passage] = found.json()["data"]["passages"]
    assert (passage["text"], passage["source_name"]) == ("We open at nine.", "hours.txt")
