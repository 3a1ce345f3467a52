"""One person's data: all of it in one file; none of it after an erasure, whatever breaks in between; nobody else's."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from ringdown import values
from ringdown.accounts import store as account_store
from ringdown.batch_calls import person_store
from ringdown.billing import store as ledger_store
from ringdown.calls import callback, counting, sealing, service
from ringdown.calls.counting import Scheme
from ringdown.calls.models import Call, FinishedCall, TranscriptTurn
from ringdown.calls.recording import RecordingStore
from ringdown.calls.spool import Spool
from ringdown.calls.store import person
from ringdown.contacts import person_store as contact_person_store
from ringdown.errors import NotFound
from ringdown.jobs import store as job_store
from ringdown.privacy import erasing, store
from ringdown.privacy.models import Erasure
from tests.slices.conftest import BASE, Tenant
from tests.slices.personal import SECRET, find_rows, show, talk

PRIVACY = f"{BASE}/privacy"
NUMBER = "+12025550142"
OTHER = "+12025550143"
NATIONAL = "(202) 555-0142"


@pytest.fixture
def spool(tmp_path: Path, recordings: RecordingStore) -> Spool:
    return Spool(tmp_path / "spool", recordings)


async def ring(tenant: Tenant, *, number: str = NUMBER) -> Call:
    """A call from the person, which has ended."""
    agent = await tenant.add_agent()
    claimed = await service.accept_inbound_call(
        tenant.database, settings=tenant.settings, gateway_id="gateway-1", organization_id=tenant.organization_id,
        agent=agent, from_number=number, to_number="+18005559876", trunk=None, dialog_state={"from": number},
    )  # fmt: skip
    await service.mark_answered(
        tenant.database,
        organization_id=tenant.organization_id,
        call_id=claimed.call.id,
        started_at=values.now_ms(),
    )
    turn = TranscriptTurn(position=0, speaker="contact", text=f"More {SECRET}!", start_ms=0, end_ms=900)
    finish = FinishedCall(ended_reason="user_hangup", media_ms=5000, turns=(turn,))
    await service.finish_call(
        tenant.database,
        settings=tenant.settings,
        organization_id=tenant.organization_id,
        call_id=claimed.call.id,
        finish=finish,
    )
    return await tenant.get_call(claimed.call.id)


async def post(tenant: Tenant, path: str, **body: Any) -> dict[str, Any]:
    response = await tenant.client.post(f"{BASE}{path}", json=body)
    assert response.status_code == 201, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


async def leave_traces(tenant: Tenant, folder: Path, *, number: str = NUMBER) -> list[Call]:
    """Everything that a person can leave behind: contacts, a place in a batch call, calls, a callback, a DNC entry."""
    names = {"first_name": SECRET, "custom_fields": {"likes": SECRET}}
    for name in ("Leads", "Friends"):
        folder_id = (await post(tenant, "/contacts/folders", name=name))["id"]
        await post(tenant, "/contacts", phone_number=number, folder_id=folder_id, **names)
    calls = [await talk(tenant, folder, number=number), await ring(tenant, number=number)]
    at_ms = values.now_ms() + 3_600_000
    await callback.schedule_callback(tenant.database, call=calls[0], at_ms=at_ms, reason=SECRET)
    await post(
        tenant, "/batch-calls", name="Autumn", agent_id=calls[0].agent_id, schedule_type="scheduled",
        scheduled_at="2099-01-01T00:00:00Z",
        contacts=[{"phone_number": number, **names}, {"phone_number": "+12125550199", "first_name": "Ben"}],
    )  # fmt: skip
    await post(tenant, "/contacts/dnc", phone_number=number, reason=f"likes {SECRET} too much")
    return calls


async def request(tenant: Tenant, number: str = NUMBER) -> Erasure:
    return await erasing.request_erasure(tenant.database, organization_id=tenant.organization_id, number=number)


async def run(tenant: Tenant, spool: Spool, erasure: Erasure) -> bool:
    return await erasing.run_erasure(
        tenant.database, spool=spool, organization_id=tenant.organization_id, erasure_id=erasure.id
    )


async def export(tenant: Tenant, **query: str) -> list[dict[str, Any]]:
    response = await tenant.client.get(f"{PRIVACY}/export", params={"phone_number": NUMBER, **query})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in response.text.splitlines()]


# --- export ----------------------------------------------------------------------------------------------------------


async def test_the_export_holds_everything_of_one_person_and_of_nobody_else(
    tenant: Tenant, stranger: Tenant, tmp_path: Path
) -> None:
    outbound, inbound = await leave_traces(tenant, tmp_path)
    await talk(tenant, tmp_path, number=OTHER)
    await talk(stranger, tmp_path)
    lines = await export(tenant)
    kinds = [line["type"] for line in lines]
    assert kinds[:5] == ["person", "contact", "contact", "dnc_entry", "batch_contact"]
    assert lines[0]["data"]["phone_number"] == NUMBER
    assert lines[4]["data"]["batch_name"] == "Autumn"
    calls = [line["data"] for line in lines if line["type"] == "call"]
    assert [call["id"] for call in calls] == [outbound.id, inbound.id]
    shown = await show(tenant, outbound)
    assert {name: calls[0][name] for name in shown if name != "recording_url"} == {
        name: value for name, value in shown.items() if name != "recording_url"
    }
    assert calls[0]["recording_url"] is not None
    assert calls[0]["dialled_at"] is not None
    assert [event["type"] for event in calls[0]["events"]] == ["tool.started"]
    told = [line["data"] for line in lines if line["type"] == "webhook_event"]
    assert [event["event"] for event in told[:2]] == ["call.started", "call.joined"]
    assert {event["data"]["call_id"] for event in told} == {outbound.id, inbound.id}


async def test_many_calls_are_exported_in_pages(
    tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringdown.privacy.exporting._CALLS", 2)
    made = [(await tenant.add_call(seq=seq, to_number=NUMBER)).id for seq in range(1, 6)]
    assert [line["data"]["id"] for line in await export(tenant) if line["type"] == "call"] == made


@pytest.mark.parametrize(
    "query",
    [
        {"phone_number": NATIONAL},
        {"phone_number": " 12025550142"},  # a plus that was not encoded
        {"phone_number": "030 901820", "country": "de"},
    ],
)
async def test_a_number_may_be_written_as_it_is_dialled(tenant: Tenant, query: dict[str, str]) -> None:
    [person_line] = await export(tenant, **query)
    assert person_line["data"]["phone_number"] in (NUMBER, "+4930901820")


async def test_a_national_number_is_read_in_the_organizations_own_country(tenant: Tenant) -> None:
    await tenant.client.patch(f"{BASE}/organization", json={"default_region": "DE"})
    [person_line] = await export(tenant, phone_number="030 901820")
    assert person_line["data"]["phone_number"] == "+4930901820"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/export?phone_number=%2B12025550142", None),
        ("POST", "/erasures", {"phone_number": NUMBER}),
        ("GET", "/erasures", None),
        ("GET", "/erasures/era_1", None),
    ],
)
async def test_nobody_is_told_anything_without_a_key(
    anonymous: httpx.AsyncClient, method: str, path: str, body: Any
) -> None:
    assert (await anonymous.request(method, f"{PRIVACY}{path}", json=body)).status_code == 401


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/export", "phone_number"),
        ("/export?phone_number=12", "phone_number"),
        ("/export?phone_number=%2B12025550142&country=XX", "country"),
        ("/export?phone_number=%2B12025550142&limit=5", "limit"),
        ("/erasures?limit=0", "limit"),
    ],
)
async def test_a_bad_question_is_refused(tenant: Tenant, path: str, field: str) -> None:
    response = await tenant.client.get(f"{PRIVACY}{path}")
    assert (response.status_code, response.json()["error"]["details"]["field"]) == (422, field)


# --- erasure ---------------------------------------------------------------------------------------------------------


async def test_an_erasure_leaves_nothing_but_the_number_on_the_do_not_call_list(
    tenant: Tenant, spool: Spool, recordings: RecordingStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "SCHEME", Scheme(block_size=2, fan_out=3))
    calls = await leave_traces(tenant, tmp_path)
    await sealing.seal_due(tenant.database)
    async with tenant.database.read() as connection:
        ledger = await ledger_store.list_entries(connection, tenant.organization_id, limit=100, offset=0)
    before = [await show(tenant, call) for call in calls]
    made = await post(tenant, "/privacy/erasures", phone_number=NATIONAL)
    assert (made["status"], made["phone_number"], made["deleted_calls"]) == ("running", NUMBER, 0)
    erasure = Erasure(organization_id=tenant.organization_id, id=made["id"], phone_number=NUMBER, created_at=0)
    for _ in range(2):
        assert await run(tenant, spool, erasure)
    done = (await tenant.client.get(f"{PRIVACY}/erasures/{made['id']}")).json()["data"]
    counted = {"deleted_contacts": 2, "deleted_batch_contacts": 1, "deleted_calls": 2, "deleted_recordings": 1}
    assert {name: done[name] for name in counted} == counted
    assert (done["status"], done["phone_number"], done["completed_at"] is not None) == ("completed", None, True)
    assert (await tenant.client.get(f"{PRIVACY}/erasures")).json()["data"] == [done]
    assert await find_rows(tenant.database, SECRET) == set()
    assert await find_rows(tenant.database, NUMBER) == {"dnc_entries"}
    assert [line["type"] for line in await export(tenant)] == ["person", "dnc_entry"]
    for call, shown in zip(calls, before, strict=True):
        after = await show(tenant, call)
        kept = ("id", "status", "direction", "duration_seconds", "cost_credits", "started_at", "ended_at", "outcome")
        assert {name: after[name] for name in kept} == {name: shown[name] for name in kept}
        gone = ("recording_url", "summary", "analysis", "phone_number")
        assert [after[name] for name in gone] == [None] * len(gone)
        assert (after["transcript"], after["variables"], after["metadata"]) == ([], {}, {})
        assert not await recordings_hold(recordings, call)
    async with tenant.database.read() as connection:
        assert await ledger_store.list_entries(connection, tenant.organization_id, limit=100, offset=0) == ledger
    assert (await sealing.verify(tenant.database, tenant.organization_id)).differences == 0
    [refused] = [await tenant.place_call(await tenant.add_agent(outbound_number="+18005550100"))]
    assert refused.ended_reason == "dnc_blocked"


async def recordings_hold(recordings: RecordingStore, call: Call) -> bool:
    try:
        await recordings.get_file(call.organization_id, call.id)
    except NotFound:
        return False
    return True


async def test_nobody_in_a_batch_call_dials_who_was_erased_and_the_others_stay(
    tenant: Tenant, spool: Spool, tmp_path: Path
) -> None:
    await leave_traces(tenant, tmp_path)
    assert await run(tenant, spool, await request(tenant))
    [batch] = (await tenant.client.get(f"{BASE}/batch-calls")).json()["data"]
    assert (batch["total_contacts"], batch["failed"]) == (2, 1)
    contacts = (await tenant.client.get(f"{BASE}/batch-calls/{batch['id']}/contacts")).json()["data"]
    assert [contact["phone_number"] for contact in contacts] == ["erased-0", "+12125550199"]
    assert (contacts[0]["status"], contacts[0]["reason"], contacts[0]["first_name"]) == ("failed", "erased", None)
    assert contacts[1]["status"] != "failed"
    folders = (await tenant.client.get(f"{BASE}/contacts/folders")).json()["data"]
    assert {folder["contact_count"] for folder in folders} == {0}


async def test_other_people_and_other_organizations_are_untouched(
    tenant: Tenant, stranger: Tenant, spool: Spool, recordings: RecordingStore, tmp_path: Path
) -> None:
    await leave_traces(tenant, tmp_path)
    neighbour = await talk(tenant, tmp_path, number=OTHER)
    namesakes = await leave_traces(stranger, tmp_path)
    before = [await show(tenant, neighbour), *[await show(stranger, call) for call in namesakes]]
    assert await run(tenant, spool, erasure := await request(tenant))
    after = [await show(tenant, neighbour), *[await show(stranger, call) for call in namesakes]]
    for shown in (*before, *after):
        shown.pop("recording_url")
    assert before == after
    assert await recordings_hold(recordings, neighbour)
    assert [line["type"] for line in await export(stranger)].count("contact") == 2
    assert (await stranger.client.get(f"{PRIVACY}/erasures/{erasure.id}")).status_code == 404
    assert (await stranger.client.get(f"{PRIVACY}/erasures")).json()["data"] == []


@pytest.mark.parametrize(
    ("module", "step"),
    [
        (contact_person_store, "delete_contacts"),
        (person_store, "forget_contact"),
        (person, "forget_person"),
        (account_store, "lock_organization"),
        (contact_person_store, "forget_reason"),
        (store, "complete"),
        (store, "add_counts"),
    ],
)
async def test_an_erasure_that_breaks_off_anywhere_is_finished_by_the_next_run(
    tenant: Tenant, spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, step: str
) -> None:
    await leave_traces(tenant, tmp_path)
    erasure = await request(tenant)

    async def crash(*_args: Any, **_fields: Any) -> None:
        raise ConnectionError

    with monkeypatch.context() as broken:
        broken.setattr(module, step, crash)
        with pytest.raises(ConnectionError):
            await run(tenant, spool, erasure)
    assert await run(tenant, spool, erasure)
    assert await find_rows(tenant.database, SECRET) == set()
    done = (await tenant.client.get(f"{PRIVACY}/erasures/{erasure.id}")).json()["data"]
    assert (done["deleted_contacts"], done["deleted_batch_contacts"], done["deleted_calls"]) == (2, 1, 2)


async def test_who_is_in_a_call_is_erased_after_it(tenant: Tenant, spool: Spool, tmp_path: Path) -> None:
    agent = await tenant.add_agent(outbound_number="+18005550100")
    live = await tenant.place_call(agent, variables={"name": SECRET})
    response = await tenant.client.post(f"{PRIVACY}/erasures", json={"phone_number": NUMBER})
    assert (response.status_code, response.json()["error"]["details"]["field"]) == (422, "phone_number")
    erasure = Erasure(
        organization_id=tenant.organization_id, id=values.new_id("era"), phone_number=NUMBER, created_at=0
    )
    async with tenant.database.write() as connection:  # the call was placed just behind the request
        await store.insert_erasure(connection, erasure)
    old = await talk(tenant, tmp_path)
    assert not await run(tenant, spool, erasure)
    assert (await show(tenant, old))["phone_number"] is None
    assert (await show(tenant, live))["phone_number"] == NUMBER
    async with tenant.database.read() as connection:
        waiting = (await connection.execute(job_store.jobs.select())).all()
    assert [(job.kind, job.due_at > values.now_ms()) for job in waiting if job.kind == erasing.JOB_KIND] == [
        (erasing.JOB_KIND, True)
    ]
    await tenant.finish_call(live)
    assert await run(tenant, spool, erasure)
    assert await find_rows(tenant.database, SECRET) == set()


@pytest.mark.parametrize("body", [{}, {"phone_number": "12"}, {"phone_number": NUMBER, "country": "XX"}, {"x": 1}])
async def test_an_erasure_of_nobody_is_refused(tenant: Tenant, body: dict[str, str]) -> None:
    assert (await tenant.client.post(f"{PRIVACY}/erasures", json=body)).status_code == 422


async def test_a_number_of_ones_own_is_nobodys_to_erase(tenant: Tenant, stranger: Tenant) -> None:
    await tenant.add_number("+18005550100")
    body = {"phone_number": "+18005550100"}
    assert (await tenant.client.post(f"{PRIVACY}/erasures", json=body)).status_code == 422
    assert (await stranger.client.post(f"{PRIVACY}/erasures", json=body)).status_code == 201


async def test_the_same_request_erases_once(tenant: Tenant) -> None:
    headers = {"X-Idempotency-Key": "once"}
    made = [
        (await tenant.client.post(f"{PRIVACY}/erasures", json={"phone_number": NUMBER}, headers=headers)).json()["data"]
        for _ in range(2)
    ]
    assert made[0] == made[1]
    assert (await tenant.client.get(f"{PRIVACY}/erasures")).json()["pagination"]["total"] == 1
