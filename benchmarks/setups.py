"""Call set-ups by SIP alone: one process places calls at a steady rate, the other answers them; measures both sides."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from benchmarks import pair, report
from ringdown import collector
from ringdown.sip import admission, sdp
from ringdown.sip.call import Call, IncomingCall
from ringdown.sip.endpoint import Endpoint
from ringdown.sip.events import Answered

_WARM_UP_S = 1.0
_TALK_S = 0.5  # answered calls are live this long, so that many dialogs exist at once
SETTLE_S = 1.5


@dataclass(frozen=True, slots=True)
class SetUps:
    """CPU of each side in milliseconds per set-up, how many were set up a second, and how many were not at all."""

    rate: float
    caller_ms: float
    callee_ms: float
    completed_per_second: float
    failed_percent: float
    p99_ms: float


async def start_endpoint() -> tuple[Endpoint, "asyncio.Queue[IncomingCall]"]:
    """An endpoint on a free port of loopback, and the calls that come in."""
    calls: asyncio.Queue[IncomingCall] = asyncio.Queue()
    endpoint = await Endpoint.start(
        host="127.0.0.1",
        port=0,
        user_agent="Ringdown/benchmark",
        on_invite=calls.put_nowait,
        admit=admission.admit_all,
    )
    return endpoint, calls


def run_callee(connection: Connection, rate: float) -> None:
    """The process that answers: sends its port, and its CPU seconds between begin and end."""
    del rate
    asyncio.run(_answer_calls(connection))


async def _answer_calls(connection: Connection) -> None:
    connection.recv()
    endpoint, calls = await start_endpoint()
    connection.send([endpoint.port])
    begin_s, end_s = connection.recv()
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(_serve(calls, group))
        cpu_s = await _measure_cpu(begin_s, end_s)
        await asyncio.sleep(SETTLE_S)
        serving.cancel()
    connection.send(cpu_s)
    await endpoint.close()


async def _serve(calls: "asyncio.Queue[IncomingCall]", group: asyncio.TaskGroup) -> None:
    while True:
        group.create_task(_answer(await calls.get()))


async def _answer(incoming: IncomingCall) -> None:
    await incoming.ring()
    body, _ = sdp.answer_offer(incoming.body, "127.0.0.1", 4000)
    await incoming.answer(body)
    await _drain(incoming)


async def _drain(call: Call) -> None:
    async for _event in call.events():
        pass


async def _measure_cpu(begin_s: float, end_s: float) -> float:
    collector.settle()  # as the gateway does
    await asyncio.sleep(begin_s - time.monotonic())
    before_s = pair.read_cpu_s()
    await asyncio.sleep(end_s - time.monotonic())
    return pair.read_cpu_s() - before_s


def run_caller(connection: Connection, rate: float) -> None:
    """The process that dials: sends its CPU seconds, and the set-up times in ms of the calls begun in the window."""
    asyncio.run(_place_calls(connection, rate))


async def _place_calls(connection: Connection, rate: float) -> None:
    endpoint, _ = await start_endpoint()
    connection.send([])
    (port,), begin_s, end_s = connection.recv()
    took_ms: list[float | None] = []
    async with asyncio.TaskGroup() as group:
        measuring = group.create_task(_measure_cpu(begin_s, end_s))
        due_s = time.monotonic()
        while due_s < end_s:
            await asyncio.sleep(due_s - time.monotonic())
            note = took_ms.append if due_s >= begin_s else _forget
            group.create_task(_place(endpoint, f"sip:echo@127.0.0.1:{port}", note))
            due_s += 1 / rate
    connection.send((measuring.result(), took_ms))
    await endpoint.close()


def _forget(_took_ms: float | None) -> None:
    """What happens in the warm-up is not measured."""


async def _place(endpoint: Endpoint, target: str, note: Callable[[float | None], None]) -> None:
    """One call from the INVITE to the answer to our BYE; notes its set-up time, None when it was not answered."""
    call = endpoint.prepare_invite(
        target=target, from_uri=endpoint.local_uri("caller"), body=sdp.build_offer("127.0.0.1", 4000)
    )
    began_s = time.monotonic()
    took_ms = None
    await call.send()
    try:
        async with asyncio.timeout(SETTLE_S):
            async for event in call.events():
                if isinstance(event, Answered):
                    took_ms = (time.monotonic() - began_s) * 1000
                    sdp.read_answer(event.body)
                    break
        await asyncio.sleep(_TALK_S)
    except TimeoutError:
        await call.cancel()
    note(took_ms)
    await call.bye()


def measure(
    *, rate: float, seconds: float, callee: Callable[..., None] = run_callee, arguments: tuple[Any, ...] = ()
) -> SetUps:
    """Runs both sides, each on a core of its own where there are two; `callee` gets the rate and `arguments`."""
    callee_s, (caller_s, took_ms) = pair.run_pair(
        subject=callee, arguments=(rate, *arguments), feeder=run_caller, seconds=seconds, warm_up_s=_WARM_UP_S
    )
    answered_ms = sorted(each for each in took_ms if each is not None)
    count = max(1, len(answered_ms))
    return SetUps(
        rate=rate,
        caller_ms=caller_s * 1000 / count,
        callee_ms=callee_s * 1000 / count,
        completed_per_second=len(answered_ms) / seconds,
        failed_percent=100 * (len(took_ms) - len(answered_ms)) / max(1, len(took_ms)),
        p99_ms=answered_ms[int(count * 0.99)] if answered_ms else 0.0,
    )


def to_figures(measured: SetUps) -> list[report.Figure]:
    """The figures of one run, with the targets."""
    name = f"SIP {measured.rate:g} set-ups per second"
    return [
        report.at_most(f"{name}: CPU of the caller", measured.caller_ms, "ms per set-up", 2.0),
        report.at_most(f"{name}: CPU of the callee", measured.callee_ms, "ms per set-up", 2.0),
        report.at_least(f"{name}: completed", measured.completed_per_second, "per second", 0.98 * measured.rate),
        report.at_most(f"{name}: failed", measured.failed_percent, "%", 0.0),
        report.Figure(f"{name}: p99 INVITE to 200", measured.p99_ms, "ms"),
    ]


def to_peer_figures(measured: SetUps, name: str) -> list[report.Figure]:
    """What the same calls cost another stack that answers them (it also opens their audio); no targets."""
    name = f"SIP {measured.rate:g} set-ups per second, {name}"
    return [
        report.Figure(f"{name}: CPU of the callee", measured.callee_ms, "ms per set-up"),
        report.Figure(f"{name}: failed", measured.failed_percent, "%"),
        report.Figure(f"{name}: p99 INVITE to 200", measured.p99_ms, "ms"),
    ]
