"""How long recordings and transcripts are kept: nothing is deleted too early, everything in time, whatever breaks."""

from pathlib import Path
from typing import Any

import pytest

from ringdown import values
from ringdown.calls import counting, retention, sealing
from ringdown.calls.counting import Scheme
from ringdown.calls.recording import RecordingStore
from ringdown.calls.spool import Spool
from ringdown.calls.store import calls as call_store
from ringdown.calls.store import forgetting
from ringdown.errors import NotFound
from tests.slices.conftest import BASE, Tenant
from tests.slices.personal import SECRET, find_rows, show, talk

ORGANIZATION = f"{BASE}/organization"


@pytest.fixture
def spool(tmp_path: Path, recordings: RecordingStore) -> Spool:
    return Spool(tmp_path / "spool", recordings)


async def keep(tenant: Tenant, **days: int | None) -> None:
    response = await tenant.client.patch(ORGANIZATION, json=days)
    assert response.status_code == 200, response.text
    assert {name: response.json()["data"][name] for name in days} == days


async def run(tenant: Tenant, spool: Spool) -> int:
    return await retention.delete_expired(tenant.database, spool=spool, now_ms=values.now_ms())


async def test_everything_is_kept_for_ever_by_default(tenant: Tenant, spool: Spool, tmp_path: Path) -> None:
    shown = (await tenant.client.get(ORGANIZATION)).json()["data"]
    assert (shown["recording_retention_days"], shown["transcript_retention_days"]) == (None, None)
    before = await show(tenant, call := await talk(tenant, tmp_path, days_ago=9999))
    assert await run(tenant, spool) == 0
    after = await show(tenant, call)
    assert (after["transcript"], after["summary"]) == (before["transcript"], before["summary"])
    assert after["recording_url"] is not None


@pytest.mark.parametrize("days", [0, -1, 36_501, 1.5, "7", True])
@pytest.mark.parametrize("name", ["recording_retention_days", "transcript_retention_days"])
async def test_days_that_make_no_sense_are_refused(tenant: Tenant, name: str, days: Any) -> None:
    response = await tenant.client.patch(ORGANIZATION, json={name: days})
    assert (response.status_code, response.json()["error"]["details"]["field"]) == (422, name)


async def test_a_recording_goes_on_time_and_the_transcript_stays(
    tenant: Tenant, stranger: Tenant, spool: Spool, recordings: RecordingStore, tmp_path: Path
) -> None:
    old = await talk(tenant, tmp_path, days_ago=7.1)
    young = await talk(tenant, tmp_path, days_ago=6.9)
    theirs = await talk(stranger, tmp_path, days_ago=7.1)
    await keep(tenant, recording_retention_days=7)
    for passed in (1, 0):
        assert await run(tenant, spool) == passed
    shown = await show(tenant, old)
    assert (shown["recording_url"], shown["summary"]) == (None, f"Wants {SECRET}.")
    with pytest.raises(NotFound):
        await recordings.get_file(tenant.organization_id, old.id)
    for owner, kept in ((tenant, young), (stranger, theirs)):
        assert (await show(owner, kept))["recording_url"] is not None
        assert (await recordings.get_file(owner.organization_id, kept.id)).size == 5


async def test_words_go_on_time_from_everywhere_and_the_recording_stays(
    tenant: Tenant, spool: Spool, tmp_path: Path
) -> None:
    call = await talk(tenant, tmp_path, days_ago=30.5)
    assert {"turns", "call_events", "call_texts", "events", "webhook_attempts"} <= await find_rows(
        tenant.database, SECRET
    )
    before = await show(tenant, call)
    await keep(tenant, transcript_retention_days=30)
    for passed in (1, 0):
        assert await run(tenant, spool) == passed
    after = await show(tenant, call)
    gone: dict[str, Any] = {"transcript": [], "summary": None, "analysis": None}
    assert {name: after[name] for name in gone} == gone
    kept = [name for name in before if name not in (*gone, "updated_at", "recording_url")]
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert after["recording_url"] is not None
    found = (await tenant.client.get(f"{BASE}/calls", params={"q": SECRET})).json()
    assert (found["data"], found["pagination"]["total"]) == ([], 0)
    [event] = (await tenant.client.get(f"{BASE}/calls/{call.id}/events")).json()["data"]
    assert (event["type"], event["data"]) == ("tool.started", {})
    # What the client itself has sent with the call is no transcript.
    assert await find_rows(tenant.database, SECRET) == {"calls", "events"}
    told = (await tenant.client.get(f"{BASE}/events")).json()["data"]
    assert {each["data"]["summary"] for each in told} == {None}
    assert {each["data"]["call"]["summary"] for each in told} == {None}
    assert {each["data"]["metadata"]["order"] for each in told} == {SECRET}
    async with tenant.database.write() as connection:
        assert not await call_store.add_summary(connection, tenant.organization_id, call.id, summary="late", now_ms=1)


