"""The peer of the benchmarks, run as a process of its own: answers every call with baresip-python and echoes it."""

import asyncio
import importlib
import sys
from typing import Any

_FRAME_S = 0.02
_FRAME_BYTES = 320


async def main(port: int) -> None:
    """Answers until it is killed; prints `ready` when it listens on this port of loopback."""
    # Not a dependency of ours: `benchmarks.peer` puts it on the path.
    baresip: Any = importlib.import_module("baresip")
    calls: list[Any] = []
    answering: set[asyncio.Task[None]] = set()

    async def answer(call: Any) -> None:
        await call.answer()
        calls.append(call)

    def take(call: Any) -> None:
        task = asyncio.create_task(answer(call))
        answering.add(task)
        task.add_done_callback(answering.discard)

    runtime = baresip.Runtime()
    await runtime.start(
        baresip.Config(
            net_interface="127.0.0.1",
            max_concurrent_calls=None,
            extra_config_text=f"sip_listen 127.0.0.1:{port}",
        )
    )
    account = baresip.Account(user="echo", domain="127.0.0.1", password="", reg_interval=0, audio_codecs=("pcmu",))
    agent = await baresip.UserAgent.create(runtime, account)
    agent.on_incoming(take)
    print("ready", flush=True)
    await _echo(calls, (baresip.AudioNotActive, baresip.AudioRestarted))


async def _echo(calls: list[Any], not_active: tuple[type[Exception], ...]) -> None:
    """One loop over all calls each 20 ms, which costs less than a task of each."""
    loop = asyncio.get_running_loop()
    due_s = loop.time()
    while True:
        for call in tuple(calls):
            try:
                while pcm := call.audio.read(_FRAME_BYTES):
                    call.audio.write(pcm)
            except not_active:
                if call.state.name == "CLOSED":
                    calls.remove(call)
        due_s = max(due_s + _FRAME_S, loop.time())
        await asyncio.sleep(due_s - loop.time())


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
