"""After a crash: ends what the previous gateway of this name left, so that nobody stays on a dead line."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import structlog

from ringdown.calls.models import UnfinishedCall
from ringdown.calls.recovery import finish_crashed, note_told
from ringdown.gateway import routes
from ringdown.gateway.patience import keep_trying
from ringdown.gateway.services import Services

log = structlog.get_logger(__name__)


async def recover_calls(services: Services, left: Sequence[UnfinishedCall]) -> None:
    """End every call that a dead gateway of this name left: BYE or CANCEL to the far end, then the record.

    A call that was never answered is not dialled again: nobody knows whether it rang.
    """
    async with asyncio.TaskGroup() as group:
        for unfinished in left:
            group.create_task(_recover(services, unfinished))


async def tell_far_ends(services: Services, left: Sequence[UnfinishedCall]) -> None:
    """Send the BYE or CANCEL of calls that were ended while this gateway was away."""
    async with asyncio.TaskGroup() as group:
        for ended in left:
            group.create_task(_tell_later(services, ended))


async def _tell_later(services: Services, ended: UnfinishedCall) -> None:
    told = await _tell(services, ended)
    await keep_trying(lambda: note_told(services.database, ended.call))
    log.warning("far end of an ended call told", call_id=ended.call.id, told_far_end=told)


async def _recover(services: Services, unfinished: UnfinishedCall) -> None:
    told = await _tell(services, unfinished)
    await keep_trying(
        lambda: finish_crashed(
            services.database,
            settings=services.settings,
            unfinished=unfinished,
            spool=services.spool,
            is_far_end_told=True,
        )
    )
    log.warning("call recovered after a crash", call_id=unfinished.call.id, told_far_end=told)


async def _tell(services: Services, left: UnfinishedCall) -> str:
    """End the call's dialogs; what each was told, in words."""
    trunk = services.trunks.find(left.call.trunk_id)
    # What answers a peer that challenges the BYE, and how it is reached, is no part of the stored dialog.
    credentials = None if trunk is None else routes.find_credentials(trunk)
    security = None if trunk is None else routes.build_security(trunk)
    dialogs = cast("list[dict[str, Any]]", (left.dialog_state or {}).get("dialogs", []))
    told = await asyncio.gather(
        *(services.endpoint.end_stale_dialog(state, credentials=credentials, security=security) for state in dialogs)
    )
    return ", ".join(told) or "none"
