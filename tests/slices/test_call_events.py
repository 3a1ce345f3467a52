"""What happened in a call besides its turns: stored once, in order, shown page by page."""

import httpx

from ringdown import values
from ringdown.calls import service
from ringdown.calls.models import CallEvent
from tests.slices.conftest import BASE, Tenant

NUMBER = "+12025550100"


def _event(position: int, kind: str = "tool.finished") -> CallEvent:
    details = {"name": "look_up", "duration_ms": position}
    return CallEvent(position=position, kind=kind, at_ms=position * 1500, created_at=values.now_ms(), details=details)


async def test_the_events_of_a_call_are_listed_in_order(tenant: Tenant) -> None:
    call = await tenant.place_call(await tenant.add_agent(outbound_number=NUMBER))
    await tenant.answer_call(call)
    for position in (0, 1, 1):  # written twice, kept once
        await service.append_event(
            tenant.database, organization_id=tenant.organization_id, call_id=call.id, event=_event(position)
        )
    await tenant.finish_call(call, events=tuple(_event(position) for position in range(3)))
    document = (await tenant.client.get(f"{BASE}/calls/{call.id}/events", params={"limit": 2})).json()
    assert [(event["type"], event["timestamp"], event["data"]["duration_ms"]) for event in document["data"]] == [
        ("tool.finished", 0.0, 0),
        ("tool.finished", 1.5, 1),
    ]
    assert document["pagination"] == {"total": 3, "limit": 2, "offset": 0, "has_more": True}
    # A gateway that was slow to store it comes too late.
    await service.append_event(
        tenant.database, organization_id=tenant.organization_id, call_id=call.id, event=_event(3)
    )
    rest = (await tenant.client.get(f"{BASE}/calls/{call.id}/events", params={"offset": 2})).json()
    assert [event["data"]["duration_ms"] for event in rest["data"]] == [2]


async def test_the_events_go_with_their_call(tenant: Tenant) -> None:
    call = await tenant.place_call(await tenant.add_agent(outbound_number=NUMBER))
    await tenant.answer_call(call)
    await tenant.finish_call(call, events=(_event(0),))
    await tenant.client.delete(f"{BASE}/calls/{call.id}")
    assert (await tenant.client.get(f"{BASE}/calls/{call.id}/events")).status_code == 404


async def test_events_are_shown_to_their_organization_alone(
    tenant: Tenant, stranger: Tenant, anonymous: httpx.AsyncClient
) -> None:
    call = await tenant.add_call(seq=1)
    assert (await tenant.client.get(f"{BASE}/calls/{call.id}/events")).json()["data"] == []
    assert (await stranger.client.get(f"{BASE}/calls/{call.id}/events")).status_code == 404
    assert (await anonymous.get(f"{BASE}/calls/{call.id}/events")).status_code == 401
    refused = await tenant.client.get(f"{BASE}/calls/{call.id}/events", params={"limit": 0})
    assert refused.json()["error"]["details"]["field"] == "limit"
