"""What of webhooks, contacts and privacy a crash may cut off: the use cases of `test_crashes.py`."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from ringdown import values
from ringdown.calls import retention
from ringdown.calls.models import Call
from ringdown.calls.recording import RecordingStore
from ringdown.calls.spool import Spool
from ringdown.contacts import dnc_service
from ringdown.webhooks import retrying
from ringdown.webhooks import service as webhooks
from ringdown.webhooks.models import WebhookEndpoint
from tests.slices.conftest import BASE, Tenant
from tests.slices.crash_calling import begin, create, make_talking, run_jobs, send
from tests.slices.crashing import UseCase
from tests.slices.dialling import people
from tests.slices.judging import make_turns
from tests.slices.test_batch_contacts import make_folder
from tests.slices.webhook_sending import START, VirtualSender, add_endpoint, record

_HOUR_MS = 3_600_000
_CSV = "phone,name,reason\n" + "".join(f"{each['phone_number']},Ana,asked us\n" for each in people(5))
_PERSON = people(1)[0]["phone_number"]

# --- webhooks ---------------------------------------------------------------------------------------------------------


async def make_endpoint(tenant: Tenant) -> WebhookEndpoint:
    return await add_endpoint(tenant.database, tenant.settings, tenant.organization_id)


async def make_owed(tenant: Tenant) -> WebhookEndpoint:
    """Five events of three calls that an endpoint is owed."""
    endpoint = await make_endpoint(tenant)
    for subject, names in (("call_1", ("call.started", "call.failed")), ("call_2", ("call.started", "call.failed"))):
        for moment, name in enumerate(names):
            await record(tenant.database, tenant.organization_id, subject, name, at=START + moment)  # type: ignore[arg-type]
    await record(tenant.database, tenant.organization_id, "call_3", "call.started")
    return endpoint


async def make_delivered(tenant: Tenant) -> WebhookEndpoint:
    endpoint = await make_owed(tenant)
    await VirtualSender(tenant.database, now=START + _HOUR_MS).deliver_all()
    return endpoint


async def make_refused(tenant: Tenant) -> WebhookEndpoint:
    """What the endpoint is owed is parked: it wants none of it."""
    endpoint = await make_owed(tenant)
    sender = VirtualSender(tenant.database, now=START + _HOUR_MS)
    while await sender.claim():
        while sender.chains:
            await sender.send(410)
    return endpoint


async def make_failing(tenant: Tenant) -> WebhookEndpoint:
    """An endpoint that has failed for longer than anything is tried."""
    endpoint = await make_owed(tenant)
    sender = VirtualSender(tenant.database, now=START + _HOUR_MS)
    await sender.claim()
    while sender.chains:
        await sender.send(500)
    return endpoint


async def deliver(tenant: Tenant, _endpoint: object) -> None:
    """A sender's claims and results, one of them a failure."""
    sender = VirtualSender(tenant.database, now=START + _HOUR_MS)
    await sender.claim()
    await sender.send(500)
    while sender.chains:
        await sender.send(204)


async def deliver_the_rest(tenant: Tenant, _endpoint: object) -> None:
    await VirtualSender(tenant.database, now=START + 2 * _HOUR_MS).deliver_all()


async def give_up(tenant: Tenant, _endpoint: object) -> None:
    sender = VirtualSender(tenant.database, now=START + retrying.PARK_AFTER_MS + 2 * _HOUR_MS)
    for _ in range(3):
        await sender.claim()
        while sender.chains:
            await sender.send(500)
        sender.now += _HOUR_MS


async def number(tenant: Tenant, _endpoint: object) -> None:
    await webhooks.number_all_events(tenant.database)


async def create_endpoint(tenant: Tenant, _agent: object) -> None:
    await send(tenant, "POST", "/webhook-endpoints", json={"url": "https://crm.example/second"})


def act_on_endpoint(method: str, path: str = "", body: dict[str, Any] | None = None) -> Any:
    async def act(tenant: Tenant, endpoint: WebhookEndpoint) -> None:
        await send(tenant, method, f"/webhook-endpoints/{endpoint.id}{path}", json=body)

    return act


async def replay_one(tenant: Tenant, endpoint: WebhookEndpoint) -> None:
    query = {"endpoint_id": endpoint.id, "limit": "1"}
    found = await tenant.client.get(f"{BASE}/webhook-deliveries", params=query)
    await send(tenant, "POST", f"/webhook-deliveries/{found.json()['data'][0]['id']}/replay")


async def create_agent_with_webhook(tenant: Tenant, _agent: object) -> None:
    body = {"name": "Second", "voice_id": "espeak:en-us", "system_prompt": "Be kind."}
    await send(tenant, "POST", "/agents", json={**body, "crm_webhook_url": "https://crm.example/analyses"})


# --- contacts ---------------------------------------------------------------------------------------------------------


async def make_people(tenant: Tenant) -> tuple[str, Sequence[str]]:
    """A folder of five contacts, and their ids."""
    return await make_folder(tenant, [{"phone_number": each["phone_number"]} for each in people(5)])


async def create_contact(tenant: Tenant, _agent: object) -> None:
    await send(tenant, "POST", "/contacts", json={"phone_number": _PERSON})


def import_file(path: str, **form: str) -> Any:
    async def act(tenant: Tenant, _prepared: object) -> None:
        await send(tenant, "POST", path, files={"file": ("people.csv", _CSV)}, data=form)

    return act


