"""After a crash: ends what the previous gateway of this name left, so that nobody stays on a dead line."""

import asyncio
from collections.abc import Sequence

import structlog

from ringdown.calls.models import Call, UnfinishedCall
from ringdown.calls.recovery import finish_crashed
from ringdown.gateway.patience import keep_trying
from ringdown.gateway.session import Services
from ringdown.sip.digest import Credentials

log = structlog.get_logger(__name__)


async def recover_calls(services: Services, left: Sequence[UnfinishedCall]) -> None:
    """End every call that a dead gateway of this name left: BYE or CANCEL to the far end, then the record.

    A call that was never answered is not dialled again: nobody knows whether it rang.
    """
    async with asyncio.TaskGroup() as group:
        for unfinished in left:
            group.create_task(_recover(services, unfinished))


async def _recover(services: Services, unfinished: UnfinishedCall) -> None:
    told = "none"
    if unfinished.dialog_state is not None:
        told = await services.endpoint.end_stale_dialog(
            dict(unfinished.dialog_state), credentials=_find_credentials(services, unfinished.call)
        )
    await keep_trying(
        lambda: finish_crashed(
            services.database, settings=services.settings, unfinished=unfinished, spool=services.spool
        )
    )
    log.warning("call recovered after a crash", call_id=unfinished.call.id, told_far_end=told)


def _find_credentials(services: Services, call: Call) -> Credentials | None:
    """What answers a peer that challenges the BYE; it is no part of the stored dialog."""
    route = services.routes.find(call.to_number or "") if call.direction == "outbound" else None
    return route.credentials if route is not None else None
