"""Joins the web layer to an application."""

from collections.abc import Mapping

from fastapi import FastAPI

from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.web import error_rendering
from ringdown.web.caller import Authenticate
from ringdown.web.context import WebContext
from ringdown.web.edge import Edge
from ringdown.web.shortcut import Shortcut, Shortcuts


def install(
    app: FastAPI,
    *,
    settings: Settings,
    database: Database,
    authenticate: Authenticate,
    shortcuts: Mapping[str, Shortcut],
) -> None:
    """Give the application its context, request ids and error envelope; call it once, before the routers.

    `shortcuts` are the paths whose GET has one.
    """
    app.state.web = WebContext(settings=settings, database=database, authenticate=authenticate)
    app.add_middleware(Shortcuts, by_path=shortcuts)
    app.add_middleware(Edge)
    error_rendering.install(app)
