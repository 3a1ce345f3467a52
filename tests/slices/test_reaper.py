"""Calls of gateways that are gone are ended; those of a gateway whose lease only looks old are not."""

import asyncio
from pathlib import Path

import pytest

from ringdown import values
from ringdown.calls import recovery, service
from ringdown.calls.recording import RecordingStore
from ringdown.calls.spool import Spool
from ringdown.worker import reaper
from tests.slices.conftest import Tenant

NUMBER = "+12025550101"
HOUR_MS = 3_600_000


@pytest.fixture
def spool(tenant: Tenant, tmp_path: Path) -> Spool:
    settings = tenant.settings.model_copy(update={"data_dir": tmp_path})
    return Spool(tmp_path / "spool", RecordingStore.open(settings))


async def claim(tenant: Tenant) -> str:
    agent = await tenant.add_agent(outbound_number=NUMBER)
    call = await tenant.place_call(agent)
    await service.claim_calls(tenant.database, gateway_id="gateway-1", limit=5)
    return call.id


async def reap(tenant: Tenant, spool: Spool, second_look_s: float = 0.0) -> int:
    return await reaper.reap(tenant.database, settings=tenant.settings, spool=spool, second_look_s=second_look_s)


def set_clock(monkeypatch: pytest.MonkeyPatch, by_ms: int) -> None:
    now_ms = values.now_ms
    monkeypatch.setattr(values, "now_ms", lambda: now_ms() + by_ms)


async def test_a_call_of_a_gateway_that_renews_its_lease_goes_on(tenant: Tenant, spool: Spool) -> None:
    call_id = await claim(tenant)
    assert await reap(tenant, spool, second_look_s=60) == 0
    assert (await tenant.get_call(call_id)).status == "ringing"


@pytest.mark.parametrize("by_ms", [HOUR_MS, -HOUR_MS])
async def test_a_call_of_a_gateway_that_is_gone_is_ended_once_whatever_the_clock_says(
    tenant: Tenant, spool: Spool, monkeypatch: pytest.MonkeyPatch, by_ms: int
) -> None:
    call_id = await claim(tenant)
    set_clock(monkeypatch, by_ms)
    assert await reap(tenant, spool) == 1
    ended = await tenant.get_call(call_id)
    assert (ended.status, ended.ended_reason) == ("failed", "recovered_after_crash")
    assert await reap(tenant, spool) == 0


@pytest.mark.parametrize("by_ms", [HOUR_MS, -HOUR_MS])
async def test_a_clock_that_was_set_ends_no_call_of_a_gateway_that_lives(
    tenant: Tenant, spool: Spool, monkeypatch: pytest.MonkeyPatch, by_ms: int
) -> None:
    call_id = await claim(tenant)
    set_clock(monkeypatch, by_ms)
    reaping = asyncio.create_task(reap(tenant, spool, second_look_s=0.5))
    await asyncio.sleep(0.1)
    await service.renew_leases(tenant.database, gateway_id="gateway-1", media_ms_by_call={})
    assert await reaping == 0
    assert (await tenant.get_call(call_id)).status == "ringing"


async def test_a_gateway_that_comes_back_is_left_the_far_ends_of_what_was_ended_meanwhile(
    tenant: Tenant, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_id = await claim(tenant)
    [ringing] = await service.list_unfinished(tenant.database, gateway_id="gateway-1")
    await service.record_dialog(
        tenant.database,
        organization_id=tenant.organization_id,
        attempt_id=ringing.attempt_id,
        dialog_state={"dialogs": [{"call_id": "a"}]},
    )
    set_clock(monkeypatch, HOUR_MS)
    assert await reap(tenant, spool) == 1
    assert await service.list_unfinished(tenant.database, gateway_id="gateway-1") == []
    assert await service.list_leases(tenant.database) == {}
    [untold] = await recovery.list_untold(tenant.database, gateway_id="gateway-1")
    assert (untold.call.id, untold.dialog_state) == (call_id, {"dialogs": [{"call_id": "a"}]})
    await recovery.note_told(tenant.database, untold.call)
    assert await recovery.list_untold(tenant.database, gateway_id="gateway-1") == []


async def test_a_call_that_was_never_dialled_leaves_nobody_to_tell(
    tenant: Tenant, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await claim(tenant)
    set_clock(monkeypatch, HOUR_MS)
    assert await reap(tenant, spool) == 1
    assert await recovery.list_untold(tenant.database, gateway_id="gateway-1") == []
