"""Kills a use case before and after each of its commits, and compares what the next process makes of it."""

import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import values
from ringdown.accounts import service as accounts
from ringdown.api import app as api_app
from ringdown.billing import verification_store
from ringdown.config import Settings
from ringdown.db import engine
from ringdown.db.direct import DirectConnection
from ringdown.db.engine import Database
from tests.slices.conftest import Tenant

# Longer than any lease, and than a request is taken to be in flight.
_LATER_MS = 5 * 60_000
# What a use case leaves behind but does not mean: who works on what, and what was counted for speed.
_PASSED_OVER = {
    "api_keys", "call_counts", "call_seals", "call_text_owners", "call_text_ranges", "call_texts", "idempotency_keys",
    "organizations", "request_windows", "secrets",
}  # fmt: skip
_LOOSE_COLUMNS = {"body", "holder", "last_error", "lease_id", "old_secret", "secret", "seq"}
_ID = re.compile(r"\b([a-z]{2,6})_[0-9a-z]{26}\b")
_TIME = re.compile(r"\d{4}-\d\d-\d\d(T[\d:.]+Z?)?")
_MS_OF_2001 = 1_000_000_000_000


class Killed(BaseException):
    """`kill -9`: no handler of the process runs to any effect."""


@dataclass(slots=True)
class Life:
    """One process: it dies at the commit of this number, `before` or after it; None: it lives.

    What the last one is asked for may have been done before.
    """

    dies_at: int | None = None
    before: bool = False
    is_last: bool = False
    commits: int = 0
    is_dead: bool = False

    def check(self) -> None:
        """Raises `Killed` in whatever is left of a dead process."""
        if self.is_dead:
            raise Killed

    def commit(self, number: int, *, before: bool) -> None:
        """Die here, if this is the place."""
        self.check()
        if number == self.dies_at and before is self.before:
            self.is_dead = True
            raise Killed


# Tasks that a process has started keep it after the next one has begun.
_life: ContextVar[Life] = ContextVar("life")


class MortalDatabase(Database):
    """The database as processes see it, each of which may be killed at one of its commits and says no word after it."""

    def __init__(self, whole: Database) -> None:
        super().__init__(whole.engine, whole.reader, whole.direct)

    @property
    def life(self) -> Life:
        """The process that asks."""
        return _life.get()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        self.life.check()
        async with super().read() as connection:
            yield connection

    @asynccontextmanager
    async def read_alone(self) -> AsyncIterator[AsyncConnection]:
        self.life.check()
        async with super().read_alone() as connection:
            yield connection

    @asynccontextmanager
    async def read_direct(self) -> AsyncIterator[DirectConnection]:
        self.life.check()
        async with super().read_direct() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        life = self.life
        life.check()
        async with super().write() as connection:
            yield connection
            life.commits += 1
            number = life.commits
            life.commit(number, before=True)
        life.commit(number, before=False)

    @asynccontextmanager
    async def write_alone(self) -> AsyncIterator[AsyncConnection]:
        life = self.life
        life.check()
        life.commits += 1
        number = life.commits
        life.commit(number, before=True)
        async with super().write_alone() as connection:
            yield connection
        life.commit(number, before=False)


Act = Callable[[Tenant, Any], Awaitable[object]]


@dataclass(frozen=True, kw_only=True)
class UseCase:
    """What one process does of what was prepared, and what the next one, or its caller, does after a crash.

    Without `again` the same is done once more. Tables and columns of `ignored` may differ. `fields` are settings.
    """

    name: str
    prepare: Callable[[Tenant], Awaitable[Any]]
    act: Act
    again: Act | None = None
    ignored: frozenset[str] = frozenset()
    fields: dict[str, Any] = field(default_factory=dict)
    commits: int = 1


