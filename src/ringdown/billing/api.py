"""Routes of credits and usage."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import BeforeValidator, WithJsonSchema

from ringdown import errors, values
from ringdown.accounts import preference_store
from ringdown.billing import balance_store, ledger, service, store, usage_store
from ringdown.billing.ledger import EntryKind
from ringdown.billing.usage_store import Usage, UsageGroup, UsageInterval, UsageQuery
from ringdown.web import context, envelope, openapi, route
from ringdown.web.auth import AuthenticatedCaller
from ringdown.web.pagination import PageQuery
from ringdown.web.query import Number

_MAX_DAYS = 3660
_DEFAULT_DAYS = 30
_CREDITS = openapi.describe_one({"$ref": "#/components/schemas/CreditsObject"}, "The credits.")
_LEDGER = openapi.describe_list({"$ref": "#/components/schemas/LedgerEntryObject"}, "Entries, newest first.")
_USAGE = openapi.describe_list({"$ref": "#/components/schemas/UsageObject"}, "Sums, newest first.")

router = route.new_router(tag="Account")


def _parse_day(value: object) -> object:
    text = str(value)
    try:
        if len(text) == len("2026-11-22"):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError("must be a day such as 2026-11-22")


Day = Annotated[date, BeforeValidator(_parse_day), WithJsonSchema({"type": "string", "format": "date"})]


@router.get("/credits", summary="Get the credits", responses=_CREDITS)
async def get_credits(request: Request, caller: AuthenticatedCaller) -> Response:
    """Balance and holds."""
    async with context.get_database(request).read() as connection:
        balance = await balance_store.get_balance(connection, caller.organization_id)
        preferences = await preference_store.get_preferences(connection, caller.organization_id)
        today = ledger.find_day(values.now_ms(), preferences.timezone)
        spent_today = await balance_store.get_spent(connection, caller.organization_id, "day", today)
    low_mark = preferences.credits_low_mark
    answer = {
        "balance": balance.balance,
        "held": balance.held,
        "enforced": context.get_settings(request).credits_enforced,
        "low_mark": low_mark,
        "is_low": low_mark is not None and balance.unspent < low_mark,
        "daily_limit": preferences.daily_credit_limit,
        "spent_today": spent_today,
    }
    return envelope.respond(request, answer)


@router.get("/credits/ledger", summary="List ledger entries", responses=_LEDGER)
async def list_ledger(
    request: Request,
    caller: AuthenticatedCaller,
    page: PageQuery,
    type: Annotated[EntryKind | None, Query(description="Only entries of this type.")] = None,  # noqa: A002
    call_id: Annotated[str | None, Query(description="Only entries of this call.", min_length=1)] = None,
) -> Response:
    """Every amount that was given or taken, newest first; their sum is the balance."""
    owner = caller.organization_id
    async with context.get_database(request).read() as connection:
        entries = await store.list_entries(
            connection, owner, kind=type, call_id=call_id, limit=page.limit, offset=page.offset
        )
        if call_id is not None:
            total = await store.count_call_entries(connection, owner, call_id, kind=type)
        else:  # of a large ledger, which nobody counts
            total = (await balance_store.get_balance(connection, owner)).count_entries(type)
    rendered = [
        {
            "id": entry.id,
            "type": entry.kind,
            "amount": entry.amount,
            "call_id": entry.call_id,
            "batch_call_id": entry.batch_call_id,
            "note": entry.note,
            "created_at": values.to_wire_time(entry.created_at),
        }
        for entry in entries
    ]
    return envelope.respond_page(request, rendered, page.describe(total=total, returned=len(rendered)))


@router.get("/usage", summary="List usage", responses=_USAGE)
async def list_usage(
    request: Request,
    caller: AuthenticatedCaller,
    page: PageQuery,
    first_day: Annotated[
        Day | None, Query(alias="from", description="First day (UTC); by default 29 days before the last.")
    ] = None,
    last_day: Annotated[Day | None, Query(alias="to", description="Last day, included; today by default.")] = None,
    interval: Annotated[UsageInterval, Query(description="What a row covers.")] = "day",
    group_by: Annotated[UsageGroup | None, Query(description="A row for each of these.")] = None,
    agent_id: Annotated[str | None, Query(description="Only calls of this agent.", min_length=1)] = None,
    phone_number: Annotated[
        Number | None, Query(description="Only calls of this number of ours.", min_length=1)
    ] = None,
    batch_call_id: Annotated[str | None, Query(description="Only calls of this batch.", min_length=1)] = None,
) -> Response:
    """Calls, minutes and credits of calls that have ended, by the day of their end; deleted calls count, too."""
    last = last_day or datetime.fromtimestamp(values.now_ms() / 1000, UTC).date()
    first = first_day or last - timedelta(days=min(_DEFAULT_DAYS - 1, last.toordinal() - 1))
    if first > last:
        raise errors.invalid("from", "must not be later than to")
    if (last - first).days >= _MAX_DAYS:
        raise errors.invalid("from", f"must be at most {_MAX_DAYS} days before to")
    query = UsageQuery(
        organization_id=caller.organization_id,
        first_day=first.isoformat(),
        last_day=last.isoformat(),
        interval=interval,
        group_by=group_by,
        agent_id=agent_id,
        number=phone_number,
        batch_call_id=batch_call_id,
    )
    database = context.get_database(request)
    await service.fold_usage(database, organization_id=caller.organization_id)
    async with database.read() as connection:
        found, total = await usage_store.list_usage(connection, query, limit=page.limit, offset=page.offset)
    rendered = [_render_usage(usage, group_by) for usage in found]
    return envelope.respond_page(request, rendered, page.describe(total=total, returned=len(rendered)))


def _render_usage(usage: Usage, group_by: UsageGroup | None) -> dict[str, object]:
    return {
        "period": usage.period,
        "agent_id": usage.group if group_by == "agent" else None,
        "phone_number": usage.group if group_by == "number" else None,
        "batch_call_id": usage.group if group_by == "batch" else None,
        "calls": usage.calls,
        "answered_calls": usage.answered_calls,
        "duration_seconds": usage.duration_seconds,
        "minutes": round(usage.duration_seconds / 60, 2),
        "credits": usage.credits,
    }
