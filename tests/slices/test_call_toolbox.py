"""The tools of a live call and its record against a hostile model: what it may not use, what no database keeps."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sqlalchemy as sa

from ringdown import values
from ringdown.calls.callback import JOB_KIND
from ringdown.calls.models import Call, ClaimedCall, TranscriptTurn
from ringdown.calls.recording import RecordingStore
from ringdown.calls.spool import Spool
from ringdown.gateway.endings import HUNG_UP_BY_US
from ringdown.gateway.record import CallRecord
from ringdown.gateway.services import Services
from ringdown.gateway.toolbox import CallToolBox
from ringdown.jobs import store as job_store
from ringdown.voice.events import ConversationReport, Noted, Turn, TurnFinished
from ringdown.voice.ports import ToolRequest
from tests.slices.conftest import BASE, Tenant

# NUL, a pair that was cut in two, and half of one.
ODD = "so\0me \ud83d\ude00 words\udfff"
CLEAN = "some  words"


class _Unavailable:
    def write(self) -> Any:
        raise sa.exc.OperationalError("INSERT", {}, Exception("database is locked"))

    read = read_alone = write


async def _talk(tenant: Tenant, **fields: Any) -> ClaimedCall:
    agent = await tenant.add_agent(outbound_number=f"+1202555{len(fields):04}", **fields)
    return await tenant.answer_call(await tenant.place_call(agent))


def _open_tools(tenant: Tenant, claimed: ClaimedCall, notes: list[Any], *, database: Any = None) -> CallToolBox:
    parts = SimpleNamespace(database=database or tenant.database, settings=tenant.settings, embedder=None, tools=None)

    def note(kind: str, details: Mapping[str, object]) -> None:
        notes.append((kind, details))

    return CallToolBox(cast("Services", parts), claimed, trunk=None, note=note)


def _promise(minutes: int = 5) -> ToolRequest:
    at = values.to_wire_time(values.now_ms() + minutes * 60_000)
    return ToolRequest("1", "schedule_callback", json.dumps({"at": at}))


async def _count_callbacks(tenant: Tenant) -> int:
    query = sa.select(sa.func.count()).where(job_store.jobs.c.kind == JOB_KIND)
    async with tenant.database.read() as connection:
        return (await connection.execute(query)).scalar_one()


async def test_a_built_in_tool_that_the_agent_does_not_have_is_not_used(tenant: Tenant) -> None:
    notes: list[Any] = []
    toolbox = _open_tools(tenant, await _talk(tenant), notes)
    result = await toolbox.call(_promise())
    assert (result.is_error, result.content) == (True, "There is no tool schedule_callback.")
    assert await _count_callbacks(tenant) == 0
    assert [kind for kind, _ in notes] == ["tool.started", "tool.finished"]
    toolbox = _open_tools(tenant, await _talk(tenant, tools=("schedule_callback",)), notes)
    assert not (await toolbox.call(_promise())).is_error
    assert await _count_callbacks(tenant) == 1


@pytest.mark.parametrize(
    "request_",
    [
        ToolRequest("1", "x" * 1_000_000, "{}"),
        ToolRequest("1", "search_knowledge", "[" * 100_000),
        ToolRequest("1", "schedule_callback", '{"at": "0001-01-01T00:00:00+23:59"}'),
        ToolRequest("1", "leave_voicemail", "{}"),
    ],
)
async def test_a_request_that_makes_no_sense_is_a_short_error(tenant: Tenant, request_: ToolRequest) -> None:
    notes: list[Any] = []
    claimed = await _talk(tenant, tools=("schedule_callback",), knowledge_bases=("kb_1",))
    result = await _open_tools(tenant, claimed, notes).call(request_)
    assert result.is_error
    assert len(json.dumps([result.content, notes])) < 6_000


async def test_a_tool_without_a_database_is_an_error_of_the_tool_alone(tenant: Tenant) -> None:
    claimed = await _talk(tenant, tools=("schedule_callback",))
    result = await _open_tools(tenant, claimed, [], database=_Unavailable()).call(_promise())
    assert (result.is_error, result.content) == (True, "That is not possible at the moment.")


def _hears(*said: tuple[str, str]) -> list[TranscriptTurn]:
    return [
        TranscriptTurn(position=position, speaker=cast("Any", speaker), text=text, start_ms=0, end_ms=1)
        for position, (speaker, text) in enumerate(said)
    ]


async def test_who_asks_for_it_is_on_the_list_during_the_call_and_is_called_by_nobody(tenant: Tenant) -> None:
    notes: list[Any] = []
    agent = await tenant.add_agent(outbound_number="+12025550100")
    claimed = await tenant.answer_call(await tenant.place_call(agent))
    waiting = await tenant.place_call(agent)
    toolbox = _open_tools(tenant, claimed, notes)
    asked = ToolRequest("1", "opt_out", json.dumps({"reason": "too many calls"}))
    for _ in range(2):
        assert (await toolbox.call(asked)).content == '{"opted_out": true}'
    entry = (await tenant.client.get(f"{BASE}/contacts/dnc/+12025550142")).json()["data"]
    assert (entry["source"], entry["call_id"], entry["reason"]) == ("call", claimed.call.id, "too many calls")
    assert [details for kind, details in notes if kind == "contact.opted_out"] == [{"is_new": True}, {"is_new": False}]
    assert (await tenant.place_call(agent)).ended_reason == "dnc_blocked"
    assert await tenant.finish_call(waiting)


async def test_who_asks_with_the_last_words_and_hangs_up_is_on_the_list_too(tenant: Tenant) -> None:
    notes: list[Any] = []
    toolbox = _open_tools(tenant, await _talk(tenant), notes)
    await toolbox.honour(_hears(("contact", "Stop calling me!"), ("agent", "Shall I?"), ("contact", "No.")))
    await toolbox.honour([])
    assert (await tenant.client.get(f"{BASE}/contacts/dnc/+12025550142")).status_code == 404
    for _ in range(2):
        await toolbox.honour(_hears(("contact", "Hello?"), ("contact", "Stop calling me!"), ("agent", "I am sorry.")))
    assert (await tenant.client.get(f"{BASE}/contacts/dnc/+12025550142")).json()["data"]["source"] == "call"
    assert [kind for kind, _ in notes] == ["contact.opted_out"]


async def test_what_no_database_keeps_ends_no_call(tenant: Tenant, tmp_path: Path) -> None:
    claimed = await _talk(tenant, recording_enabled=False)
    call: Call = claimed.call
    record = CallRecord(
        claimed,
        database=tenant.database,
        settings=tenant.settings,
        spool=Spool(tmp_path, RecordingStore.open(tenant.settings)),
    )
    record.begin()
    record.hear(TurnFinished(Turn("agent", ODD, 0, 100)))
    record.hear(Noted("tool.finished", 50, {"result": ODD, "passages": [{ODD: ODD}]}))
    report = ConversationReport(slots={"name": ODD}, summary=ODD)
    await record.finish(HUNG_UP_BY_US, media_ms=1000, summary=None, report=report)
    await record.add_summary(ODD)
    shown = (await tenant.client.get(f"{BASE}/calls/{call.id}")).json()["data"]
    assert (shown["status"], shown["summary"]) == ("completed", CLEAN)
    assert [turn["text"] for turn in shown["transcript"]] == [CLEAN]
    events = (await tenant.client.get(f"{BASE}/calls/{call.id}/events")).json()["data"]
    assert events[0]["data"] == {"result": CLEAN, "passages": [{CLEAN: CLEAN}]}