class World:
    """One organization after the other in one database, with a clock that can be put forward."""

    def __init__(self, database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        self.database = MortalDatabase(database)
        self.settings = settings
        self._apps: dict[str, Any] = {}
        self._passed_ms = 0
        now_ms = values.now_ms
        monkeypatch.setattr(values, "now_ms", lambda: now_ms() + self._passed_ms)

    async def run(self, case: UseCase) -> None:
        """Raises `AssertionError` when a crash makes a difference."""
        wanted, _ = await self._live(case, dies_at=None, before=False)
        for before in (True, False):
            commits = 0
            while True:
                found, is_killed = await self._live(case, dies_at=commits + 1, before=before)
                when = f"{case.name}, killed {'before' if before else 'after'} commit {commits + 1}"
                assert not (differences := _compare(wanted, found)), "\n".join([when, *differences])
                if not is_killed:
                    break
                commits += 1
            assert commits >= case.commits, f"{case.name} has {commits} commits"

    async def _live(self, case: UseCase, *, dies_at: int | None, before: bool) -> tuple[Counter[str], bool]:
        """What is there in the end, and whether the process was killed before it was done."""
        _life.set(Life())
        await self._empty()
        async with self._open(self.settings.model_copy(update=case.fields)) as tenant:
            prepared = await case.prepare(tenant)
            life = Life(dies_at, before)
            _life.set(life)
            try:
                await case.act(tenant, prepared)
            except BaseException:
                if not life.is_dead:
                    raise
            _life.set(Life(is_last=True))
            self._passed_ms += _LATER_MS
            await (case.again or case.act)(tenant, prepared)
            found = await self._look(case.ignored)
            await self._check_money(tenant)
        return found, life.is_dead

    @asynccontextmanager
    async def _open(self, settings: Settings) -> AsyncIterator[Tenant]:
        organization = await accounts.create_organization(self.database, name="Ours")
        _, key = await accounts.create_key(self.database, organization_id=organization.id, name="tests")
        headers = {"Authorization": f"Bearer {key}"}
        known = settings.model_dump_json()
        if known not in self._apps:
            self._apps[known] = api_app.create_app(settings, self.database)
        transport = httpx.ASGITransport(self._apps[known])
        async with httpx.AsyncClient(transport=transport, base_url="http://api.test", headers=headers) as client:
            yield Tenant(self.database, settings, organization.id, client)

    async def _empty(self) -> None:
        async with self.database.write() as connection:
            for table in reversed(engine.metadata.sorted_tables):
                await connection.execute(table.delete())

    async def _look(self, ignored: frozenset[str]) -> Counter[str]:
        """All rows without what differs from run to run: ids, times and random texts."""
        seen: Counter[str] = Counter()
        async with self.database.read() as connection:
            for table in engine.metadata.sorted_tables:
                if table.name in _PASSED_OVER or table.name in ignored:
                    continue
                for row in (await connection.execute(table.select())).mappings():
                    loose = _LOOSE_COLUMNS | ignored | ({"attempts"} if table.name == "jobs" else set())
                    kept = {name: _mask(value) for name, value in row.items() if name not in loose}
                    seen[f"{table.name} {json.dumps(kept, sort_keys=True, default=str)}"] += 1
        return seen

    async def _check_money(self, tenant: Tenant) -> None:
        async with self.database.read() as connection:
            verified = await verification_store.verify_balance(connection, tenant.organization_id)
        assert verified.differences == 0


def _mask(value: Any) -> Any:
    if isinstance(value, dict):
        return {_mask(name): _mask(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_mask(each) for each in value]
    if isinstance(value, str):
        return _TIME.sub("TIME", _ID.sub(r"\1", value))
    if isinstance(value, int) and value > _MS_OF_2001:
        return "time"
    return f"{len(value)} bytes" if isinstance(value, bytes) else value


def _compare(wanted: Counter[str], found: Counter[str]) -> list[str]:
    """The rows of which there are more or fewer than there should be, and by how many."""
    return [f"{found[row] - wanted[row]:+} {row}" for row in sorted(wanted | found) if found[row] != wanted[row]]
