"""A small application on the web layer, as the slices build theirs, and its client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Literal, Self

import httpx
from fastapi import FastAPI, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ringdown import values
from ringdown.accounts import service as accounts
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.errors import Conflict
from ringdown.web import envelope, idempotency, route, setup
from ringdown.web.auth import AuthenticatedCaller
from ringdown.web.pagination import PageQuery


class Colour(BaseModel):
    """A nested object."""

    model_config = ConfigDict(extra="forbid")

    name: Literal["red", "green"]
    strength: int = Field(50, ge=0, le=100)


class NewThing(BaseModel):
    """What a POST takes."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=20)
    colour: Colour | None = None
    size: int | Literal["large"] = 1
    tags: list[str] = []
    then: Literal["succeed", "fail", "break", "lose_database"] = "succeed"

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.tags and self.size == "large":
            raise ValueError("a large thing takes no tags")
        return self


@dataclass(slots=True)
class Things:
    """What the application has created, and a gate to hold requests in flight."""

    names: list[str] = field(default_factory=list)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)


def build_app(*, settings: Settings, database: Database, things: Things) -> FastAPI:
    """The application; `things` shows what it did."""
    app = FastAPI()
    setup.install(
        app, settings=settings, database=database, authenticate=accounts.new_authenticator(database), shortcuts={}
    )
    router = route.new_router(prefix="/v1", tag="things")

    @router.get("/things")
    async def list_things(
        request: Request,
        caller: AuthenticatedCaller,
        page: PageQuery,
        colour: Literal["red", "green"] | None = None,
        tag: Annotated[list[str] | None, Query()] = None,
    ) -> Response:
        rows = [{"id": caller.organization_id, "colour": colour, "tags": tag}]
        return envelope.respond_page(request, rows, page.describe(total=3, returned=1))

    @router.post("/things", status_code=201)
    async def create_thing(request: Request, caller: AuthenticatedCaller, thing: NewThing) -> Response:
        things.entered.set()
        await things.gate.wait()
        if thing.then == "fail":
            raise Conflict("no")
        things.names.append(thing.name)
        web_database: Database = request.app.state.web.database
        async with web_database.write() as connection:
            await idempotency.bind_resource(connection, f"thing_{len(things.names)}")
        if thing.then == "break":
            raise ZeroDivisionError("secret detail")
        if thing.then == "lose_database":
            raise ConnectionRefusedError("secret address")
        return envelope.respond_created(request, {"id": f"thing_{len(things.names)}", "name": thing.name})

    @router.get("/things/{thing_id}")
    async def get_thing(request: Request, caller: AuthenticatedCaller, thing_id: str) -> Response:
        return envelope.respond(request, {"id": thing_id})

    @router.post("/things/{thing_id}/stop", status_code=201)
    async def stop_thing(
        request: Request, caller: AuthenticatedCaller, thing_id: str, colour: Colour | None = None
    ) -> Response:
        return envelope.respond_created(request, {"id": thing_id, "colour": colour.name if colour else None})

    @router.delete("/things/{thing_id}")
    async def delete_thing(request: Request, caller: AuthenticatedCaller, thing_id: str) -> Response:
        return envelope.respond_deleted(request, thing_id)

    public = route.new_public_router(prefix="/v1", tag="public")

    @public.get("/hello")
    async def hello(request: Request, name: str = "you") -> Response:
        return envelope.respond(request, {"hello": name})

    app.include_router(router)
    app.include_router(public)
    return app


@asynccontextmanager
async def open_client(app: FastAPI, *, key: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, with a key if one is given."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    transport = httpx.ASGITransport(app, client=("203.0.113.9", 50000))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test/v1", headers=headers) as client:
        yield client


async def create_key(database: Database, *, allow_list: tuple[str, ...] = (), limit: int | None = None) -> str:
    """The key of a new organization."""
    organization = await accounts.create_organization(database, name=f"Test {values.now_ms()}")
    _, text = await accounts.create_key(
        database, organization_id=organization.id, name="test", allow_list=allow_list, requests_per_minute=limit
    )
    return text
