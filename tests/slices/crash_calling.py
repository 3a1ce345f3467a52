"""What of batch calls, calls and credits a crash may cut off: the use cases of `test_crashes.py`."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import sqlalchemy as sa

from ringdown import values
from ringdown.agents.models import Agent
from ringdown.batch_calls import queueing, sweep
from ringdown.billing import service as billing
from ringdown.calls import credit, service
from ringdown.calls.credit import NeededTalk
from ringdown.calls.models import Call
from ringdown.calls.recording import RecordingStore
from ringdown.calls.spool import Spool
from ringdown.calls.tables import calls
from ringdown.contacts import dnc_store
from ringdown.contacts.models import DncEntry
from ringdown.jobs import loop
from ringdown.privacy import erasing
from ringdown.worker import analysis, batches, reaper
from tests.slices import judging
from tests.slices.conftest import BASE, Tenant
from tests.slices.crashing import MortalDatabase, UseCase
from tests.slices.dialling import OWN, claim, people, queue
from tests.slices.test_batch_contacts import make_folder
from tests.slices.webhook_sending import add_endpoint

BATCHES = f"{BASE}/batch-calls"
POOR = {"credits_enforced": True}
_FUTURE = "2040-01-02T09:00:00Z"


async def send(tenant: Tenant, method: str, path: str, **request: Any) -> httpx.Response:
    """A request whose caller repeats it with its key until it is answered."""
    headers = {"X-Idempotency-Key": f"key of {method} {path}"} if method == "POST" else {}
    response = await tenant.client.request(method, f"{BASE}{path}", headers=headers, **request)
    assert isinstance(tenant.database, MortalDatabase)
    is_done_before = tenant.database.life.is_last and response.status_code in (404, 409, 422)
    assert response.is_success or is_done_before, response.text
    return response


async def create(tenant: Tenant, path: str, **body: Any) -> dict[str, Any]:
    """What a request made, in a process that lives."""
    response = await tenant.client.post(f"{BASE}{path}", json=body)
    assert response.status_code == 201, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


async def run_jobs(tenant: Tenant) -> None:
    """What a worker does with all jobs that are due."""
    database, settings = tenant.database, tenant.settings
    spool = Spool(settings.data_dir / "spool", RecordingStore.open(settings))
    async with analysis.open_handlers(settings, database, asked=asyncio.Event()) as of_analysis:
        handlers = {**batches.list_handlers(database), **erasing.list_handlers(database, spool), **of_analysis}
        worker = loop._Loop(database, handlers)
        while claimed := await worker.claim():
            for job in claimed:
                await worker.run(job)


# --- what is there before --------------------------------------------------------------------------------------------


async def begin(tenant: Tenant) -> Agent:
    """An agent that can call, and an endpoint that is told of everything."""
    agent = await tenant.add_agent(outbound_number=OWN)
    await add_endpoint(tenant.database, tenant.settings, tenant.organization_id)
    return agent


async def make_batch(tenant: Tenant, count: int = 5, **fields: Any) -> dict[str, Any]:
    """An active batch call of so many people."""
    agent = await begin(tenant)
    body = {"name": "Recall", "agent_id": agent.id, "contacts": people(count), **fields}
    batch = await create(tenant, "/batch-calls", **body)
    await run_jobs(tenant)  # everybody has a place
    return batch


async def make_draft(tenant: Tenant) -> dict[str, Any]:
    return await make_batch(tenant, schedule_type="scheduled", scheduled_at=_FUTURE)


async def make_queued(tenant: Tenant, **fields: Any) -> dict[str, Any]:
    """A batch call whose calls wait for a gateway; one number is on the do-not-call list by now."""
    batch = await make_batch(tenant, **fields)
    await queue(tenant)
    async with tenant.database.write() as connection:
        entry = DncEntry(tenant.organization_id, people(1)[0]["phone_number"], None, values.now_ms())
        await dnc_store.insert_entries(connection, [entry])
    return batch


async def make_talking(tenant: Tenant, **fields: Any) -> list[Call]:
    """Calls of a batch call that a gateway has taken, and that were answered."""
    await make_batch(tenant, 2, **fields)
    await queue(tenant)
    taken = [each.call for each in await claim(tenant)]
    for call in taken:
        assert await service.mark_answered(
            tenant.database, organization_id=call.organization_id, call_id=call.id, started_at=values.now_ms()
        )
    return taken


async def make_failed(tenant: Tenant) -> dict[str, Any]:
    """A batch call all of whose calls were not answered."""
    batch = await make_batch(tenant, 3)
    await queue(tenant)
    for each in await claim(tenant):
        assert await tenant.finish_call(each.call, ended_reason="no_answer", started_at=None, media_ms=0)
    return batch


async def make_hanging(tenant: Tenant) -> dict[str, Any]:
    """A batch call whose calls are gone, so that nothing follows their end."""
    batch = await make_queued(tenant)
    async with tenant.database.write() as connection:
        await connection.execute(calls.delete())
    return batch


# --- what is cut off -------------------------------------------------------------------------------------------------


async def create_batch(tenant: Tenant, agent: Agent) -> None:
    body = {"name": "Recall", "agent_id": agent.id, "contacts": people(5)}
    await send(tenant, "POST", "/batch-calls", json=body)


async def make_a_folder(tenant: Tenant) -> tuple[Agent, str]:
    folder, _ = await make_folder(tenant, [{"phone_number": each["phone_number"]} for each in people(5)])
    return await begin(tenant), folder


async def create_of_folder(tenant: Tenant, prepared: tuple[Agent, str]) -> None:
    agent, folder = prepared
    body = {"name": "Recall", "agent_id": agent.id, "contact_folder_id": folder}
    await send(tenant, "POST", "/batch-calls", json=body)
    await run_jobs(tenant)  # who has no place yet gets one


async def add_people(tenant: Tenant, batch: Mapping[str, Any]) -> None:
    await send(tenant, "POST", f"/batch-calls/{batch['id']}/contacts", json={"contacts": people(3, first=100)})
    await run_jobs(tenant)


def steer(action: str, body: Mapping[str, Any] | None = None) -> Any:
    async def act(tenant: Tenant, batch: Mapping[str, Any]) -> None:
        await send(tenant, "POST", f"/batch-calls/{batch['id']}/{action}", json=body)
        await run_jobs(tenant)
        await queueing.withdraw_queued(tenant.database, settings=tenant.settings)

    return act


async def make_paused(tenant: Tenant) -> dict[str, Any]:
    batch = await make_queued(tenant)
    await create(tenant, f"/batch-calls/{batch['id']}/pause")
    return batch


async def edit(tenant: Tenant, batch: Mapping[str, Any]) -> None:
    await send(tenant, "PATCH", f"/batch-calls/{batch['id']}", json={"max_calls_per_day": 2, "timezone": "Asia/Tokyo"})
    await run_jobs(tenant)


async def make_due(tenant: Tenant) -> dict[str, Any]:
    """A batch call whose time has come."""
    batch = await make_draft(tenant)
    await create(tenant, f"/batch-calls/{batch['id']}/schedule")
    async with tenant.database.write() as connection:
        await connection.execute(sa.text("UPDATE batch_calls SET scheduled_at = 1"))
        await connection.execute(sa.text("UPDATE jobs SET due_at = 1"))
    return batch


async def work(tenant: Tenant, _prepared: object) -> None:
    await run_jobs(tenant)


async def make_cancelled(tenant: Tenant) -> dict[str, Any]:
    """A batch call that is over, and whose calls still wait."""
    batch = await make_queued(tenant)
    await create(tenant, f"/batch-calls/{batch['id']}/cancel")
    return batch


async def delete_batch(tenant: Tenant, batch: Mapping[str, Any]) -> None:
    await send(tenant, "DELETE", f"/batch-calls/{batch['id']}")
    await queueing.withdraw_queued(tenant.database, settings=tenant.settings)


async def delete_batches(tenant: Tenant, batch: Mapping[str, Any]) -> None:
    response = await send(tenant, "POST", "/batch-calls/bulk-delete", json={"ids": [batch["id"]]})
    assert tenant.database.life.is_last or response.json()["data"]["deleted_count"] == 1  # type: ignore[attr-defined]
    await queueing.withdraw_queued(tenant.database, settings=tenant.settings)


async def queue_calls(tenant: Tenant, _batch: object) -> None:
    await queue(tenant)


async def take_calls(tenant: Tenant, _batch: object) -> None:
    await claim(tenant)


async def take_calls_again(tenant: Tenant, _batch: object) -> None:
    """The next process ends what this one had, dials what it had not, and dies, too."""
    for _ in range(2):
        async with tenant.database.write() as connection:
            await connection.execute(sa.text("UPDATE attempts SET lease_renewed_at = 1"))
        await reap(tenant, None)
        await claim(tenant)
    await reap(tenant, None)


async def reap(tenant: Tenant, _prepared: object) -> None:
    spool = Spool(tenant.settings.data_dir / "spool", RecordingStore.open(tenant.settings))
    await reaper.reap(tenant.database, settings=tenant.settings, spool=spool, second_look_s=0.0)


async def make_abandoned(tenant: Tenant) -> None:
    """Calls of a gateway that has died long ago."""
    await make_talking(tenant, retry_failed=True)
    async with tenant.database.write() as connection:
        await connection.execute(sa.text("UPDATE attempts SET lease_renewed_at = 1"))


async def end_calls(tenant: Tenant, taken: Sequence[Call]) -> None:
    for call in taken:
        await tenant.finish_call(call, ended_reason="user_hangup", media_ms=61_000)


async def miss_calls(tenant: Tenant, taken: Sequence[Call]) -> None:
    for call in taken:
        await tenant.finish_call(call, ended_reason="busy", media_ms=0)


async def make_worth_reading(tenant: Tenant) -> Call:
    """A call that goes on, of an agent whose calls a model reads."""
    call = await tenant.place_call(await judging.add_agent(tenant))
    await tenant.answer_call(call)
    return call


async def end_and_analyse(tenant: Tenant, call: Call) -> None:
    await tenant.finish_call(call, turns=judging.make_turns())
    await run_jobs(tenant)


async def sweep_hanging(tenant: Tenant, _batch: object) -> None:
    await sweep.sweep(tenant.database)


# --- calls by themselves, and money ----------------------------------------------------------------------------------


async def place(tenant: Tenant, agent: Agent) -> None:
    await send(tenant, "POST", "/calls", json={"agent_id": agent.id, "phone_number": "+12025550142"})


async def make_call(tenant: Tenant) -> Call:
    return await tenant.place_call(await begin(tenant))


async def hang_up(tenant: Tenant, call: Call) -> None:
    await send(tenant, "POST", f"/calls/{call.id}/hangup")


async def give(tenant: Tenant, amount: int = 1000, *, reference: str | None = None) -> None:
    async with tenant.database.write() as connection:
        owner = tenant.organization_id
        await billing.grant(connection, organization_id=owner, amount=amount, reference=reference)


async def grant(tenant: Tenant, _prepared: object) -> None:
    await give(tenant, reference="invoice 7")


async def make_charged(tenant: Tenant) -> Call:
    call, *_ = await make_talking(tenant)
    await tenant.finish_call(call, ended_reason="user_hangup", media_ms=61_000)
    return call


async def refund(tenant: Tenant, call: Call) -> None:
    async with tenant.database.write() as connection:
        await billing.refund(
            connection, organization_id=tenant.organization_id, call_id=call.id, amount=3, reference="complaint 7"
        )


async def make_expensive(tenant: Tenant) -> Sequence[Call]:
    """Calls that need more credits than were held, of which there are few."""
    await give(tenant, 60)
    response = await tenant.client.patch(f"{BASE}/organization", json={"credits_low_mark": 30})
    assert response.status_code == 200, response.text
    return await make_talking(tenant)


async def extend(tenant: Tenant, taken: Sequence[Call]) -> None:
    needed = [NeededTalk(call.organization_id, call.id, 120) for call in taken]
    await credit.extend_holds(tenant.database, settings=tenant.settings, needed=needed)


async def extend_and_end(tenant: Tenant, taken: Sequence[Call]) -> None:
    await extend(tenant, taken)
    await end_calls(tenant, taken)


async def fold(tenant: Tenant, _prepared: object) -> None:
    await billing.fold_all_usage(tenant.database)


USE_CASES = (
    UseCase(name="create a batch call", prepare=begin, act=create_batch, commits=3),
    UseCase(name="create a batch call of a folder", prepare=make_a_folder, act=create_of_folder, commits=5),
    UseCase(name="add contacts", prepare=make_batch, act=add_people, commits=3),
    UseCase(name="schedule", prepare=make_draft, act=steer("schedule", {"scheduled_at": _FUTURE}), commits=3),
    UseCase(name="start at its time", prepare=make_due, act=work, commits=3),
    UseCase(name="pause", prepare=make_queued, act=steer("pause"), commits=4),
    UseCase(name="resume", prepare=make_paused, act=steer("resume"), commits=3),
    UseCase(name="cancel", prepare=make_queued, act=steer("cancel"), commits=4),
    UseCase(name="retry what failed", prepare=make_failed, act=steer("retry"), commits=6),
    UseCase(name="edit in flight", prepare=make_batch, act=edit, commits=3),
    UseCase(name="delete a batch call", prepare=make_cancelled, act=delete_batch, commits=2),
    UseCase(name="delete batch calls", prepare=make_cancelled, act=delete_batches, commits=4),
    UseCase(name="queue calls", prepare=make_batch, act=queue_calls),
    UseCase(name="dial", prepare=make_queued, act=take_calls, again=take_calls_again, commits=2),
    UseCase(name="follow the end of calls", prepare=make_talking, act=end_calls, commits=2),
    UseCase(name="follow calls that failed", prepare=make_talking, act=miss_calls, commits=2),
    UseCase(name="end calls of a dead gateway", prepare=make_abandoned, act=reap, commits=2),
    UseCase(name="sweep contacts that hang", prepare=make_hanging, act=sweep_hanging),
    UseCase(name="place a call", prepare=begin, act=place, commits=3),
    UseCase(name="hang up a call that waits", prepare=make_call, act=hang_up, commits=1),
    UseCase(name="grant credits", prepare=begin, act=grant),
    UseCase(name="refund", prepare=make_charged, act=refund),
    UseCase(name="extend holds", prepare=make_expensive, act=extend_and_end, fields=POOR, commits=3),
    UseCase(name="fold usage", prepare=make_charged, act=fold),
)

#: Needs a model.
ANALYSIS = UseCase(name="analyse a call", prepare=make_worth_reading, act=end_and_analyse, commits=4)
