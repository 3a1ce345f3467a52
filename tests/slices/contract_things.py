"""One of each resource of an organization, made through the API when a test of the contract first asks for it."""

import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from ringdown import values
from ringdown.calls import service
from ringdown.calls.models import TranscriptTurn
from ringdown.calls.recording import RecordingStore
from ringdown.calls.store import attempts
from ringdown.calls.store import calls as call_store
from tests.slices import batch_dialling
from tests.slices.conftest import BASE, Tenant

PERSON = "+12125551234"
_numbers = itertools.count()


class Things:
    """What exists in one organization, by the names that the contract's table uses; made once each."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.made: dict[str, Any] = {}

    async def get(self, name: str) -> Any:
        """The thing of this name, most of them an id; a name that begins with `new_` is another one each time."""
        if name == "new_name":
            return f"thing {next(_numbers)}"
        if name == "new_number":
            return f"+1303{next(_numbers):07}"
        if name not in self.made:
            self.made[name] = await _MAKERS[name](self)
        return self.made[name]

    async def fill(self, template: Any) -> Any:
        """The template with each text `$name` replaced by the thing of that name."""
        if isinstance(template, dict):
            return {name: await self.fill(value) for name, value in template.items()}
        if isinstance(template, list):
            return [await self.fill(value) for value in template]
        if isinstance(template, str) and template.startswith("$"):
            return await self.get(template[1:])
        return template

    async def send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        response = await self.tenant.client.request(method, BASE + await self._fill_path(path), json=body)
        assert response.is_success, f"{method} {path}: {response.text}"
        return response

    async def make(self, path: str, body: Any = None) -> Any:
        """The id of what a POST makes."""
        return (await self.send("POST", path, await self.fill(body))).json()["data"]["id"]

    async def _fill_path(self, path: str) -> str:
        return "/".join([str(await self.fill(part)) for part in path.split("/")])


def _posting(path: str, body: Any = None) -> Callable[[Things], Awaitable[Any]]:
    async def make(things: Things) -> Any:
        return await things.make(path, body)

    return make


def _acting(name: str, *actions: str) -> Callable[[Things], Awaitable[Any]]:
    """A thing of this kind to which something has been done."""

    async def make(things: Things) -> Any:
        made = await _MAKERS[name](things)
        for action in actions:
            await things.send("POST", f"/batch-calls/{made}/{action}")
        return made

    return make


async def _make_agent(things: Things) -> Any:
    made = await things.make("/agents", {"name": "$new_name", "voice_id": "espeak:en-us", "system_prompt": "Be kind."})
    number = await things.get("new_number")
    await things.tenant.add_number(number, outbound_agent_id=made, inbound_agent_id=made)
    things.made["agent_number"] = number
    return made


async def _make_agent_number(things: Things) -> Any:
    await things.get("agent")
    return things.made["agent_number"]


async def _make_queued_call(things: Things) -> Any:
    return await things.make("/calls", {"agent_id": "$agent", "phone_number": PERSON})


async def _make_live_call(things: Things) -> Any:
    made = await _make_queued_call(things)
    tenant = things.tenant
    call, now = await tenant.get_call(made), values.now_ms()
    # Not claimed: that takes calls in their order, and no more than may be rung at a time.
    async with tenant.database.write() as connection:
        ringing = await call_store.update_call(connection, call, status="ringing", updated_at=now)
        await attempts.insert_attempt(connection, ringing, gateway_id="gateway-1", now_ms=now)
    assert await service.mark_answered(
        tenant.database, organization_id=tenant.organization_id, call_id=made, started_at=now
    )
    return made


async def _make_call(things: Things) -> Any:
    made = await _make_live_call(things)
    path = Path(things.tenant.settings.data_dir) / f"{made}.mp3"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"audio")
    await RecordingStore.open(things.tenant.settings).save(things.tenant.organization_id, made, path)
    turn = TranscriptTurn(position=0, speaker="agent", text="Hello.", start_ms=0, end_ms=900)
    call = await things.tenant.get_call(made)
    assert await things.tenant.finish_call(call, turns=(turn,), summary="A greeting.", has_recording=True)
    return made


async def _make_recording_query(things: Things) -> Any:
    answer = await things.send("GET", "/calls/$call")
    return dict(httpx.URL(answer.json()["data"]["recording_url"]).params)


async def _make_completed_batch(things: Things) -> Any:
    made = await things.make("/batch-calls", _BATCH | {"contacts": [{"phone_number": PERSON}]})
    await batch_dialling.call_contact(things.tenant, {"id": made}, 0, "busy")
    return made


async def _make_dnc_number(things: Things) -> Any:
    number = await things.get("new_number")
    await things.send("POST", "/contacts/dnc", {"phone_number": number})
    return number


async def _make_delivery(things: Things) -> Any:
    endpoint = await things.get("endpoint")
    await _make_call(things)
    answer = await things.send("GET", "/webhook-deliveries")
    return next(delivery["id"] for delivery in answer.json()["data"] if delivery["endpoint_id"] == endpoint)


async def _make_event(things: Things) -> Any:
    await things.get("call")
    return (await things.send("GET", "/events")).json()["data"][0]["id"]


async def _make_version(things: Things) -> Any:
    await things.send("PATCH", "/agents/$agent", {"temperature": 0.5})
    return 1


async def _make_ledger_entry(things: Things) -> Any:
    await things.get("call")
    return (await things.send("GET", "/credits/ledger")).json()["data"][0]["id"]


_BATCH = {"name": "Recall", "agent_id": "$agent"}
_AGENT = {"name": "$new_name", "voice_id": "espeak:en-us", "system_prompt": "Be kind."}
_LATER = {"schedule_type": "scheduled", "scheduled_at": "2040-01-02T09:00:00Z"}
_MAKERS: dict[str, Callable[[Things], Awaitable[Any]]] = {
    "agent": _make_agent,
    "agent_number": _make_agent_number,
    "spare_agent": _posting("/agents", _AGENT),
    "draft_agent": _posting("/agents", _AGENT | {"status": "draft"}),
    "version": _make_version,
    "call": _make_call,
    "queued_call": _make_queued_call,
    "live_call": _make_live_call,
    "recording_query": _make_recording_query,
    "batch": _posting("/batch-calls", _BATCH),
    "filled_batch": _posting("/batch-calls", _BATCH | _LATER | {"contacts": [{"phone_number": PERSON}]}),
    "scheduled_batch": _acting("filled_batch", "schedule"),
    "paused_batch": _acting("filled_batch", "schedule", "pause"),
    "completed_batch": _make_completed_batch,
    "knowledge_base": _posting("/knowledge-bases", {"name": "Help"}),
    "source": _posting("/knowledge-bases/$knowledge_base/sources/text", {"name": "Hours", "text": "From nine."}),
    "folder": _posting("/contacts/folders", {"name": "$new_name"}),
    "contact": _posting("/contacts", {"phone_number": "$new_number", "folder_id": "$folder"}),
    "dnc_number": _make_dnc_number,
    "tool": _posting("/tools", {"name": "$new_name", "url": "http://127.0.0.1:9/", "method": "GET"}),
    "voice": _posting("/voices", {"name": "Rachel", "provider_voice_id": "rachel"}),
    "trunk": _posting("/telephony/trunks", {"name": "$new_name", "hosts": ["sip.example.net"]}),
    "number": _posting("/telephony/numbers/import", {"phone_number": "$new_number", "trunk_id": "$trunk"}),
    "credential": _posting("/telephony/credentials", {"provider_type": "telnyx", "api_key": "KEY_telnyx"}),
    "endpoint": _posting("/webhook-endpoints", {"url": "https://shop.example/hook"}),
    "delivery": _make_delivery,
    "event": _make_event,
    "erasure": _posting("/privacy/erasures", {"phone_number": "$new_number"}),
    "key": _posting("/api-keys", {"name": "$new_name"}),
    "ledger_entry": _make_ledger_entry,
}
