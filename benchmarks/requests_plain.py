"""The list of calls as FastAPI's tutorial would have it: pydantic models, SQLAlchemy, COUNT and OFFSET, no more.

Run as a program it serves the database that the settings name, as `benchmarks.requests` does with ours.
"""

import hashlib
from typing import Annotated, Any

import sqlalchemy as sa
import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import create_async_engine

from ringdown import values
from ringdown.accounts.store import api_keys
from ringdown.calls.schemas import CallObject
from ringdown.calls.tables import calls
from ringdown.config import Settings

_settings = Settings()
_engine = create_async_engine(_settings.sqlalchemy_url)
app = FastAPI()


class Meta(BaseModel):
    """Of every answer."""

    request_id: str
    ts: str | None


class Paging(BaseModel):
    """Where the page stands."""

    total: int
    limit: int
    offset: int
    has_more: bool


class CallList(BaseModel):
    """The answer."""

    data: list[CallObject]
    meta: Meta
    pagination: Paging


async def get_organization_id(
    credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
) -> str:
    """Whose key it is."""
    digest = hashlib.sha256(credentials.credentials.encode()).hexdigest()
    query = sa.select(api_keys.c.organization_id).where(api_keys.c.key_hash == digest)
    async with _engine.connect() as connection:
        found = (await connection.execute(query)).scalar_one_or_none()
    if found is None:
        raise HTTPException(401)
    return str(found)


@app.get("/api/public/v1/calls")
async def list_calls(
    organization_id: Annotated[str, Depends(get_organization_id)],
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> CallList:
    """A page of calls."""
    is_ours = calls.c.organization_id == organization_id
    async with _engine.connect() as connection:
        total = (await connection.execute(sa.select(sa.func.count()).select_from(calls).where(is_ours))).scalar_one()
        page = calls.select().where(is_ours).order_by(calls.c.seq.desc()).limit(limit).offset(offset)
        found = [_to_object(row._mapping) for row in await connection.execute(page)]
    return CallList(
        data=found,
        meta=Meta(request_id=values.new_id("req"), ts=values.to_wire_time(values.now_ms())),
        pagination=Paging(total=total, limit=limit, offset=offset, has_more=offset + len(found) < total),
    )


def _to_object(row: Any) -> CallObject:
    times = {name: values.to_wire_time(row[name]) for name in ("started_at", "ended_at", "created_at", "updated_at")}
    fields = {
        **row,
        **times,
        "to": row["to_number"],
        "from": row["from_number"],
        "recording_url": f"{_settings.base_url}/recordings/{row['id']}.mp3",
        "transcript_url": f"{_settings.base_url}/calls/{row['id']}/transcript",
        "phone_number": row["to_number"],
        "latency": {"p50_ms": row["latency_p50_ms"], "p95_ms": row["latency_p95_ms"]},
    }
    return CallObject.model_validate(fields)


if __name__ == "__main__":
    uvicorn.run(app, host=_settings.http_host, port=_settings.http_port, access_log=False, log_level="warning")