async def test_a_call_that_has_not_ended_keeps_its_words_and_those_behind_it_wait(
    tenant: Tenant, spool: Spool, tmp_path: Path
) -> None:
    calls = [await talk(tenant, tmp_path, days_ago=9 - place) for place in range(3)]
    async with tenant.database.write() as connection:
        live = await call_store.get_call(connection, tenant.organization_id, calls[1].id)
        await call_store.update_call(connection, live, status="in_progress")
    await keep(tenant, transcript_retention_days=1, recording_retention_days=1)
    assert await run(tenant, spool) == 2
    assert [(await show(tenant, call))["summary"] is None for call in calls] == [True, False, False]
    async with tenant.database.write() as connection:
        await call_store.update_call(connection, live, status="completed")
    assert await run(tenant, spool) == 4
    assert [(await show(tenant, call))["summary"] is None for call in calls] == [True, True, True]


async def test_a_crash_between_file_and_row_is_finished_by_the_next_run(
    tenant: Tenant, spool: Spool, recordings: RecordingStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = await talk(tenant, tmp_path, days_ago=3)
    await keep(tenant, recording_retention_days=1, transcript_retention_days=1)

    async def crash(*_args: Any, **_fields: Any) -> None:
        raise ConnectionError

    for step in ("forget_recordings", "set_progress", "forget_words"):
        with monkeypatch.context() as broken:
            broken.setattr(forgetting, step, crash)
            with pytest.raises(ConnectionError):
                await run(tenant, spool)
        assert (await show(tenant, call))["summary"] is not None
    with pytest.raises(NotFound):
        await recordings.get_file(tenant.organization_id, call.id)
    await run(tenant, spool)
    assert (await show(tenant, call))["recording_url"] is None
    assert (await show(tenant, call))["summary"] is None


async def test_a_run_that_is_out_of_time_is_gone_on_with(
    tenant: Tenant, spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = [await talk(tenant, tmp_path, days_ago=5) for _ in range(3)]
    monkeypatch.setattr(retention, "_STRETCH", {"recordings_seq": 1, "transcripts_seq": 1})
    await keep(tenant, transcript_retention_days=1)
    assert await retention.delete_expired(tenant.database, spool=spool, now_ms=values.now_ms(), run_seconds=0) == 0
    assert await run(tenant, spool) == 3
    assert [(await show(tenant, call))["transcript"] for call in calls] == [[], [], []]


async def test_a_recording_that_never_came_into_the_store_goes_too(
    tenant: Tenant, spool: Spool, tmp_path: Path
) -> None:
    old, young = await talk(tenant, tmp_path, days_ago=3), await talk(tenant, tmp_path)
    for call in (old, young):
        spool.path(call).write_bytes(b"rest")
    await keep(tenant, recording_retention_days=2)
    await run(tenant, spool)
    assert (spool.path(old).exists(), spool.path(young).exists()) == (False, True)


async def test_sealed_counters_stay_right(
    tenant: Tenant, spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "SCHEME", Scheme(block_size=2, fan_out=3))
    for _ in range(5):
        await talk(tenant, tmp_path, days_ago=5)
    assert await sealing.seal_due(tenant.database) == 2
    await keep(tenant, transcript_retention_days=1, recording_retention_days=1)
    await run(tenant, spool)
    assert (await sealing.verify(tenant.database, tenant.organization_id)).differences == 0
    listed = (await tenant.client.get(f"{BASE}/calls", params={"status": "completed"})).json()
    assert listed["pagination"]["total"] == 5
