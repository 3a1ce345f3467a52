"""One chaos run from an empty folder to its recount: the farm, the product, the faults, the customer."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from benchmarks import chaos_drive, chaos_rows, farm_log, farm_process
from benchmarks.chaos_client import Client
from benchmarks.chaos_drive import Campaign
from benchmarks.chaos_faults import Faults, Saboteur
from benchmarks.chaos_product import Kind, Product, Store, open_store, run_product
from benchmarks.chaos_program import Death, now_ms
from benchmarks.chaos_receiver import Receiver
from benchmarks.chaos_recount import Finding, Recount, recount
from ringdown.billing import service as billing
from ringdown.db import engine
from ringdown.db.engine import Database, open_database

_CREDITS = 100_000_000
#: A dead gateway's calls are ended by the worker after this long at the latest.
_QUIET_S = 90.0
_STANDSTILL_S = 60.0
_DELIVERY_S = 300.0
_FORWARD_S = 5.0
_VERIFY_S = 120.0
_POLL_S = 0.5
#: An api that cannot reach its database may say so for so long after the database is back.
_AFTER_CUT_MS = 5_000


class Bring(Protocol):
    """Makes what waits due now."""

    async def __call__(self, database: Database, *, now_ms: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to run; `limit_s` bounds it from the first contact to the last."""

    kind: Kind
    contacts: int
    kills: int
    kill_every_s: float
    seed: int
    drop: int
    retries: int
    concurrency: int
    is_plain: bool
    has_hook: bool
    limit_s: float


@dataclass(frozen=True, slots=True)
class Driven:
    """What is known when the product has stopped."""

    campaign: Campaign
    faults: Faults
    receiver: Receiver
    deaths: Sequence[Death]
    complaints: Sequence[str]
    took_s: float
    troubles: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run that is over."""

    plan: Plan
    driven: Driven
    recount: Recount


def run(plan: Plan, folder: Path) -> Outcome:
    """Run it in an empty folder, which keeps the data, the logs and the farm's record."""
    record = folder / "farm.jsonl"
    with open_store(plan.kind, folder) as store:
        with farm_process.run_farm(record, seed=plan.seed, drop=plan.drop) as farm:
            driven = asyncio.run(_drive(plan, store, farm.port))
        rows = asyncio.run(chaos_rows.read_rows(store.settings))
        witness = farm_log.read_log(record)
        _keep_notes(driven, folder)
        found = recount(driven.campaign, rows, witness, received=driven.receiver.received)
        found.findings.append(Finding("counters of lists that are wrong", _verify(store)))
    own = [death for death in driven.deaths if not death.was_killed]
    in_cut = [death for death in own if not death.was_ready and is_cut(driven.faults, death.at)]
    found.facts["programs that could not start while the database was cut off"] = len(in_cut)
    found.findings.append(
        Finding(
            "programs that ended by themselves",
            [f"{death.program} at {death.at} with status {death.status}" for death in own if death not in in_cut],
        )
    )
    found.findings.append(Finding("what did not come to its end", driven.complaints))
    return Outcome(plan, driven, found)


def is_cut(faults: Faults, at: int) -> bool:
    """Whether the database was cut off at this instant, or just before it."""
    return any(cut.overlap_ms(at - _AFTER_CUT_MS, at) for cut in faults.cuts)


def _keep_notes(driven: Driven, folder: Path) -> None:
    """What was done to the product and what its webhooks brought, for whoever looks into a finding."""
    notes = {
        "kills": [asdict(kill) for kill in driven.faults.kills],
        "cuts": [asdict(cut) for cut in driven.faults.cuts],
        "deaths": [asdict(death) for death in driven.deaths],
        "received": [asdict(received) for received in driven.receiver.received],
    }
    (folder / "notes.json").write_text(json.dumps(notes))


