"""What the web layer knows besides the request: settings, database, and who recognises a key."""

from dataclasses import dataclass

from fastapi import Request

from ringdown import values
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.web.caller import Authenticate


@dataclass(frozen=True, slots=True)
class WebContext:
    """The parts that every request needs; one per application."""

    settings: Settings
    database: Database
    authenticate: Authenticate


def get_context(request: Request) -> WebContext:
    """The application's parts; usable as a dependency."""
    context: WebContext = request.app.state.web
    return context


def get_settings(request: Request) -> Settings:
    """The application's settings; usable as a dependency."""
    return get_context(request).settings


def get_database(request: Request) -> Database:
    """The application's database; usable as a dependency."""
    return get_context(request).database


def get_request_id(request: Request) -> str:
    """The id of this request: `X-Request-Id` and `meta.request_id`."""
    if not hasattr(request.state, "request_id"):
        request.state.request_id = values.new_id("req")
    request_id: str = request.state.request_id
    return request_id


def set_header(request: Request, name: str, value: str) -> None:
    """Send a header with whatever answer this request will get, refusals included."""
    request.state.response_headers[name] = value
