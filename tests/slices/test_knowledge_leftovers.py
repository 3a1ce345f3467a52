"""What is left when something goes away: agents without their knowledge base, bytes without their source."""

import pytest

from ringdown import values
from ringdown.jobs.store import Job
from ringdown.knowledge import ingestion, orphans
from ringdown.knowledge.documents import DocumentStore
from ringdown.knowledge.search import search_knowledge
from tests.slices.conftest import BASE, Tenant
from tests.slices.test_knowledge import BASES, add, create

TIDY = Job("job_1", "", orphans.TIDY, {}, orphans.TIDY_INTERVAL_MS, 1, "lease_1")


async def test_an_agent_whose_knowledge_base_was_deleted_keeps_working(tenant: Tenant) -> None:
    gone, kept = (await create(tenant))["id"], (await create(tenant))["id"]
    agent = await tenant.add_agent(outbound_number="+18005559876")
    url = f"{BASE}/agents/{agent.id}"
    changed = await tenant.client.patch(url, json={"knowledge_bases": [gone, kept]})
    assert changed.status_code == 200, changed.text
    assert (await tenant.client.delete(f"{BASES}/{gone}")).status_code == 200
    assert (await tenant.client.get(url)).status_code == 200
    assert (await tenant.client.patch(url, json={"name": "Reception"})).status_code == 200
    found = await search_knowledge(
        tenant.database, organization_id=tenant.organization_id, knowledge_base_ids=[gone], query="hours"
    )
    assert found == []
    call = await tenant.place_call(agent)
    assert (await tenant.answer_call(call)).call.id == call.id


async def test_bytes_that_a_crash_left_without_a_source_are_deleted_when_they_are_old(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    base_id = (await create(tenant))["id"]
    waiting = await add(tenant, base_id, "text", text="We open at nine.")

    async def crash(*_arguments: object) -> None:
        raise KeyboardInterrupt

    documents = DocumentStore.open(tenant.settings)
    with monkeypatch.context() as broken:
        broken.setattr(ingestion, "defer_ingestion", crash)
        # A killed program does not tidy up either.
        broken.setattr(DocumentStore, "delete", lambda *_: crash())
        with pytest.raises(KeyboardInterrupt):
            await add(tenant, base_id, "text", text="Never stored.")
    files = tenant.settings.data_dir / "knowledge"
    assert len([path for path in files.rglob("src_*") if path.is_file()]) == 2
    await orphans.Orphans(tenant.database, documents).tidy(TIDY)
    assert len(await documents.list_stored(before=values.now_ms() + 60_000)) == 2
    await orphans.Orphans(tenant.database, documents, min_age_ms=-60_000).tidy(TIDY)
    [left] = await documents.list_stored(before=values.now_ms() + 60_000)
    assert left.source_id == waiting["id"]