async def _drive(plan: Plan, store: Store, farm_port: int) -> Driven:
    receiver, complaints = Receiver(plan.seed), list[str]()
    async with (
        receiver.run(),
        run_product(store, max_calls=plan.concurrency) as product,
        Client(product.url, product.key) as client,
        _open(store) as database,
    ):
        async with database.write() as connection:
            await billing.grant(connection, organization_id=product.organization_id, amount=_CREDITS)
        agent_id, receiver.secret = await chaos_drive.prepare(
            client, farm_port=farm_port, hook_url=receiver.url if plan.has_hook else None
        )
        saboteur = Saboteur(product, seed=plan.seed, kills=plan.kills, kill_every_s=plan.kill_every_s)
        began_s = time.monotonic()
        campaign = chaos_drive.make_campaign(
            agent_id, contacts=plan.contacts, retries=plan.retries, is_batch=not plan.is_plain
        )
        try:
            async with asyncio.timeout(plan.limit_s), saboteur.work():
                await _call(plan, client, database, campaign, saboteur)
        except TimeoutError:
            complaints.append(f"the contacts were not done after {plan.limit_s:.0f} s")
        took_s = time.monotonic() - began_s
        await _settle(product, database, receiver, complaints)
        deaths = [death for program in product.programs for death in program.deaths]
    complaints += [f"{text} at {at}" for at, text in client.server_errors if not is_cut(saboteur.faults, at)]
    return Driven(campaign, saboteur.faults, receiver, deaths, complaints, took_s, client.troubles)


@contextlib.asynccontextmanager
async def _open(store: Store) -> AsyncIterator[Database]:
    database = open_database(store.settings.sqlalchemy_url)
    try:
        yield database
    finally:
        await database.close()


async def _call(plan: Plan, client: Client, database: Database, campaign: Campaign, saboteur: Saboteur) -> None:
    """Have every contact called; returns when all are done."""

    def note_progress(done: int) -> None:
        saboteur.progress = done / plan.contacts

    async with asyncio.TaskGroup() as group:
        if not campaign.is_batch:
            group.create_task(chaos_drive.place_calls(client, campaign))
            group.create_task(chaos_drive.wait_for_calls(client, plan.contacts, note_progress))
            return
        batch_call_id = await chaos_drive.start_batch(client, campaign, concurrency=plan.concurrency)
        forwarding = group.create_task(_bring_forward(database, chaos_rows.bring_retries_forward))
        await chaos_drive.wait_for_batch(client, batch_call_id, note_progress)
        forwarding.cancel()


async def _bring_forward(database: Database, bring: Bring) -> None:
    """Retries are due in a minute at the soonest; here they are soon."""
    while True:
        with contextlib.suppress(*engine.UNAVAILABLE):
            await bring(database, now_ms=now_ms())
        await asyncio.sleep(_FORWARD_S)


async def _settle(product: Product, database: Database, receiver: Receiver, complaints: list[str]) -> None:
    """The faults are over: calls end, the receiver is well, what is owed to it arrives."""
    receiver.is_healed = True
    for program in product.programs:
        await program.is_ready.wait()
    if not await _reaches_nought(lambda: chaos_rows.count_live(database), limit_s=_QUIET_S, standstill_s=_QUIET_S):
        complaints.append(f"calls were still live {_QUIET_S:.0f} s after the last fault")
    forwarding = asyncio.create_task(_bring_forward(database, chaos_rows.bring_deliveries_forward))
    if not await _reaches_nought(
        lambda: chaos_rows.count_open_deliveries(database), limit_s=_DELIVERY_S, standstill_s=_STANDSTILL_S
    ):
        complaints.append("webhooks were still owed when the receiver had been well for long")
    forwarding.cancel()
    await asyncio.gather(forwarding, return_exceptions=True)


async def _reaches_nought(count: Callable[[], Awaitable[int]], *, limit_s: float, standstill_s: float) -> bool:
    """Whether it falls to 0 in time, and without standing still for too long."""
    began_s = changed_s = time.monotonic()
    last = -1
    while (left := await count()) > 0:
        now_s = time.monotonic()
        if left != last:
            last, changed_s = left, now_s
        chaos_drive.tell(f"{left} are left")
        if now_s - began_s > limit_s or now_s - changed_s > standstill_s:
            return False
        await asyncio.sleep(_POLL_S)
    return True


def _verify(store: Store) -> list[str]:
    """`ringdown verify`, as an operator runs it; what it says when it finds something."""
    told = {"RINGDOWN_DATA_DIR": str(store.settings.data_dir)}
    if store.url is not None:
        told["RINGDOWN_DATABASE_URL"] = store.url
    command = [sys.executable, "-m", "ringdown", "verify"]
    done = subprocess.run(
        command, env={**os.environ, **told}, capture_output=True, text=True, timeout=_VERIFY_S, check=False
    )
    return [] if done.returncode == 0 else [(done.stdout + done.stderr).strip()[-2000:]]
