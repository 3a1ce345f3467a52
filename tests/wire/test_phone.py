"""Test phones that call each other over loopback: hold, keys, encryption and transfers, with their real audio."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from ringdown.phone.script import Script, parse_step
from ringdown.phone.softphone import PhoneEvent, Softphone
from ringdown.sip import sdp

_PATIENCE_S = 20.0


class Phone:
    """A phone and what it told."""

    def __init__(self, *steps: str, srtp: sdp.Srtp = "off", accepts: bool = True, acknowledges: bool = False) -> None:
        script = Script(
            steps=tuple(parse_step(step) for step in steps),
            answer_after_ms=100,
            accepts_transfer=accepts,
            acknowledges_digits=acknowledges,
        )
        self.told: list[PhoneEvent] = []
        self.softphone = Softphone(script, srtp=srtp, on_event=self.told.append)

    @property
    def uri(self) -> str:
        return self.softphone.endpoint.local_uri("phone")

    def details(self, kind: str) -> list[str]:
        return [event.detail for event in self.told if event.kind == kind]

    async def until(self, kind: str, count: int = 1) -> None:
        async with asyncio.timeout(_PATIENCE_S):
            while len(self.details(kind)) < count:
                await asyncio.sleep(0.02)

    async def dial(self, target: str) -> bool:
        async with asyncio.timeout(_PATIENCE_S):
            return await self.softphone.dial(target)


@contextlib.asynccontextmanager
async def running(*phones: Phone) -> AsyncIterator[None]:
    try:
        for phone in phones:
            await phone.softphone.start(host="127.0.0.1", port=0)
        yield
    finally:
        for phone in phones:
            await phone.softphone.close()


async def test_keys_and_hold_and_resume_on_an_encrypted_call() -> None:
    callee = Phone(srtp="optional", acknowledges=True)
    caller = Phone(
        *("wait 0.5", "digits 5", "wait 1", "hold", "wait 0.5", "resume", "wait 0.5", "digits 6", "wait 2", "hang_up"),
        srtp="required",
    )
    async with running(callee, caller):
        assert await caller.dial(callee.uri)
        await callee.until("ended")
    assert callee.details("digit") == ["5", "6"]
    assert len(caller.details("heard")) == 2  # the tones that acknowledged them
    assert [agreed.split()[:3] for agreed in callee.details("agreed")] == [
        ["PCMU", "sendrecv", "SRTP"],
        ["PCMU", "recvonly", "SRTP"],
        ["PCMU", "sendrecv", "SRTP"],
    ]
    assert [agreed.split()[1] for agreed in caller.details("agreed")] == ["sendrecv", "sendonly", "sendrecv"]


async def test_a_transferred_phone_calls_the_target_and_plays_its_script_there() -> None:
    target, transferee = Phone(), Phone("wait 0.3", "tone 500 600", "wait 1.5", "hang_up")
    async with running(target, transferee):
        caller = Phone("wait 0.3", f"transfer {target.uri}", "wait 10")
        async with running(caller):
            assert await caller.dial(transferee.uri)
            await target.until("ended")
            await transferee.until("finished")
        assert transferee.details("referred") == [target.uri]
    assert caller.details("transferred") == ["200 OK"]
    assert len(target.details("heard")) == 1


async def test_a_phone_that_accepts_no_transfer_stays_on_the_line() -> None:
    transferee = Phone(accepts=False)
    async with running(transferee):
        caller = Phone("wait 0.3", f"transfer {transferee.uri}", "wait 1", "hang_up")
        async with running(caller):
            assert await caller.dial(transferee.uri)
        await transferee.until("ended")
    assert caller.details("transferred")[0].startswith("603")
    assert caller.details("finished") == [""]


async def test_phones_that_agree_on_no_encryption_do_not_talk() -> None:
    callee, caller = Phone(srtp="required"), Phone("hang_up")
    async with running(callee, caller):
        assert not await caller.dial(callee.uri)
    assert caller.details("rejected")[0].startswith("488")
