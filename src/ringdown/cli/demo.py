"""One demonstration call through the running programs: placed, watched and listed by the public API, like anybody's."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from ringdown import lifecycle, values
from ringdown.accounts import service as accounts
from ringdown.cli.client import ApiClient, ApiRefused
from ringdown.cli.first_run import Prepared
from ringdown.config import Settings
from ringdown.db.engine import open_database

_POLL_S = 0.25
_REQUESTS_PER_MINUTE = 1000
# The demonstration talks for about half a minute.
_TIMEOUT_S = 150.0

Show = Callable[[str], None]


class DemoFailed(lifecycle.CannotStart):
    """The demonstration call did not complete; the message says how it ended."""


async def place_demo_call(settings: Settings, prepared: Prepared, show: Show) -> Any:
    """Place the call, show its progress, and return what `GET /calls` then answers. Raises `DemoFailed`.

    The key it uses exists only meanwhile.
    """
    database = open_database(settings.sqlalchemy_url)
    name = f"demonstration {values.new_id('key')[-6:]}"
    try:
        key, text = await accounts.create_key(
            database, organization_id=prepared.organization_id, name=name, requests_per_minute=_REQUESTS_PER_MINUTE
        )
        try:
            return await _call(ApiClient(settings.local_url, text), settings, prepared, show)
        except (ApiRefused, OSError) as error:
            raise DemoFailed(f"The API did not do what the demonstration needs: {error}") from error
        finally:
            await accounts.revoke_key(database, organization_id=prepared.organization_id, name_or_id=key.id)
    finally:
        await database.close()


async def _call(client: ApiClient, settings: Settings, prepared: Prepared, show: Show) -> Any:
    body: dict[str, object] = {
        "agent_id": prepared.agent_id,
        "phone_number": settings.test_phone_number,
        "variables": {"first_name": "Ana"},
    }
    placed = (await client.post("/calls", body))["data"]
    show(f"Calling the test phone ({settings.test_phone_number}) from {placed['from']} ...")
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            ended = await _watch(client, placed["id"], show)
    except TimeoutError:
        raise DemoFailed(f"The call had not ended after {_TIMEOUT_S:.0f} s.") from None
    if ended["status"] != "completed":
        raise DemoFailed(f"The call ended as {ended['status']} ({ended['ended_reason']}): {ended['summary']}")
    return await client.get("/calls")


async def _watch(client: ApiClient, call_id: str, show: Show) -> dict[str, Any]:
    status, shown = "", 0
    while True:
        call: dict[str, Any] = (await client.get(f"/calls/{call_id}"))["data"]
        for turn in (call.get("transcript") or [])[shown:]:
            shown += 1
            mark = " (interrupted)" if turn["interrupted"] else ""
            show(f"  {turn['timestamp']:6.1f} s  {turn['speaker']:>7}: {turn['text']}{mark}")
        if call["status"] != status:
            status = call["status"]
            show(f"  {status}")
        if status in ("completed", "failed"):
            return call
        await asyncio.sleep(_POLL_S)


def render(listed: Any) -> str:
    """The answer of the API as a person reads it."""
    return json.dumps(listed, indent=2, ensure_ascii=False)
