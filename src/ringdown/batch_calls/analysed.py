"""What the analysis of a call changes in its batch call: the outcome of the contact."""

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown.batch_calls import contact_store
from ringdown.calls import analysing
from ringdown.calls.models import Call


async def follow_analysis(connection: AsyncConnection, call: Call) -> None:
    """Give the contact whose last call this is the outcome that the analysis has found; safe to run twice."""
    if call.batch_call_id is None or call.to_number is None or call.outcome is None:
        return
    await contact_store.revise_outcome(
        connection,
        call.organization_id,
        call.batch_call_id,
        number=call.to_number,
        call_id=call.id,
        outcome=call.outcome,
    )


analysing.register(follow_analysis)
