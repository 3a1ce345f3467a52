"""Webhook endpoints in the database; their secrets are ciphertext."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors
from ringdown.webhooks import tables
from ringdown.webhooks.models import WebhookEndpoint

endpoints = tables.endpoints


def _to_row(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {**dataclasses.asdict(endpoint), "event_types": list(endpoint.event_types)}


def _from_row(row: sa.Row[Any]) -> WebhookEndpoint:
    return WebhookEndpoint(**{**row._mapping, "event_types": tuple(row.event_types)})


async def insert_endpoint(connection: AsyncConnection, endpoint: WebhookEndpoint) -> None:
    """Store a new endpoint."""
    await connection.execute(endpoints.insert().values(_to_row(endpoint)))


async def update_endpoint(connection: AsyncConnection, endpoint: WebhookEndpoint) -> None:
    """Store an endpoint that exists."""
    condition = _is_endpoint(endpoint.organization_id, endpoint.id)
    await connection.execute(endpoints.update().where(condition).values(_to_row(endpoint)))


async def get_endpoint(
    connection: AsyncConnection, organization_id: str, endpoint_id: str, *, lock: bool = False
) -> WebhookEndpoint:
    """The endpoint; raises `NotFound`. `lock` keeps others from changing it until the transaction ends."""
    query = endpoints.select().where(_is_endpoint(organization_id, endpoint_id))
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise errors.NotFound("Webhook endpoint", endpoint_id)
    return _from_row(row)


async def find_crm_endpoint(connection: AsyncConnection, organization_id: str, agent_id: str) -> WebhookEndpoint | None:
    """The endpoint that the agent's `crm_webhook_url` keeps; nobody else changes it until the transaction ends."""
    query = endpoints.select().where(_is_crm(organization_id), endpoints.c.agent_id == agent_id).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _from_row(row)


async def list_crm_urls(connection: AsyncConnection, organization_id: str) -> dict[str, str]:
    """The `crm_webhook_url` of each agent that has one."""
    query = sa.select(endpoints.c.agent_id, endpoints.c.url).where(_is_crm(organization_id))
    return {row.agent_id: row.url for row in await connection.execute(query)}


async def list_probe_times(connection: AsyncConnection, organization_id: str) -> dict[str, int]:
    """When each endpoint that accepts nothing at present is tried again, by its id."""
    query = sa.select(endpoints.c.id, endpoints.c.probe_at).where(
        endpoints.c.organization_id == organization_id, endpoints.c.probe_at.is_not(None)
    )
    return {row.id: row.probe_at for row in await connection.execute(query)}


async def lock_endpoints(
    connection: AsyncConnection, organization_id: str, ids: Sequence[str]
) -> list[WebhookEndpoint]:
    """Those of these endpoints that exist, by id; nobody else changes them until the transaction ends."""
    query = endpoints.select().where(endpoints.c.organization_id == organization_id, endpoints.c.id.in_(ids))
    rows = await connection.execute(query.order_by(endpoints.c.id).with_for_update())
    return [_from_row(row) for row in rows]


async def count_endpoints(connection: AsyncConnection, organization_id: str) -> int:
    """How many endpoints the organization has."""
    query = sa.select(sa.func.count()).where(endpoints.c.organization_id == organization_id)
    return int((await connection.execute(query)).scalar_one())


async def list_endpoints(
    connection: AsyncConnection, organization_id: str, *, enabled: bool | None = None, limit: int, offset: int
) -> tuple[list[WebhookEndpoint], int]:
    """A page of endpoints, newest first, and how many there are."""
    condition = endpoints.c.organization_id == organization_id
    if enabled is not None:
        condition &= endpoints.c.is_enabled.is_(enabled)
    total = (await connection.execute(sa.select(sa.func.count()).select_from(endpoints).where(condition))).scalar_one()
    page = endpoints.select().where(condition).order_by(endpoints.c.id.desc()).limit(limit).offset(offset)
    return [_from_row(row) for row in await connection.execute(page)], total


async def delete_of_agent(connection: AsyncConnection, organization_id: str, agent_id: str) -> None:
    """Delete the endpoints of an agent with all that is and was owed to them."""
    query = sa.select(endpoints.c.id).where(
        endpoints.c.organization_id == organization_id, endpoints.c.agent_id == agent_id
    )
    for endpoint_id in (await connection.execute(query.order_by(endpoints.c.id))).scalars().all():
        await delete_endpoint(connection, organization_id, endpoint_id)


async def delete_endpoint(connection: AsyncConnection, organization_id: str, endpoint_id: str) -> bool:
    """Delete the endpoint with all that is and was owed to it; False when it is not there."""
    deliveries, attempts, events = tables.deliveries, tables.attempts, tables.events
    is_its = (deliveries.c.organization_id == organization_id) & (deliveries.c.endpoint_id == endpoint_id)
    its_deliveries = sa.select(deliveries.c.id).where(is_its)
    of_its = (attempts.c.organization_id == organization_id) & attempts.c.delivery_id.in_(its_deliveries)
    deleted = await connection.execute(endpoints.delete().where(_is_endpoint(organization_id, endpoint_id)))
    if deleted.rowcount != 1:
        return False
    await connection.execute(attempts.delete().where(of_its))
    its_tests = events.c.id.in_(sa.select(deliveries.c.event_id).where(is_its)) & (events.c.endpoint_id == endpoint_id)
    await connection.execute(events.delete().where((events.c.organization_id == organization_id) & its_tests))
    await connection.execute(deliveries.delete().where(is_its))
    return True


def _is_crm(organization_id: str) -> sa.ColumnElement[bool]:
    return (endpoints.c.organization_id == organization_id) & endpoints.c.is_crm.is_(True)


def _is_endpoint(organization_id: str, endpoint_id: str) -> sa.ColumnElement[bool]:
    return (endpoints.c.organization_id == organization_id) & (endpoints.c.id == endpoint_id)