async def overwrite(tenant: Tenant, prepared: tuple[str, Sequence[str]]) -> None:
    await import_file("/contacts/import", folder_id=prepared[0], overwrite_existing="true")(tenant, None)


async def delete_folder(tenant: Tenant, prepared: tuple[str, Sequence[str]]) -> None:
    await send(tenant, "DELETE", f"/contacts/folders/{prepared[0]}")


async def delete_people(tenant: Tenant, prepared: tuple[str, Sequence[str]]) -> None:
    await send(tenant, "POST", "/contacts/bulk-delete", json={"contact_ids": prepared[1][:3]})


async def list_numbers(tenant: Tenant, _agent: object) -> None:
    numbers = [each["phone_number"] for each in people(3)]
    await send(tenant, "POST", "/contacts/dnc", json={"phone_numbers": numbers, "reason": "asked us"})


async def opt_out(tenant: Tenant, call: Call) -> None:
    """What an agent's tool does when the person it talks to wants no more calls."""
    await dnc_service.add_during_call(
        tenant.database,
        organization_id=tenant.organization_id,
        number=call.to_number,
        reason="asked us",
        call_id=call.id,
    )


async def make_conversation(tenant: Tenant) -> Call:
    call, *_ = await make_talking(tenant)
    return call


# --- what is forgotten ------------------------------------------------------------------------------------------------


async def make_known(tenant: Tenant) -> None:
    """A person with contacts, places in batch calls, and calls with transcripts."""
    await make_people(tenant)
    for call in await make_talking(tenant):
        await tenant.finish_call(call, turns=make_turns(), summary="Likes marmalade.")
    await create(tenant, "/contacts/dnc", phone_number=_PERSON, reason="Ana asked us")


async def erase(tenant: Tenant, _prepared: object) -> None:
    await send(tenant, "POST", "/privacy/erasures", json={"phone_number": _PERSON})
    await run_jobs(tenant)


async def make_old(tenant: Tenant) -> None:
    """Calls whose recordings and transcripts have been kept for long enough."""
    await make_known(tenant)
    days = {"recording_retention_days": 1, "transcript_retention_days": 1}
    assert (await tenant.client.patch(f"{BASE}/organization", json=days)).is_success
    async with tenant.database.write() as connection:
        await connection.execute(sa.text("UPDATE calls SET created_at = created_at - 864000000, has_recording = true"))


async def forget(tenant: Tenant, _prepared: object) -> None:
    spool = Spool(tenant.settings.data_dir / "spool", RecordingStore.open(tenant.settings))
    await retention.delete_expired(tenant.database, spool=spool, now_ms=values.now_ms())


# A delivery may be made once more after a crash: at least once.
_TRIES = frozenset(("webhook_attempts", "attempt_count", "failing_since", "failure_count", "error", "response_status"))
_SINCE = {"since": "2023-01-01T00:00:00Z"}

USE_CASES = (
    UseCase(name="create an endpoint", prepare=begin, act=create_endpoint, commits=3),
    UseCase(name="rotate a secret", prepare=make_endpoint, act=act_on_endpoint("POST", "/rotate-secret"), commits=3),
    UseCase(name="test an endpoint", prepare=make_endpoint, act=act_on_endpoint("POST", "/test"), commits=3),
    UseCase(
        name="disable an endpoint",
        prepare=make_owed,
        act=act_on_endpoint("PATCH", body={"enabled": False}),
    ),
    UseCase(name="delete an endpoint", prepare=make_delivered, act=act_on_endpoint("DELETE")),
    UseCase(name="an agent's webhook", prepare=begin, act=create_agent_with_webhook, commits=3),
    UseCase(name="send", prepare=make_owed, act=deliver, again=deliver_the_rest, ignored=_TRIES, commits=3),
    UseCase(name="park", prepare=make_failing, act=give_up, ignored=_TRIES, commits=2),
    UseCase(name="number events", prepare=make_owed, act=number),
    UseCase(
        name="replay all since",
        prepare=make_delivered,
        act=act_on_endpoint("POST", "/replay", _SINCE),
        ignored=frozenset(("updated_at",)),
        commits=5,
    ),
    UseCase(
        name="replay what is parked",
        prepare=make_refused,
        act=act_on_endpoint("POST", "/replay", {"status": "parked"}),
        commits=5,
    ),
    UseCase(name="replay one", prepare=make_delivered, act=replay_one, commits=3),
    UseCase(name="create a contact", prepare=begin, act=create_contact, commits=3),
    UseCase(name="import contacts", prepare=begin, act=import_file("/contacts/import"), commits=6),
    UseCase(name="import over contacts", prepare=make_people, act=overwrite, commits=6),
    UseCase(name="delete a folder", prepare=make_people, act=delete_folder, commits=4),
    UseCase(name="delete contacts", prepare=make_people, act=delete_people, commits=1),
    UseCase(name="list numbers not to call", prepare=begin, act=list_numbers, commits=3),
    UseCase(name="import such numbers", prepare=begin, act=import_file("/contacts/dnc/import"), commits=6),
    UseCase(name="opt out in a call", prepare=make_conversation, act=opt_out),
    UseCase(name="erase a person", prepare=make_known, act=erase, commits=6),
    UseCase(name="keep for so long only", prepare=make_old, act=forget, commits=3),
)
