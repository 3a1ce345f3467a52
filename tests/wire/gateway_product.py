"""The whole product with its own ports and settings, for the wire tests of the gateway; and what they ask of it."""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx

from tests.acceptance.running import Ringdown, wait_for_call

GATEWAY = "ringdown.gateway"
FLOW: dict[str, Any] = {
    "start": "ask",
    "nodes": {
        "ask": {
            "say": "Shall we deliver your parcel today?",
            "listen": {"kind": "yes_no"},
            "keypad": {"1": "yes", "2": "no"},
            "slot": "today",
            "reprompt": "Please say yes or no.",
            "next": "thanks",
            "on_failure": "thanks",
        },
        "thanks": {"say": "Bye.", "end": "hang_up"},
    },
    "summary": "Deliver today: {{today}}.",
}


class Product(Ringdown):
    """`ringdown serve` with settings of its own and its sample agent asking one question."""

    def __init__(self, folder: Path, **settings: object) -> None:
        super().__init__(folder)
        peer = f"sip:alice:secret@127.0.0.1:{self.ports['PEER_PORT']}"
        self.environment |= {"RINGDOWN_OUTBOUND_PEER": peer}
        self.environment |= {f"RINGDOWN_{name.upper()}": str(value) for name, value in settings.items()}
        self.agent_id = ""
        self.log = folder / "log"

    async def start(self) -> None:
        self.output = ""
        await super().start()

    async def prepare(self) -> None:
        """Give the sample agent the flow of these tests."""
        async with self.client() as client:
            self.agent_id = (await client.get("/agents")).json()["data"][0]["id"]
            changes = {"flow": FLOW, "greeting_settings": {}, "join_timeout": "30s"}
            assert (await client.patch(f"/agents/{self.agent_id}", json=changes)).status_code == 200

    async def place(self, number: str = "+4930901820", **fields: object) -> str:
        """Place a call; its id."""
        async with self.client() as client:
            body = {"agent_id": self.agent_id, "phone_number": number, **fields}
            answer = await client.post("/calls", json=body)
            assert answer.status_code == 201, answer.text
            call_id: str = answer.json()["data"]["id"]
            return call_id

    async def end_of(self, call_id: str, timeout_s: float = 40) -> Any:
        """The call when it has ended."""
        async with self.client() as client:
            return await wait_for_call(client, call_id, "completed", "failed", timeout_s=timeout_s)

    async def reach(self, call_id: str, status: str) -> Any:
        """The call when it has this status."""
        async with self.client() as client:
            return await wait_for_call(client, call_id, status, timeout_s=20)

    async def calls(self, **filters: object) -> list[dict[str, Any]]:
        """Newest first."""
        async with self.client() as client:
            answer = await client.get("/calls", params={"limit": 100, **filters})
            found: list[dict[str, Any]] = answer.json()["data"]
            return found

    async def newest_ended(self, direction: str = "inbound", timeout_s: float = 20) -> dict[str, Any]:
        """The newest call of a direction, when it has ended."""
        newest: dict[str, Any] = await self.end_of((await self.calls(direction=direction))[0]["id"], timeout_s)
        return newest

    async def hang_up(self, call_id: str) -> httpx.Response:
        """Ask the API to end the call."""
        async with self.client() as client:
            return await client.post(f"/calls/{call_id}/hangup")

    async def turns_of(self, call_id: str) -> list[dict[str, Any]]:
        """The transcript."""
        async with self.client() as client:
            found: list[dict[str, Any]] = (await client.get(f"/calls/{call_id}")).json()["data"]["transcript"]
            return found

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the SQLite database holds."""
        with contextlib.closing(sqlite3.connect(self.database, timeout=10)) as connection:
            return connection.execute(query).fetchall()

    def write(self, statement: str) -> None:
        """Change the SQLite database behind the product's back."""
        with contextlib.closing(sqlite3.connect(self.database, timeout=10)) as connection, connection:
            connection.execute(statement)

    @property
    def database(self) -> Path:
        return self.folder / "data" / "ringdown.db"

    @property
    def pid(self) -> int:
        """The process id of `ringdown serve`."""
        assert self._process is not None
        return self._process.pid

    @property
    def gateway_pid(self) -> int:
        return self.find_process(GATEWAY)

    async def wait_for_new_gateway(self, old_pid: int, timeout_s: float = 20) -> int:
        """The process id of the gateway that the supervisor started after `old_pid`."""
        async with asyncio.timeout(timeout_s):
            while True:
                with contextlib.suppress(AssertionError):
                    if (pid := self.gateway_pid) != old_pid:
                        return pid
                await asyncio.sleep(0.1)


def count_descriptors(pid: int) -> int:
    """Open sockets, pipes and recordings of a process; not those of the database, whose pool grows with use."""
    targets = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            targets.append(str(link.readlink()))
    return sum("ringdown.db" not in target for target in targets)


def cpu_seconds(pid: int) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.asynccontextmanager
async def run_product(folder: Path, *, is_clean: bool = True, **settings: object) -> AsyncIterator[Product]:
    """A running product, stopped at the end; if `is_clean`, nothing that it logged may be a traceback."""
    product = Product(folder, **settings)
    await product.start()
    try:
        await product.prepare()
        yield product
    finally:
        code = await product.stop()
    assert code == 0
    _, found, trace = product.log.read_text().partition("Traceback")
    assert not (found and is_clean), trace[:4000]
