"""The product with telephones around it, and what the tests of transfers ask of them."""

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import Any

from ringdown.sip import sdp
from tests.wire.gateway_product import Product
from tests.wire.telephone import Line, Telephone

ACCEPTING = "+12025550161"
"""Our number on a trunk that hands over by REFER only, and may hand us over."""
REFUSING = "+12025550162"
"""Our number on a trunk that may not hand us over."""
_PATIENCE_S = 20.0


@dataclass
class Site:
    """`callers` ring the agent; `persons` is where every number leads to, by the outbound peer and by the trunks."""

    product: Product
    callers: Telephone
    persons: Telephone
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(4_930_901_800))

    def new_number(self) -> str:
        """A number that nobody else is called by."""
        return f"+{next(self._numbers)}"

    async def call_agent(self, *encodings: sdp.Encoding) -> tuple[Line, str]:
        """A caller who talks with the agent, and the call's id."""
        name = f"caller{next(self._numbers)}"
        line = await self.callers.dial(self.product.agent_uri, name=name, encodings=encodings or ("PCMU",))
        [call] = [call for call in await self.product.calls(direction="inbound") if name in (call["from_number"] or "")]
        await self.product.reach(call["id"], "in_progress")
        return line, call["id"]

    async def be_called(self, from_number: str, **fields: object) -> tuple[Line, str]:
        """A person whom the agent has called from this number of ours, and the call's id."""
        number = self.new_number()
        call_id = await self.product.place(number, from_number=from_number, **fields)
        line = await (await self.persons.rings(number)).accept()
        await self.product.reach(call_id, "in_progress")
        return line, call_id

    async def transfer(self, call_id: str, number: str, **fields: Any) -> None:
        """Ask for a transfer."""
        async with self.product.client() as client:
            answer = await client.post(f"/calls/{call_id}/transfer", json={"phone_number": number, **fields})
            assert answer.status_code == 201, answer.text

    async def reaches(self, call_id: str, status: str) -> dict[str, Any]:
        """The call's transfer, once it is so far."""
        call: dict[str, Any] = {}
        try:
            async with asyncio.timeout(_PATIENCE_S), self.product.client() as client:
                while True:
                    call = (await client.get(f"/calls/{call_id}")).json()["data"]
                    if call["transfer"] and call["transfer"]["status"] == status:
                        transfer: dict[str, Any] = call["transfer"]
                        return transfer
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"not {status}: {call}") from None

    async def join(self, line: Line, call_id: str, **fields: Any) -> Line:
        """Have the agent ask a person, who takes the call by a key; the person's line once both are joined."""
        number = self.new_number()
        await self.transfer(call_id, number, mode="attended", **fields)
        person = await (await self.persons.rings(number)).accept()
        await person.hears_something()
        person.media.send_digits("1")
        await self.reaches(call_id, "connected")
        return person

    async def says(self, call_id: str, words: str) -> None:
        """Until the agent has said something with these words in it."""
        async with asyncio.timeout(_PATIENCE_S):
            while not any(words in turn["text"] for turn in await self.product.turns_of(call_id)):
                await asyncio.sleep(0.1)
