"""The whole life of a batch call in any order: whatever is done to it, nobody is lost, forgotten or rung too often."""

import asyncio
import itertools
import json
import shutil
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ringdown import errors, values
from ringdown.accounts import service as account_service
from ringdown.agents import store as agent_store
from ringdown.agents.models import Agent
from ringdown.batch_calls import (
    contact_store,
    course,
    queueing,
    retry,
    retrying,
    scheduling,
    service,
    spreading,
    store,
    sweep,
    zones,
)
from ringdown.batch_calls.admission import Admission
from ringdown.batch_calls.models import BatchCall, BatchContact
from ringdown.batch_calls.schemas import AddContacts, CreateBatchCall, UpdateBatchCall
from ringdown.calls import service as call_service
from ringdown.calls import tables
from ringdown.calls.models import ENDED_REASONS, Call, EndedReason, FinishedCall
from ringdown.calls.store import calls as call_store
from ringdown.calls.tables import calls
from ringdown.config import Settings
from ringdown.contacts import dnc_store
from ringdown.contacts.models import DncEntry
from ringdown.db import engine
from ringdown.jobs.store import Job, jobs
from ringdown.telephony import store as number_store
from ringdown.telephony.store import PhoneNumber

T = TypeVar("T")
MINUTE_MS = 60_000
PEOPLE = 7
# Nights in which the clocks of New York and London change, and days on which a month, a year and February end.
STARTS = ("2026-03-07T18:00", "2026-10-24T18:00", "2026-12-31T20:00", "2028-02-28T20:00", "2026-06-30T12:00")
WINDOWS: tuple[dict[str, Any], ...] = (
    {"start_time": None, "end_time": None, "working_days": None},
    {"start_time": "09:00", "end_time": "17:00", "working_days": [1, 2, 3, 4, 5]},
    {"start_time": "22:00", "end_time": "03:00", "working_days": [6, 7]},
    {"start_time": "02:00", "end_time": "02:30", "working_days": None},
)
RETRIES: tuple[dict[str, Any], ...] = (
    {"retry_failed": False, "retry_rules": None},
    {"retry_failed": True, "retry_rules": None},
    {"retry_attempts": 1, "retry_delay_minutes": [1], "retry_rules": {"busy": {"attempts": 3}}},
    {"retry_attempts": 2, "retry_rules": {"declined": {"attempts": 1}, "no_answer": {"attempts": 0}}},
)
ENDINGS = tuple(reason for reason in ENDED_REASONS if reason != "outside_window")


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything at one instant. `dialled` are the ids of calls with an attempt."""

    batch: BatchCall
    contacts: list[BatchContact]
    calls: list[Call]
    dialled: set[str]
    has_retry_jobs: bool


class BatchLife(RuleBasedStateMachine):
    """Does to one batch call, with the functions of the product on a database, what users, people and crashes do."""

    def __init__(self, database_file: Path, settings: Settings) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.settings = settings
        self.database = engine.open_database(f"sqlite+aiosqlite:///{database_file}")
        self.now = 0
        self.clock = patch.object(values, "now_ms", lambda: self.now)
        self.clock.start()
        self.ringing: list[Call] = []
        self.blocked: set[str] = set()
        # Who has perhaps been rung by a call that nobody knows the end of.
        self.ambiguous: set[str] = set()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @initialize(start=st.sampled_from(STARTS), window=st.sampled_from(WINDOWS), retries=st.sampled_from(RETRIES))
    def create(self, start: str, window: dict[str, Any], retries: dict[str, Any]) -> None:
        self.now = round(datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp() * 1000)
        self.run(self._create({"max_failure_rate": 1.0, "max_concurrent_calls": 3, **window, **retries}))

    async def _create(self, fields: dict[str, Any]) -> None:
        organization = await account_service.create_organization(self.database, name="Ours")
        self.owner, self.admission = organization.id, Admission(self.settings)
        known: dict[str, Any] = {"organization_id": self.owner, "created_at": self.now, "updated_at": self.now}
        agent = Agent(
            id=values.new_id("agt"), name="A", status="active", voice_id="espeak:en-us", system_prompt="", **known
        )
        number = PhoneNumber(id=values.new_id("num"), phone_number="+18005559876", outbound_agent_id=agent.id, **known)
        async with self.database.write() as connection:
            await agent_store.insert_agent(connection, agent)
            await number_store.insert_number(connection, number)
        numbers = ["+442071234567", *(f"+1212555{number:04}" for number in range(PEOPLE - 1))]
        body = CreateBatchCall.model_validate(
            {"name": "B", "agent_id": agent.id, "contacts": [{"phone_number": each} for each in numbers], **fields}
        )
        batch, _ = await service.create_batch_call(self.database, organization_id=self.owner, body=body)
        self.id = batch.id
        self.numbers = list(numbers)

    # What users do.

    @rule(action=st.sampled_from([course.pause_batch_call, course.resume_batch_call]))
    def steer(self, action: Callable[..., Coroutine[Any, Any, BatchCall]]) -> None:
        self._try(action(self.database, organization_id=self.owner, batch_call_id=self.id))

    @rule(chance=st.integers(0, 7))
    def cancel(self, chance: int) -> None:
        if chance == 0:
            self._try(course.cancel_batch_call(self.database, organization_id=self.owner, batch_call_id=self.id))

    @rule(window=st.sampled_from(WINDOWS), per_day=st.sampled_from([None, 1, 3]))
    def edit_schedule(self, window: dict[str, Any], per_day: int | None) -> None:
        self._edit({**window, "max_calls_per_day": per_day})

    @rule(retries=st.sampled_from(RETRIES))
    def edit_retries(self, retries: dict[str, Any]) -> None:
        self._edit(retries)

    def _edit(self, fields: dict[str, Any]) -> None:
        body = UpdateBatchCall.model_validate(fields)
        self._try(
            service.update_batch_call(self.database, organization_id=self.owner, batch_call_id=self.id, body=body)
        )

    @rule(reasons=st.sampled_from([None, ["declined", "busy"], ["voicemail"]]))
    def retry(self, reasons: list[EndedReason] | None) -> None:
        self._try(
            retry.retry_batch_call(self.database, organization_id=self.owner, batch_call_id=self.id, reasons=reasons)
        )

    @precondition(lambda self: len(self.numbers) < PEOPLE + 3)
    @rule()
    def add_contact(self) -> None:
        number = f"+1212556{len(self.numbers):04}"
        body = AddContacts.model_validate({"contacts": [{"phone_number": number}]})
        work = service.add_contacts(self.database, organization_id=self.owner, batch_call_id=self.id, body=body)
        if self._try(work):
            self.numbers.append(number)

    @rule(which=st.integers(0, PEOPLE))
    def block(self, which: int) -> None:
        number = self.numbers[which % len(self.numbers)]
        self.blocked.add(number)
        self.run(self._block(number))

    async def _block(self, number: str) -> None:
        entry = DncEntry(organization_id=self.owner, phone_number=number, reason=None, created_at=self.now)
        async with self.database.write() as connection:
            await dnc_store.insert_entries(connection, [entry])

    def _try(self, work: Coroutine[Any, Any, Any]) -> bool:
        try:
            self.run(work)
        except errors.ValidationFailed:  # not in this state
            return False
        return True

    # What the programs do.

    @rule(minutes=st.sampled_from([1, 20, 45, 130, 700, 1440]))
    def wait(self, minutes: int) -> None:
        self.now += minutes * MINUTE_MS

    @rule()
    def wait_for_the_next_place(self) -> None:
        slots = [contact.scheduled_at for contact in self.run(self._look()).contacts if contact.status == "scheduled"]
        self.now = max(self.now, min((slot for slot in slots if slot is not None), default=self.now))

    @rule()
    def queue(self) -> None:
        self.run(queueing.queue_due(self.database, settings=self.settings))
        self.run(queueing.withdraw_queued(self.database, settings=self.settings))

    @rule(limit=st.integers(1, 3))
    def dial(self, limit: int) -> None:
        claimed = self.run(
            call_service.claim_calls(self.database, gateway_id="gateway", limit=limit, admit=self.admission)
        )
        self.run(self.admission.refuse(self.database))
        self.ringing += [each.call for each in claimed]
        seen = self.run(self._look())
        batch, contacts = seen.batch, {contact.call_id: contact for contact in seen.contacts}
        assert batch.status == "active" or not claimed
        for call in (each.call for each in claimed):
            contact = contacts[call.id]
            assert contact.phone_number not in self.blocked | self.ambiguous
            assert contact.attempts - contact.earlier_attempts <= retrying.count_allowed(batch)
            zone = zones.choose_zone(
                own=None, phone_number=contact.phone_number, batch_zone=zones.get_zone(batch.timezone)
            )
            assert scheduling.read_window(batch).is_open(self.now, zone)

    @rule(reason=st.sampled_from(ENDINGS), is_answered=st.booleans())
    def call(self, reason: EndedReason, is_answered: bool) -> None:
        """Everything at once, so that chance comes far."""
        self.wait_for_the_next_place()
        self.queue()
        self.dial(limit=3)
        if self.ringing:
            self.end(0, reason, is_answered=is_answered, again=False)

    @precondition(lambda self: self.ringing)
    @rule(which=st.integers(0, 5), reason=st.sampled_from(ENDINGS), is_answered=st.booleans(), again=st.booleans())
    def end(self, which: int, reason: EndedReason, is_answered: bool, again: bool) -> None:
        call = self.ringing.pop(which % len(self.ringing))
        if reason == "recovered_after_crash":
            self.ambiguous.add(str(call.to_number))
        self.now += MINUTE_MS
        for _ in range(1 + again):
            self.run(self._end(call, reason, is_answered=is_answered))

    async def _end(self, call: Call, reason: EndedReason, *, is_answered: bool) -> bool:
        finish = FinishedCall(ended_reason=reason, started_at=self.now if is_answered else None)
        return await call_service.finish_call(
            self.database, settings=self.settings, organization_id=self.owner, call_id=call.id, finish=finish
        )

    @rule()
    def hang_up_a_queued_call(self) -> None:
        waiting = [call for call in self.run(self._look()).calls if call.status == "queued"]
        for call in waiting[:1]:
            self.run(self._end(call, "cancelled", is_answered=False))

    @rule(again=st.booleans())
    def run_jobs(self, again: bool) -> None:
        """All jobs that wait, perhaps twice: the worker that ran them has crashed before it could tell."""
        handlers = {spreading.JOB_KIND: spreading.run_job, retry.JOB_KIND: retry.run_job}
        for job in self.run(self._take_jobs(list(handlers))):
            for _ in range(1 + again):
                self.run(handlers[job.kind](self.database, job))
        assert self.run(sweep.sweep(self.database)) == 0

    async def _take_jobs(self, kinds: list[str]) -> list[Job]:
        async with self.database.write() as connection:
            rows = (await connection.execute(jobs.select().where(jobs.c.kind.in_(kinds)).order_by(jobs.c.id))).all()
            await connection.execute(jobs.delete().where(jobs.c.kind.in_(kinds)))
        return [
            Job(
                organization_id=row.organization_id,
                id=row.id,
                kind=row.kind,
                payload=json.loads(row.payload),
                attempts=1,
                lease_id="lease_1",
                interval_ms=None,
            )
            for row in rows
        ]

    # What must hold at any time.

    @invariant()
    def nobody_is_lost_and_every_count_is_right(self) -> None:
        seen = self.run(self._look())
        batch, contacts = seen.batch, seen.contacts
        assert [contact.position for contact in contacts] == list(range(batch.total_contacts))
        assert {contact.phone_number for contact in contacts} == set(self.numbers)
        assert batch.completed_contacts == sum(contact.status == "completed" for contact in contacts)
        assert batch.failed_contacts == sum(contact.status == "failed" for contact in contacts)
        if batch.status in ("active", "paused") and batch.is_spread:
            assert batch.pending_contacts
        if batch.status == "completed":
            assert not batch.pending_contacts
        for contact in contacts:
            assert (contact.status == "scheduled") <= (contact.scheduled_at is not None)
            if contact.status == "scheduled":
                assert (contact.scheduled_at or 0) >= (contact.retry_at or 0)
            assert (contact.status == "failed") <= (contact.reason is not None)
            if contact.status == "pending":
                assert not batch.is_spread or seen.has_retry_jobs
        # Who is being called has a live call, and every live call has somebody.
        live = {call.id: call.to_number for call in seen.calls if call.is_live}
        calling = [contact for contact in contacts if contact.status == "calling"]
        assert {contact.call_id: contact.phone_number for contact in calling} == live
        assert sum(call.is_live and call.status != "queued" for call in seen.calls) <= 3
        dialled = [call for call in seen.calls if call.id in seen.dialled and not call.is_live]
        assert batch.dialled_calls == len(dialled)
        assert batch.answered_calls == sum(call.started_at is not None for call in dialled)

    def teardown(self) -> None:
        try:
            if self.now:
                self._finish()
        finally:
            self.run(self.database.close())
            self.clock.stop()
            self.runner.close()

    def _finish(self) -> None:
        """Whatever has happened: left alone, a batch call that may call comes to its end, and again after a retry."""
        self._try(course.resume_batch_call(self.database, organization_id=self.owner, batch_call_id=self.id))
        self._edit(WINDOWS[0] | {"max_calls_per_day": None} | RETRIES[1])
        self._drain(itertools.cycle(("recovered_after_crash", *ENDINGS)))
        self.retry(None)
        self._drain(itertools.repeat("user_hangup"))

    def _drain(self, endings: Iterator[EndedReason]) -> None:
        for _ in range(100):
            self.nobody_is_lost_and_every_count_is_right()
            if self.run(self._look()).batch.status in ("completed", "cancelled"):
                return
            self.run_jobs(again=False)
            self.call(next(endings), is_answered=False)
            while self.ringing:
                self.end(0, next(endings), is_answered=True, again=True)
        raise AssertionError("somebody is never called")

    # What is looked at.

    async def _look(self) -> "Seen":
        async with self.database.read() as connection:
            rows = await connection.execute(calls.select().where(calls.c.batch_call_id == self.id))
            attempts = await connection.execute(tables.attempts.select())
            waiting = await connection.execute(jobs.select().where(jobs.c.kind == retry.JOB_KIND))
            return Seen(
                batch=await store.get_batch_call(connection, self.owner, self.id),
                contacts=await contact_store.list_contacts(connection, self.owner, self.id, limit=100, offset=0),
                calls=[call_store.to_call(row) for row in rows],
                dialled={row.call_id for row in attempts},
                has_retry_jobs=waiting.first() is not None,
            )


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pages so small that a handful of people are many."""
    monkeypatch.setattr(spreading, "PAGE", 2)
    monkeypatch.setattr(spreading, "_PAGES_AT_ONCE", 1)
    monkeypatch.setattr(retry, "PAGE", 2)
    monkeypatch.setattr(retry, "_PAGES_AT_ONCE", 1)
    monkeypatch.setattr(retry, "_PAGES_PER_JOB", 1)
    yield


@pytest.mark.usefixtures("small_pages")
def test_in_any_order_nobody_is_lost_forgotten_or_rung_too_often(
    sqlite_template: Path, tmp_path: Path, settings: Settings
) -> None:
    files = itertools.count()

    def begin() -> BatchLife:
        file = tmp_path / f"{next(files)}.db"
        shutil.copyfile(sqlite_template, file)
        return BatchLife(file, settings)

    run_state_machine_as_test(
        begin,
        settings=hypothesis_settings(
            max_examples=10,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
