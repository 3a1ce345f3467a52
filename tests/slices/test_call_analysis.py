"""Analysis of calls: what is stored and told of it, once, and who learns it."""

import asyncio
import json
from typing import Any

import pytest
import sqlalchemy as sa

from ringdown import values
from ringdown.batch_calls.tables import batch_contacts
from ringdown.calls import analysing, service
from ringdown.calls.models import Call, CallSettings
from ringdown.contacts import store as contact_store
from ringdown.contacts.models import Contact
from ringdown.jobs import store as job_store
from ringdown.lifecycle import CannotStart
from ringdown.worker import analysis as worker_analysis
from tests.slices.conftest import BASE, Tenant, on_sqlite
from tests.slices.judging import (
    GOOD,
    SAID,
    JudgingServer,
    add_agent,
    analyse,
    claim,
    judged,
    list_events,
    make_turns,
    run,
    server,
    show,
    talk,
)

__all__ = ("judged", "server")


async def test_a_call_is_analysed_by_its_agents_model_and_that_is_told_last(
    judged: Tenant, server: JudgingServer
) -> None:
    call = await talk(judged)
    before = await show(judged, call)
    assert (before["summary"], before["outcome"], before["analysis"]) == (None, "contacted", None)
    assert [one["event"] for one in await list_events(judged, call)][-1] == "call.billed"
    patched = await judged.client.patch(f"{BASE}/calls/{call.id}", json={"metadata": {"order": "A-18"}})
    assert patched.status_code == 200

    shown = await analyse(judged, call)
    assert (shown["summary"], shown["outcome"], shown["sentiment"]) == (GOOD["summary"], "interested", "positive")
    assert shown["analysis"]["analyzed_at"].endswith("Z")
    assert shown["analysis"] == {
        "analyzed_at": shown["analysis"]["analyzed_at"],
        "structured_data": {"day": "Friday"},
        "answers": None,
        "extraction_error": None,
        "is_success": True,
        "success_reason": "They named a day.",
        "source": "model",
        "model": "fast-model",
        "error": None,
    }
    assert shown["metadata"] == {"order": "A-18"}
    found = await list_events(judged, call)
    assert [one["event"] for one in found][-2:] == ["call.billed", "call.analyzed"]
    told = found[-1]["data"]
    assert (told["summary"], told["outcome"], told["sentiment"]) == (GOOD["summary"], "interested", "positive")
    assert told["call"]["shortSummary"] == GOOD["summary"]
    assert told["analysis"] == shown["analysis"]
    searched = await judged.client.get(f"{BASE}/calls", params={"q": '"want it on friday"'})
    assert [one["id"] for one in searched.json()["data"]] == [call.id]
    [request] = server.requests
    assert (request.fields["model"], request.fields["temperature"]) == ("fast-model", 0)
    assert request.fields["messages"][-1]["content"].splitlines() == [
        "Agent: When shall we deliver?",
        "Contact: On Friday please.",
        "Agent: Friday it is.",
    ]


async def test_an_analysis_that_runs_again_changes_and_tells_nothing(judged: Tenant, server: JudgingServer) -> None:
    call = await talk(judged)
    first = await analyse(judged, call)
    server.script = [("tool", json.dumps(GOOD | {"summary": "Something else."}))] * 2
    assert await analyse(judged, call) == first  # the worker died before it could forget the job
    assert len(server.requests) == 1
    [job] = await claim(judged)
    await asyncio.gather(run(judged, job), run(judged, job))
    assert [one["event"] for one in await list_events(judged, call)].count("call.analyzed") == 1


async def test_two_workers_at_once_tell_one_analysis(judged: Tenant) -> None:
    call = await talk(judged)
    [job] = await claim(judged)
    await asyncio.gather(*(run(judged, job) for _ in range(3)))
    assert [one["event"] for one in await list_events(judged, call)].count("call.analyzed") == 1


