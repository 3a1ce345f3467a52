"""Pace and concurrency of a batch call as the far end sees them: the whole product dials the phone farm."""

import asyncio
from collections.abc import Sequence
from itertools import count

from benchmarks import chaos_drive, farm_log, farm_plans, farm_process, report
from benchmarks.chaos_client import Client
from benchmarks.chaos_drive import Campaign
from benchmarks.chaos_product import GATEWAYS, Store, run_product
from benchmarks.farm_log import Dialled
from benchmarks.farm_plans import Way

_LIMIT_S = 240.0
_MAX_CALLS = 100
#: Of a pace, the first and the last dials of a batch call tell nothing: gateways wake up, contacts run out.
_EDGE = 0.1
_WITHIN = 0.95


def measure(store: Store, *, per_second: float, seconds: float, concurrency: int, calls: int) -> list[report.Figure]:
    """A batch call with calls per second, to phones that are busy; one with a concurrency, to phones that listen."""
    busy = _choose_numbers("busy", round(per_second * seconds))
    waiting = _choose_numbers("waits", calls)
    record = store.folder / "farm.jsonl"
    with farm_process.run_farm(record, drop=0) as farm:
        asyncio.run(_dial(store, farm.port, busy, per_second, waiting, concurrency))
    by_number = farm_log.read_log(record).by_number()
    paced = [dialled for number in busy for dialled in by_number[number]]
    talked = [dialled for number in waiting for dialled in by_number[number]]
    name = f"{store.kind}, {GATEWAYS[store.kind]} gateways" if GATEWAYS[store.kind] > 1 else store.kind
    return [
        *_judge_pace(f"{name}: {per_second:g} calls per second set", paced, per_second),
        *_judge_concurrency(f"{name}: {concurrency} calls at a time set", talked, concurrency),
    ]


def _choose_numbers(way: Way, amount: int) -> tuple[str, ...]:
    fitting = (number for number in map(farm_plans.make_number, count()) if farm_plans.find_way(number) == way)
    return tuple(next(fitting) for _ in range(amount))


async def _dial(
    store: Store,
    farm_port: int,
    busy: tuple[str, ...],
    per_second: float,
    waiting: tuple[str, ...],
    concurrency: int,
) -> None:
    async with (
        run_product(store, max_calls=_MAX_CALLS) as product,
        Client(product.url, product.key) as client,
    ):
        agent_id, _ = await chaos_drive.prepare(client, farm_port=farm_port, hook_url=None)
        for name, numbers, at_once, pace in (
            ("pace", busy, _MAX_CALLS, per_second),
            ("concurrency", waiting, concurrency, None),
        ):
            campaign = Campaign(agent_id, numbers, 1, is_batch=True)
            batch_call_id = await chaos_drive.start_batch(
                client, campaign, name=name, concurrency=at_once, calls_per_second=pace
            )
            async with asyncio.timeout(_LIMIT_S):
                await chaos_drive.wait_for_batch(client, batch_call_id, lambda _done: None)


def _judge_pace(name: str, dialled: Sequence[Dialled], per_second: float) -> list[report.Figure]:
    instants = sorted(each.invited_at for each in dialled)
    edge = round(len(instants) * _EDGE)
    middle = instants[edge : len(instants) - edge]
    reached = 1000 * (len(middle) - 1) / (middle[-1] - middle[0])
    return [
        report.at_most(f"{name}: most in a sliding second", farm_log.find_most_in_a_second(instants), "", per_second),
        report.at_least(f"{name}: reached", reached, "per second", _WITHIN * per_second),
        report.Figure(f"{name}: dialled", len(instants), ""),
    ]


def _judge_concurrency(name: str, dialled: Sequence[Dialled], concurrency: int) -> list[report.Figure]:
    changes = sorted(
        change for each in dialled for change in ((each.invited_at, 1), (each.ended_at or each.invited_at, -1))
    )
    most = now = 0
    for _, step in changes:
        now += step
        most = max(most, now)
    return [
        report.at_most(f"{name}: most at a time", most, "", concurrency),
        report.at_least(f"{name}: reached", most, "", _WITHIN * concurrency),
        report.Figure(f"{name}: dialled", len(dialled), ""),
    ]
