"""The HTTP application: joins the routes of all slices; decides nothing itself."""

from fastapi import FastAPI

from ringdown.accounts import service as account_service
from ringdown.agents import api as agents_api
from ringdown.agents import store as agent_store
from ringdown.agents import template_api
from ringdown.api import document, health
from ringdown.calls import api as calls_api
from ringdown.calls import browser_api, recording_api
from ringdown.calls.recording import RecordingLinks, RecordingStore
from ringdown.calls.store import calls as call_store
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.knowledge import api as knowledge_api
from ringdown.knowledge.documents import DocumentStore
from ringdown.outbound import OutboundClient
from ringdown.providers import embedding
from ringdown.providers.registry import read_providers
from ringdown.secret import SecretBox
from ringdown.telephony import api as trunk_api
from ringdown.telephony import number_api
from ringdown.tools import api as tools_api
from ringdown.tools.runner import ToolRunner
from ringdown.voices import api as voices_api
from ringdown.web import setup

BASE_PATH = "/api/public/v1"


def create_app(settings: Settings, database: Database) -> FastAPI:
    """The API on one database; recordings lie where the settings say."""
    app = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect has no envelope, and many clients repeat a POST as a GET
        generate_unique_id_function=lambda route: route.name,
    )
    setup.install(app, settings=settings, database=database, authenticate=account_service.new_authenticator(database))
    app.state.recordings = RecordingStore.open(settings)
    app.state.recording_links = RecordingLinks(database, settings)
    box = SecretBox.open(settings)
    for router in (
        calls_api.router,
        browser_api.router,
        agents_api.new_router(call_store.has_live_calls),
        template_api.router,
        knowledge_api.new_router(
            documents=DocumentStore.open(settings), embedder=embedding.open_embedder(read_providers(settings))
        ),
        voices_api.router,
        number_api.new_router(box, agent_store.get_agent),
        trunk_api.new_router(box),
        tools_api.new_router(box, ToolRunner(OutboundClient(private_allowed=settings.private_urls_allowed), box)),
    ):
        app.include_router(router, prefix=BASE_PATH)
    app.include_router(calls_api.transcript_router)
    app.include_router(recording_api.router)
    app.include_router(health.router)
    app.include_router(document.router, prefix=BASE_PATH)
    document.install(app)
    return app