async def test_a_crash_before_the_commit_leaves_the_call_to_be_analysed(
    judged: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = await talk(judged)
    before = await judged.get_call(call.id)

    async def crash(*_: object, **__: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(analysing.announcement, "announce_analysis", crash)
        with pytest.raises(RuntimeError):
            await analyse(judged, call)
    assert await judged.get_call(call.id) == before
    assert (await analyse(judged, call))["summary"] == GOOD["summary"]


async def test_a_worker_whose_clock_is_behind_tells_the_analysis_last(
    judged: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = await talk(judged)
    [job] = await claim(judged)
    behind = values.now_ms() - 3_600_000
    monkeypatch.setattr(values, "now_ms", lambda: behind)
    await run(judged, job)
    monkeypatch.undo()
    assert [one["event"] for one in await list_events(judged, call)][-2:] == ["call.billed", "call.analyzed"]


# --- people ----------------------------------------------------------------------------------------------------------


async def _add_contact(tenant: Tenant) -> Contact:
    now = values.now_ms()
    contact = Contact(
        organization_id=tenant.organization_id,
        id=values.new_id("cnt"),
        folder_id=values.new_id("folder"),
        phone_number="+12125551234",
        created_at=now,
        updated_at=now,
    )
    async with tenant.database.write() as connection:
        await contact_store.insert_contacts(connection, [contact])
    return contact


async def _end_call_of(tenant: Tenant, contact: Contact, *, seq: int, **fields: Any) -> Call:
    agent = await tenant.add_agent(model="default")
    call = await tenant.add_call(
        seq=seq,
        status="in_progress",
        agent_id=agent.id,
        started_at=1_000 * seq,
        contact_id=contact.id,
        to_number=contact.phone_number,
        **fields,
    )
    assert await tenant.finish_call(call, turns=make_turns())
    return call


async def test_the_contact_learns_what_the_analysis_has_found_and_is_counted_once(judged: Tenant) -> None:
    contact = await _add_contact(judged)
    await _end_call_of(judged, contact, seq=1)
    [job] = await claim(judged)
    await run(judged, job)
    async with judged.database.read() as connection:
        known = await contact_store.get_contact(connection, judged.organization_id, contact.id)
    assert (known.last_call_outcome, known.call_count, known.last_called_at) == ("interested", 1, 1_000)


async def test_an_analysis_that_comes_after_a_later_call_leaves_the_contact_alone(
    judged: Tenant, server: JudgingServer
) -> None:
    contact = await _add_contact(judged)
    first = await _end_call_of(judged, contact, seq=1)
    await _end_call_of(judged, contact, seq=2)
    for job in await claim(judged):
        is_first = job.payload["call_id"] == first.id
        server.script = [("tool", json.dumps(GOOD | {"outcome": "failed" if is_first else "interested"}))]
        await run(judged, job)
    async with judged.database.read() as connection:
        known = await contact_store.get_contact(connection, judged.organization_id, contact.id)
    assert (known.last_call_outcome, known.call_count) == ("interested", 2)


@pytest.mark.parametrize("is_last", [True, False])
async def test_the_contact_of_a_batch_learns_it_unless_it_was_called_again(judged: Tenant, is_last: bool) -> None:
    contact, batch_id = await _add_contact(judged), values.new_id("batch")
    call = await _end_call_of(judged, contact, seq=1, batch_call_id=batch_id)
    async with judged.database.write() as connection:
        await connection.execute(
            batch_contacts.insert().values(
                organization_id=judged.organization_id,
                batch_call_id=batch_id,
                position=0,
                contact_id=contact.id,
                phone_number=contact.phone_number,
                custom_fields={},
                status="completed",
                attempts=1,
                call_id=call.id if is_last else "call_later",
                outcome="contacted",
                updated_at=1,
            )
        )
    [job] = await claim(judged)
    await run(judged, job)
    async with judged.database.read() as connection:
        outcome = (await connection.execute(sa.select(batch_contacts.c.outcome))).scalar_one()
    assert outcome == ("interested" if is_last else "contacted")


# --- without a model -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agent", "changes", "finish"),
    [
        ({"model": "builtin"}, {}, {}),
        ({}, {"analysis_enabled": False}, {}),
        ({}, {}, {"turns": make_turns(SAID[:1])}),
        ({}, {}, {"ended_reason": "voicemail"}),
    ],
)
@on_sqlite
async def test_where_a_model_is_not_asked_the_call_is_analysed_when_it_ends(
    judged: Tenant, server: JudgingServer, agent: dict[str, Any], changes: dict[str, Any], finish: dict[str, Any]
) -> None:
    judged.settings = judged.settings.model_copy(update=changes)
    given = {"slots": {"day": "Monday"}, "outcome": "not_interested", "summary": "On Monday."}
    call = await talk(judged, await add_agent(judged, **agent), **(given | finish))
    assert await claim(judged) == []
    shown = await show(judged, call)
    assert (shown["summary"], shown["outcome"], shown["sentiment"]) == ("On Monday.", "not_interested", None)
    assert (shown["analysis"]["structured_data"], shown["analysis"]["source"]) == ({"day": "Monday"}, "flow")
    assert [one["event"] for one in await list_events(judged, call)][-2:] == ["call.billed", "call.analyzed"]
    assert server.requests == []


@on_sqlite
async def test_the_model_of_the_settings_analyses_every_call(judged: Tenant, server: JudgingServer) -> None:
    judged.settings = judged.settings.model_copy(update={"analysis_model": "fast-model"})
    call = await talk(judged, await add_agent(judged, model="builtin"), outcome="escalated", slots={"day": "Monday"})
    shown = await analyse(judged, call)
    assert (shown["outcome"], shown["summary"]) == ("escalated", GOOD["summary"])  # the flow has told the one
    assert shown["analysis"]["structured_data"] == {"day": "Friday"}
    assert shown["analysis"]["answers"] == {"day": "Monday"}


@on_sqlite
async def test_a_model_of_the_settings_that_nobody_knows_keeps_the_worker_from_starting(judged: Tenant) -> None:
    judged.settings = judged.settings.model_copy(update={"analysis_model": "slow-model"})
    with pytest.raises(CannotStart, match=r"RINGDOWN_ANALYSIS_MODEL.*there are: fast-model\."):
        async with worker_analysis.open_handlers(judged.settings, judged.database, asyncio.Event()):
            pass


@on_sqlite
async def test_the_summary_of_words_that_are_not_kept_is_the_gateways(judged: Tenant, server: JudgingServer) -> None:
    call = await judged.place_call(await add_agent(judged), settings=CallSettings(transcription_enabled=False))
    await judged.answer_call(call)
    assert await judged.finish_call(call, turns=make_turns())
    async with judged.database.read() as connection:
        due_at = (await connection.execute(sa.select(job_store.jobs.c.due_at))).scalar_one()
    assert due_at > values.now_ms()
    where = {"organization_id": judged.organization_id, "call_id": call.id}
    assert await service.add_summary(judged.database, **where, summary="By the gateway.")
    shown = await analyse(judged, call)
    assert (shown["summary"], shown["analysis"]["source"], server.requests) == ("By the gateway.", "flow", [])


@on_sqlite
async def test_a_call_or_an_agent_that_was_deleted_meanwhile_is_no_fault(judged: Tenant) -> None:
    call = await talk(judged)
    [job] = await claim(judged)
    assert (await judged.client.delete(f"{BASE}/calls/{call.id}")).status_code == 200
    await run(judged, job)
    assert "call.analyzed" not in [one["event"] for one in await list_events(judged, call)]
