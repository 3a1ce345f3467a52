"""What a caller of the API asks of a live call: rows that the gateway which carries it obeys."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors, values
from ringdown.calls import service
from ringdown.calls.models import Call, CommandKind, FinishedCall, Transfer
from ringdown.calls.store import calls as store
from ringdown.calls.store import commands
from ringdown.config import Settings
from ringdown.db import wakeup
from ringdown.db.engine import Database
from ringdown.telephony import permission

#: The wake-up channel of commands.
COMMANDS_CHANNEL = "call_commands"


async def hang_up_call(database: Database, *, settings: Settings, organization_id: str, call_id: str) -> Call:
    """End a call: one that is queued at once (`cancelled`), one that rings or talks through its gateway.

    Raises `NotFound`, or `ValidationFailed` when it has ended.
    """
    async with database.write() as connection:
        call = await store.get_call(connection, organization_id, call_id, lock=True)
        if not call.is_live:
            raise errors.invalid("status", f"the call has ended ({call.status})")
        if call.status == "queued":
            return await service.end_call(connection, call, FinishedCall(ended_reason="cancelled"), settings=settings)
        await _command(connection, call, "hang_up")
        return call


async def hold_call(database: Database, *, organization_id: str, call_id: str, is_held: bool) -> Call:
    """Put the far party on hold, or take it back; the agent rests meanwhile.

    Raises `NotFound`, or `ValidationFailed` when nobody is on the line.
    """
    async with database.write() as connection:
        call = await _get_talking(connection, organization_id, call_id)
        await _command(connection, call, "hold" if is_held else "resume")
        return call


async def send_digits(database: Database, *, organization_id: str, call_id: str, digits: str) -> Call:
    """Play keypad digits to the far party. Raises as `hold_call` does."""
    async with database.write() as connection:
        call = await _get_talking(connection, organization_id, call_id)
        await _command(connection, call, "send_digits", {"digits": digits.upper()})
        return call


async def transfer_call(
    database: Database, *, settings: Settings, organization_id: str, call_id: str, transfer: Transfer
) -> Call:
    """Hand the far party over to somebody else; how far that is shows in the call's `transfer`.

    Raises `NotFound`, or `ValidationFailed` when nobody is on the line, another transfer is under way, or the number
    may not be called.
    """
    if (refusal := permission.find_refusal(transfer.to, settings=settings)) is not None:
        raise errors.invalid("phone_number", refusal.message)
    async with database.write() as connection:
        call = await _get_talking(connection, organization_id, call_id)
        if call.transfer is not None and call.transfer.is_open:
            raise errors.invalid("transfer", f"a transfer to {call.transfer.to} is under way")
        arguments = {
            "to": transfer.to,
            "mode": transfer.mode,
            "introduction": transfer.introduction,
            "timeout_ms": transfer.timeout_ms,
        }
        await _command(connection, call, "transfer", arguments)
        return await store.update_call(connection, call, transfer=transfer, updated_at=values.now_ms())


async def _get_talking(connection: AsyncConnection, organization_id: str, call_id: str) -> Call:
    call = await store.get_call(connection, organization_id, call_id, lock=True)
    if call.status != "in_progress":
        raise errors.invalid("status", f"the call is {call.status}; this needs a call that is in_progress")
    return call


async def _command(
    connection: AsyncConnection, call: Call, kind: CommandKind, arguments: Mapping[str, object] | None = None
) -> None:
    await commands.insert_command(connection, call, kind, arguments)
    await wakeup.notify(connection, COMMANDS_CHANNEL)
